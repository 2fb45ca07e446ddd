"""What encrypting templates costs: reading a whole gallery at start, and rotating its key.

`python -m tests.benchmarks.template_keys --faces 1000000 --database sqlite`
"""

import argparse
import os
import sys
import time
from collections.abc import Callable

import sqlalchemy as sa
from tqdm import tqdm

from app.gallery.engine import open_engine
from app.gallery.faiss_index import FaissIndex
from app.gallery.follower import GalleryFollower
from app.gallery.rotation import count_to_rotate, rotate
from app.gallery.sealing import TemplateKeys
from app.gallery.store import GalleryStore
from tests.benchmarks.databases import MODEL_ID, empty_database, fill
from tests.benchmarks.people import EMBEDDING_SIZE, gallery_embeddings
from tests.benchmarks.record import write_record


def timed(work: Callable[[], object]) -> dict[str, float]:
    """Wall time and processor time of this process, in seconds."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return {
        "wall_seconds": round(time.perf_counter() - wall, 2),
        "processor_seconds": round(time.process_time() - processor, 2),
    }


def load(engine: sa.Engine, keys: TemplateKeys, faces: int) -> None:
    """Read the whole gallery into an index, as at start."""
    index = FaissIndex(EMBEDDING_SIZE)
    GalleryFollower(GalleryStore(engine, MODEL_ID, keys), index)._catch_up()
    assert index.state("default").faces == faces


def rotate_all(engine: sa.Engine, keys: TemplateKeys) -> None:
    """Bring every row under the first key."""
    with tqdm(total=count_to_rotate(engine, keys), unit="face", desc="rotate") as bar:
        for done in rotate(engine, keys):
            bar.update(done)


def measure(database: str, faces: int) -> dict[str, dict[str, float]]:
    first, second = os.urandom(32), os.urandom(32)
    plain, keys, newer = TemplateKeys(), TemplateKeys((first,)), TemplateKeys((second, first))
    with empty_database(database) as url:
        fill(url, gallery_embeddings(faces))
        engine = open_engine(url)
        measured = {
            "load_plain": timed(lambda: load(engine, plain, faces)),
            "rotate_plain_to_first_key": timed(lambda: rotate_all(engine, keys)),
            "load_encrypted": timed(lambda: load(engine, keys, faces)),
            "rotate_to_second_key": timed(lambda: rotate_all(engine, newer)),
        }
        engine.dispose()
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=1_000_000)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--note", default="", help="what else ran on the machine meanwhile")
    given = parser.parse_args()
    measured = measure(given.database, given.faces)
    path = write_record(f"template_keys_{given.database}", given.note, faces=given.faces, **measured)
    sys.stdout.write(path.read_text())


if __name__ == "__main__":
    main()
