"""Train a face embedding.

    python -m models.train crops/ --out runs/first --teacher crops/teacher.npy

Reads top to bottom: data, network, loss, optimiser, loop. The knobs are in `options.py`. Checkpoints to OUT/last.pt
every few minutes; `--resume` goes on from there, and a folder that holds a run is left alone without it.
OUT/log.jsonl holds one row per report.
"""

import time
from collections.abc import Iterator
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from models.augment import resized
from models.begin import begin, make_morphs, make_teacher, mapping_of_teacher
from models.checkpoint import Run, make_folder, report, resume, save
from models.data import UNLABELLED, Batch, Crops, Invention, batches, people_by_faces, seed_at, shuffled
from models.device_check import check_device
from models.losses import LOSSES, Loss, Problem, distillation, squared_l2_matrix
from models.mining import Mined, active_share, mine
from models.networks import build
from models.offline import mine_offline, offline_indices, rows_of_batch
from models.options import Options, parse
from models.refusals import refusals
from models.schedule import make_optimiser, set_learning_rate, side_at
from models.similarity import Similarities
from models.targets import targets

ENDLESS = 2**31  # steps of a run that the clock ends


def main() -> None:
    options = parse(str(__doc__))
    with refusals():
        train(options)


def train(options: Options) -> None:
    """Train as the options say; OUT/last.pt holds the result.

    Raises ValueError where OUT holds another run, and where crops, teacher or weights do not fit what is asked for.
    """
    make_folder(options)
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    # data
    crops = Crops(options.crops, options.teacher, options.people_share, options.seed)
    crops.reside(device)
    steps = steps_of(options, len(crops))
    length = f"{options.minutes:g} minutes" if steps == ENDLESS else f"{steps} steps"
    print(f"{len(crops)} crops, {len(crops.names)} people, {length} of batches of {options.batch_size} on {device}")

    # network, loss and optimiser
    network = build(options.network, options.embedding_size, options.side)
    network = network.to(device, memory_format=torch.channels_last)
    frozen = begin(network, options, crops, device)
    mapped = mapping_of_teacher(network, options, crops, device)
    crops.teacher = targets(crops.teacher, mapped)
    teacher = make_teacher(options, device) if options.morphs else None
    if device.type != "cpu":
        check_device(network, crops, options, device, teacher)
    loss = make_loss(options, len(crops.names))
    similarities = Similarities(crops.teacher, options, device) if options.similarity_weight else None
    learning = [network] if loss is None else [network, loss.to(device)]
    crop = crops.spec(options.input_px, options.crop_px)
    run = Run(network, loss, make_optimiser(learning, options), crop, crops.counts)
    if options.resume:
        resume(options, run)

    # loop
    feed = fed(run, crops, options, steps, teacher and make_morphs(teacher, options, mapped))
    saved, begun = time.monotonic(), time.monotonic() - run.elapsed_seconds
    total = None if steps == ENDLESS else steps
    bar = tqdm(range(run.step, steps), initial=run.step, total=total, unit="step", mininterval=10)
    network.train()
    for module in frozen:
        module.eval()
    for step in bar:
        progress = run.elapsed_seconds / (60 * options.minutes) if options.minutes else step / steps
        if progress >= 1:
            break
        torch.manual_seed(seed_at(options.seed, step, purpose=1))  # dropout
        set_learning_rate(run.optimiser, options, progress)
        batch = next(feed)
        batch = batch._replace(images=resized(batch.images, side_at(options, progress)))
        losses = train_step(run, batch, options, device, similarities)
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


def steps_of(options: Options, crops: int) -> int:
    """How many steps a run has at most: those asked for, else as many as fit the clock, else passes.

    Raises ValueError where the passes do not make up one batch.
    """
    if options.steps or options.minutes:
        return options.steps or ENDLESS
    faces = options.passes * crops
    if faces < options.batch_size:
        raise ValueError(
            f"{options.passes:g} passes over {crops} crops show {faces:g} faces, a batch has {options.batch_size}; "
            "choose a smaller --batch-size, more --passes or more crops"
        )
    return int(faces / options.batch_size)


def make_loss(options: Options, people: int) -> Loss | None:
    """The loss on people; None where a teacher alone is imitated."""
    if options.teacher and not options.loss_weight:
        return None
    return LOSSES[options.loss](
        Problem(
            people,
            options.embedding_size,
            options.margin,
            options.scale,
            options.angle_degrees,
            options.verification_weight,
        )
    )


def fed(run: Run, crops: Crops, options: Options, steps: int, invention: Invention | None = None) -> Iterator[Batch]:
    """Batches from the step at which the run stands: the same as an uninterrupted run would see."""
    while run.step < steps:
        start, stop = run.step, steps
        if options.mine_steps:
            mined_at = start - start % options.mine_steps
            stop = min(mined_at + options.mine_steps, steps)
            if start == mined_at:
                save(options, run)
                run.mined = mine_offline(run.network, crops, options, start)
            stream = islice(offline_indices(run.mined, options, mined_at), start - mined_at, stop - mined_at)
        else:
            stream = islice(online_indices(crops, options), start, stop)
        yield from batches(crops, stream, options.shown_px, options.seed, start, options.augmentation, invention)


def online_indices(crops: Crops, options: Options) -> Iterator[NDArray[np.int64]]:
    """Crops of every batch from step 0 on."""
    if options.faces_per_person:
        return people_by_faces(crops.people, options.batch_size, options.faces_per_person, options.seed)
    return shuffled(len(crops), options.batch_size, options.seed)


def train_step(
    run: Run, batch: Batch, options: Options, device: torch.device, similarities: Similarities | None = None
) -> dict[str, float | Tensor]:
    """One update; returns the parts of the loss, and the share of active triplets where there are triplets.

    What lies on a GPU stays there: reading a number would wait for it.
    """
    batch = Batch(*(tensor.to(device, non_blocking=True) for tensor in batch))
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=options.bf16):
        embeddings = run.network(batch.images)
    total = embeddings.sum() * 0.0
    seen: dict[str, float | Tensor] = {}
    if batch.teacher.shape[1]:
        imitation = distillation(embeddings, batch.teacher)
        total, seen["distillation"] = total + imitation, imitation.detach()
    if similarities is not None:
        resemblance = similarities(embeddings, batch.teacher, run.step)
        total, seen["similarity"] = total + options.similarity_weight * resemblance, resemblance.detach()
    if run.loss is not None:
        value, measures = loss_on_people(run.loss, embeddings, batch.people, options)
        total, seen[options.loss] = total + (options.loss_weight if seen else 1.0) * value, value.detach()
        seen |= measures
    run.optimiser.zero_grad(set_to_none=True)
    total.backward()
    run.optimiser.step()
    return seen


def loss_on_people(loss: Loss, embeddings: Tensor, people: Tensor, options: Options) -> tuple[Tensor, dict[str, float]]:
    """The loss of the labelled rows, on triplets mined where it takes some, and the share of these that are active."""
    labelled = people != UNLABELLED
    own, people = embeddings[labelled], people[labelled]
    if len(own) < 2:
        return embeddings.sum() * 0.0, {}
    if not loss.mining_margin:
        return loss(own, people, None), {}
    distances = squared_l2_matrix(own, own).detach()
    if options.mine_steps:
        triplets = rows_of_batch(len(own), own.device)
        mined = Mined(triplets, len(triplets.anchor))
    else:
        mined = mine(distances, people, loss.mining_margin, options.positives, options.negatives)
    active = active_share(mined, distances, loss.mining_margin)
    return loss(own, people, mined.triplets), {"active_triplets": active}


if __name__ == "__main__":
    main()
