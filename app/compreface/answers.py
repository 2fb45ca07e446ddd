"""The shapes of CompreFace's answers about faces. Coordinates are whole pixels of the upright photograph."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, Field

from app import domain
from app.compreface.options import FaceOptions
from app.domain import DetectedFace, Embedding
from app.faces.card import ModelCard

_DIGITS = 5  # as many as CompreFace answers


class Box(BaseModel):
    """Where a face is, and how sure the detector is that it is one."""

    probability: float = Field(ge=0, le=1)
    x_max: int
    y_max: int
    x_min: int
    y_min: int

    @classmethod
    def of(cls, face: DetectedFace) -> Self:
        box = face.box
        return cls(
            probability=round(face.confidence, _DIGITS),
            x_max=round(box.right),
            y_max=round(box.bottom),
            x_min=round(box.left),
            y_min=round(box.top),
        )


class Face(BaseModel):
    """A face; what was not asked for is left out. Ages, genders, masks and poses are not known here."""

    box: Box
    embedding: list[float] | None = Field(None, description="with the plugin `calculator`")
    landmarks: list[tuple[int, int]] | None = Field(None, description="with the plugin `landmarks`")
    execution_time: dict[str, float] | None = Field(None, description="milliseconds by plugin, with `status`")


class PluginsVersions(BaseModel):
    """What found the faces and what made the embeddings."""

    detector: str
    calculator: str | None = None


def face_fields(
    face: DetectedFace, embedding: Embedding | None, took_ms: Mapping[str, float], options: FaceOptions
) -> dict[str, Any]:
    """The fields of `Face`."""
    given: dict[str, Any] = {"box": Box.of(face)}
    if embedding is not None and "calculator" in options.plugins:
        given["embedding"] = embedding.tolist()
    if "landmarks" in options.plugins:
        given["landmarks"] = [(round(x), round(y)) for x, y in face.landmarks.tolist()]
    if options.status:
        given["execution_time"] = _execution_time(took_ms)
    return given


def embedded_fields(face: domain.EmbeddedFace, options: FaceOptions) -> dict[str, Any]:
    """The fields of `Face` for a face that was embedded."""
    return face_fields(face.face, face.embedding, face.took_ms, options)


def versions(card: ModelCard, options: FaceOptions, *, calculator: bool = True) -> PluginsVersions | None:
    """What served, where it was asked for."""
    if not options.status:
        return None
    return PluginsVersions(detector="sameface.MTCNN", calculator=f"sameface.{card.id}" if calculator else None)


def _execution_time(took_ms: Mapping[str, float]) -> dict[str, float]:
    stages = {"detector": "detect", "calculator": "embed"}
    return {plugin: round(took_ms[stage], 1) for plugin, stage in stages.items() if stage in took_ms}
