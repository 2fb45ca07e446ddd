"""What one run of the benchmarks measures, and the bar that shows how far it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tqdm import tqdm

from tests.benchmarks.pictures import SIZES

Row = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """`seconds`: of each row under load. `repeats`: of each stage. `peers`: a Python for each, with its packages."""

    sizes: list[str] = field(default_factory=lambda: list(SIZES))
    peer_sizes: list[str] = field(default_factory=lambda: list(SIZES)[:3])
    galleries: list[int] = field(default_factory=lambda: [0, 10_000, 100_000, 1_000_000])
    peers: dict[str, str] = field(default_factory=dict)
    seconds: float = 6.0
    repeats: int = 41
    device: str = "cpu"


class Progress:
    """A bar of so many steps; each says what is being measured."""

    def __init__(self, total: int) -> None:
        self._bar = tqdm(total=total, unit="step", dynamic_ncols=True)

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        self._bar.set_description(what)
        yield
        self._bar.update()

    def close(self) -> None:
        self._bar.close()
