"""A server started as an operator would, and what its processes cost together."""

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.processes import free_port

REPOSITORY = Path(__file__).parents[2]
START_SECONDS = 180.0
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Server:
    """Processes that serve the same thing, each on a port of its own."""

    ports: list[int]
    pids: list[int]

    def cpu_seconds(self) -> float:
        """Processor time so far of the processes and of those that they started."""
        return sum(_cpu_seconds(pid) for root in self.pids for pid in tree(root))

    def resident_mib(self) -> float:
        """Resident memory of them all; what they share is counted for each."""
        return round(sum(_resident_mib(pid) for root in self.pids for pid in tree(root)), 1)

    def processes(self) -> int:
        return sum(len(tree(root)) for root in self.pids)


@contextmanager
def sameface(database_url: str) -> Iterator[Server]:
    """`sameface serve` with its defaults, ready."""
    port = free_port()
    command = [sys.executable, "-m", "app.cli", "serve", "--port", str(port)]
    variables = {"SAMEFACE_DATABASE_URL": database_url, "SAMEFACE_LOG_LEVEL": "warning"}
    with running(command, port, **variables) as pid:
        yield Server([port], [pid])


@contextmanager
def several(command: list[str], count: int, **variables: str) -> Iterator[Server]:
    """`count` processes of a command that takes `--port N`, all ready."""
    ports = [free_port() for _ in range(count)]
    with ExitStack() as opened:
        pids = [opened.enter_context(running([*command, "--port", str(port)], port, **variables)) for port in ports]
        yield Server(ports, pids)


@contextmanager
def running(command: list[str], port: int, *, folder: Path = REPOSITORY, **variables: str) -> Iterator[int]:
    """A process that answers /health/ready with 200, started in the folder; yields its process id."""
    process = subprocess.Popen(command, env=os.environ | variables, cwd=folder, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not ready(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{' '.join(command)} does not start")
            time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def ready(port: int) -> bool:
    """Whether /health/ready answers 200 now."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def tree(pid: int) -> list[int]:
    """A process and all that descend from it (proc(5), `children`)."""
    found = [pid]
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = listing.read_text().split()
        except OSError:  # a thread that has just ended
            continue
        found += [process for child in children for process in tree(int(child))]
    return found


def _cpu_seconds(pid: int) -> float:
    """Fields 14 and 15 of proc(5)'s `stat`; 0 for a process that has just ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS


def _resident_mib(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS")), 0.0)
