"""Which faces of many photographs are one person's: embedded through the client, several at once, and grouped here.

`POST /cluster` does the same for up to 100 photographs; this is for a folder of any size.
"""

import asyncio
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from app.bulk.workers import for_each
from app.client import AsyncSameface
from app.client.results import EmbeddedFace
from app.clustering import group_faces
from app.domain import ClusterMethod
from app.errors import BadInput, BadRequest
from app.faces.card import ModelCard
from app.faces.decode import ImageLimits, decode

# Grouping holds a matrix of all distances: 5,000 faces are 200 MB, and it is copied once.
MAX_FACES = 5_000
_THUMBNAIL_PX = 112
_ANY_SIZE = ImageLimits(max_image_bytes=2**40, max_image_pixels=2**40)  # what the service has read
_MARGIN = 0.25  # of the box, on each side


@dataclass(frozen=True, slots=True)
class SeenFace:
    """A face and the photograph that shows it; `thumbnail` is a JPEG of it, for people to look at."""

    path: Path
    face: EmbeddedFace
    thumbnail: bytes


@dataclass(frozen=True, slots=True)
class UnreadPhotograph:
    """A photograph that cannot be read, and why."""

    path: Path
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Groups:
    """People, the one seen most often first, and what they rest on."""

    groups: list[list[SeenFace]]
    unread: list[UnreadPhotograph]
    photographs: int
    threshold: float
    far: float | None
    model: ModelCard


class FaceGrouper:
    """Reads photographs through a client, up to `jobs` at once, and puts their faces into groups."""

    def __init__(self, client: AsyncSameface, *, jobs: int, max_faces: int, tell: Callable[[], None]) -> None:
        self._client = client
        self._jobs = jobs
        self._max_faces = max_faces
        self._tell = tell
        self._seen: dict[Path, list[SeenFace]] = {}
        self._unread: list[UnreadPhotograph] = []

    async def group(
        self, paths: Sequence[Path], *, threshold: float | None, far: float | None, method: ClusterMethod
    ) -> Groups:
        """Raises FarNotSupported, BadRequest for too many faces, and what no photograph could get past."""
        if threshold is not None and far is not None:
            raise BadRequest("give --threshold or --far, not both")
        card = ModelCard.model_validate((await self._client.model()).model_dump())
        limit = threshold if threshold is not None else card.threshold_at_far(card.default_far if far is None else far)
        await for_each(paths, self._look, jobs=self._jobs)
        seen = [face for path in paths for face in self._seen.get(path, [])]
        vectors = [np.asarray(one.face.embedding, np.float32) for one in seen]
        found = await asyncio.to_thread(group_faces, vectors, limit, method)
        rate = card.far_at(limit)
        return Groups(
            [[seen[position] for position in positions] for positions in found],
            sorted(self._unread, key=lambda unread: unread.path),
            len(paths),
            limit,
            None if rate is None else rate.estimate,
            card,
        )

    async def _look(self, path: Path) -> None:
        try:
            content = await asyncio.to_thread(path.read_bytes)
            found = await self._client.embed(content, max_faces=self._max_faces)
            seen = await asyncio.to_thread(_seen, path, content, found.faces)
        except BadInput as error:
            self._unread.append(UnreadPhotograph(path, error.code, error.message))
        except OSError as error:
            self._unread.append(UnreadPhotograph(path, "unreadable_file", str(error.strerror)))
        else:
            self._seen[path] = seen
            self._check_count()
        self._tell()

    def _check_count(self) -> None:
        faces = sum(map(len, self._seen.values()))
        if faces > MAX_FACES:
            raise BadRequest(
                f"the photographs show more than {MAX_FACES} faces, and grouping compares each with each; "
                "give fewer photographs at a time"
            )


def _seen(path: Path, content: bytes, faces: Sequence[EmbeddedFace]) -> list[SeenFace]:
    if not faces:
        return []
    upright = Image.fromarray(decode(content, _ANY_SIZE).pixels)  # as the service has turned it
    return [SeenFace(path, face, _thumbnail(upright, face)) for face in faces]


def _thumbnail(upright: Image.Image, face: EmbeddedFace) -> bytes:
    box = face.box
    side = max(box.right - box.left, box.bottom - box.top) * (1 + 2 * _MARGIN)
    left, top = (box.left + box.right - side) / 2, (box.top + box.bottom - side) / 2
    crop = upright.crop((round(left), round(top), round(left + side), round(top + side)))  # black beyond the edges
    buffer = io.BytesIO()
    crop.resize((_THUMBNAIL_PX, _THUMBNAIL_PX), Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
