"""Photographs on one thread: decode -> detect -> choose -> crop -> measure.

Several go through each stage together: what the stage needs of the processor's caches it then finds there, and small
ones are detected in together, which takes a fifth off the time of each of four.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from app.domain import DetectedFace, Embedding, FaceCrop, MeasuredFace
from app.faces.choose import Selection, certain_faces
from app.faces.crop import CropSpec, crop_face, source_scale
from app.faces.decode import ImageLimits, Photograph, Pixels, decode
from app.faces.detect import FaceDetector
from app.faces.inference import Reading, Task
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
        (found,) = self.find_all([(data, Task(selection, keep_crops=keep_crops))])
        if isinstance(found, Exception):
            raise found
        return found

    def find_all(self, work: Sequence[tuple[bytes, Task]]) -> list[Found | Exception]:
        """What `find` finds in each photograph, or raises."""
        under_way = [_UnderWay(data, task.selection, task.keep_crops) for data, task in work]
        _try_each(under_way, self._decode)
        self._detect([each for each in under_way if each.error is None])
        _try_each(under_way, self._crop_chosen)
        _try_each(under_way, self._measure)
        return [each.error or each.found() for each in under_way]

    def _decode(self, each: "_UnderWay") -> None:
        with timed(each.took_ms, "decode"):
            each.photograph = decode(each.data, self._limits, draft_px=self._detect_side_px)

    def _detect(self, together: "Sequence[_UnderWay]") -> None:
        started = time.perf_counter()
        try:
            found = self._detector.detect_all([each.photograph for each in together])
        except Exception as error:
            if len(together) == 1:
                together[0].error = error
            else:
                for each in together:  # one of them is at fault, and fails alone
                    self._detect([each])
            return
        for each, faces in zip(together, found, strict=True):
            each.faces = certain_faces(faces, each.selection.min_confidence)
            each.took_ms["detect"] = (time.perf_counter() - started) * 1000.0

    def _crop_chosen(self, each: "_UnderWay") -> None:
        """What the embedder sees of each face that is wanted, and what is kept of it."""
        each.chosen = each.selection.of(each.faces, each.photograph)
        with timed(each.took_ms, "crop"):
            if not each.keep_crops:
                each.crops, each.kept = self._crop(each, self._spec), [None] * len(each.chosen)
                return
            # What is embedded is cut out of what is kept, so that the same embedding can be made of it again.
            wide_spec = kept_spec(self._spec)
            wide = self._crop(each, wide_spec)
            each.crops = [middle(crop, self._spec) for crop in wide]
            each.kept = [encode(crop, wide_spec) for crop in wide]

    def _crop(self, each: "_UnderWay", spec: CropSpec) -> list[Pixels]:
        """Crop from the reduced photograph where it has pixels enough, else from all of them."""
        scale = each.photograph.scale
        wants_more = scale < 1 and any(source_scale(face, spec) * scale < 1 for face in each.chosen)
        best = decode(each.data, self._limits) if wants_more else each.photograph
        return [crop_face(best, face, spec) for face in each.chosen]

    def _measure(self, each: "_UnderWay") -> None:
        size_px = (each.photograph.width, each.photograph.height)
        with timed(each.took_ms, "quality"):
            each.measured = [
                measured_face(face, crop, self._spec, size_px, self._required)
                for face, crop in zip(each.chosen, each.crops, strict=True)
            ]


@dataclass(slots=True, eq=False)
class _UnderWay:
    """A photograph between two stages, or what has become of it."""

    data: bytes
    selection: Selection
    keep_crops: bool
    photograph: Photograph = field(init=False)
    faces: list[DetectedFace] = field(init=False)
    chosen: list[DetectedFace] = field(init=False)
    crops: list[Pixels] = field(init=False)
    kept: list[FaceCrop] | list[None] = field(init=False)
    measured: list[MeasuredFace] = field(init=False)
    took_ms: dict[str, float] = field(default_factory=dict)
    error: Exception | None = None

    def found(self) -> Found:
        """When all stages are behind it."""
        photograph = self.photograph
        return Found(
            self.measured,
            self.crops,
            self.kept,
            len(self.faces),
            photograph.width,
            photograph.height,
            self.took_ms,
        )


def _try_each(under_way: Sequence[_UnderWay], stage: Callable[[_UnderWay], None]) -> None:
    """Bring each photograph through a stage that has come so far; what is raised stays with it."""
    for each in under_way:
        if each.error is None:
            try:
                stage(each)
            except Exception as error:
                each.error = error


@contextmanager
def timed(took_ms: dict[str, float], stage: str) -> Iterator[None]:
    """Add the milliseconds that a stage took."""
    started = time.perf_counter()
    yield
    took_ms[stage] = (time.perf_counter() - started) * 1000.0
