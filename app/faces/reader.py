"""One photograph on one thread: decode -> detect -> choose -> crop -> measure."""

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from app.domain import DetectedFace, Embedding, FaceCrop, MeasuredFace
from app.faces.choose import Selection, certain_faces
from app.faces.crop import CropSpec, crop_face, source_scale
from app.faces.decode import ImageLimits, Photograph, Pixels, decode
from app.faces.detect import FaceDetector
from app.faces.inference import Reading
from app.faces.kept_crop import encode, kept_spec, middle
from app.faces.quality import QualityRequirements, measured_face


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What is made of one photograph before anything is embedded; `crops` are what the embedder wants of the faces."""

    faces: list[MeasuredFace]
    crops: list[Pixels]
    kept: list[FaceCrop] | list[None]
    faces_found: int
    width_px: int
    height_px: int
    took_ms: dict[str, float] = field(default_factory=dict)

    def reading(self, embeddings: Sequence[Embedding]) -> Reading:
        """With the embeddings of its crops, or none where none was asked for."""
        return Reading(self.faces, embeddings, self.kept, self.faces_found, self.width_px, self.height_px, self.took_ms)


class PhotographReader:
    """From the bytes of a photograph to the crops of its faces. Safe to call from several threads at once."""

    def __init__(
        self,
        detector: FaceDetector,
        spec: CropSpec,
        *,
        limits: ImageLimits,
        required: QualityRequirements,
        detect_side_px: int,
    ) -> None:
        """`detect_side_px`: photographs are reduced for detection while their longer side stays above this."""
        self._detector, self._spec = detector, spec
        self._limits, self._required, self._detect_side_px = limits, required, detect_side_px

    def find(self, data: bytes, selection: Selection, *, keep_crops: bool = False) -> Found:
        """The faces that are wanted; raises NoFace, SeveralFaces and every error of `decode`."""
        stages = self.stages(data, selection, keep_crops=keep_crops)
        while True:
            try:
                next(stages)
            except StopIteration as end:
                found: Found = end.value
                return found

    def stages(self, data: bytes, selection: Selection, *, keep_crops: bool = False) -> Generator[None, None, Found]:
        """`find`, paused after each stage, so that several photographs can go through each stage together."""
        took_ms: dict[str, float] = {}
        with timed(took_ms, "decode"):
            photograph = decode(data, self._limits, draft_px=self._detect_side_px)
        yield
        with timed(took_ms, "detect"):
            faces = certain_faces(self._detector.detect(photograph), selection.min_confidence)
        yield
        chosen = selection.of(faces, photograph)
        with timed(took_ms, "crop"):
            crops, kept = self._crops(data, photograph, chosen, keep_crops)
        yield
        with timed(took_ms, "quality"):
            measured = self._measure(photograph, chosen, crops)
        return Found(measured, crops, kept, len(faces), photograph.width, photograph.height, took_ms)

    def _crops(
        self, data: bytes, photograph: Photograph, faces: Sequence[DetectedFace], keep: bool
    ) -> tuple[list[Pixels], list[FaceCrop] | list[None]]:
        """What the embedder sees of each face, and what is kept of it."""
        if not keep:
            return self._crop(data, photograph, faces, self._spec), [None] * len(faces)
        # What is embedded is cut out of what is kept, so that the same embedding can be made of it again.
        wide_spec = kept_spec(self._spec)
        wide = self._crop(data, photograph, faces, wide_spec)
        return [middle(crop, self._spec) for crop in wide], [encode(crop, wide_spec) for crop in wide]

    def _crop(self, data: bytes, photograph: Photograph, faces: Sequence[DetectedFace], spec: CropSpec) -> list[Pixels]:
        """Crop from the reduced photograph where it has pixels enough, else from all of them."""
        wants_more = photograph.scale < 1 and any(source_scale(f, spec) * photograph.scale < 1 for f in faces)
        best = decode(data, self._limits) if wants_more else photograph
        return [crop_face(best, face, spec) for face in faces]

    def _measure(
        self, photograph: Photograph, faces: Sequence[DetectedFace], crops: Sequence[Pixels]
    ) -> list[MeasuredFace]:
        spec, size_px = self._spec, (photograph.width, photograph.height)
        return [
            measured_face(face, crop, spec, size_px, self._required) for face, crop in zip(faces, crops, strict=True)
        ]


@contextmanager
def timed(took_ms: dict[str, float], stage: str) -> Iterator[None]:
    """Add the milliseconds that a stage took."""
    started = time.perf_counter()
    yield
    took_ms[stage] = (time.perf_counter() - started) * 1000.0
