"""Requests a second and the times of answers over HTTP, beside the limit of the machine and beside other software.

    python -m tests.benchmarks.http_load [--galleries 0 10000 100000 1000000] [--peer face_recognition=PYTHON]

Starts `sameface serve` as an operator would and loads it from a second process. The limit is what the same cores
could do if they did nothing but the bare stages (tests/benchmarks/bare.py), measured in the same run; the load
generator's own share of the cores is part of what is lost. Writes results/http_load.json, .md and .png.
"""

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from app.faces.embed import FaceEmbedder
from app.settings import Settings
from tests.benchmarks.bare import pairs_per_second, stages
from tests.benchmarks.client import Load, closed_loop, multipart, open_loop
from tests.benchmarks.databases import empty_database, fill
from tests.benchmarks.http_report import write_report
from tests.benchmarks.people import gallery_embeddings
from tests.benchmarks.pictures import SIZES, pair, picture
from tests.benchmarks.record import write_record
from tests.processes import free_port

REPOSITORY = Path(__file__).parents[2]
START_SECONDS = 120.0
CONCURRENCIES = (1, 2, 4, 8, 16, 32, 64)
LOADS = (0.5, 0.7, 0.85, 0.95)  # shares of the throughput at saturation, for open-loop arrivals
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(command: list[str], port: int, **variables: str) -> Iterator[int]:
    """A server process that answers /health/ready; yields its process id."""
    process = subprocess.Popen(command, env=os.environ | variables, cwd=REPOSITORY, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _ready(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{' '.join(command)} does not start")
            time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def _ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS


def resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return round(int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024, 1)


def _run(load: Coroutine[Any, Any, Load]) -> tuple[dict[str, object], float]:
    worked = time.process_time()
    import uvloop

    figures = uvloop.run(load).figures()
    return figures, time.process_time() - worked


def _closed(port: int, requests: list[bytes], callers: int, seconds: float) -> tuple[dict[str, object], float]:
    return _run(closed_loop(port, requests, callers, seconds))


def _open(port: int, requests: list[bytes], per_second: float, seconds: float) -> tuple[dict[str, object], float]:
    return _run(open_loop(port, requests, per_second, seconds))


class Generator:
    """The load generator in a process of its own, aimed at one server process."""

    def __init__(self, port: int, pid: int, seconds: float) -> None:
        self._port, self._pid, self._seconds = port, pid, seconds
        self._process = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))

    def closed(self, requests: list[bytes], callers: int) -> dict[str, object]:
        return {"callers": callers} | self._measure(_closed, requests, callers)

    def open(self, requests: list[bytes], per_second: float) -> dict[str, object]:
        return {"offered_per_second": round(per_second, 2)} | self._measure(_open, requests, per_second)

    def _measure(self, run: Any, requests: list[bytes], amount: float) -> dict[str, object]:
        before, started = cpu_seconds(self._pid), time.perf_counter()
        figures, client_seconds = self._process.submit(run, self._port, requests, amount, self._seconds).result()
        elapsed = time.perf_counter() - started
        cpu = {"server_cores": cpu_seconds(self._pid) - before, "client_cores": client_seconds}
        shares = {name: round(seconds / elapsed, 2) for name, seconds in cpu.items()}
        return {**figures, **shares, "server_rss_mib": resident_mib(self._pid)}


def verify_requests(size: str) -> list[bytes]:
    one, other = pair(size)
    return [multipart("/verify", {"image1": one, "image2": other})]


def sameface_command(port: int) -> list[str]:
    return [sys.executable, "-m", "app.cli", "serve", "--port", str(port)]


def measure_verify(sizes: list[str], seconds: float, database_url: str, repeats: int) -> list[dict[str, Any]]:
    """POST /verify by size of the photographs: every concurrency for the first, open loop, and the limit."""
    settings, port, rows = Settings(), free_port(), []
    # A queue that is full answers 503; 64 callers are within the default.
    with serving(sameface_command(port), port, SAMEFACE_DATABASE_URL=database_url, SAMEFACE_LOG_LEVEL="warning") as pid:
        generator = Generator(port, pid, seconds)
        for size in sizes:
            requests = verify_requests(size)
            generator.closed(requests, 4)  # warm
            closed = [generator.closed(requests, callers) for callers in CONCURRENCIES]
            best = max(float(str(row["per_second"])) for row in closed)
            opened = [generator.open(requests, share * best) for share in LOADS]
            cost = stages(size, settings.weights_dir, f"{settings.model}.onnx", repeats)
            limit = pairs_per_second(cost["bare"], os.cpu_count() or 1)
            rows.append(
                {
                    "size": size,
                    "closed_loop": closed,
                    "open_loop": opened,
                    "stages_cpu_ms": cost,
                    "bare_limit_per_second": round(limit, 2),
                    "saturation_of_limit": round(best / limit, 3),
                    "lone_p50_of_bare_sum": round(
                        float(str(closed[0]["p50_ms"])) / (2 * sum(cost["bare"].values())), 3
                    ),
                }
            )
            print(rows[-1], flush=True)
    return rows


def measure_identify(galleries: list[int], seconds: float) -> list[dict[str, Any]]:
    """POST /identify with a 250x250 photograph by the number of enrolled faces, and the time until ready."""
    settings = Settings()
    model_id = FaceEmbedder(settings.weights_dir / f"{settings.model}.onnx").card.id
    requests, rows = [multipart("/identify", {"image": picture("250x250")})], []
    for faces in galleries:
        with empty_database("sqlite") as url:
            if faces:
                fill(url, gallery_embeddings(faces), model_id=model_id)
            port, started = free_port(), time.perf_counter()
            with serving(sameface_command(port), port, SAMEFACE_DATABASE_URL=url) as pid:
                ready_seconds = time.perf_counter() - started
                generator = Generator(port, pid, seconds)
                generator.closed(requests, 4)
                closed = [generator.closed(requests, callers) for callers in (1, 8, 32)]
            rows.append({"faces": faces, "ready_seconds": round(ready_seconds, 2), "closed_loop": closed})
            print(rows[-1], flush=True)
    return rows


def measure_peer(name: str, python: str, size: str, seconds: float) -> dict[str, Any]:
    """The same pair sent to other software behind a minimal route, in its own environment."""
    port = free_port()
    app = f"tests.benchmarks.peers.{name}_app:app"
    command = [python, "-m", "uvicorn", app, "--port", str(port), "--log-level", "error"]
    with serving(command, port) as pid:
        generator = Generator(port, pid, seconds)
        requests = verify_requests(size)
        generator.closed(requests, 2)
        return {"peer": name, "size": size, "closed_loop": [generator.closed(requests, n) for n in (1, 2, 4, 8)]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="*", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--galleries", type=int, nargs="*", default=[0, 10_000, 100_000, 1_000_000])
    parser.add_argument("--peer", action="append", default=[], help="NAME=PYTHON, a module of tests/benchmarks/peers")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each measurement")
    parser.add_argument("--repeats", type=int, default=41, help="of each bare stage")
    parser.add_argument("--note", default="nothing else ran", help="what else the machine did meanwhile")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sameface-benchmark-") as folder:
        url = f"sqlite:///{folder}/sameface.db"
        verify = measure_verify(options.sizes, options.seconds, url, options.repeats)
    peers = []
    for peer in options.peer:
        name, _, python = peer.partition("=")
        peers.append(measure_peer(name, python, "250x250", options.seconds))
        print(peers[-1], flush=True)
    identify = measure_identify(options.galleries, options.seconds)
    model = {"model": Settings().model}
    write_report(write_record("http_load", options.note, **model, verify=verify, identify=identify, peers=peers))


if __name__ == "__main__":
    main()
