"""Enrolling many people: several requests at once, photographs of a subject together, every one accounted for."""

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from app.bulk.outcomes import ENROLLED, EXISTED, REJECTED, Outcome, Progress
from app.bulk.people import Person
from app.bulk.workers import for_each
from app.client import AsyncSameface, Enrolment
from app.errors import BadInput, BadRequest, Conflict, SamefaceError
from app.gallery.checks import MAX_SUBJECT_ID_CHARACTERS, is_subject_id

# What the service takes in one request, as it comes; see SAMEFACE_MAX_ENROLL_IMAGES and SAMEFACE_MAX_REQUEST_BYTES.
_MAX_IMAGES = 10
_MAX_BYTES = 16_000_000


@dataclass(frozen=True, slots=True)
class Policy:
    """What is asked of the service for every photograph."""

    gallery: str = "default"
    on_several_faces: Literal["reject", "largest"] = "reject"
    on_duplicate: Literal["report", "reject", "allow"] = "report"


@dataclass(frozen=True, slots=True)
class _Photograph:
    path: Path
    content: bytes
    content_sha256: str


class BulkEnrolment:
    """Enrols people through a client, up to `jobs` of them at once, and tells `tell` what became of each photograph."""

    def __init__(
        self,
        client: AsyncSameface,
        policy: Policy,
        progress: Progress,
        *,
        jobs: int,
        tell: Callable[[Sequence[Outcome]], None],
    ) -> None:
        self._client = client
        self._policy = policy
        self._progress = progress
        self._jobs = jobs
        self._tell = tell

    async def run(self, people: Sequence[Person]) -> None:
        """Enrol them all. Raises what no other photograph could get past, such as Unauthenticated or Unreachable."""
        await for_each(people, self._enroll, jobs=self._jobs)

    async def _enroll(self, person: Person) -> None:
        if not is_subject_id(person.subject_id):  # a folder's name that is not UTF-8 could not even be sent
            self._tell([_not_a_subject(person, path) for path in person.photographs])
            return
        # One after the other, so that each batch is compared with the faces of those before it.
        for paths in batches(person.photographs):
            await self._enroll_batch(person, paths)

    async def _enroll_batch(self, person: Person, paths: Sequence[Path]) -> None:
        found = await asyncio.to_thread(_read, person.subject_id, paths)
        unread = [outcome for outcome in found if isinstance(outcome, Outcome)]
        photographs = [photograph for photograph in found if isinstance(photograph, _Photograph)]
        known = [self._progress.known(person.subject_id, photograph.content_sha256) for photograph in photographs]
        self._tell([*unread, *(outcome for outcome in known if outcome is not None)])
        new = [photograph for photograph, outcome in zip(photographs, known, strict=True) if outcome is None]
        if new:
            outcomes = await self._sent(person, new)
            await asyncio.to_thread(self._progress.add, outcomes)
            self._tell(outcomes)

    async def _sent(self, person: Person, photographs: Sequence[_Photograph]) -> list[Outcome]:
        try:
            answer = await self._client.enroll(
                person.subject_id,
                [photograph.content for photograph in photographs],
                gallery=self._policy.gallery,
                name=person.name,
                metadata=person.metadata,
                expires_at=person.expires_at,
                on_several_faces=self._policy.on_several_faces,
                on_duplicate=self._policy.on_duplicate,
            )
        except (BadInput, Conflict) as error:
            return await self._rejected(person, photographs, error)
        return _accepted(person, photographs, answer)

    async def _rejected(
        self, person: Person, photographs: Sequence[_Photograph], error: SamefaceError
    ) -> list[Outcome]:
        """Where several photographs were refused together, each is given a chance of its own."""
        if len(photographs) == 1:
            facts: dict[str, Any] = error.facts
            reasons = tuple(facts.get("reasons", (error.code,)))  # of a quality that is too low
            measured = facts.get("measured", facts)
            return [_rejection(person.subject_id, photographs[0], reasons, error.message, measured)]
        outcomes = []
        for photograph in photographs:
            outcomes += await self._sent(person, [photograph])
        return outcomes


def batches(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """As many photographs at a time as one request may carry."""
    batch: list[Path] = []
    batch_bytes = 0
    for path in paths:
        size = path.stat().st_size if path.is_file() else 0
        if batch and (len(batch) == _MAX_IMAGES or batch_bytes + size > _MAX_BYTES):
            yield batch
            batch, batch_bytes = [], 0
        batch.append(path)
        batch_bytes += size
    if batch:
        yield batch


def _read(subject_id: str, paths: Sequence[Path]) -> list[_Photograph | Outcome]:
    found: list[_Photograph | Outcome] = []
    for path in paths:
        try:
            content = path.read_bytes()
        except OSError as error:
            found.append(Outcome(subject_id, str(path), None, REJECTED, ("unreadable_file",), error.strerror))
        else:
            found.append(_Photograph(path, content, hashlib.sha256(content).hexdigest()))
    return found


def _not_a_subject(person: Person, path: Path) -> Outcome:
    detail = f"a subject_id is text of 1 to {MAX_SUBJECT_ID_CHARACTERS} characters, without control characters"
    return Outcome(person.subject_id, str(path), None, REJECTED, (BadRequest.code,), detail)


def _accepted(person: Person, photographs: Sequence[_Photograph], answer: Enrolment) -> list[Outcome]:
    duplicates = tuple(duplicate.subject_id for duplicate in answer.duplicates)
    outcomes = []
    for photograph, row in zip(photographs, answer.faces, strict=True):
        if row.face_id is None:
            rejection = _rejection(person.subject_id, photograph, tuple(row.reasons), row.detail, row.measured)
            outcomes.append(rejection)
            continue
        outcomes.append(
            Outcome(
                person.subject_id,
                str(photograph.path),
                photograph.content_sha256,
                EXISTED if row.existed else ENROLLED,
                outlier=row.outlier,
                duplicates=duplicates,
            )
        )
    return outcomes


def _rejection(
    subject_id: str, photograph: _Photograph, reasons: tuple[str, ...], detail: str | None, measured: dict[str, Any]
) -> Outcome:
    path, sha256 = str(photograph.path), photograph.content_sha256
    return Outcome(subject_id, path, sha256, REJECTED, reasons, detail, dict(measured))
