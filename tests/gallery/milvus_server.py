"""A Milvus that is started here: milvus-lite, which speaks the same protocol, without TLS and without passwords."""

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from app.gallery.election import Election
from app.gallery.milvus.connection import MilvusOptions
from app.gallery.milvus.index import MilvusIndex
from tests.gallery.faces import EMBEDDING_SIZE, MODEL_ID

# A search may be answered late on a busy machine, which is no failure here.
PATIENCE_SECONDS = 60.0


class AlwaysElected:
    """An election without a rival."""

    def __init__(self) -> None:
        self.lost = False

    def stand(self) -> bool:
        return not self.lost

    def holds(self) -> bool:
        return not self.lost

    def close(self) -> None:
        self.lost = True


def skip_without_milvus() -> None:
    """Skip where milvus-lite is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of packages that pymilvus imports
        pytest.importorskip("milvus_lite", reason="milvus-lite is not installed")
        pytest.importorskip("pymilvus", reason="pymilvus is not installed")


class LiteServer:
    """milvus-lite over the files of a folder, on a port of the loopback, in this process."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder, self.port = folder, port
        logging.getLogger("grpc._server").setLevel(logging.CRITICAL)  # it logs what it does not know of Milvus
        self.start()

    def start(self) -> None:
        """Serve what is in the folder."""
        from milvus_lite.adapter.grpc.server import start_server_in_thread

        self._server, self._database, self.port = start_server_in_thread(str(self.folder), port=self.port)

    def stop(self) -> None:
        """Answer nobody any more; the files stay."""
        self._server.stop(grace=0).wait()
        self._database.close()

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def options(self, **given: object) -> MilvusOptions:
        """Collections of one's own."""
        own = {"collection": f"t{uuid4().hex}", "timeout_seconds": PATIENCE_SECONDS}
        return MilvusOptions(self.uri, **own | given)  # type: ignore[arg-type]

    def index(self, embedding_size: int = EMBEDDING_SIZE, **given: object) -> MilvusIndex:
        """An index of its own, which this process feeds."""
        return MilvusIndex(self.options(**given), MODEL_ID, embedding_size, elected())


elected: Callable[[], Election] = AlwaysElected
