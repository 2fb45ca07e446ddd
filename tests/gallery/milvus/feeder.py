"""A process that feeds Milvus until it is killed: `python -m tests.gallery.milvus.feeder DATABASE URI COLLECTION`.

It says on standard output what revision searches see and whether it is the elected one, whenever either changes.
"""

import json
import sys
import time
from typing import Any

from app.gallery.election import open_election
from app.gallery.engine import open_engine
from app.gallery.follower import GalleryFollower
from app.gallery.milvus.connection import MilvusOptions
from app.gallery.milvus.index import MilvusIndex
from app.gallery.store import GalleryStore
from tests.gallery.faces import EMBEDDING_SIZE, MODEL_ID

TIMEOUT_SECONDS = 5.0  # of a call, on a machine that may be busy
PAGE_FACES = 10


class ShortPages(GalleryStore):
    """A store that is read a few faces at a time, so that there are many batches to be killed in."""

    def changes(self, after_revision: int, limit: int = PAGE_FACES) -> Any:
        return super().changes(after_revision, limit)


def feed(database_url: str, uri: str, collection: str) -> None:
    engine = open_engine(database_url)
    options = MilvusOptions(uri, collection=collection, timeout_seconds=TIMEOUT_SECONDS)
    index = MilvusIndex(options, MODEL_ID, EMBEDDING_SIZE, open_election(engine, "index"))
    follower = GalleryFollower(ShortPages(engine, MODEL_ID), index, interval_seconds=0.1)
    follower.start()
    said: dict[str, Any] = {}
    while True:
        now = {"revision": index.revision, "elected": bool(index.facts["writer"])}
        if now != said:
            print(json.dumps(now), flush=True)
        said = now
        time.sleep(0.005)


if __name__ == "__main__":
    feed(*sys.argv[1:])
