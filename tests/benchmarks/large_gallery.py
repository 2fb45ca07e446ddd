"""Search in compressed form against exact search: what is found, how fast, and in how much memory.

    python -m tests.benchmarks.large_gallery --faces 1000000 10000000

Writes results/large_gallery.json. The embeddings are those of tests.benchmarks.crowd, made in blocks of 100,000.

Recall is measured twice. Against exact search: the share of probes, further photographs of enrolled people and
strangers, for which both find the same nearest face. And, for more probes than can be compared with every face:
further photographs of enrolled people that are nearer to one of theirs than a threshold, and how many of them are
answered with a face farther away than that one. Only below the threshold does the nearest face matter.

Times of both searches are taken in turn in the same process, by the clock and as processor time of all its threads,
which other work hardly changes; those of changes are of one face, until a search sees it.
"""

import argparse
import time
from functools import partial
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from app.gallery.blocks import BLOCK_ROWS, FaceBlock
from app.gallery.changes import Changes, FaceChange
from app.gallery.compressed import CompressedRows
from app.gallery.faiss_index import FaissIndex, _State
from app.gallery.indexed import IndexedGallery
from app.gallery.rows import ExactRows
from tests.benchmarks import crowd
from tests.benchmarks.gallery_scale import _quantiles, took
from tests.benchmarks.record import resident_bytes, write_record

THRESHOLDS = (0.5, 0.647, 0.8, 1.0, 1.2)
NEAR = 0.8
BATCH = 16
TOP_K = 5
ROWS_ASKED = 26  # for five candidates
_TEXT = np.dtypes.StringDType(na_object=None)


def face_block(embeddings: NDArray[np.float32], first: int) -> FaceBlock:
    """Consecutive faces as an index holds them, from the row id `first` on."""
    ids = np.arange(first, first + len(embeddings), dtype=np.int64)
    keys = (ids - 1) // crowd.FACES_PER_SUBJECT + 1
    face_ids = np.zeros((len(ids), 2), ">u8")
    face_ids[:, 1] = ids
    subject_ids = np.array([f"emp-{key:08}" for key in keys.tolist()], _TEXT)
    codes = np.empty((len(ids), 0), np.uint8)
    return FaceBlock(
        len(ids), ids, keys, embeddings, face_ids.view(np.uint8).reshape(-1, 16), subject_ids, subject_ids, codes
    )


def filled(faces: int, compress_above_faces: int) -> FaissIndex:
    """An index over `faces` faces, compressed once it has more than so many, as one that follows a database."""
    gallery = IndexedGallery("default")
    for number in tqdm(range(-(-faces // crowd.BLOCK_FACES)), desc="fill", unit="block"):
        first = number * crowd.BLOCK_FACES + 1
        more = face_block(crowd.block(number)[: faces + 1 - first], first)
        count, key = gallery.faces + more.count, int(more.subject_keys[-1])
        gallery = IndexedGallery("default", gallery.rows.appended(more), count, key, count, key)
        gallery = gallery.fitted(compress_above_faces)
    index = FaissIndex(crowd.EMBEDDING_SIZE, compress_above_faces=compress_above_faces)
    index._state = _State(2, {1: gallery}, {"default": gallery})
    return index


def probes_of(faces: int, known: int, strangers: int) -> NDArray[np.float32]:
    """Further photographs of people from blocks all over the gallery, then strangers."""
    blocks = max(faces // crowd.BLOCK_FACES, 1)
    chosen = np.unique(np.linspace(0, blocks - 1, min(blocks, 20)).astype(int))
    each = -(-known // len(chosen))
    people = [crowd.more_of(int(number), each) for number in chosen]
    return np.concatenate([*people, crowd.strangers(strangers)])


def recall_against_exact(rows: CompressedRows, probes: NDArray[np.float32]) -> dict[str, Any]:
    """How many probes are told another nearest face than an exact search tells."""
    exact = ExactRows(rows.blocks).nearest(probes, 1)[:, 0]
    found = _nearest(rows, probes)
    distances = _distances(rows, exact, probes)
    return {
        "probes": len(probes),
        "missed": int((found != exact).sum()),
        "by_threshold": [_below(limit, distances, found != exact) for limit in THRESHOLDS],
    }


def recall_of_people(rows: CompressedRows, faces: int, count: int) -> list[dict[str, Any]]:
    """How many probes are answered with a face farther away than one of their own person's."""
    probes, own = [], []
    blocks = np.unique(np.linspace(0, faces // crowd.BLOCK_FACES - 1, 10).astype(int)).tolist()
    for number in blocks:
        photographs = crowd.more_of(number, count)
        gallery = crowd.block(number)[: count * crowd.FACES_PER_SUBJECT].reshape(count, crowd.FACES_PER_SUBJECT, -1)
        nearest = np.square(gallery - photographs[:, None]).sum(axis=2).min(axis=1)
        near = np.flatnonzero(nearest < NEAR)
        probes.append(photographs[near])
        own.append(nearest[near])
    given, distance = np.concatenate(probes), np.concatenate(own)
    missed = _distances(rows, _nearest(rows, given), given) > distance + 1e-5
    return [_below(limit, distance, missed) for limit in THRESHOLDS if limit <= NEAR]


def _below(limit: float, distances: NDArray[Any], missed: NDArray[np.bool_]) -> dict[str, Any]:
    below = distances < limit
    return {"below": limit, "probes": int(below.sum()), "missed": int(missed[below].sum())}


def _nearest(rows: CompressedRows, probes: NDArray[np.float32]) -> NDArray[np.int64]:
    batches = range(0, len(probes), 64)
    found = [rows.nearest(probes[start : start + 64], ROWS_ASKED)[:, 0] for start in tqdm(batches, desc="search")]
    return np.concatenate(found)


def _distances(rows: CompressedRows, positions: NDArray[np.int64], probes: NDArray[np.float32]) -> NDArray[Any]:
    places = [divmod(position, BLOCK_ROWS) for position in positions.tolist()]
    vectors = np.stack([rows.blocks[block].vectors[row] for block, row in places])
    distances: NDArray[Any] = np.square(vectors - probes).sum(axis=1)
    return distances


def measure_searches(index: FaissIndex, rows: CompressedRows, repeats: int) -> dict[str, Any]:
    """Milliseconds of the whole search for subjects, and of the exact search for rows beside it."""
    exact = ExactRows(rows.blocks)
    result = {}
    for name, size in (("single", 1), ("batch", BATCH)):
        probes = probes_of(index.state("default").faces, size * repeats, 0)[: size * repeats].reshape(repeats, size, -1)
        ours = [took(partial(index.search, "default", batch, TOP_K)) for batch in probes]
        theirs = [took(partial(exact.nearest, batch, TOP_K)) for batch in probes[: max(repeats // 4, 3)]]
        result[name] = {"probes": size, "compressed_ms": _quantiles(ours), "exact_ms": _quantiles(theirs)}
    return result


def measure_changes(index: FaissIndex, faces: int, repeats: int) -> dict[str, Any]:
    """Milliseconds until a search sees one face more, and one of those that were there less."""
    added, removed = [], []
    for number, vector in enumerate(crowd.strangers(repeats, seed=3), start=faces + 1):
        face = FaceChange(number, index.revision + 1, 1, number, f"n{number}", None, f"{number:032x}", vector.tobytes())
        added.append(took(partial(index.apply, Changes(face.revision, face.revision, [], [face]))))
    for number in np.linspace(1, faces, repeats).astype(int).tolist():
        gone = FaceChange(number, index.revision + 1, 1, None, None, None, f"{number:032x}", None)
        removed.append(took(partial(index.apply, Changes(gone.revision, gone.revision, [], [gone]))))
    return {"add_ms": _quantiles(added), "remove_ms": _quantiles(removed)}


def measure(faces: int, probes: int, exact: int, repeats: int) -> dict[str, Any]:
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
        "recall_of_people": recall_of_people(rows, faces, probes),
        "recall_against_exact": recall_against_exact(rows, probes_of(faces, exact, exact // 4)),
    }
    return figures | measure_changes(index, faces, repeats)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument(
        "--probes", type=int, default=2000, help="photographs from each of ten blocks; the near ones count"
    )
    parser.add_argument(
        "--exact", type=int, default=1000, help="probes compared with every face, and a quarter strangers"
    )
    parser.add_argument("--repeats", type=int, default=41)
    parser.add_argument("--threads", type=int, default=faiss.omp_get_max_threads(), help="OpenMP threads of FAISS")
    parser.add_argument("--note", default="nothing else ran", help="what else the machine did meanwhile")
    options = parser.parse_args()
    faiss.omp_set_num_threads(options.threads)
    rows = []
    for faces in options.faces:
        rows.append(measure(faces, options.probes, options.exact, options.repeats))
        print(rows[-1], flush=True)
        write_record("large_gallery", options.note, openmp_threads=options.threads, rows=rows)


if __name__ == "__main__":
    main()
