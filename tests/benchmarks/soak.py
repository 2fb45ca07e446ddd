"""Many requests of all kinds to one running service, and whether its memory stays what it was.

    python -m tests.benchmarks.soak [--requests 50000] [--callers 8] [--max-seconds 3600] [--note "what else ran"]

Verifications, identifications, enrolments with erasures, detections, lists, wrong and broken requests, in a fixed mix
from several callers at once. The resident memory of the server is read every second. After the first tenth, which
warms up caches and allocators, its median over a stretch may not be more than 3 % above that of the first stretch; no
answer may be 5xx but the 503 of overload. The summary is results/soak.json.
"""

import argparse
import asyncio
import io
import itertools
import json
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
from PIL import Image

from tests.benchmarks.client import Connection, multipart
from tests.benchmarks.record import write_record
from tests.processes import Server, serving

MAX_GROWTH = 0.03
WARM_UP_SHARE = 0.1
STRETCHES = 9


def photograph(side: int = 128, quality: int = 85) -> bytes:
    """A portrait in the public domain, as a small JPEG."""
    portrait = Image.fromarray(skimage.data.astronaut()).crop((90, 0, 390, 300)).resize((side, side))
    return saved(portrait, "JPEG", quality=quality)


def saved(image: Image.Image, image_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def get(path: str, method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode()


def form(path: str, image: bytes, **fields: str) -> bytes:
    """A form with one photograph and text fields."""
    query = multipart(path, {"image": image})
    head, _, body = query.partition(b"\r\n\r\n")
    boundary = b"--sameface-benchmark-boundary"
    texts = b"".join(
        boundary + b'\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), value.encode())
        for name, value in fields.items()
    )
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
    lines.append(b"Content-Length: %d" % (len(texts) + len(body)))
    return b"\r\n".join(lines) + b"\r\n\r\n" + texts + body


def mix(caller: int) -> Iterator[bytes]:
    """What one caller sends, without end; a twentieth of it compares photographs, a fifth looks at some."""
    face, noise = photograph(), np.random.default_rng(caller).integers(0, 255, (120, 120, 3), np.uint8)
    empty = saved(Image.fromarray(noise), "PNG")
    broken = face[: len(face) // 2]
    for number in itertools.count():
        subject = f"subject-{caller}-{number % 50}"
        yield multipart("/verify", {"image1": face, "image2": face})
        yield form("/identify", face)
        yield form("/gallery/enroll", face, subject_id=subject, name="A. Lee", on_duplicate="allow")
        yield get(f"/gallery/subjects/{subject}")
        yield get(f"/gallery/subjects/{subject}", "DELETE")
        yield form("/detect", empty)
        for image in (broken, b"no photograph", b"\xff\xd8\xff" + b"\0" * 1000):
            yield form("/identify", image)
        yield form("/identify", face, gallery="nowhere", unknown="field")
        for path in ("/model", "/gallery/subjects?limit=10", "/galleries", "/health/ready", "/metrics", "/nowhere"):
            yield get(path)
        yield get(f"/gallery/subjects/nobody-{number}")
        yield get("/gallery/subjects?cursor=wrong")
        yield get("/health/live")
        if number % 10 == 0:
            yield get("/openapi.json")


def resident_bytes(server: Server) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


async def soak(
    server: Server, requests: int, callers: int, max_seconds: float
) -> tuple[Counter[int], list[tuple[int, int]]]:
    """Statuses of the answers, and (answered so far, resident bytes) once a second."""
    statuses: Counter[int] = Counter()
    samples: list[tuple[int, int]] = []
    ends = time.perf_counter() + max_seconds

    async def call(number: int) -> None:
        connection, requested = Connection(server.port), mix(number)
        while statuses.total() < requests and time.perf_counter() < ends:
            statuses[await connection.ask(next(requested))] += 1
        connection.close()

    async def watch() -> None:
        while True:
            samples.append((statuses.total(), resident_bytes(server)))
            if len(samples) % 30 == 0:
                print(f"{samples[-1][0]} answered, {samples[-1][1] / 2**20:.1f} MiB", flush=True)
            await asyncio.sleep(1)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(call(number) for number in range(callers)))
    watching.cancel()
    samples.append((statuses.total(), resident_bytes(server)))
    return statuses, samples


def stretches(samples: list[tuple[int, int]]) -> list[float]:
    """Median resident MiB of equal parts of the requests, the warm-up left out."""
    total = samples[-1][0]
    edges = np.linspace(WARM_UP_SHARE * total, total, STRETCHES + 1)
    parts = [[size for count, size in samples if low <= count <= high] for low, high in itertools.pairwise(edges)]
    return [round(statistics.median(part) / 2**20, 2) for part in parts if part]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=50_000)
    parser.add_argument("--callers", type=int, default=8)
    parser.add_argument("--max-seconds", type=float, default=3600.0, help="stop then, however many were answered")
    parser.add_argument("--note", default="nothing else ran")
    options = parser.parse_args()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "sameface.db") as server:
        statuses, samples = asyncio.run(soak(server, options.requests, options.callers, options.max_seconds))
        elapsed_seconds = time.perf_counter() - started
    resident_mib = stretches(samples)
    growth = resident_mib[-1] / resident_mib[0] - 1
    summary = {
        "requests": statuses.total(),
        "callers": options.callers,
        "statuses": {str(status): count for status, count in sorted(statuses.items())},
        "seconds": round(elapsed_seconds, 1),
        "resident_mib_after_warm_up": resident_mib,
        "resident_mib_highest": round(max(size for _, size in samples) / 2**20, 2),
        "growth": round(growth, 4),
        "max_growth": MAX_GROWTH,
    }
    write_record("soak", options.note, **summary)
    print(json.dumps(summary, indent=1))
    faults = [status for status in statuses if status >= 500 and status != 503]
    if growth > MAX_GROWTH or faults:
        raise SystemExit(f"growth {growth:.1%}, faults {faults}")


if __name__ == "__main__":
    main()
