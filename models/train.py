"""Train a face embedding.

    python -m models.train crops/ --out runs/first --teacher crops/teacher.npy

Reads top to bottom: options, data, network, optimiser, loop. Checkpoints to OUT/last.pt every few minutes;
`--resume` goes on from there. OUT/log.jsonl holds one row per report.
"""

import argparse
import json
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from models.data import UNLABELLED, Batch, Crops, batches, people_by_faces, shuffled
from models.losses import MARGIN, distillation, squared_l2_matrix, triplet
from models.mining import semi_hard
from models.networks import NETWORKS, build


@dataclass(frozen=True, slots=True)
class Options:
    """Every knob of training."""

    crops: Path
    out: Path
    teacher: Path | None = None  # embeddings to imitate; without them the loss is FaceNet's triplets alone
    network: str = "nn2"
    embedding_size: int = 128  # a teacher's own size where there is one
    side: int = 112  # input side in pixels
    growing: float = 0.0  # share of training on smaller pictures: half of it at 5/7 of the side, half at 6/7
    passes: float = 4.0  # over all crops
    batch_size: int = 128
    faces_per_person: int = 0  # K of P x K batches; 0 draws crops at random, which suits distillation alone
    triplet_weight: float = 0.0  # weight of the triplet loss beside distillation
    optimiser: str = "sgd"
    learning_rate: float = 0.1  # peak; warmed up over `warmup`, then along a cosine to zero
    weight_decay: float = 5e-4
    warmup: float = 0.02  # share of all steps
    seed: int = 1
    threads: int = 2
    report_steps: int = 50
    checkpoint_minutes: float = 5.0
    resume: bool = False
    start_from: Path | None = None  # weights of an earlier checkpoint, with a fresh schedule


def main() -> None:
    options = parse()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    # data
    crops = Crops(options.crops, options.teacher)
    steps = int(options.passes * len(crops) / options.batch_size)
    print(f"{len(crops)} crops, {len(crops.names)} people, {steps} steps of {options.batch_size} on {device}")

    # network and optimiser
    network = build(options.network, options.embedding_size).to(device, memory_format=torch.channels_last)
    optimiser = make_optimiser(network, options)
    if options.start_from:
        network.load_state_dict(torch.load(options.start_from, weights_only=True)["network"])
    start = resume(options, network, optimiser) if options.resume else 0
    feed = batches(crops, indices(crops, options, start), options.side, options.seed + start)

    # loop
    saved = time.monotonic()
    sums: dict[str, float] = {}
    bar = tqdm(range(start, steps), initial=start, total=steps, unit="step", mininterval=10)
    network.train()
    for step in bar:
        set_learning_rate(optimiser, options, step / steps)
        batch = resized(next(feed), side_at(options, step / steps))
        losses = train_step(network, optimiser, batch, options, device)
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + value / options.report_steps
        if (step + 1) % options.report_steps == 0:
            bar.set_postfix({name: f"{value:.3f}" for name, value in sums.items()})
            report(options, {"step": step + 1, "seconds": time.monotonic(), **sums})
            sums = {}
        if time.monotonic() - saved > 60 * options.checkpoint_minutes:
            save(options, network, optimiser, step + 1)
            saved = time.monotonic()
    save(options, network, optimiser, steps)


def side_at(options: Options, progress: float) -> int:
    """Input side at this share of training: small pictures first, since early steps learn as much from them."""
    if progress >= options.growing:
        return options.side
    return options.side * (5 if progress < options.growing / 2 else 6) // 7


def resized(batch: Batch, side: int) -> Batch:
    if batch.images.shape[-1] == side:
        return batch
    small = functional.interpolate(batch.images, size=(side, side), mode="bilinear", antialias=True)
    return batch._replace(images=small.contiguous(memory_format=torch.channels_last))


def train_step(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    batch: Batch,
    options: Options,
    device: torch.device,
) -> dict[str, float]:
    """One update; returns the parts of the loss."""
    batch = Batch(*(tensor.to(device, non_blocking=True) for tensor in batch))
    with torch.autocast(device.type, dtype=torch.bfloat16):
        embeddings = network(batch.images)
    parts = loss_parts(embeddings, batch, options)
    optimiser.zero_grad(set_to_none=True)
    torch.stack([weight * value for weight, value in parts.values()]).sum().backward()
    optimiser.step()
    return {name: value.item() for name, (_, value) in parts.items()}


def loss_parts(embeddings: Tensor, batch: Batch, options: Options) -> dict[str, tuple[float, Tensor]]:
    """Each part of the loss with its weight."""
    parts = {}
    if batch.teacher.shape[1]:
        parts["distillation"] = (1.0, distillation(embeddings, batch.teacher))
    weight = options.triplet_weight if parts else 1.0
    if weight:
        labelled = batch.people != UNLABELLED
        own, people = embeddings[labelled], batch.people[labelled]
        triplets = semi_hard(squared_l2_matrix(own, own).detach(), people, MARGIN)
        parts["triplet"] = (weight, triplet(own, triplets))
    return parts


def indices(crops: Crops, options: Options, start: int):  # type: ignore[no-untyped-def]
    """The stream of batches from step `start` on: the same rows as an uninterrupted run would see."""
    if options.faces_per_person:
        stream = people_by_faces(crops.people, options.batch_size, options.faces_per_person, options.seed)
    else:
        stream = shuffled(len(crops), options.batch_size, options.seed)
    for _ in range(start):
        next(stream)
    return stream


def make_optimiser(network: nn.Module, options: Options) -> torch.optim.Optimizer:
    """The chosen method, with weight decay on convolutions and linear layers and none on norms."""
    matrices = [p for p in network.parameters() if p.ndim > 1]
    vectors = [p for p in network.parameters() if p.ndim == 1]
    groups = [{"params": matrices, "weight_decay": options.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    rate = options.learning_rate
    if options.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=0.9, nesterov=True)
    if options.optimiser == "adagrad":
        return torch.optim.Adagrad(groups, lr=rate)
    if options.optimiser == "adamw":
        return torch.optim.AdamW(groups, lr=rate)
    raise ValueError(f"optimiser {options.optimiser!r} is not one of sgd, adagrad, adamw")


def set_learning_rate(optimiser: torch.optim.Optimizer, options: Options, progress: float) -> None:
    """Linear warm-up, then half a cosine down to zero; `progress` is 0 to 1."""
    if progress < options.warmup:
        factor = progress / options.warmup
    else:
        angle = torch.pi * (progress - options.warmup) / (1 - options.warmup)
        factor = 0.5 * (1 + float(torch.cos(torch.tensor(angle))))
    for group in optimiser.param_groups:
        group["lr"] = options.learning_rate * factor


def report(options: Options, row: dict[str, float]) -> None:
    """Append one row to the log."""
    with (options.out / "log.jsonl").open("a") as log:
        log.write(json.dumps(row) + "\n")


def save(options: Options, network: nn.Module, optimiser: torch.optim.Optimizer, step: int) -> None:
    """Write last.pt whole or not at all."""
    state = {
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
        "step": step,
        "options": {name: str(v) if isinstance(v, Path) else v for name, v in asdict(options).items()},
        "random": torch.get_rng_state(),
    }
    unfinished = options.out / "last.pt.tmp"
    torch.save(state, unfinished)
    unfinished.replace(options.out / "last.pt")


def resume(options: Options, network: nn.Module, optimiser: torch.optim.Optimizer) -> int:
    """Load last.pt; returns the step to go on from."""
    state = torch.load(options.out / "last.pt", weights_only=True)
    network.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    torch.set_rng_state(state["random"])
    return int(state["step"])


def parse() -> Options:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crops", type=Path)
    for field in fields(Options)[1:]:
        flag = "--" + field.name.replace("_", "-")
        if field.type is bool:
            parser.add_argument(flag, action="store_true")
        else:
            kind = Path if "Path" in str(field.type) else field.type
            required = field.name == "out"
            parser.add_argument(flag, type=kind, required=required, default=None if required else field.default)
    options = parser.parse_args()
    if options.network not in NETWORKS:
        parser.error(f"--network must be one of {', '.join(NETWORKS)}")
    return Options(**vars(options))


if __name__ == "__main__":
    main()
