"""Far more callers than a service takes: how soon the rest are refused, and whether what is accepted is done in time.

    python -m tests.benchmarks.overload [--callers 64] [--seconds 60] [--note "what else ran"]

A service that works on 4 requests at once and gives each 10 s is asked to verify by many callers, each of which waits
a tenth of a second after a refusal and then asks again. Times are those of the callers. The summary is
results/overload.json.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.client import Connection, multipart
from tests.benchmarks.record import write_record
from tests.benchmarks.soak import photograph
from tests.processes import serving

IN_FLIGHT, DEADLINE_SECONDS, PAUSE_SECONDS = 4, 10.0, 0.1


async def overload(port: int, callers: int, seconds: float) -> dict[int, list[float]]:
    """Seconds until the answer, by its status."""
    image = photograph(side=250)
    request = multipart("/verify", {"image1": image, "image2": image})
    took: dict[int, list[float]] = defaultdict(list)
    ends = time.perf_counter() + seconds

    async def call(number: int) -> None:
        connection = Connection(port)
        await asyncio.sleep(PAUSE_SECONDS * number / callers)
        while (started := time.perf_counter()) < ends:
            status = await connection.ask(request)
            took[status].append(time.perf_counter() - started)
            await asyncio.sleep(PAUSE_SECONDS if status == 503 else 0)
        connection.close()

    await asyncio.gather(*(call(number) for number in range(callers)))
    return took


def figures(seconds: list[float]) -> dict[str, Any]:
    """How many there were, and their times in milliseconds."""
    p50, p95, p99 = (round(float(value) * 1000, 1) for value in np.percentile(seconds, [50, 95, 99]))
    return {
        "answers": len(seconds),
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "max_ms": round(max(seconds) * 1e3, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--callers", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--note", default="nothing else ran")
    options = parser.parse_args()
    limits = {
        "SAMEFACE_MAX_REQUESTS_IN_FLIGHT": str(IN_FLIGHT),
        "SAMEFACE_REQUEST_DEADLINE_SECONDS": str(DEADLINE_SECONDS),
    }
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "sameface.db", **limits) as server:
        asyncio.run(overload(server.port, IN_FLIGHT, 3.0))  # warms up
        took = asyncio.run(overload(server.port, options.callers, options.seconds))
    summary = {
        "callers": options.callers,
        "max_requests_in_flight": IN_FLIGHT,
        "request_deadline_seconds": DEADLINE_SECONDS,
        "by_status": {str(status): figures(seconds) for status, seconds in sorted(took.items())},
    }
    write_record("overload", options.note, **summary)
    print(json.dumps(summary, indent=1))


if __name__ == "__main__":
    main()
