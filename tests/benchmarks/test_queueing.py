"""The simulation of queues against what is known of them: Erlang, Pollaczek and Khinchine, and order statistics."""

import math

import numpy as np
import pytest

from tests.benchmarks.queueing import Cluster, Cores, Durations, exponential, simulate, steady

SERVICE = 0.01
SEARCHES = 60_000


def erlang_c(servers: int, load: float) -> float:
    """The probability that an arrival waits, of `servers` with `load` Erlang offered (Erlang, 1917)."""
    alone = sum(load**k / math.factorial(k) for k in range(servers))
    full = load**servers / math.factorial(servers) * servers / (servers - load)
    return full / (alone + full)


def times(cluster: Cluster, utilisation: float, durations: Durations, searches: int = SEARCHES) -> np.ndarray:
    servers = cluster.replicas * cluster.cores
    return simulate(cluster, utilisation * servers / SERVICE, durations, searches=searches)


@pytest.mark.parametrize("servers", [1, 2, 8])
@pytest.mark.parametrize("utilisation", [0.3, 0.7])
def test_the_mean_time_of_m_m_c_is_erlangs(servers: int, utilisation: float) -> None:
    took = times(Cluster(1, 1, servers), utilisation, exponential(SERVICE))
    waits = erlang_c(servers, utilisation * servers) * SERVICE / (servers * (1 - utilisation))
    assert took.mean() == pytest.approx(SERVICE + waits, rel=0.05)


def test_the_share_of_m_m_1_above_a_time_falls_exponentially() -> None:
    took = times(Cluster(1, 1, 1), 0.5, exponential(SERVICE))
    # The time in an M/M/1 queue is exponential with the mean service / (1 - utilisation).
    assert np.percentile(took, 99) == pytest.approx(SERVICE / 0.5 * math.log(100), rel=0.1)


@pytest.mark.parametrize("utilisation", [0.3, 0.8])
def test_the_mean_time_of_m_d_1_is_pollaczeks(utilisation: float) -> None:
    took = times(Cluster(1, 1, 1), utilisation, steady(SERVICE))
    assert took.mean() == pytest.approx(SERVICE + utilisation * SERVICE / (2 * (1 - utilisation)), rel=0.05)


def test_replicas_that_are_chosen_by_their_queues_are_one_queue_with_the_cores_of_all() -> None:
    apart = times(Cluster(4, 1, 2), 0.7, exponential(SERVICE))
    together = times(Cluster(1, 1, 8), 0.7, exponential(SERVICE))
    assert apart.mean() == pytest.approx(together.mean(), rel=0.03)


def test_a_search_of_all_nodes_ends_with_the_slowest() -> None:
    nodes = 16
    took = times(Cluster(1, nodes, 64), 0.01, exponential(SERVICE), searches=5_000)
    # Nobody waits; the greatest of n exponential durations has the mean of one times the n-th harmonic number.
    assert took.mean() == pytest.approx(SERVICE * sum(1 / k for k in range(1, nodes + 1)), rel=0.03)


def test_writes_take_the_cores_that_they_take() -> None:
    """Half of the load as writes of the same duration waits like the whole load of searches."""
    cluster, rate = Cluster(1, 1, 1), 35.0
    mixed = simulate(
        cluster, rate, steady(SERVICE), searches=SEARCHES, writes_per_second=rate, write_durations=steady(SERVICE)
    )
    utilisation = 2 * rate * SERVICE
    assert mixed.mean() == pytest.approx(SERVICE + utilisation * SERVICE / (2 * (1 - utilisation)), rel=0.05)


def test_the_same_seed_gives_the_same_times() -> None:
    cluster = Cluster(2, 3, 4)
    first, again, other = (simulate(cluster, 50, exponential(SERVICE), searches=500, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_cores_serve_in_order() -> None:
    cores = Cores(2)
    assert [cores.serve(arrival, 10.0) for arrival in (0.0, 1.0, 2.0, 30.0)] == [10.0, 11.0, 20.0, 40.0]
