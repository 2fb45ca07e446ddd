"""What it takes to read a whole gallery at start, from either database, plain and encrypted.

    python -m tests.benchmarks.gallery_start --faces 1000000

Writes results/gallery_start.json: seconds by the clock from an open engine until the index holds every row, and
processor time of this process, which other work on the machine hardly changes (of PostgreSQL that is the client's).
"""

import argparse
import json
import os
import time
from typing import Any

from app.gallery.engine import open_engine
from app.gallery.faiss_index import FaissIndex
from app.gallery.follower import GalleryFollower
from app.gallery.rotation import rotate
from app.gallery.sealing import TemplateKeys
from app.gallery.store import GalleryStore
from tests.benchmarks.databases import MODEL_ID, empty_database, fill
from tests.benchmarks.people import EMBEDDING_SIZE, gallery_embeddings
from tests.benchmarks.record import RESULTS, write_record


def measure(kind: str, faces: int, keys: TemplateKeys) -> dict[str, Any]:
    """Fill a database and read it."""
    with empty_database(kind) as url:
        fill(url, gallery_embeddings(faces))
        engine = open_engine(url)
        if keys.primary is not None:
            for _ in rotate(engine, keys):
                pass
        index = FaissIndex(EMBEDDING_SIZE)
        follower = GalleryFollower(GalleryStore(engine, MODEL_ID, keys), index)
        wall, processor = time.perf_counter(), time.process_time()
        follower._catch_up()
        took = time.perf_counter() - wall, time.process_time() - processor
        engine.dispose()
        assert index.state("default").faces == faces
    return {
        "database": kind,
        "encrypted": keys.primary is not None,
        "faces": faces,
        "seconds": round(took[0], 2),
        "cpu_seconds": round(took[1], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=1_000_000)
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"], choices=["sqlite", "postgresql"])
    parser.add_argument("--plain", action="store_true", help="leave out the encrypted one")
    parser.add_argument("--keep", action="store_true", help="keep the record's rows of other sizes")
    parser.add_argument("--note", default="nothing else ran", help="what else the machine did meanwhile")
    options = parser.parse_args()
    earlier = json.loads((RESULTS / "gallery_start.json").read_text())["rows"] if options.keep else []
    rows = [row for row in earlier if row["faces"] != options.faces or row["database"] not in options.databases]
    for kind in options.databases:
        for keys in (TemplateKeys(), TemplateKeys((os.urandom(32),)))[: 1 if options.plain else 2]:
            rows.append(measure(kind, options.faces, keys))
            print(rows[-1], flush=True)
    write_record("gallery_start", options.note, rows=rows)


if __name__ == "__main__":
    main()
