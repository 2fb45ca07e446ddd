"""What a gallery costs by its size: search, enrolment, removal, start and memory.

    python -m tests.benchmarks.gallery_scale --faces 10000 100000 1000000

Writes results/gallery_scale.json, .md and .png. Search is compared with `faiss.IndexFlatL2.search` over the same
vectors in the same process, call by call in turn. Enrolment and removal are of one face of a new subject, from the
call of the store until a search on this replica sees it, commit to disk included and the embedding not. Times are by
the clock; beside them is the processor time of this process, which other work on the machine hardly changes. Start is
from an open engine until the index holds every row, in a new process. Memory is what that process grew by.
"""

import argparse
import hashlib
import json
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple

import faiss
import numpy as np
from numpy.typing import NDArray

from app.domain import NewFace
from app.gallery.engine import open_engine
from app.gallery.faiss_index import FaissIndex
from app.gallery.follower import GalleryFollower
from app.gallery.store import GalleryStore
from tests.benchmarks.databases import MODEL_ID, empty_database, fill
from tests.benchmarks.people import EMBEDDING_SIZE, gallery_embeddings, probes_of
from tests.benchmarks.record import RESULTS, commit, machine, resident_bytes, write_record
from tests.benchmarks.scale_report import write_report

TOP_K = 5
BATCH = 16
WAIT_SECONDS = 300.0


def measure(database_url: str, faces: int, searches: int, writes: int, threads: int) -> dict[str, Any]:
    """All figures of one database; search only where `faces`, their number, is not 0."""
    faiss.omp_set_num_threads(threads)
    before = resident_bytes()
    engine = open_engine(database_url)
    store, index = GalleryStore(engine, MODEL_ID), FaissIndex(EMBEDDING_SIZE)
    follower = GalleryFollower(store, index)
    started, worked = time.perf_counter(), time.process_time()
    follower.start()
    if not follower.wait_for(store.revision(), WAIT_SECONDS):
        raise TimeoutError(f"the index was not loaded: {follower.lag}")
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - worked
    result: dict[str, Any] = {
        "start_seconds": round(seconds, 2),
        "start_cpu_seconds": round(cpu_seconds, 2),
        "raw_vector_bytes": 4 * EMBEDDING_SIZE * index.state("default").faces,
        "memory_bytes": resident_bytes() - before,
        "peak_memory_bytes": resident_bytes("VmHWM") - before,
    }
    result |= measure_writes(store, follower, writes)
    follower.stop()
    engine.dispose()
    if faces:
        result["search"] = measure_searches(index, gallery_embeddings(faces), searches)
    return result


def measure_writes(store: GalleryStore, follower: GalleryFollower, writes: int) -> dict[str, Any]:
    """Milliseconds to enrol and to remove, one after the other."""
    faces = gallery_embeddings(writes, seed=99)
    enrol, remove = [], []
    for number, embedding in enumerate(faces):
        face = NewFace(embedding, hashlib.sha256(embedding.tobytes()).hexdigest())
        enrol.append(took(lambda n=number, f=face: follower.wait_for(store.add("default", f"n{n}", [f]).revision, 60)))
    for number in range(writes):
        # Half of them are the new subjects, half have been there all the time.
        subject = f"n{number}" if number % 2 else f"emp-{number * 7 + 1:07}"
        remove.append(took(lambda s=subject: follower.wait_for(store.remove_subject("default", s).revision, 60)))
    return {"enrol_ms": _quantiles(enrol), "remove_ms": _quantiles(remove)}


def measure_searches(index: FaissIndex, embeddings: NDArray[np.float32], searches: int) -> dict[str, Any]:
    """p50 of both, and their ratio, for single probes and for batches."""
    raw = faiss.IndexFlatL2(EMBEDDING_SIZE)
    raw.add(embeddings)
    result = {}
    for name, size, repeats in (("single", 1, searches), ("batch", BATCH, max(searches // 4, 5))):
        probes = probes_of(embeddings, size * repeats).reshape(repeats, size, -1)
        ours, theirs = [], []
        for batch in probes:
            theirs.append(took(lambda b=batch: raw.search(b, TOP_K)))
            ours.append(took(lambda b=batch: index.search("default", b, TOP_K)))
        result[name] = {
            "probes": size,
            "repeats": repeats,
            "sameface_ms": _quantiles(ours),
            "faiss_flat_ms": _quantiles(theirs),
            "ratio_p50": _ratio(ours, theirs, 0),
            "ratio_cpu_p50": _ratio(ours, theirs, 1),
        }
    return result | {"openmp_threads": faiss.omp_get_max_threads()}


class Took(NamedTuple):
    """Milliseconds by the clock, and of work by all threads of this process, which other work does not lengthen."""

    wall_ms: float
    cpu_ms: float


def took(call: Callable[[], Any]) -> Took:
    started, worked = time.perf_counter(), time.process_time()
    call()
    return Took((time.perf_counter() - started) * 1000.0, (time.process_time() - worked) * 1000.0)


def _quantiles(values: list[Took]) -> dict[str, float]:
    wall, cpu = np.array(values).T
    p50, p95, highest = np.percentile(wall, [50, 95, 100])
    figures = {"p50": p50, "p95": p95, "max": highest, "cpu_p50": np.median(cpu)}
    return {name: round(float(value), 2) for name, value in figures.items()}


def _ratio(ours: list[Took], theirs: list[Took], clock: int) -> float:
    return round(float(np.median([one[clock] for one in ours]) / np.median([one[clock] for one in theirs])), 3)


def run(kind: str, faces: int, searches: int, writes: int, threads: int) -> dict[str, Any]:
    """Fill a database and measure it in a process of its own."""
    with (
        empty_database(kind) as url,
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process,
    ):
        fill(url, gallery_embeddings(faces))
        searched = faces if kind == "sqlite" else 0  # the index is the same whichever database filled it
        figures = process.submit(measure, url, searched, searches, writes, threads)
        return {"database": kind, "faces": faces, **figures.result()}


def _earlier(faces: list[int], databases: list[str]) -> list[dict[str, Any]]:
    """Rows of the record that this run does not measure again; each says at which commit it was measured."""
    path = RESULTS / "gallery_scale.json"
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    return [row for row in rows if not (row["faces"] in faces and row["database"] in databases)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"], choices=["sqlite", "postgresql"])
    parser.add_argument("--searches", type=int, default=41, help="single probes measured; batches are a quarter")
    parser.add_argument("--writes", type=int, default=40, help="enrolments and removals measured")
    parser.add_argument("--threads", type=int, default=faiss.omp_get_max_threads(), help="OpenMP threads of FAISS")
    parser.add_argument("--keep", action="store_true", help="keep the record's rows that are not measured now")
    parser.add_argument("--note", default="nothing else ran", help="what else the machine did meanwhile")
    options = parser.parse_args()
    rows = _earlier(options.faces, options.databases) if options.keep else []
    for faces in options.faces:
        for kind in options.databases:
            rows.append(run(kind, faces, options.searches, options.writes, options.threads))
            rows[-1] |= {"commit": commit(), "load_average": machine()["load_average"]}
            print(rows[-1], flush=True)
    rows.sort(key=lambda row: (row["faces"], row["database"] != "sqlite"))
    write_report(write_record("gallery_scale", options.note, rows=rows))


if __name__ == "__main__":
    main()
