"""Photographs that CompreFace has saved, enrolled again: embeddings of another model cannot be taken over."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from app.bulk.outcomes import ENROLLED, EXISTED, REJECTED, Outcome, Progress
from app.bulk.workers import for_each
from app.client import AsyncSameface, Enrolment
from app.errors import BadInput, Conflict


@dataclass(frozen=True, slots=True)
class SavedPhotograph:
    """An example of a subject; `read` gives the bytes of its file, none where CompreFace kept no photograph."""

    subject: str
    image_id: str
    read: Callable[[], bytes]


class CompreFaceImport:
    """Enrols saved photographs through a client, up to `jobs` at once, and tells `tell` what became of each.

    A CompreFace subject becomes a subject of that id. Photographs that `progress` knows are not read again.
    """

    def __init__(
        self,
        client: AsyncSameface,
        progress: Progress,
        *,
        gallery: str,
        on_several_faces: Literal["reject", "largest"],
        jobs: int,
        tell: Callable[[Sequence[Outcome]], None],
    ) -> None:
        self._client, self._progress = client, progress
        self._gallery: dict[str, Any] = {"gallery": gallery, "on_several_faces": on_several_faces}
        self._jobs, self._tell = jobs, tell

    async def run(self, photographs: Sequence[SavedPhotograph]) -> None:
        """Enrol them all. Raises what no other photograph could get past, such as Unauthenticated or Unreachable."""
        await for_each(photographs, self._take, jobs=self._jobs)

    async def _take(self, photograph: SavedPhotograph) -> None:
        outcome = self._progress.known_path(photograph.subject, photograph.image_id)
        if outcome is None:
            outcome = await self._enroll(photograph)
            await asyncio.to_thread(self._progress.add, [outcome])
        self._tell([outcome])

    async def _enroll(self, photograph: SavedPhotograph) -> Outcome:
        content = await asyncio.to_thread(photograph.read)
        if not content:
            return _rejection(photograph, content, "not_saved", "CompreFace has kept no photograph of this example", {})
        try:
            answer = await self._client.enroll(photograph.subject, content, **self._gallery)
        except (BadInput, Conflict) as error:
            return _rejection(photograph, content, error.code, error.message, error.facts)
        return _enrolled(photograph, content, answer)


def _enrolled(photograph: SavedPhotograph, content: bytes, answer: Enrolment) -> Outcome:
    [row] = answer.faces
    return Outcome(
        photograph.subject,
        photograph.image_id,
        hashlib.sha256(content).hexdigest(),
        EXISTED if row.existed else ENROLLED,
        outlier=row.outlier,
        duplicates=tuple(duplicate.subject_id for duplicate in answer.duplicates),
    )


def _rejection(
    photograph: SavedPhotograph, content: bytes, reason: str, detail: str, measured: dict[str, Any]
) -> Outcome:
    sha256 = hashlib.sha256(content).hexdigest()
    return Outcome(photograph.subject, photograph.image_id, sha256, REJECTED, (reason,), detail, dict(measured))
