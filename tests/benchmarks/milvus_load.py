"""How long searches take on a Milvus under load, simulated: the plans of `sameface size` and random arrivals.

    python -m tests.benchmarks.milvus_load

Writes results/milvus_load.json and docs/pictures/milvus-load.png. A node searches its segments side by side on its
cores, each for the processor time of the index type; durations vary by 30 % (lognormal). Enrolments are indexed on the
same cores, as in a standalone Milvus: each takes the index type's time to build, on one node of every replica.
"""

import argparse
from math import ceil, log, sqrt
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray

from app.sizing.index_types import INDEX_TYPES
from app.sizing.plan import USABLE_CORES, Load, Node, Plan, plan
from tests.benchmarks.queueing import Cluster, Durations, simulate, steady
from tests.benchmarks.record import write_record

PICTURE = Path(__file__).parents[2] / "docs" / "pictures" / "milvus-load.png"
NODE = Node()
CASES = (("FLAT", 10**8), ("IVF_SQ8", 10**8), ("HNSW", 10**8), ("HNSW", 10**9))
UTILISATIONS = (0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.85)
ENROLMENTS_PER_SECOND = (0.0, 1000.0)
VARIATION = 0.3


def varied(seconds: float) -> Durations:
    """Lognormal durations of that mean and a coefficient of variation of VARIATION."""
    spread = sqrt(log(1 + VARIATION**2))

    def draw(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
        return rng.lognormal(log(seconds) - spread**2 / 2, spread, count)

    return draw


def cluster_of(found: Plan, node: Node) -> Cluster:
    """Servers of a node: a search takes as many of its cores as it has segments there."""
    side_by_side = min(ceil(found.segments / found.nodes_per_replica), node.cores)
    return Cluster(found.replicas, found.nodes_per_replica, max(node.cores // side_by_side, 1))


def loaded(name: str, faces: int, enrolments: float, searches: int) -> list[dict[str, Any]]:
    """Milliseconds of searches at each utilisation of the cores by searches."""
    (index_type,) = (each for each in INDEX_TYPES if each.name == name)
    found = plan(index_type, Load(faces), NODE)
    rows = []
    for utilisation in UTILISATIONS:
        rate = found.searches_per_second / USABLE_CORES * utilisation
        took = simulate(
            cluster_of(found, NODE),
            rate,
            varied(found.lone_search_ms / 1000),
            searches=searches,
            writes_per_second=enrolments,
            write_durations=steady(index_type.build_core_seconds / 1e6),
        )
        p50, p99 = np.percentile(took * 1000, [50, 99])
        rows.append({"utilisation": utilisation, "searches_per_second": round(rate, 1)})
        rows[-1] |= {"p50_ms": round(float(p50), 2), "p99_ms": round(float(p99), 2)}
    return rows


def plot(cases: list[dict[str, Any]], out: Path) -> None:
    """p50 and p99 over the load."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(9, 5.5), layout="constrained")
    for number, case in enumerate(case for case in cases if not case["enrolments_per_second"]):
        shares = [100 * row["utilisation"] for row in case["rows"]]
        label = f"{case['index_type']}, {case['faces']:,} faces, {case['replicas']} x {case['nodes_per_replica']} nodes"
        axis.semilogy(shares, [row["p50_ms"] for row in case["rows"]], f"o-C{number}", label=label)
        axis.semilogy(shares, [row["p99_ms"] for row in case["rows"]], f"o--C{number}")
    axis.axvline(100 * USABLE_CORES, color="grey", linestyle=":")
    axis.set(xlabel="load, % of the cores (dotted: what sameface size plans with)", ylabel="search, ms")
    axis.set_title("Searches of a Milvus under load, simulated: p50 (-) and p99 (--)")
    axis.grid(alpha=0.3, which="both")
    axis.legend()
    figure.savefig(out, dpi=110)
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--searches", type=int, default=20_000, help="simulated at each load")
    options = parser.parse_args()
    cases: list[dict[str, Any]] = []
    for name, faces in CASES:
        for enrolments in ENROLMENTS_PER_SECOND:
            (index_type,) = (each for each in INDEX_TYPES if each.name == name)
            found = plan(index_type, Load(faces), NODE)
            about = {"index_type": name, "faces": faces, "enrolments_per_second": enrolments}
            about |= {"replicas": found.replicas, "nodes_per_replica": found.nodes_per_replica}
            cases.append(about | {"rows": loaded(name, faces, enrolments, options.searches)})
            print(cases[-1], flush=True)
    write_record("milvus_load", "simulated, seed 1", searches=options.searches, cases=cases)
    plot(cases, PICTURE)


if __name__ == "__main__":
    main()
