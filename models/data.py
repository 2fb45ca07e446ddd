"""Prepared crops as batches for training.

Crops lie in memory-mapped parts (see `models.prepare`); a batch is gathered, augmented and handed over by a
background thread while the network is busy with the one before.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.augment import augment

UNLABELLED = -1


class Batch(NamedTuple):
    """`images` float32 (n, 3, side, side) about -1..1; `people` int64 (n,); `teacher` float32 (n, d) or empty."""

    images: Tensor
    people: Tensor
    teacher: Tensor


class Crops:
    """All parts of a folder of prepared crops, addressed by one index."""

    def __init__(self, folder: Path, teacher: Path | None = None) -> None:
        """`teacher`: float32 (crops, d) as `models.teacher` writes it; raises ValueError when its length differs."""
        parts = sorted(folder.glob("part-?????.npy"))
        self._arrays = [np.load(path, mmap_mode="r") for path in parts]
        self._starts = np.cumsum([0] + [len(array) for array in self._arrays])
        rows = [row for path in parts for row in _rows(path.with_suffix(".tsv"))]
        names = [f"{source}/{identity}" if identity else "" for _, identity, source in rows]
        self.names = sorted(set(names) - {""})
        number = {name: i for i, name in enumerate(self.names)} | {"": UNLABELLED}
        self.people = np.array([number[name] for name in names], dtype=np.int64)
        self.teacher = np.zeros((len(rows), 0), np.float32) if teacher is None else np.load(teacher)
        if not len(self.people) == len(self.teacher) == len(self):
            raise ValueError(f"{len(self)} crops, {len(self.people)} rows, {len(self.teacher)} teacher embeddings")

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Crops as uint8 (n, side, side, 3)."""
        part = np.searchsorted(self._starts, indices, side="right") - 1
        return np.stack([self._arrays[p][i - self._starts[p]] for p, i in zip(part, indices, strict=True)])


def shuffled(count: int, batch_size: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Endless batches of indices: every crop once a pass, in a new order each pass; a short rest is dropped."""
    for number in range(2**31):
        order = np.random.default_rng((seed, number)).permutation(count)
        yield from order[: count - count % batch_size].reshape(-1, batch_size)


def people_by_faces(
    people: NDArray[np.int64], batch_size: int, faces_per_person: int, seed: int
) -> Iterator[NDArray[np.int64]]:
    """Endless P x K batches for triplets: as many people as fit, up to `faces_per_person` distinct faces of each."""
    order = np.argsort(people, kind="stable")
    labels, starts = np.unique(people[order], return_index=True)
    faces = dict(zip(labels.tolist(), np.split(order, starts[1:]), strict=True))
    several = [label for label in labels if label != UNLABELLED and len(faces[label]) > 1]
    rng = np.random.default_rng(seed)
    while True:
        batch: list[int] = []
        for label in rng.permutation(several):
            own = faces[label]
            batch.extend(rng.choice(own, min(faces_per_person, len(own)), replace=False))
            if len(batch) >= batch_size:
                yield np.array(batch[:batch_size], dtype=np.int64)
                batch = []


def batches(crops: Crops, indices: Iterator[NDArray[np.int64]], side: int, seed: int) -> Iterator[Batch]:
    """Augmented batches, two of them always ready; `seed` fixes the augmentation."""
    ready: Queue[Batch | BaseException] = Queue(maxsize=2)

    def produce() -> None:
        generator = torch.Generator().manual_seed(seed)
        try:
            for chosen in indices:
                images = augment(torch.from_numpy(crops[chosen]), side, generator)
                people = torch.from_numpy(crops.people[chosen])
                ready.put(Batch(images, people, torch.from_numpy(crops.teacher[chosen])))
        except BaseException as error:  # handed to the consumer, which would wait for ever otherwise
            ready.put(error)

    Thread(target=produce, daemon=True, name="batches").start()
    while True:
        batch = ready.get()
        if isinstance(batch, BaseException):
            raise batch
        yield batch


def _rows(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file, delimiter="\t"))
