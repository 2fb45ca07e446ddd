"""What the machine does of the bare stages with every core busy: the limit that a service can come near to.

Twice what one core does alone is more than two cores do, where they share caches, memory or clock; so the limit is
measured. Processes, or threads of one process, run all bare stages (tests/benchmarks/stages.py) of photographs, so many
of which go through each stage together; or one thread does, with ONNX Runtime's own threads for each network. The best
of these counts.
"""

import multiprocessing
import os
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any, NamedTuple

from tests.benchmarks.plan import Plan, Progress, Row
from tests.benchmarks.stages import Stages


class Way(NamedTuple):
    """A way to keep cores busy; `batch` is in faces."""

    processes: int
    threads: int
    network_threads: int
    batch: int


def ways(cores: int) -> list[Way]:
    """One core alone, and all of them."""
    alone = [Way(1, 1, 1, 4)]
    busy = [Way(cores, 1, 1, 1), Way(cores, 1, 1, 4), Way(cores, 1, 1, 16), Way(1, cores, 1, 4), Way(1, 1, cores, 4)]
    return alone + (busy if cores > 1 else [Way(1, 1, 1, 1), Way(1, 1, 1, 16)])


def steps(plan: Plan) -> int:
    return len(plan.sizes) * len(ways(cores()))


def measure(plan: Plan, progress: Progress) -> list[Row]:
    """A row for each size; figures are photographs a second, the limit pairs a second."""
    rows = []
    for size in plan.sizes:
        tried = []
        for way in ways(cores()):
            with progress.step(f"limit {size}, {way.processes} x {way.threads} x {way.network_threads}"):
                tried.append(way._asdict() | {"photographs_per_second": round(rate(size, way, plan.seconds / 3), 2)})
        rows.append({"size": size, "cores": cores(), "ways": tried, **summary(tried)})
    return rows


def summary(tried: list[Row]) -> Row:
    """The best of all ways in pairs, and how much all cores do of what one does."""
    best = max(row["photographs_per_second"] for row in tried)
    alone = max(row["photographs_per_second"] for row in tried if _busy(row) == 1)
    return {"pairs_per_second": round(best / 2, 2), "of_one_core": round(best / alone, 2)}


def _busy(row: Row) -> int:
    return int(row["processes"] * row["threads"] * row["network_threads"])


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def rate(size: str, way: Way, seconds: float) -> float:
    """Photographs a second."""
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(way.processes)
    with ProcessPoolExecutor(way.processes, spawn, initializer=_meet, initargs=(barrier,)) as pool:
        return sum(work.result() for work in [pool.submit(_rate, size, way, seconds) for _ in range(way.processes)])


_barrier: Any = None


def _meet(barrier: Any) -> None:
    global _barrier
    _barrier = barrier


def _rate(size: str, way: Way, seconds: float) -> float:
    """In one of the processes: begin when all are ready."""
    made = [Stages(size, way.network_threads) for _ in range(way.threads)]
    for stages in made:
        stages.bare_photographs(way.batch)
    together = threading.Barrier(way.threads)
    _barrier.wait()
    with ThreadPoolExecutor(way.threads) as threads:
        return sum(threads.map(lambda stages: _count(stages, way.batch, seconds, together), made))


def _count(stages: Stages, batch: int, seconds: float, together: threading.Barrier) -> float:
    together.wait()
    started, count = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - started) < seconds:
        stages.bare_photographs(batch)
        count += batch
    return count / elapsed
