"""Search in compressed form against exact search: what is found, how fast, and in how much memory.

    python -m tests.benchmarks.large_gallery --faces 1000000 10000000

Writes results/large_gallery.json. The embeddings are those of tests.benchmarks.crowd, made in blocks of 100,000; they
go into the index as changes from the database do. Probes are further photographs of enrolled people, and strangers.
What is exact is found by comparing each probe with every face. Recall at 1 is the share of probes for which both name
the same face, over the probes whose nearest face is below a threshold: only there does the nearest face matter. Times
of both searches are taken in turn in the same process; those of changes are of one face, until a search sees it.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from app.gallery.changes import Changes, FaceChange, GalleryChange
from app.gallery.compressed import CompressedRows
from app.gallery.index import GalleryIndex
from app.gallery.rows import ExactRows
from tests.benchmarks import crowd
from tests.benchmarks.record import resident_bytes, write_record

THRESHOLDS = (0.5, 0.647, 0.8, 1.0, 1.2, 4.0)
BATCH = 16
TOP_K = 5


def face_changes(embeddings: NDArray[np.float32], first: int, revision: int) -> Iterator[FaceChange]:
    """Rows as the database gives them."""
    for number, vector in enumerate(embeddings, start=first):
        key = (number - 1) // crowd.FACES_PER_SUBJECT + 1
        yield FaceChange(number, revision, 1, key, f"emp-{key:08}", f"Person {key}", f"{number:032x}", vector.tobytes())


def filled(faces: int, compress_above_faces: int) -> GalleryIndex:
    """An index over `faces` faces."""
    index = GalleryIndex(crowd.EMBEDDING_SIZE, compress_above_faces=compress_above_faces)
    index.apply(Changes(1, 1, [GalleryChange(1, 1, "default")]))
    blocks = -(-faces // crowd.BLOCK_FACES)
    for number in tqdm(range(blocks), desc="fill", unit="block"):
        count = min(crowd.BLOCK_FACES, faces - number * crowd.BLOCK_FACES)
        rows = face_changes(crowd.block(number)[:count], number * crowd.BLOCK_FACES + 1, number + 2)
        index.apply(Changes(number + 2, number + 2, [], list(rows)))
    return index


def probes_of(faces: int, known: int, strangers: int) -> NDArray[np.float32]:
    """Further photographs of people from blocks all over the gallery, then strangers."""
    blocks = max(faces // crowd.BLOCK_FACES, 1)
    chosen = np.unique(np.linspace(0, blocks - 1, min(blocks, 20)).astype(int))
    each = -(-known // len(chosen))
    people = [crowd.more_of(int(number), each) for number in chosen]
    return np.concatenate([*people, crowd.strangers(strangers)])


def recall(rows: CompressedRows, probes: NDArray[np.float32]) -> list[dict[str, Any]]:
    """For each threshold: the probes whose nearest face is below it, and how many of them are told the same face."""
    exact = ExactRows(rows.blocks)
    same, distances = [], []
    for start in tqdm(range(0, len(probes), 500), desc="compare", unit="batch"):
        batch = probes[start : start + 500]
        nearest = exact.nearest(batch, 1)[:, 0]
        found = np.concatenate([rows.nearest(batch[at : at + 50], 26)[:, 0] for at in range(0, len(batch), 50)])
        vectors = np.stack([_vector(rows, position) for position in nearest.tolist()])
        same.append(found == nearest)
        distances.append(np.square(vectors - batch).sum(axis=1))
    agreed, distance = np.concatenate(same), np.concatenate(distances)
    return [
        {
            "below": limit,
            "probes": int((distance < limit).sum()),
            "missed": int((~agreed[distance < limit]).sum()),
            "recall_at_1": round(float(agreed[distance < limit].mean()), 5),
        }
        for limit in THRESHOLDS
        if (distance < limit).any()
    ]


def _vector(rows: CompressedRows, position: int) -> NDArray[np.float32]:
    from app.gallery.blocks import BLOCK_ROWS

    vector: NDArray[np.float32] = rows.blocks[position // BLOCK_ROWS].vectors[position % BLOCK_ROWS]
    return vector


def measure_searches(index: GalleryIndex, rows: CompressedRows, repeats: int) -> dict[str, Any]:
    """Milliseconds of the whole search for subjects, and of the exact search for rows beside it."""
    exact = ExactRows(rows.blocks)
    result = {}
    for name, size in (("single", 1), ("batch", BATCH)):
        probes = probes_of(index.state("default").faces, size * repeats, 0)[: size * repeats].reshape(repeats, size, -1)
        ours = [_milliseconds(lambda b=batch: index.search("default", b, TOP_K)) for batch in probes]
        theirs = [_milliseconds(lambda b=batch: exact.nearest(b, TOP_K)) for batch in probes[: max(repeats // 4, 3)]]
        result[name] = {"probes": size, "compressed_ms": _quantiles(ours), "exact_ms": _quantiles(theirs)}
    return result


def measure_changes(index: GalleryIndex, faces: int, repeats: int) -> dict[str, Any]:
    """Milliseconds until a search sees one face more, and one of the first faces less."""
    added, removed = [], []
    vectors = crowd.strangers(repeats, seed=3)
    for number, vector in enumerate(vectors):
        revision = index.revision + 1
        change = list(face_changes(vector[None], faces + 4 * number + 4, revision))
        added.append(_milliseconds(lambda c=change, r=revision: index.apply(Changes(r, r, [], c))))
    for face in np.linspace(1, faces, repeats).astype(int).tolist():
        revision = index.revision + 1
        gone = [FaceChange(face, revision, 1, None, None, None, f"{face:032x}", None)]
        removed.append(_milliseconds(lambda c=gone, r=revision: index.apply(Changes(r, r, [], c))))
    return {"add_ms": _quantiles(added), "remove_ms": _quantiles(removed)}


def measure(faces: int, probes: int, repeats: int) -> dict[str, Any]:
    """All figures at one size."""
    before, started, worked = resident_bytes(), time.perf_counter(), time.process_time()
    index = filled(faces, min(faces // 2, 2_000_000))
    seconds, cpu = time.perf_counter() - started, time.process_time() - worked
    rows = index._state.by_name["default"].rows
    assert isinstance(rows, CompressedRows)
    figures: dict[str, Any] = {
        "faces": faces,
        "segments": len(rows.segments),
        "fill_seconds": round(seconds, 1),
        "fill_cpu_seconds": round(cpu, 1),
        "raw_vector_bytes": 4 * crowd.EMBEDDING_SIZE * faces,
        "memory_bytes": resident_bytes() - before,
        "peak_memory_bytes": resident_bytes("VmHWM") - before,
        "search": measure_searches(index, rows, repeats),
        "recall": recall(rows, probes_of(faces, probes, probes // 4)),
    }
    return figures | measure_changes(index, faces, repeats)


def _milliseconds(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000.0


def _quantiles(values: list[float]) -> dict[str, float]:
    p50, p95, highest = np.percentile(values, [50, 95, 100])
    return {"p50": round(float(p50), 2), "p95": round(float(p95), 2), "max": round(float(highest), 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--probes", type=int, default=4000, help="of enrolled people; a quarter as many strangers")
    parser.add_argument("--repeats", type=int, default=41)
    parser.add_argument("--threads", type=int, default=faiss.omp_get_max_threads(), help="OpenMP threads of FAISS")
    parser.add_argument("--note", default="nothing else ran", help="what else the machine did meanwhile")
    options = parser.parse_args()
    faiss.omp_set_num_threads(options.threads)
    rows = []
    for faces in options.faces:
        rows.append(measure(faces, options.probes, options.repeats))
        print(rows[-1], flush=True)
        write_record("large_gallery", options.note, openmp_threads=options.threads, rows=rows)


if __name__ == "__main__":
    main()
