"""Train a face embedding.

    python -m models.train crops/ --out runs/first --teacher crops/teacher.npy

Reads top to bottom: data, network, loss, optimiser, loop. The knobs are in `options.py`. Checkpoints to OUT/last.pt
every few minutes; `--resume` goes on from there. OUT/log.jsonl holds one row per report.
"""

import time
from itertools import islice

import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from models.checkpoint import Run, report, resume, save, start_from
from models.data import UNLABELLED, Batch, Crops, batches, people_by_faces, seed_at, shuffled
from models.losses import MARGIN, distillation, squared_l2_matrix, triplet
from models.mining import semi_hard
from models.networks import build
from models.options import Options, parse
from models.schedule import make_optimiser, set_learning_rate, side_at


def main() -> None:
    options = parse(str(__doc__))
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    # data
    crops = Crops(options.crops, options.teacher)
    steps = int(options.passes * len(crops) / options.batch_size)
    print(f"{len(crops)} crops, {len(crops.names)} people, {steps} steps of {options.batch_size} on {device}")

    # network and optimiser
    network = build(options.network, options.embedding_size, options.side).to(device, memory_format=torch.channels_last)
    if options.start_from:
        fresh = start_from(options.start_from, network)
        print(f"weights of {options.start_from}; fresh: {', '.join(fresh) or 'none'}")
    run = Run(network, make_optimiser([network], options), crops.spec(options.side))
    if options.resume:
        resume(options, run)

    # loop
    feed = batches(
        crops, indices(crops, options, run.step, steps), options.side, options.seed, run.step, options.augmentation
    )
    saved, begun = time.monotonic(), time.monotonic() - run.elapsed_seconds
    bar = tqdm(range(run.step, steps), initial=run.step, total=steps, unit="step", mininterval=10)
    network.train()
    for step in bar:
        progress = run.elapsed_seconds / (60 * options.minutes) if options.minutes else step / steps
        if progress >= 1:
            break
        torch.manual_seed(seed_at(options.seed, step, purpose=1))  # dropout
        set_learning_rate(run.optimiser, options, progress)
        batch = resized(next(feed), side_at(options, progress))
        losses = train_step(run, batch, options, device)
        run.step, run.elapsed_seconds = step + 1, time.monotonic() - begun
        run.summed_steps += 1
        for name, value in losses.items():
            run.sums[name] = run.sums.get(name, 0.0) + value
        if run.step % options.report_steps == 0:
            bar.set_postfix({name: f"{value:.3f}" for name, value in report(options, run).items()})
        if time.monotonic() - saved > 60 * options.checkpoint_minutes:
            save(options, run)
            saved = time.monotonic()
    save(options, run)


def indices(crops: Crops, options: Options, start: int, stop: int):  # type: ignore[no-untyped-def]
    """Batches of crops from step `start` to before `stop`: the same rows as an uninterrupted run would see."""
    if options.faces_per_person:
        stream = people_by_faces(crops.people, options.batch_size, options.faces_per_person, options.seed)
    else:
        stream = shuffled(len(crops), options.batch_size, options.seed)
    return islice(stream, start, stop)


def resized(batch: Batch, side: int) -> Batch:
    if batch.images.shape[-1] == side:
        return batch
    small = functional.interpolate(batch.images, size=(side, side), mode="bilinear", antialias=True)
    return batch._replace(images=small.contiguous(memory_format=torch.channels_last))


def train_step(run: Run, batch: Batch, options: Options, device: torch.device) -> dict[str, float]:
    """One update; returns the parts of the loss."""
    batch = Batch(*(tensor.to(device, non_blocking=True) for tensor in batch))
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=options.bf16):
        embeddings = run.network(batch.images)
    parts = loss_parts(embeddings, batch, options)
    run.optimiser.zero_grad(set_to_none=True)
    torch.stack([weight * value for weight, value in parts.values()]).sum().backward()
    run.optimiser.step()
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


if __name__ == "__main__":
    main()
