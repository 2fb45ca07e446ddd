"""A simulation of queues: searches and enrolments that arrive at random, shards, replicas, cores, who waits how long.

Events are taken in the order of their arrival and each queue is first come, first served, so a server is described by
when it is free next (Kiefer and Wolfowitz, 1955): exact, and a million searches take seconds. A search goes to the
replica that begins it earliest, needs all nodes of it, and ends with the last (fork and join). Enrolments take a slice
of the same cores on the nodes of every replica.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Durations = Callable[[np.random.Generator, int], NDArray[np.float64]]
"""Draws so many durations, in seconds."""


class Cores:
    """Servers of one queue, first come, first served; arrivals have to come in order of time."""

    def __init__(self, count: int) -> None:
        self._free_at = [0.0] * count

    def begins(self, arrival: float) -> float:
        """When something that arrives now would begin."""
        return max(arrival, self._free_at[0])

    def serve(self, arrival: float, duration: float) -> float:
        """When something that arrives now will have ended."""
        end = self.begins(arrival) + duration
        heapq.heapreplace(self._free_at, end)
        return end


@dataclass(frozen=True)
class Cluster:
    """Replicas, each of so many nodes with so many cores; a search is a task on every node of one replica."""

    replicas: int
    nodes: int
    cores: int


def steady(seconds: float) -> Durations:
    """Always the same duration."""
    return lambda _, count: np.full(count, seconds)


def exponential(seconds: float) -> Durations:
    """Durations of that mean, as in the formulas of Erlang."""
    return lambda rng, count: rng.exponential(seconds, count)


def simulate(
    cluster: Cluster,
    searches_per_second: float,
    durations: Durations,
    *,
    searches: int = 100_000,
    writes_per_second: float = 0.0,
    write_durations: Durations | None = None,
    seed: int = 1,
) -> NDArray[np.float64]:
    """Seconds from arrival to answer of each search but the first tenth, in which the queues fill; float64.

    `durations` are of one search on one node; `write_durations` of one write, which a node of every replica does.
    """
    rng = np.random.default_rng(seed)
    arrivals = np.cumsum(rng.exponential(1 / searches_per_second, searches))
    writes = _writes(rng, writes_per_second, float(arrivals[-1]))
    times = np.concatenate([arrivals, writes])
    order = np.argsort(times, kind="stable")
    drawn = durations(rng, searches * cluster.nodes).reshape(searches, cluster.nodes)
    written = write_durations(rng, len(writes)) if write_durations else np.zeros(len(writes))
    nodes = [[Cores(cluster.cores) for _ in range(cluster.nodes)] for _ in range(cluster.replicas)]
    took = np.empty(searches)
    for event in order:
        arrival = float(times[event])
        if event < searches:
            replica = min(nodes, key=lambda each, now=arrival: max(node.begins(now) for node in each))
            ends = [node.serve(arrival, float(part)) for node, part in zip(replica, drawn[event], strict=True)]
            took[event] = max(ends) - arrival
        else:
            number = int(event) - searches
            for replica in nodes:
                replica[number % cluster.nodes].serve(arrival, float(written[number]))
    return took[searches // 10 :]


def _writes(rng: np.random.Generator, per_second: float, until: float) -> NDArray[np.float64]:
    if per_second <= 0:
        return np.empty(0)
    return np.cumsum(rng.exponential(1 / per_second, int(per_second * until)))
