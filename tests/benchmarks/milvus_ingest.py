"""`sameface import` into a database that Milvus follows, beside pymilvus's own insert of the same vectors; searches.

    python -m tests.benchmarks.milvus_ingest --faces 10000 100000

Writes results/milvus_ingest.json. Milvus is milvus-lite, in a process of its own. A service's follower feeds it, in
this process, from when the command is started until a search finds every face; the start of the command, about a second
of loading packages, is counted. pymilvus writes the same vectors with the same scalar fields, from rows that are Python
objects already, before that and after; the mean of the two counts. The ratio of the rates is what is wanted, at least
0.5. Searches are of the same gallery in FAISS and in Milvus, one probe at a time and sixteen together.
"""

import argparse
import base64
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.gallery.engine import open_engine
from app.gallery.follower import GalleryFollower
from app.gallery.index import GalleryIndex
from app.gallery.migration import migrate
from app.gallery.store import GalleryStore
from tests.benchmarks.people import FACES_PER_SUBJECT, gallery_embeddings, probes_of
from tests.benchmarks.record import commit, machine, write_record

GALLERY = "default"
WAIT_SECONDS = 600.0
BULK_ROWS = 5_000
TOP_K = 5
TARGET_RATIO = 0.5


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """URI of a milvus-lite in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(str(folder), theirs), daemon=True)
    process.start()
    yield f"http://127.0.0.1:{ours.recv()}"
    ours.send(None)
    process.join(30)


def _serve(folder: str, pipe: Any) -> None:
    warnings.simplefilter("ignore")
    from milvus_lite.adapter.grpc.server import start_server_in_thread

    server, _, port = start_server_in_thread(folder, port=0)
    pipe.send(port)
    pipe.recv()
    server.stop(grace=0).wait()


def write_export(path: Path, embeddings: NDArray[np.float32], model: Any) -> None:
    """What `sameface export` would have written of so many people, FACES_PER_SUBJECT faces each."""
    header = {"format": "sameface gallery", "version": 1, "gallery": GALLERY}
    subjects = range(0, len(embeddings), FACES_PER_SUBJECT)
    with path.open("w") as out:
        about = {"id": model.id, "sha256": model.sha256, "embedding_size": model.embedding_size}
        out.write(json.dumps(header | {"model": about}) + "\n")
        for first in subjects:
            out.write(json.dumps(_line(first, embeddings[first : first + FACES_PER_SUBJECT])) + "\n")
        out.write(json.dumps({"end": {"subjects": len(subjects), "faces": len(embeddings)}}) + "\n")


def _line(first: int, embeddings: NDArray[np.float32]) -> dict[str, Any]:
    faces = [
        {"content_sha256": f"{first + number:064x}", "embedding": base64.b64encode(vector.astype("<f4")).decode()}
        for number, vector in enumerate(embeddings)
    ]
    subject = {"subject_id": f"emp-{first:09}", "name": f"Person {first}", "metadata": {}, "expires_at": None}
    return subject | {"faces": faces}


def import_seconds(url: str, uri: str, file: Path, faces: int) -> tuple[float, float, GalleryIndex]:
    """Until Milvus has every face, and until the command had ended; and the index, open."""
    from app.gallery.opening import open_milvus
    from app.settings import Settings

    settings = Settings(database_url=url, index="milvus", milvus_uri=uri, milvus_timeout_seconds=60)
    model = served_model()
    engine = open_engine(url)
    store, index = GalleryStore(engine, model.id), open_milvus(settings, engine, model.id, model.embedding_size)
    follower = GalleryFollower(store, index, interval_seconds=0.2)
    follower.start()
    follower.wait_for(store.revision(), WAIT_SECONDS)
    environment = {**os.environ, "SAMEFACE_DATABASE_URL": url, "SAMEFACE_INDEX": "milvus", "SAMEFACE_MILVUS_URI": uri}
    started = time.perf_counter()
    command = [sys.executable, "-W", "ignore", "-m", "app.cli", "import", str(file)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    ended = time.perf_counter()
    if run.returncode:
        raise RuntimeError(run.stderr[-2000:])
    if not follower.wait_for(store.revision(), WAIT_SECONDS) or index.state(GALLERY).faces != faces:
        raise TimeoutError(f"Milvus has not every face: {follower.lag}")
    seconds = time.perf_counter() - started
    follower.stop()
    return seconds, ended - started, index


def bulk_seconds(uri: str, embeddings: NDArray[np.float32]) -> float:
    """pymilvus's insert of the same vectors into a collection of the same schema, until a search finds them."""
    from app.gallery.milvus.connection import MilvusConnection, MilvusOptions
    from app.gallery.milvus.schema import STATE_SUFFIX, create_collection

    connection = MilvusConnection(MilvusOptions(uri, timeout_seconds=60))
    create_collection(connection, "bulk", embeddings.shape[1])
    rows = [_row(number, vector) for number, vector in enumerate(embeddings)]
    started = time.perf_counter()
    for first in range(0, len(rows), BULK_ROWS):
        connection.call("insert", "bulk", rows[first : first + BULK_ROWS])
    found = connection.call("query", "bulk", filter="", output_fields=["count(*)"])[0]["count(*)"]
    seconds = time.perf_counter() - started
    if found != len(rows):
        raise RuntimeError(f"{found} of {len(rows)} rows are there")
    for collection in ("bulk", "bulk" + STATE_SUFFIX):
        connection.call("drop_collection", collection)
    connection.close()
    return seconds


def _row(number: int, vector: NDArray[np.float32]) -> dict[str, Any]:
    subject = number - number % FACES_PER_SUBJECT
    numbers = {
        "gallery_key": 1,
        "subject_key": subject,
        "subject_hash": subject,
        "face_high": number,
        "face_low": number,
    }
    return {"id": number, **numbers, "subject_id": f"emp-{subject:09}", "name": f"Person {subject}", "vector": vector}


def search_ms(index: GalleryIndex, embeddings: NDArray[np.float32], repeats: int) -> dict[str, float]:
    """Medians of one probe and of sixteen together."""
    figures = {}
    for name, size in (("single", 1), ("sixteen", 16)):
        probes = probes_of(embeddings, size * repeats).reshape(repeats, size, -1)
        index.search(GALLERY, probes[0], TOP_K)
        figures[name] = round(
            float(np.median([_ms(lambda b=batch: index.search(GALLERY, b, TOP_K)) for batch in probes])), 3
        )
    return figures


def _ms(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def served_model() -> Any:
    """The model that `sameface import` asks for."""
    from app.commands.model import open_embedder
    from app.settings import Settings

    return open_embedder(Settings()).card


def faiss_index(url: str) -> GalleryIndex:
    """The same gallery in this process."""
    from app.gallery.faiss_index import FaissIndex

    model = served_model()
    engine = open_engine(url)
    store, index = GalleryStore(engine, model.id), FaissIndex(model.embedding_size)
    follower = GalleryFollower(store, index)
    follower.start()
    follower.wait_for(store.revision(), WAIT_SECONDS)
    follower.stop()
    return index


def run(faces: int, searches: int) -> dict[str, Any]:
    """One size of gallery."""
    embeddings = gallery_embeddings(faces)
    with tempfile.TemporaryDirectory(prefix="sameface-ingest-") as name, served(Path(name) / "milvus") as uri:
        folder = Path(name)
        url = f"sqlite:///{folder}/gallery.db"
        migrate(url)
        write_export(folder / "export.jsonl", embeddings, served_model())
        before = bulk_seconds(uri, embeddings)
        seconds, command_seconds, index = import_seconds(url, uri, folder / "export.jsonl", faces)
        after = bulk_seconds(uri, embeddings)
        searched = {
            "milvus": search_ms(index, embeddings, searches),
            "faiss": search_ms(faiss_index(url), embeddings, searches),
        }
        index.close()
    bulk = (before + after) / 2
    return {
        "faces": faces,
        "import_faces_per_second": round(faces / seconds),
        "import_command_faces_per_second": round(faces / command_seconds),
        "pymilvus_faces_per_second": round(faces / bulk),
        "ratio": round(bulk / seconds, 3),
        "search_ms": searched,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--searches", type=int, default=21)
    parser.add_argument("--note", default="nothing else ran", help="what else the machine did meanwhile")
    options = parser.parse_args()
    rows = []
    for faces in options.faces:
        rows.append(run(faces, options.searches) | {"load_average": machine()["load_average"], "commit": commit()})
        print(rows[-1], flush=True)
    write_record("milvus_ingest", options.note, target_ratio=TARGET_RATIO, rows=rows)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
