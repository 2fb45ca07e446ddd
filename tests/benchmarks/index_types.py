"""What the index types of Milvus cost in FAISS, from which Milvus's own are made: the constants of `sameface size`.

    python -m tests.benchmarks.index_types --types FLAT IVF_SQ8 --faces 100000 --keep

Writes results/index_types.json. One thread, times as processor time of the process, which other work hardly changes.
Embeddings are those of tests/benchmarks/crowd.py; probes are further photographs of people in the gallery. Recall is
the share of probes whose nearest face is found; of that and the four next, `recall_at_5`. Bytes are those of the index
as FAISS writes it, the vectors in it included.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.crowd import BLOCK_FACES, EMBEDDING_SIZE, block, more_of
from tests.benchmarks.record import RESULTS, commit, machine, write_record

TOP_K = 5
PROBES = 200


@dataclass(frozen=True)
class IndexType:
    """An index type of Milvus as a string of FAISS's factory, and what a search may be told."""

    factory: Callable[[int], str]
    searches: Callable[[int], tuple[dict[str, int], ...]] = lambda _: ({},)


def lists(faces: int) -> int:
    """Milvus's rule for nlist: four times the root of the rows of a segment."""
    return int(4 * faces**0.5)


def shares(faces: int) -> tuple[dict[str, int], ...]:
    """A sixteenth, an eighth and a quarter of the lists; a fixed number of lists finds less as a segment grows."""
    return tuple({"nprobe": lists(faces) // part} for part in (16, 8, 4))


def widths(_: int) -> tuple[dict[str, int], ...]:
    """How many candidates a walk through the graph keeps."""
    return tuple({"efSearch": width} for width in (64, 128, 256))


TYPES: dict[str, IndexType] = {
    "FLAT": IndexType(lambda _: "Flat"),
    "IVF_FLAT": IndexType(lambda faces: f"IVF{lists(faces)},Flat", shares),
    "IVF_SQ8": IndexType(lambda faces: f"IVF{lists(faces)},SQ8", shares),
    "IVF_PQ": IndexType(lambda faces: f"IVF{lists(faces)},PQ32", shares),
    "HNSW": IndexType(lambda _: "HNSW16", widths),
    "HNSW_SQ": IndexType(lambda _: "HNSW16_SQ8", widths),
}
EF_CONSTRUCTION = 200


def embeddings(faces: int) -> NDArray[np.float32]:
    """float32 (faces, 128), unit vectors."""
    blocks = -(-faces // BLOCK_FACES)
    return np.concatenate([block(number) for number in range(blocks)])[:faces]


def measure(name: str, faces: int) -> dict[str, Any]:
    """One index type over so many faces."""
    gallery = embeddings(faces)
    probes = more_of(0, min(faces, BLOCK_FACES) // 4)[:: max(min(faces, BLOCK_FACES) // 4 // PROBES, 1)][:PROBES]
    truth = nearest(gallery, probes)
    index = faiss.index_factory(EMBEDDING_SIZE, TYPES[name].factory(faces))
    if name.startswith("HNSW"):
        index.hnsw.efConstruction = EF_CONSTRUCTION
    _, build_seconds = timed(lambda: (index.train(gallery), index.add(gallery)))
    return {
        "type": name,
        "faces": faces,
        "bytes_per_face": round(len(faiss.serialize_index(index)) / faces, 1),
        "build_seconds_per_million": round(build_seconds / faces * 1e6, 1),
        "searches": [search(index, probes, truth, told) for told in TYPES[name].searches(faces)],
    }


def search(index: Any, probes: NDArray[np.float32], truth: NDArray[np.int64], told: dict[str, int]) -> dict[str, Any]:
    """Milliseconds of one core for one probe at a time, and the share of the true neighbours that it finds."""
    for parameter, value in told.items():
        faiss.ParameterSpace().set_index_parameter(index, parameter, value)
    index.search(probes[:5], TOP_K)  # touches the memory once
    found, seconds = timed(lambda: np.concatenate([index.search(probe[None], TOP_K)[1] for probe in probes]))
    both = [len(set(ours) & set(theirs)) for ours, theirs in zip(found.tolist(), truth.tolist(), strict=True)]
    return {
        **told,
        "ms": round(seconds / len(probes) * 1000, 4),
        "recall_at_1": round(float((found[:, 0] == truth[:, 0]).mean()), 4),
        "recall_at_5": round(sum(both) / truth.size, 4),
    }


def nearest(gallery: NDArray[np.float32], probes: NDArray[np.float32]) -> NDArray[np.int64]:
    """The TOP_K nearest of each probe, found by comparing with every face."""
    ids: NDArray[np.int64] = faiss.knn(probes, gallery, TOP_K)[1]
    return ids


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """What the call returned, and the processor time that it took, in seconds."""
    started = time.process_time()
    return call(), time.process_time() - started


def earlier(faces: int, types: list[str]) -> list[dict[str, Any]]:
    """Rows of the record that this run does not measure again."""
    path = RESULTS / "index_types.json"
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    return [row for row in rows if not (row["type"] in types and row["faces"] == faces)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--types", nargs="+", default=list(TYPES), choices=list(TYPES))
    parser.add_argument("--faces", type=int, default=100_000)
    parser.add_argument("--keep", action="store_true", help="keep the record's rows that are not measured now")
    parser.add_argument("--note", default="other work ran; times are processor time of one thread")
    options = parser.parse_args()
    faiss.omp_set_num_threads(1)
    rows: list[dict[str, Any]] = []
    for name in options.types:
        rows.append(measure(name, options.faces) | {"commit": commit(), "load_average": machine()["load_average"]})
        print(rows[-1], flush=True)
    rows += earlier(options.faces, options.types) if options.keep else []
    rows.sort(key=lambda row: (list(TYPES).index(row["type"]), row["faces"]))
    write_record("index_types", options.note, rows=rows)


if __name__ == "__main__":
    main()
