"""What every use case does with photographs: read them side by side, name the one at fault, add up the times."""

import asyncio
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from app.domain import Detection, EmbeddedFace, FaceChoice
from app.errors import BadInput, BadRequest

if TYPE_CHECKING:
    from app.faces.pipeline import FacePipeline

T = TypeVar("T")


class Photographs:
    """A pipeline whose errors say which field of the request they are about."""

    def __init__(self, pipeline: "FacePipeline") -> None:
        self._pipeline = pipeline

    async def face(
        self,
        image: bytes,
        choice: FaceChoice,
        field: str = "image",
        *,
        keep_crop: bool = False,
        min_confidence: float = 0.0,
    ) -> EmbeddedFace:
        """The chosen face, with its crop if asked; raises NoFace, SeveralFaces and the other errors of photographs."""
        with _naming(field):
            return await self._pipeline.embed(
                image, choice, field=field, keep_crop=keep_crop, min_confidence=min_confidence
            )

    async def faces(self, image: bytes, *, max_faces: int, min_confidence: float = 0.0) -> list[EmbeddedFace]:
        """Up to `max_faces` faces (0: all), largest first; raises the errors of photographs."""
        with _naming("image"):
            return await self._pipeline.embed_all(image, max_faces=max_faces, min_confidence=min_confidence)

    async def detect(self, image: bytes, *, max_faces: int, min_confidence: float = 0.0) -> Detection:
        """The faces without embeddings; raises the errors of photographs."""
        with _naming("image"):
            return await self._pipeline.detect(image, max_faces=max_faces, min_confidence=min_confidence)


async def all_of(*work: Coroutine[Any, Any, T]) -> list[T]:
    """Run together; of several failures the first in order is raised, so that the same request gets the same answer."""
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    results: list[T] = []
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
        results.append(outcome)
    return results


def check_count(of: str, count: int, limit: int, setting: str, *, least: int = 1) -> None:
    """Raise BadRequest unless `count` is `least` to `limit`, the value of `setting`."""
    if not least <= count <= limit:
        raise BadRequest(
            f"{count} {of} were given; this takes {least} to {limit}", field="image", **{of: count, setting: limit}
        )


def took_ms(started: float, faces: Sequence[EmbeddedFace], **more: float) -> dict[str, float]:
    """Milliseconds by stage and in total; photographs run side by side, so a stage counts its slowest."""
    stages: dict[str, float] = {}
    for face in faces:
        for stage, took in face.took_ms.items():
            stages[stage] = max(stages.get(stage, 0.0), took)
    return stages | more | {"total": ms_since(started)}


def ms_since(started: float) -> float:
    """Milliseconds since a moment of `time.perf_counter`."""
    return (time.perf_counter() - started) * 1000.0


@contextmanager
def _naming(field: str) -> Iterator[None]:
    try:
        yield
    except BadInput as error:
        error.field = error.field or field
        raise
