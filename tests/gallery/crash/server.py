"""The real service in a process of its own, quick to start again: forked from one that has imported everything."""

import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from tests.processes import free_port

START_SECONDS = 120.0

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["uvicorn", "app.main", "app.faces.pipeline", "app.gallery.follower", "app.gallery.migration", "app.gallery.store"]
)


def serve(port: int, log: Path, settings: dict[str, Any]) -> None:
    """Serve HTTP until killed."""
    import uvicorn

    from app.logs import configure_logging
    from app.main import create_app
    from app.settings import Settings

    sys.stderr = log.open("a", buffering=1)
    configure_logging("warning", "text")
    uvicorn.run(create_app(Settings(**settings)), port=port, log_config=None, access_log=False)


class KilledServer:
    """A service over a database file, started at once and ended by SIGKILL only."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        self.log = folder / "server.log"
        self.log.touch()
        self._port = free_port()
        given = {
            "database_url": f"sqlite:///{folder / 'sameface.db'}",
            "image_workers": 1,
            "embedder_threads": 1,
            "min_face_px": 60,
            "index_wait_seconds": 25,
            "store_crops": True,
        }
        self.url = f"http://127.0.0.1:{self._port}"
        self._process = _CONTEXT.Process(target=serve, args=(self._port, self.log, given | settings), daemon=True)
        self._process.start()

    def wait_until_ready(self) -> None:
        """Return once the service answers that it is ready."""
        deadline = time.monotonic() + START_SECONDS
        while not self._ready():
            if not self._process.is_alive() or time.monotonic() > deadline:
                raise RuntimeError(f"the service does not start:\n{self.log.read_text()}")
            time.sleep(0.05)

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        self._process.kill()
        self._process.join()
        if self._process.exitcode != -signal.SIGKILL:
            raise RuntimeError(f"the service ended by itself:\n{self.log.read_text()}")

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=10).status_code == 200
        except httpx.TransportError:
            return False
