"""All pairs of a set of labelled faces: their distances, and how sure a rate measured on them is.

A person's pairs are not independent, so intervals come from drawing people with replacement, never pairs.
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

Embeddings = NDArray[np.float32]
People = NDArray[np.int64]

RESAMPLES = 200
CI95_PERCENT = [2.5, 97.5]
# Share of impostor pairs, the nearest ones, that is kept: more than the largest false-accept rate of interest.
KEEP_SHARE = 0.35

_ROWS = 1024
_THRESHOLDS_PER_UNIT = 100_000
_BINS_PER_UNIT = 2000


class PairTable:
    """Distances of all pairs, with what a bootstrap over people needs.

    `people` int64 (n,) of the crops; `first`, `second` int32 and `squared_l2` float32 (m,) of the nearest impostor
    pairs, ascending; `impostor_pairs` counts all of them; `genuine` float32 (g,), ascending, holds every same-person
    distance and `genuine_people` int64 (g,) whose it is. Memory grows with n squared: 50 million pairs take 0.5 GB.
    """

    def __init__(self, embeddings: Embeddings, people: People, keep_share: float = KEEP_SHARE) -> None:
        """`embeddings` float32 (n, d), unit vectors.

        Raises ValueError where some are not finite, or all are of one person.
        """
        if not np.isfinite(embeddings).all():
            raise ValueError("some embeddings are not finite numbers: the network's weights are damaged or diverged")
        if len(np.unique(people)) < 2:
            raise ValueError(f"{len(people)} crops of one person: there is no pair of two people to measure rates on")
        self.people = people
        counts = np.zeros(4 * _BINS_PER_UNIT + 1, np.int64)
        genuine: list[tuple[NDArray[np.float32], NDArray[np.int64]]] = []
        for values, first, second in _blocks(embeddings):
            same = people[first] == people[second]
            genuine.append((values[same], people[first[same]]))
            counts += np.bincount((values[~same] * _BINS_PER_UNIT).astype(np.int64), minlength=len(counts))
        self.impostor_pairs = int(counts.sum())
        self.genuine, self.genuine_people = _sorted(*(np.concatenate(parts) for parts in zip(*genuine, strict=True)))
        edge = int(np.searchsorted(np.cumsum(counts), keep_share * self.impostor_pairs)) + 1
        self._keep_nearest(embeddings, edge / _BINS_PER_UNIT)

    def _keep_nearest(self, embeddings: Embeddings, limit: float) -> None:
        kept = []
        for values, first, second in _blocks(embeddings):
            near = (self.people[first] != self.people[second]) & (values < limit)
            kept.append((values[near], first[near], second[near]))
        values, first, second = (np.concatenate(parts) for parts in zip(*kept, strict=True))
        order = np.argsort(values, kind="stable")
        self.squared_l2, self.first, self.second = values[order], first[order], second[order]

    def threshold(self, far: float) -> float:
        """The largest threshold of five decimals that accepts at most this share of impostor pairs: an order statistic.

        It is rounded here, and down: to the nearest would accept a pair more than was asked every other time, and be
        another threshold than the one that rates are measured at.
        """
        exact = float(self.squared_l2[int(far * self.impostor_pairs)])
        return math.floor(exact * _THRESHOLDS_PER_UNIT) / _THRESHOLDS_PER_UNIT

    def far(self, threshold: float) -> float:
        """Share of impostor pairs below a threshold; exact up to the largest rate that was kept."""
        return float(np.searchsorted(self.squared_l2, threshold, side="left") / self.impostor_pairs)

    def val(self, threshold: float) -> float:
        """Share of genuine pairs below a threshold. Raises ValueError where nobody has two photographs."""
        if not len(self.genuine):
            raise ValueError("nobody has two photographs: there is no pair of one person to measure VAL on")
        return float(np.searchsorted(self.genuine, threshold, side="left") / len(self.genuine))


def bootstrap(table: PairTable, thresholds: list[float], seed: int = 1) -> NDArray[np.float64]:
    """FAR at each threshold in `RESAMPLES` draws of people with replacement, float64 (resamples, thresholds).

    A person drawn k times counts k-fold; a pair counts as the product of its two people's counts.
    """
    person, counts = _draws(table.people, seed)
    weighted = counts * np.bincount(person)
    pairs = (weighted.sum(1) ** 2 - (weighted**2).sum(1)) / 2
    a, b = person[table.first], person[table.second]
    ends = np.searchsorted(table.squared_l2, thresholds, side="left")
    accepted = np.zeros((len(counts), len(ends)))
    total, start = np.zeros(len(counts)), 0
    for column in tqdm(np.argsort(ends, kind="stable"), desc="bootstrap", unit="threshold"):
        total = total + _weight(counts, a[start : ends[column]], b[start : ends[column]])
        accepted[:, column], start = total, ends[column]
    return accepted / np.maximum(pairs, 1)[:, None]  # a draw of one person alone has no pair, and accepts none


def bootstrap_val(table: PairTable, thresholds: list[float], seed: int = 1) -> NDArray[np.float64]:
    """VAL at each threshold in the same draws, float64 (resamples, thresholds)."""
    _, counts = _draws(table.people, seed)
    labels = np.unique(table.people)
    person = np.searchsorted(labels, table.genuine_people)
    ends = np.searchsorted(table.genuine, thresholds, side="left")
    weights = np.concatenate([np.zeros((len(counts), 1)), np.cumsum(counts[:, person], axis=1)], axis=1)
    return weights[:, ends] / np.maximum(weights[:, -1:], 1)


def _draws(people: People, seed: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The number of each crop's person, int64 (n,), and how often each was drawn, float64 (RESAMPLES, people)."""
    labels, person = np.unique(people, return_inverse=True)
    rng = np.random.default_rng(seed)
    drawn = [np.bincount(rng.integers(0, len(labels), len(labels)), minlength=len(labels)) for _ in range(RESAMPLES)]
    return person, np.array(drawn, np.float64)


def _weight(counts: NDArray[np.float64], a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.float64]:
    """The sum of count[a] * count[b] for each draw: pair by pair where they are few, else as a quadratic form."""
    people = counts.shape[1]
    if 4 * len(a) < people * people:
        return np.array([row[a] @ row[b] for row in counts])
    # float32 holds these whole numbers exactly; only the sums are rounded.
    times = np.bincount(a * people + b, minlength=people * people).reshape(people, people).astype(np.float32)
    few = counts.astype(np.float32)
    return np.einsum("ij,ij->i", few @ times, few, dtype=np.float64)


Block = tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int32]]


def _blocks(embeddings: Embeddings) -> Iterator[Block]:
    """Squared L2 and both indices of every pair once, some rows at a time."""
    for start in range(0, len(embeddings), _ROWS):
        rows = embeddings[start : start + _ROWS]
        squared_l2 = np.clip(2.0 - 2.0 * (rows @ embeddings[start:].T), 0.0, 4.0).astype(np.float32)
        first, second = np.triu_indices(len(rows), k=1, m=squared_l2.shape[1])
        yield squared_l2[first, second], (first + start).astype(np.int32), (second + start).astype(np.int32)


def _sorted(values: NDArray[np.float32], people: People) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    order = np.argsort(values, kind="stable")
    return values[order], people[order]
