"""A client that writes until the service is gone, and remembers what it was told."""

import base64
import random
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.gallery.crash.photographs import SAME_PHOTOGRAPH

SUBJECTS_EACH = 6
GALLERY = "default"


@dataclass(frozen=True, slots=True)
class Person:
    """A subject as the client knows it; `faces` maps the number of a photograph to its face_id."""

    name: str
    metadata: dict[str, Any]
    faces: dict[int, str]


@dataclass(frozen=True, slots=True)
class Pending:
    """A write that was sent and not answered: afterwards the subject is as it was before, or as intended.

    `photographs` are those that the subject has after an enrolment, None after a deletion.
    """

    subject_id: str
    name: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    photographs: frozenset[int] | None = None


class Client:
    """One caller with subjects of its own; what it was told outlives the service."""

    def __init__(self, number: int, photographs: Sequence[bytes], seed: int) -> None:
        self.subject_ids = [f"c{number}-s{subject}" for subject in range(SUBJECTS_EACH)]
        self.people: dict[str, Person] = {}
        self.pending: Pending | None = None
        self.revision = 0
        self.answered: Counter[str] = Counter()
        self.faults: list[str] = []
        self._photographs = photographs
        self._random = random.Random(seed)
        self._step = 0

    def run(self, url: str, acknowledged: threading.Semaphore) -> None:
        """Write and look until the service does not answer any more."""
        with httpx.Client(base_url=url, timeout=60) as http:
            try:
                while True:
                    self._one(http)
                    acknowledged.release()
            except httpx.TransportError:
                pass

    def _one(self, http: httpx.Client) -> None:
        self._step += 1
        subject_id = self._random.choice(self.subject_ids)
        if self._random.random() < 0.15:
            self._look(http)
        elif subject_id in self.people and self._random.random() < 0.4:
            self._delete(http, subject_id)
        else:
            self._enroll(http, subject_id)

    def _enroll(self, http: httpx.Client, subject_id: str) -> None:
        """Enrol a new subject, or update a known one: another name, other metadata, perhaps more faces."""
        known = self.people.get(subject_id)
        chosen = self._random.sample(range(len(self._photographs)), self._random.randint(1, 3))
        name, metadata = f"{subject_id} #{self._step}", {"step": self._step}
        held = known.faces if known else {}
        self.pending = Pending(subject_id, name, metadata, frozenset(held) | frozenset(chosen))
        answer = http.post(
            "/gallery/enroll",
            json={
                "subject_id": subject_id,
                "gallery": GALLERY,
                "name": name,
                "metadata": metadata,
                "on_duplicate": "allow",
                "image": [_base64(self._photographs[photograph]) for photograph in chosen],
            },
        )
        if not self._accepted("update" if known else "enrol", answer):
            return
        told = answer.json()
        faces = {photograph: row["face_id"] for photograph, row in zip(chosen, told["faces"], strict=True)}
        self.people[subject_id] = Person(name, metadata, dict(held) | faces)
        if told["created"] is (known is not None):
            self.faults.append(f"{subject_id}: created is {told['created']}, but known before: {known is not None}")

    def _delete(self, http: httpx.Client, subject_id: str) -> None:
        self.pending = Pending(subject_id)
        answer = http.delete(f"/gallery/subjects/{subject_id}", params={"gallery": GALLERY})
        if self._accepted("delete", answer):
            del self.people[subject_id]

    def _look(self, http: httpx.Client) -> None:
        """A client finds what it wrote, and nothing that it erased, while others write."""
        photograph = self._random.randrange(len(self._photographs))
        answer = http.post("/identify", json=probe(self._photographs[photograph]))
        if not self._accepted("identify", answer):
            return
        found = {subject: face for subject, face in faces_of(answer.json()).items() if subject in self.subject_ids}
        own = {
            subject: person.faces[photograph] for subject, person in self.people.items() if photograph in person.faces
        }
        if found != own:
            self.faults.append(f"photograph {photograph} is found as {found}, but enrolled as {own}")

    def _accepted(self, what: str, answer: httpx.Response) -> bool:
        self.pending = None
        if not answer.is_success:
            self.faults.append(f"{what} was answered {answer.status_code}: {answer.text}")
            return False
        self.answered[what] += 1
        self.revision = max(self.revision, answer.json().get("revision", 0))
        return True


def probe(photograph: bytes) -> dict[str, Any]:
    """The body of an identification that ranks the whole gallery."""
    return {"image": _base64(photograph), "gallery": GALLERY, "threshold": 4.0, "top_k": 100}


def faces_of(identification: dict[str, Any]) -> dict[str, str]:
    """subject_id to face_id of all who have the very photograph that was looked up."""
    candidates = identification["faces"][0]["candidates"]
    return {row["subject_id"]: row["face_id"] for row in candidates if row["distance"] < SAME_PHOTOGRAPH}


def _base64(photograph: bytes) -> str:
    return base64.b64encode(photograph).decode()
