"""A device that computes something else than the CPU is found out before it trains for hours.

What a step consists of (augmented pictures, the teacher's word for them, embeddings, slopes) is computed for a few
crops on both, and compared. Half precision and other orders of summation cost a little; anything more is a fault of
the device, of its libraries, or of this code.
"""

import copy

import torch
from torch import Tensor, nn

from models.augment import augment
from models.data import Crops
from models.losses import distillation
from models.options import Options

CROPS = 16
# Largest mean absolute difference of pictures within -1..1: a sample of a turned picture may fall beside an edge.
PICTURES = 0.02
# Largest mean squared L2 of embeddings: bfloat16 costs 0.0003 for teachers, 0.01 for a fresh network.
EMBEDDINGS = 0.03
# Smallest cosine of the slopes of all weights, in single precision: bfloat16 costs those of a fresh network 0.2.
SLOPES = 0.9


def check_device(
    network: nn.Module, crops: Crops, options: Options, device: torch.device, teacher: nn.Module | None = None
) -> None:
    """Raises ValueError where `device` and CPU disagree: what was compared, measured against allowed."""
    chosen = crops.spread(CROPS)
    stored, resident = torch.from_numpy(crops[chosen]), crops.pixels(chosen).to(device)
    pictures = views(stored, options)
    _expect("augmented pictures", (pictures - views(resident, options).cpu()).abs().mean(), at_most=PICTURES)
    if teacher is not None:
        check_teacher(teacher, stored, device)
    goal = torch.nn.functional.normalize(torch.randn(len(chosen), options.embedding_size, generator=_seeded()), dim=1)
    embeddings, slopes = learnt(copy.deepcopy(network).cpu(), pictures, goal, bf16=False)
    found = {
        bf16: learnt(copy.deepcopy(network), pictures.to(device), goal.to(device), bf16)
        for bf16 in {False, options.bf16}
    }
    for vectors, _ in found.values():
        _expect("embeddings of the network", distillation(vectors.cpu(), embeddings), at_most=EMBEDDINGS)
    cosine = torch.nn.functional.cosine_similarity(found[False][1].cpu(), slopes, dim=0)
    _expect("1 - the cosine of slopes", 1 - cosine, at_most=1 - SLOPES)


def check_teacher(teacher: nn.Module, crops: Tensor, device: torch.device) -> None:
    """Raises ValueError where a teacher on `device` says otherwise than on the CPU; `crops` as it takes them."""
    own = copy.deepcopy(teacher).cpu()(crops)
    _expect("embeddings of the teacher", distillation(teacher(crops.to(device)).cpu(), own), at_most=EMBEDDINGS)


def views(crops: Tensor, options: Options) -> Tensor:
    """Crops, uint8, as training shows them: the same on every device, since the CPU draws what happens to them."""
    return augment(crops, options.shown_px, _seeded(), options.augmentation)


def learnt(network: nn.Module, pictures: Tensor, goal: Tensor, bf16: bool) -> tuple[Tensor, Tensor]:
    """Embeddings (n, d), and the slopes of all weights in one vector, of one step of distillation that is not taken."""
    with torch.autocast(pictures.device.type, dtype=torch.bfloat16, enabled=bf16):
        embeddings = network.train()(pictures)
    distillation(embeddings, goal).backward()
    slopes = [parameter.grad.flatten() for parameter in network.parameters() if parameter.grad is not None]
    return embeddings.detach(), torch.cat(slopes)


def _seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _expect(what: str, measured: Tensor, at_most: float) -> None:
    if not measured <= at_most:  # not a number is no agreement either
        raise ValueError(
            f"{what}: this device and the CPU differ by {measured:.3g}, at most {at_most:g} is allowed; train on the "
            "CPU, or with another version of PyTorch and of the device's libraries"
        )
