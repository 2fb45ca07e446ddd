"""What a run begins with: weights from elsewhere, and a teacher in the coordinates of the student."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.augment import NONE, augment, resized
from models.checkpoint import start_from
from models.data import Crops
from models.morph import Morphs
from models.networks import head
from models.options import Options
from models.reopen import reopen
from models.targets import mapping, rotation, targets
from models.teacher import Teacher, face_px

SHOWN_AT_START = 1024  # crops that measure what a network knows already


def begin(network: nn.Module, options: Options, crops: Crops, device: torch.device) -> list[nn.Module]:
    """Fill a fresh network from `--start-from`; returns the layers that are to learn nothing, not even norms."""
    if options.start_from is None:
        return []
    if options.start_from.suffix == ".onnx":
        reopen(options.start_from, network, some_views(crops, options, SHOWN_AT_START).to(device))
        return freeze(network, options.frozen_parts)
    fresh = start_from(options.start_from, network, head(options.network, options.side) if options.fresh_head else ())
    print(f"weights of {options.start_from}; fresh: {', '.join(fresh) or 'none'}")
    if not options.frozen_trunk:
        return freeze(network, options.frozen_parts)
    for name, weight in network.named_parameters():
        weight.requires_grad_(name in fresh)
    learning = {name.rpartition(".")[0] for name in fresh}
    return [m for name, m in network.named_modules() if name not in learning and not list(m.children())]


def freeze(network: nn.Module, names: Sequence[str]) -> list[nn.Module]:
    """Parts of the network are to learn nothing; returns their layers. Raises ValueError where one is not there.

    A part is named as PyTorch names it: `stem`, or `modules_3_to_5.0` for the first module after it.
    """
    parts = {name: part for name, part in network.named_modules() if name}  # "" is the whole network
    if absent := [name for name in names if name not in parts]:
        children = [name for name, _ in network.named_children()]
        raise ValueError(f"no part {absent[0]!r} in this network: it has {', '.join(children)}, and parts of these")
    return [layer for name in names for layer in parts[name].requires_grad_(False).modules()]


def some_views(crops: Crops, options: Options, count: int) -> Tensor:
    """Crops, evenly spaced, as the network sees them without augmentation: float32 (n, 3, side, side)."""
    generator = torch.Generator()  # asked for nothing
    return resized(augment(crops.pixels(crops.spread(count)), options.shown_px, generator, NONE), options.side)


def mapping_of_teacher(network: nn.Module, options: Options, crops: Crops, device: torch.device) -> NDArray[np.float32]:
    """From the teacher's coordinates to the student's; turned towards those of a student that knows something."""
    mapped = mapping(crops.teacher, options.embedding_size)
    if not crops.teacher.size or options.start_from is None or options.fresh_head:
        return mapped
    with torch.inference_mode():
        known = network.eval()(some_views(crops, options, SHOWN_AT_START).to(device)).cpu().numpy()
    wanted = targets(crops.teacher[crops.spread(SHOWN_AT_START)], mapped)
    turn = rotation(wanted, known)
    # A network that knows nothing of the teacher, or is shown other faces than the teacher was, begins at what the
    # best constant answer is away: better seen now than after hours.
    apart = np.square(wanted @ turn - known).sum(1).mean()
    constant = 2 - 2 * np.linalg.norm(wanted.mean(0))  # of unit vectors, from the unit vector along their mean
    print(f"begins at {apart:.3f} from the teacher, squared L2; the best constant answer is {constant:.3f} away")
    return mapped @ turn


def make_teacher(options: Options, device: torch.device) -> Teacher:
    """The networks of `--live-teacher`."""
    return Teacher(options.live_teacher, face_px(options.crops)).to(device, memory_format=torch.channels_last)


def make_morphs(teacher: Teacher, options: Options, mapped: NDArray[np.float32]) -> Morphs:
    """Made-up faces, with the teacher's embeddings in the coordinates that the student learns."""
    device = next(teacher.parameters()).device
    turn = torch.from_numpy(mapped).to(device)
    return Morphs(options.morphs, lambda faces: functional.normalize(teacher(faces.to(device)) @ turn, dim=1))
