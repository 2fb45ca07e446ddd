"""The load generator in a process of its own, and what the servers cost while it runs."""

import multiprocessing
import time
from collections.abc import Coroutine
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from tests.benchmarks.client import Load, closed_loop, open_loop
from tests.benchmarks.server import Server

Row = dict[str, Any]


class Generator:
    """Loads one server; a context manager."""

    def __init__(self, server: Server, requests: list[bytes], seconds: float) -> None:
        self._server, self._requests, self._seconds = server, requests, seconds
        self._process = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))

    def __enter__(self) -> "Generator":
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.shutdown()

    def warm_up(self, callers: int = 4) -> None:
        """One second of requests that are not counted."""
        self._process.submit(_closed, self._server.ports, self._requests, callers, 1.0).result()

    def closed(self, callers: int) -> Row:
        """So many callers, each as fast as it is answered."""
        return {"callers": callers} | self._measure(_closed, callers)

    def open(self, per_second: float) -> Row:
        """Requests at random times, so many a second."""
        return {"offered_per_second": round(per_second, 2)} | self._measure(_open, per_second)

    def _measure(self, run: Any, amount: float) -> Row:
        before, started = self._server.cpu_seconds(), time.perf_counter()
        work = self._process.submit(run, self._server.ports, self._requests, amount, self._seconds)
        figures, client_seconds = work.result()
        elapsed = time.perf_counter() - started
        cpu = {"server_cores": self._server.cpu_seconds() - before, "client_cores": client_seconds}
        shares = {name: round(seconds / elapsed, 2) for name, seconds in cpu.items()}
        memory = {"server_rss_mib": self._server.resident_mib(), "server_processes": self._server.processes()}
        return {**figures, **shares, **memory}


def _run(load: Coroutine[Any, Any, Load]) -> tuple[Row, float]:
    import uvloop

    worked = time.process_time()
    figures = uvloop.run(load).figures()
    return figures, time.process_time() - worked


def _closed(ports: list[int], requests: list[bytes], callers: int, seconds: float) -> tuple[Row, float]:
    return _run(closed_loop(ports, requests, callers, seconds))


def _open(ports: list[int], requests: list[bytes], per_second: float, seconds: float) -> tuple[Row, float]:
    return _run(open_loop(ports, requests, per_second, seconds))
