"""Every image of a corpus to every endpoint that reads images, and what must hold meanwhile and afterwards."""

import base64
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from app.api.problems import STATUS
from app.main import create_app
from app.settings import Settings
from tests.fuzz.bases import sound
from tests.fuzz.corpus import KINDS, Case, case
from tests.processes import Server

ENDPOINTS = ("/verify", "/identify", "/detect", "/gallery/enroll")

_SENDERS = 4
_SLOWEST = 5
# An image that decides nothing in this time holds a worker of a busy service.
_MAX_SECONDS = 20.0


class Campaign:
    """A run against a server; `faults` are sentences about what did not hold."""

    def __init__(self, server: Server, *, seed: int, count: int, image_workers: int, in_turn: bool = False) -> None:
        """`in_turn`: each image goes to one endpoint, the next of its kind to the next one, instead of to all."""
        self._in_turn = in_turn
        self.faults: list[str] = []
        self._server, self._seed, self._count, self._image_workers = server, seed, count, image_workers
        self._documented = _documented_statuses()
        self._answers: Counter[str] = Counter()
        self._read: dict[str, set[int]] = {kind: set() for kind in KINDS}
        self._slowest: list[tuple[float, str]] = []
        self._distinct: set[bytes] = set()
        self._resident_bytes: list[int] = []
        self._lock = threading.Lock()

    def run(self) -> Iterator[int]:
        """Send everything, and yield how many images are done."""
        pid, before = self._server.process.pid, self._usual_seconds()
        # Images of all kinds come in turn, so that any part of the corpus asks for as much memory as another.
        part = max(len(KINDS), self._count // 20)
        with ThreadPoolExecutor(_SENDERS) as senders:
            for start in range(0, self._count, part):
                numbers = range(start, min(start + part, self._count))
                for _ in senders.map(self._send, numbers):
                    pass
                self._resident_bytes.append(self._resident())
                yield numbers.stop
        self._check_alive(pid, before)

    def summary(self) -> dict[str, Any]:
        """What was sent, what was answered and what it cost."""
        return {
            "seed": self._seed,
            "images": self._count,
            "distinct_images": len(self._distinct),
            "kinds": len(KINDS),
            "requests": sum(self._answers.values()),
            "answers": dict(sorted(self._answers.items())),
            "images_read_by_kind": {kind: len(numbers) for kind, numbers in self._read.items()},
            "slowest_seconds": [{"seconds": round(seconds, 2), "what": what} for seconds, what in self._slowest],
            "resident_mib": [round(resident / 2**20) for resident in self._resident_bytes],
            "growth_after_warm_up": round(self.growth, 3),
            "faults": self.faults,
        }

    @property
    def growth(self) -> float:
        """Memory of the last fifth of the run over that of the second fifth, less one; the first is the warm-up."""
        fifth = max(1, len(self._resident_bytes) // 5)
        warm, last = self._resident_bytes[fifth : 2 * fifth], self._resident_bytes[-fifth:]
        return (sum(last) / len(last)) / (sum(warm) / len(warm)) - 1 if warm else 0.0

    def _send(self, number: int) -> None:
        with self._lock:  # Pillow keeps the options of a save at the image, which the corpus has one of
            one = case(self._seed, number)
            self._distinct.add(one.data)
        turn = ENDPOINTS[number // len(KINDS) % len(ENDPOINTS)]
        for endpoint in (turn,) if self._in_turn else ENDPOINTS:
            started = time.perf_counter()
            try:
                response = self._server.http.post(endpoint, timeout=60, **_request(endpoint, one))
            except httpx.TransportError as error:
                self._fault(f"{endpoint} gave no answer to {self._name(one)}: {type(error).__name__}")
                continue
            self._judge(endpoint, one, response, time.perf_counter() - started)

    def _judge(self, endpoint: str, one: Case, response: httpx.Response, seconds: float) -> None:
        code = _code(response)
        with self._lock:
            self._answers[f"{response.status_code} {code}".strip()] += 1
            self._read[one.kind] |= {one.number} if response.status_code < 300 else set()
            self._slowest = sorted([*self._slowest, (seconds, f"{endpoint}, {self._name(one)}")], reverse=True)[
                :_SLOWEST
            ]
        where = f"{endpoint} answered {response.status_code} {code} to {self._name(one)}"
        if str(response.status_code) not in self._documented[endpoint]:
            self._fault(f"{where}, which is not documented")
        elif response.status_code >= 400 and STATUS.get(code) != response.status_code:
            self._fault(f"{where}, which is no documented problem")
        elif response.status_code >= 500:
            self._fault(f"{where}, though nobody else was served")
        if seconds > _MAX_SECONDS:
            self._fault(f"{where} after {seconds:.1f} s")

    def _check_alive(self, pid: int, before: float) -> None:
        """The same process answers in its usual time, with all of its workers."""
        if self._server.process.poll() is not None or self._server.process.pid != pid:
            self._fault("the service is another process than it was, or none")
            return
        health = self._server.http.get("/health/ready")
        if health.status_code != 200 or health.json()["status"] != "ready":
            self._fault(f"the service is not ready afterwards: {health.text}")
        with ThreadPoolExecutor(4 * self._image_workers) as senders:
            good = list(senders.map(lambda _: self._good().status_code, range(8 * self._image_workers)))
        if set(good) != {200}:
            self._fault(f"good requests are answered {Counter(good)} afterwards")
        after = self._usual_seconds()
        if after > 3 * before + 1:
            self._fault(f"a good request takes {after:.2f} s afterwards; it took {before:.2f} s")

    def _usual_seconds(self) -> float:
        """The median of some good requests, one after the other."""
        seconds = []
        for _ in range(9):
            started = time.perf_counter()
            assert self._good().status_code == 200
            seconds.append(time.perf_counter() - started)
        return sorted(seconds)[len(seconds) // 2]

    def _good(self) -> httpx.Response:
        return self._server.http.post("/verify", files={"image1": sound(0), "image2": sound(3)})

    def _resident(self) -> int:
        status = Path(f"/proc/{self._server.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * 1024

    def _name(self, one: Case) -> str:
        return f"image {one.number} ({one.kind}, {len(one.data)} bytes, seed {self._seed})"

    def _fault(self, sentence: str) -> None:
        with self._lock:
            self.faults.append(sentence)


def _request(endpoint: str, one: Case) -> dict[str, Any]:
    """The image as a file of a form or as base64 in JSON, beside what else the endpoint asks for."""
    fields: dict[str, str] = {}
    names = ["image"]
    if endpoint == "/gallery/enroll":
        fields = {"subject_id": f"fuzz-{one.number % 500}", "on_several_faces": "largest", "on_duplicate": "allow"}
    if endpoint == "/identify":
        fields = {"max_faces": "0"}
    others: dict[str, bytes] = {}
    if endpoint == "/verify":
        names = ["image1", "image2"] if one.number % 2 else ["image2", "image1"]
        others = {names[1]: sound(0)}
    if one.as_base64:
        encoded = {name: base64.b64encode(data).decode() for name, data in {names[0]: one.data, **others}.items()}
        return {"json": {**fields, **({"max_faces": 0} if "max_faces" in fields else {}), **encoded}}
    files = {name: ("good.jpg", data, "image/jpeg") for name, data in others.items()}
    return {"data": fields, "files": {names[0]: (one.filename, one.data, one.content_type), **files}}


def _code(response: httpx.Response) -> str:
    """The code of a problem document, nothing for another answer."""
    if response.headers.get("content-type") != "application/problem+json":
        return "" if response.status_code < 400 else "no problem document"
    return str(response.json().get("code"))


def _documented_statuses() -> dict[str, set[str]]:
    paths = create_app(Settings()).openapi()["paths"]
    return {endpoint: set(paths[endpoint]["post"]["responses"]) for endpoint in ENDPOINTS}
