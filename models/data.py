"""Prepared crops as batches for training.

Crops lie in memory-mapped parts (see `models.prepare`), or all of them on a GPU; a batch is gathered, augmented and
handed over by a background thread while the network is busy with the one before.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.faces.crop import CropSpec
from models.augment import Augmentation, augment
from models.rows import read_rows

UNLABELLED = -1
MADE_UP = "made up"  # the source of faces of nobody
UNFINISHED = "unfinished"  # a file that is there while crops are being made
BLOCK = 10_000  # crops that lie together on a device: fewer numbers than an int32 counts
DEFAULT_AUGMENTATION = Augmentation()


class Batch(NamedTuple):
    """`images` float32 (n, 3, side, side) about -1..1; `people` int64 (n,); `teacher` float32 (n, d) or empty."""

    images: Tensor
    people: Tensor
    teacher: Tensor


# A batch whose images are still crops, uint8 (n, stored, stored, 3), to one of the same size.
Invention = Callable[[Batch, torch.Generator], Batch]


class Crops:
    """All parts of a folder of prepared crops, addressed by one index."""

    def __init__(self, folder: Path, teacher: Path | None = None, people_share: float = 1.0, seed: int = 0) -> None:
        """`teacher`: float32 (crops, d) as `models.teacher` writes it.

        With a `people_share` below 1 only the crops of so many people are there (see `share_of_people`). Raises
        ValueError where there are no crops, or not as many as a teacher's embeddings.
        """
        parts = parts_of(folder)
        self._arrays = [np.load(path, mmap_mode="r") for path in parts]
        self._starts = np.cumsum([0] + [len(array) for array in self._arrays])
        rows = [row for path in parts for row in read_rows(path.with_suffix(".tsv"))]
        names = [f"{source}/{identity}" if identity else "" for _, identity, source in rows]
        self.names = sorted(set(names) - {""})
        number = {name: i for i, name in enumerate(self.names)} | {"": UNLABELLED}
        self.files = [path for path, _, _ in rows]
        self.sources = [source for _, _, source in rows]
        self.people = np.array([number[name] for name in names], dtype=np.int64)
        self.teacher = np.zeros((len(rows), 0), np.float32) if teacher is None else np.load(teacher)
        stored = int(self._starts[-1])
        if not len(self.people) == len(self.teacher) == stored:
            raise ValueError(f"{stored} crops, {len(self.people)} rows, {len(self.teacher)} teacher embeddings")

        self._kept = np.arange(len(rows))
        if people_share < 1:
            self._keep(share_of_people(self.people, people_share, seed))
        self._geometry = folder / "crop.json"
        self._resident: list[Tensor] = []

    def reside(self, device: torch.device) -> None:
        """Hold all crops on a device, where they fit into half of its free memory: batches are made there."""
        needed = len(self) * 3 * self.stored_px**2
        if device.type != "cuda" or needed > torch.cuda.mem_get_info(device)[0] / 2:
            return
        blocks = np.split(np.arange(len(self)), range(BLOCK, len(self), BLOCK))
        self._resident = [torch.from_numpy(self[rows]).to(device) for rows in blocks]

    def pixels(self, indices: NDArray[np.int64]) -> Tensor:
        """Crops as uint8 (n, side, side, 3), on the device where they reside."""
        if not self._resident:
            return torch.from_numpy(self[indices])
        device, side = self._resident[0].device, self.stored_px
        found = torch.empty((len(indices), side, side, 3), dtype=torch.uint8, device=device)
        for number, block in enumerate(self._resident):
            (rows,) = np.nonzero(indices // BLOCK == number)
            within = torch.from_numpy(indices[rows] - number * BLOCK)
            found[torch.from_numpy(rows).to(device)] = block[within.to(device)]
        return found

    @property
    def counts(self) -> dict[str, int]:
        """Photographs and people, and faces of `models.made_up`, which are no photographs, where there are any."""
        made_up = self.sources.count(MADE_UP)
        counts = {"photographs": len(self) - made_up, "people": len(self.names)}
        return counts | ({"made_up_faces": made_up} if made_up else {})

    def _keep(self, kept: NDArray[np.int64]) -> None:
        """Only these crops; people are numbered anew, without gaps."""
        self._kept, self.teacher = kept, self.teacher[kept]
        self.files, self.sources = ([of[i] for i in kept] for of in (self.files, self.sources))
        labels, people = np.unique(self.people[kept], return_inverse=True)
        unlabelled = int(UNLABELLED in labels)
        self.people = people - unlabelled
        self.names = [self.names[label] for label in labels[unlabelled:]]

    @property
    def stored_px(self) -> int:
        return int(self._arrays[0].shape[1])

    def spec(self, side: int, crop_px: int = 0) -> CropSpec:
        """The geometry of the middle of these crops, for the model card: `side` pixels, or `crop_px` scaled to them."""
        if crop_px and crop_px != side:
            scaled = self.spec(crop_px).scaled(side)
            return replace(scaled, template=tuple((round(x, 6), round(y, 6)) for x, y in scaled.template))
        if self._geometry.exists():
            fields = json.loads(self._geometry.read_text())
            stored = CropSpec(fields["crop_px"], tuple((x, y) for x, y in fields["template"]))
        else:  # folders prepared before geometry was recorded: 112 px and a margin
            stored = CropSpec().widened((self.stored_px - CropSpec().crop_px) // 2)
        offset = (stored.crop_px - side) // 2
        template = tuple((round(x - offset, 6), round(y - offset, 6)) for x, y in stored.template)
        return replace(stored, crop_px=side, template=template)

    def __len__(self) -> int:
        return len(self.people)

    def spread(self, count: int) -> NDArray[np.int64]:
        """Indices of `count` crops, evenly spaced; of all where there are fewer."""
        return np.linspace(0, len(self) - 1, min(count, len(self))).astype(np.int64)

    def __getitem__(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Crops as uint8 (n, side, side, 3)."""
        indices = self._kept[indices]
        part = np.searchsorted(self._starts, indices, side="right") - 1
        return np.stack([self._arrays[p][i - self._starts[p]] for p, i in zip(part, indices, strict=True)])


def parts_of(folder: Path) -> list[Path]:
    """The parts of a folder of crops, in order; raises ValueError where there are none, or not all yet."""
    parts = sorted(folder.glob("part-?????.npy"))
    if not parts:
        raise ValueError(f"{folder} holds no crops; make them with models.prepare")
    has_gap = any(path.stem != f"part-{number:05d}" for number, path in enumerate(parts))
    if has_gap or (folder / UNFINISHED).exists():
        raise ValueError(f"{folder} is not finished; what was making its crops goes on where it stopped if run again")
    return parts


def share_of_people(people: NDArray[np.int64], share: float, seed: int) -> NDArray[np.int64]:
    """Indices, ascending, of all crops of a share of the people, and of that share of those whom nobody named.

    Whoever is in a share is in every larger one of the same seed. At least one person stays, if there is one.
    """
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.unique(people[people != UNLABELLED]))
    unlabelled = rng.permutation(np.flatnonzero(people == UNLABELLED))
    chosen = labels[: math.ceil(share * len(labels))]
    strangers = unlabelled[: math.ceil(share * len(unlabelled))]
    return np.sort(np.concatenate([np.flatnonzero(np.isin(people, chosen)), strangers]))


def shuffled(count: int, batch_size: int, *seed: int) -> Iterator[NDArray[np.int64]]:
    """Endless batches of indices: every crop once a pass, in a new order each pass; a short rest is dropped."""
    if count < batch_size:
        raise ValueError(f"{count} to draw from do not fill a batch of {batch_size}; choose a smaller one")
    for number in range(2**31):
        order = np.random.default_rng((*seed, number)).permutation(count)
        yield from order[: count - count % batch_size].reshape(-1, batch_size)


def people_by_faces(
    people: NDArray[np.int64], batch_size: int, faces_per_person: int, *seed: int
) -> Iterator[NDArray[np.int64]]:
    """Endless P x K batches for triplets: as many people as fit, up to `faces_per_person` distinct faces of each.

    Raises ValueError when all people that have two faces or more do not fill a batch.
    """
    order = np.argsort(people, kind="stable")
    labels, starts = np.unique(people[order], return_index=True)
    faces = dict(zip(labels.tolist(), np.split(order, starts[1:]), strict=True))
    several = [label for label in labels if label != UNLABELLED and len(faces[label]) > 1]
    available = sum(min(len(faces[label]), faces_per_person) for label in several)
    if available < batch_size:
        raise ValueError(
            f"{len(several)} people with two faces or more give {available} faces, {faces_per_person} each at most; "
            f"a batch has {batch_size}"
        )
    rng = np.random.default_rng(seed)
    while True:
        batch: list[int] = []
        for label in rng.permutation(several):
            own = faces[label]
            batch.extend(rng.choice(own, min(faces_per_person, len(own)), replace=False))
            if len(batch) >= batch_size:
                yield np.array(batch[:batch_size], dtype=np.int64)
                batch = []


def seed_at(seed: int, step: int, purpose: int = 0) -> int:
    """The seed of one step's randomness: a function of the run's seed and the step, so that a resumed run repeats."""
    return int(np.random.SeedSequence((seed, step, purpose)).generate_state(1, np.uint64)[0])


def batches(
    crops: Crops,
    indices: Iterable[NDArray[np.int64]],
    side: int,
    seed: int,
    first_step: int = 0,
    augmentation: Augmentation = DEFAULT_AUGMENTATION,
    invented: Invention | None = None,
) -> Iterator[Batch]:
    """Augmented batches, two of them always ready; `seed` and the step fix what augmentation does to each.

    `invented` puts people who do not exist in place of some, before augmentation. An error while a batch is made is
    raised here, once the batches before it are used up.
    """
    ready: Queue[Batch | BaseException | None] = Queue(maxsize=2)

    def produce() -> None:
        try:
            for step, chosen in enumerate(indices, first_step):
                generator = torch.Generator().manual_seed(seed_at(seed, step))
                drawn = Batch(
                    crops.pixels(chosen), *map(torch.from_numpy, (crops.people[chosen], crops.teacher[chosen]))
                )
                if invented is not None:
                    drawn = invented(drawn, generator)
                ready.put(drawn._replace(images=augment(drawn.images, side, generator, augmentation)))
            ready.put(None)
        except BaseException as error:  # handed to the consumer, which would wait for ever otherwise
            ready.put(error)

    Thread(target=produce, daemon=True, name="batches").start()
    while (batch := ready.get()) is not None:
        if isinstance(batch, BaseException):
            raise batch
        yield batch
