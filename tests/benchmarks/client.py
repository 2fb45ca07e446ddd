"""A load generator that costs little itself: prepared requests over kept-open connections, one event loop.

Closed loop: each of so many callers sends its next request when the last is answered. Open loop: requests arrive at
random times (Poisson) whether or not the service keeps up, and a time counts from the arrival, so that waiting in a
queue shows (no coordinated omission).
"""

import asyncio
import contextlib
import itertools
import time
from collections import Counter
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Load:
    """What one run of requests met: seconds of each with status 200, and how many had which status."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    elapsed_seconds: float = 0.0

    def add(self, status: int, seconds: float) -> None:
        """Count one; what failed may have done so at once, and says nothing about times."""
        self.statuses[status] += 1
        if status == 200:
            self.seconds.append(seconds)

    def figures(self) -> dict[str, object]:
        """Throughput of answers with status 200, and quantiles of their time in milliseconds, None without any."""
        times = {"p50_ms": 50, "p95_ms": 95, "p99_ms": 99}
        return {
            "per_second": round(self.statuses[200] / self.elapsed_seconds, 2),
            **{name: self._quantile_ms(percent) for name, percent in times.items()},
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
        }

    def _quantile_ms(self, percent: int) -> float | None:
        return round(float(np.percentile(self.seconds, percent)) * 1000.0, 1) if self.seconds else None


def multipart(path: str, files: dict[str, bytes], host: str = "localhost") -> bytes:
    """A whole HTTP/1.1 request with the files as a form (RFC 7578)."""
    boundary = "sameface-benchmark-boundary"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}.jpg"\r\n'
        f"Content-Type: image/jpeg\r\n\r\n".encode()
        + data
        + b"\r\n"
        for name, data in files.items()
    ]
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: multipart/form-data; boundary={boundary}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Connection:
    """One kept-open connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, request: bytes) -> int:
        """Send, read the whole answer, return its status; opens the connection where it is not open.

        0 where the server closes it instead of answering; the next request opens another.
        """
        try:
            return await self._ask(request)
        except (asyncio.IncompleteReadError, ConnectionError):
            await self.closed()
            return 0

    async def _ask(self, request: bytes) -> int:
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        assert self._reader is not None
        self._writer.write(request)
        await self._writer.drain()
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
        )
        await self._reader.readexactly(length)
        return int(head.split(b" ", 2)[1])

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    async def closed(self) -> None:
        """Close it and wait until it is."""
        self.close()
        if self._writer is not None:
            with contextlib.suppress(ConnectionError):
                await self._writer.wait_closed()
        self._writer = None


async def closed_loop(ports: list[int], requests: list[bytes], callers: int, seconds: float) -> Load:
    """`callers` at once, shared out evenly over the ports, each as fast as it is answered, for so long."""
    load, started = Load(), time.perf_counter()

    async def call(number: int) -> None:
        connection = Connection(ports[number % len(ports)])
        while (begun := time.perf_counter()) < started + seconds:
            status = await connection.ask(requests[number % len(requests)])
            load.add(status, time.perf_counter() - begun)
        await connection.closed()

    await asyncio.gather(*(call(number) for number in range(callers)))
    load.elapsed_seconds = time.perf_counter() - started
    return load


async def open_loop(ports: list[int], requests: list[bytes], per_second: float, seconds: float, seed: int = 1) -> Load:
    """Requests at random times, so many a second on average, for so long; to each port in turn."""
    rng = np.random.default_rng(seed)
    arrivals = np.cumsum(rng.exponential(1 / per_second, max(int(per_second * seconds), 1)))
    load, idle = Load(), {port: [Connection(port)] for port in ports}
    started = time.perf_counter()

    async def call(due: float, request: bytes, port: int) -> None:
        connection = idle[port].pop() if idle[port] else Connection(port)
        load.add(await connection.ask(request), time.perf_counter() - due)
        idle[port].append(connection)

    async with asyncio.TaskGroup() as tasks:
        for number, offset in enumerate(arrivals):
            due = started + float(offset)
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            tasks.create_task(call(due, requests[number % len(requests)], ports[number % len(ports)]))
    load.elapsed_seconds = time.perf_counter() - started
    for connection in itertools.chain.from_iterable(idle.values()):
        await connection.closed()
    return load
