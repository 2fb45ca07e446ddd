"""The service as a process of its own, started, killed and started again as an operator would."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

START_SECONDS = 60.0


def environment(database: Path, **settings: str) -> dict[str, str]:
    """The variables of this process with settings of their own."""
    inherited = {name: value for name, value in os.environ.items() if name != "SAMEFACE_DATABASE_URL"}
    return inherited | {"SAMEFACE_DATABASE_URL": f"sqlite:///{database}", "OMP_NUM_THREADS": "1"} | settings


def run(*arguments: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """`sameface` with arguments, to its end."""
    command = [sys.executable, "-m", "app.cli", *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=START_SECONDS, check=False)


class Server:
    """A running `sameface serve`."""

    def __init__(self, database: Path, *, port: int | None = None, **settings: str) -> None:
        self.port = port or free_port()
        command = [sys.executable, "-m", "app.cli", "serve", "--port", str(self.port)]
        self.log = database.with_name(f"{database.stem}-{self.port}.log")
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, env=environment(database, **settings), stderr=log)
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30)

    def wait_until_ready(self) -> None:
        """Return once the service answers that it is ready."""
        deadline = time.monotonic() + START_SECONDS
        while not self._ready():
            assert self.process.poll() is None, f"the service ended:\n{self.log.read_text()}"
            assert time.monotonic() < deadline, f"the service does not start:\n{self.log.read_text()}"
            time.sleep(0.05)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """Ask it to finish, and wait until it has."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(START_SECONDS)

    def _ready(self) -> bool:
        try:
            return self.http.get("/health/ready").status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def serving(database: Path, *, port: int | None = None, **settings: str) -> Iterator[Server]:
    """A service that is ready; it is gone afterwards whatever happened."""
    server = Server(database, port=port, **settings)
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.http.close()
        server.process.kill()
        server.process.wait()


def free_port() -> int:
    """A port of the loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
