"""Callers of a deployment, who keep their connections, remember what they were told and count what failed."""

import base64
import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

MIX = {"identify": 0.4, "verify": 0.3, "enroll": 0.15, "delete": 0.1, "list": 0.05}


@dataclass
class Phase:
    """What happened to the requests that were sent between two moments."""

    name: str
    took_seconds: list[float] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """Counts, and milliseconds of the requests that were answered."""
        times = [1000 * seconds for seconds in self.took_seconds] or [0.0]
        return {
            "phase": self.name,
            "requests": sum(self.asked.values()),
            "asked": dict(sorted(self.asked.items())),
            "failed": len(self.failures),
            "failures": dict(Counter(self.failures).most_common()),
            "ms": {"median": round(statistics.median(times), 1), "max": round(max(times), 1)},
        }


class Callers:
    """`count` threads that ask in turn; a phase is whatever they ask while it is the current one."""

    def __init__(self, url: str, key: str, photographs: Sequence[bytes], *, count: int, seed: int = 1) -> None:
        self._photographs = [base64.b64encode(photograph).decode() for photograph in photographs]
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._phase = Phase("before")
        self._url, self._headers = url, {"X-API-Key": key}
        self.enrolled: dict[str, int] = {}
        self._threads = [
            threading.Thread(target=self._call, args=(number, random.Random(seed * 1000 + number)))
            for number in range(count)
        ]

    @contextmanager
    def calling(self) -> Iterator[None]:
        """They call until this ends."""
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join()

    @contextmanager
    def phase(self, name: str) -> Iterator[Phase]:
        """What is sent inside counts for a phase of its own."""
        with self._lock:
            before, self._phase = self._phase, Phase(name)
        try:
            yield self._phase
        finally:
            with self._lock:
                self._phase = before

    def missing(self) -> list[str]:
        """Subjects whose enrolment was acknowledged and their deletion not, and who are not there."""
        with httpx.Client(base_url=self._url, headers=self._headers, timeout=60) as http:
            return [
                subject
                for subject in sorted(self.enrolled)
                if http.get(f"/gallery/subjects/{subject}").status_code != 200
            ]

    def _call(self, number: int, chance: random.Random) -> None:
        with httpx.Client(base_url=self._url, headers=self._headers, timeout=60) as http:
            step = 0
            while not self._stop.is_set():
                step += 1
                self._ask(http, f"caller-{number}-{step}", chance)

    def _ask(self, http: httpx.Client, subject_id: str, chance: random.Random) -> None:
        what = chance.choices(list(MIX), list(MIX.values()))[0]
        with self._lock:
            phase = self._phase
            own = [subject for subject in self.enrolled if subject.startswith(subject_id.rpartition("-")[0] + "-")]
        if what == "delete" and not own:
            what = "enroll"
        subject = chance.choice(own) if what == "delete" else subject_id
        photograph = chance.randrange(len(self._photographs))
        started = time.monotonic()
        failure = self._outcome(http, what, subject, photograph)
        took_seconds = time.monotonic() - started
        with self._lock:
            phase.asked[what] += 1
            if failure is not None:
                phase.failures.append(f"{what}: {failure}")
                if what == "delete":  # it may or may not have been done
                    self.enrolled.pop(subject, None)
                return
            phase.took_seconds.append(took_seconds)
            if what == "enroll":
                self.enrolled[subject] = photograph
            elif what == "delete":
                self.enrolled.pop(subject, None)

    def _outcome(self, http: httpx.Client, what: str, subject: str, photograph: int) -> str | None:
        """None where the answer is as it should be."""
        try:
            answer = self._send(http, what, subject, self._photographs[photograph])
        except httpx.TransportError as error:
            return type(error).__name__
        return None if answer.is_success else f"{answer.status_code} {_code(answer)}".strip()

    def _send(self, http: httpx.Client, what: str, subject: str, photograph: str) -> httpx.Response:
        if what == "verify":
            return http.post("/verify", json={"image1": photograph, "image2": self._photographs[0]})
        if what == "identify":
            return http.post("/identify", json={"image": photograph})
        if what == "enroll":
            return http.post(
                "/gallery/enroll", json={"subject_id": subject, "image": photograph, "on_duplicate": "allow"}
            )
        if what == "delete":
            return http.delete(f"/gallery/subjects/{subject}")
        return http.get("/gallery/subjects", params={"limit": 10})


def _code(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("code", ""))
    except ValueError:
        return ""
