"""Bytes to embeddings: decode -> detect -> choose -> crop on worker threads, then one batch for all requests."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from app.batcher import MicroBatcher
from app.domain import DetectedFace, Detection, EmbeddedFace, Embedding, FaceChoice, FaceCrop, MeasuredFace
from app.faces.card import ModelCard
from app.faces.choose import certain_faces, choose_face, largest_faces
from app.faces.crop import CropSpec, crop_face, source_scale
from app.faces.decode import ImageLimits, Photograph, Pixels, decode
from app.faces.detect import DetectorOptions, FaceDetector
from app.faces.embed import FaceEmbedder
from app.faces.kept_crop import encode, kept_spec, middle
from app.faces.quality import QualityRequirements, measured_face
from app.faces.runtime import Device


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What the worker threads make of one photograph."""

    faces: list[MeasuredFace]
    crops: list[Pixels]
    kept: list[FaceCrop] | list[None]
    faces_found: int
    width_px: int
    height_px: int
    took_ms: dict[str, float] = field(default_factory=dict)


class FacePipeline:
    """From an uploaded image to the embedding of a face in it, shared by all requests."""

    def __init__(
        self,
        detector: FaceDetector,
        embedder: FaceEmbedder,
        *,
        limits: ImageLimits,
        required: QualityRequirements,
        detect_side_px: int,
        workers: int,
        max_batch: int,
        max_queue: int,
    ) -> None:
        """`detect_side_px`: photographs are reduced for detection while their longer side stays above this."""
        self.card: ModelCard = embedder.card
        self._detector, self._embedder = detector, embedder
        self._limits, self._required, self._detect_side_px = limits, required, detect_side_px
        self._workers = ThreadPoolExecutor(workers, thread_name_prefix="faces")
        self._batcher: MicroBatcher[Pixels, Embedding] = MicroBatcher(
            self._embed_batch, name="embed", max_batch=max_batch, max_queue=max_queue
        )

    async def embed(
        self,
        data: bytes,
        choice: FaceChoice = FaceChoice.LARGEST,
        *,
        field: str | None = None,
        keep_crop: bool = False,
        min_confidence: float = 0.0,
    ) -> EmbeddedFace:
        """The chosen face of one photograph, with its crop if that is to be kept.

        Here and below, faces of which the detector is less sure than `min_confidence`, 0 to 1, are passed over.
        Raises NoFace, SeveralFaces and every error of `decode`.
        """

        def choose(faces: Sequence[DetectedFace], photograph: Photograph) -> list[DetectedFace]:
            return [choose_face(faces, choice, photograph, field=field)]

        return (await self._embed(data, choose, min_confidence, keep_crops=keep_crop))[0]

    async def embed_all(self, data: bytes, *, max_faces: int, min_confidence: float = 0.0) -> list[EmbeddedFace]:
        """Up to `max_faces` faces (0: all), largest first; an empty list where there is none."""

        def choose(faces: Sequence[DetectedFace], photograph: Photograph) -> list[DetectedFace]:
            return largest_faces(faces, max_faces)

        return await self._embed(data, choose, min_confidence)

    async def detect(self, data: bytes, *, max_faces: int, min_confidence: float = 0.0) -> Detection:
        """Up to `max_faces` faces (0: all), largest first, without embeddings; raises every error of `decode`."""

        def choose(faces: Sequence[DetectedFace], photograph: Photograph) -> list[DetectedFace]:
            return largest_faces(faces, max_faces)

        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._workers, self._find, data, choose, min_confidence)
        return Detection(found.faces, found.faces_found, found.width_px, found.height_px, found.took_ms)

    @property
    def provider(self) -> str:
        """ONNX Runtime's name of what runs the embedding network."""
        return self._embedder.provider

    @property
    def batch_sizes(self) -> list[int]:
        """How many batches have run of each size, from 0."""
        return self._batcher.batch_sizes

    @property
    def healthy(self) -> bool:
        """Whether the last batch of embeddings succeeded."""
        return self._batcher.healthy

    @property
    def depth(self) -> int:
        """Crops waiting to be embedded."""
        return self._batcher.depth

    async def probe(self) -> None:
        """Embed a grey square; raises what the embedder raises. For readiness after a failed batch."""
        side = self.card.input.crop_px
        await self._batcher.ask(np.full((side, side, 3), 128, np.uint8))

    def close(self) -> None:
        """Finish accepted work, then stop every thread."""
        self._workers.shutdown(wait=True)
        self._batcher.close()

    async def _embed(
        self, data: bytes, choose: "Choose", min_confidence: float, *, keep_crops: bool = False
    ) -> list[EmbeddedFace]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._workers, self._find, data, choose, min_confidence, keep_crops)
        started = time.perf_counter()
        embeddings = await asyncio.gather(*(self._batcher.ask(crop) for crop in found.crops))
        took_ms = found.took_ms | {"embed": _ms_since(started)}
        rows = zip(found.faces, embeddings, found.kept, strict=True)
        return [EmbeddedFace(face, embedding, found.faces_found, took_ms, kept) for face, embedding, kept in rows]

    def _look(self, data: bytes, min_confidence: float) -> tuple[Photograph, list[DetectedFace], dict[str, float]]:
        """The photograph, reduced where it is large, its faces, and milliseconds by stage."""
        took_ms: dict[str, float] = {}
        with _timed(took_ms, "decode"):
            photograph = decode(data, self._limits, draft_px=self._detect_side_px)
        with _timed(took_ms, "detect"):
            faces = certain_faces(self._detector.detect(photograph), min_confidence)
        return photograph, faces, took_ms

    def _find(self, data: bytes, choose: "Choose", min_confidence: float = 0.0, keep_crops: bool = False) -> Found:
        photograph, faces, took_ms = self._look(data, min_confidence)
        chosen, spec = choose(faces, photograph), self.card.input.spec
        kept: list[FaceCrop] | list[None] = [None] * len(chosen)
        with _timed(took_ms, "crop"):
            if keep_crops:
                # What is embedded is cut out of what is kept, so that the same embedding can be made of it again.
                wide = self._crop(data, photograph, chosen, kept_spec(spec))
                kept = [encode(crop, kept_spec(spec)) for crop in wide]
                crops = [middle(crop, spec) for crop in wide]
            else:
                crops = self._crop(data, photograph, chosen, spec)
        with _timed(took_ms, "quality"):
            measured = self._measure(photograph, chosen, crops)
        return Found(measured, crops, kept, len(faces), photograph.width, photograph.height, took_ms)

    def _crop(self, data: bytes, photograph: Photograph, faces: Sequence[DetectedFace], spec: CropSpec) -> list[Pixels]:
        """Crop from the reduced photograph where it has pixels enough, else from all of them."""
        wants_more = photograph.scale < 1 and any(source_scale(f, spec) * photograph.scale < 1 for f in faces)
        best = decode(data, self._limits) if wants_more else photograph
        return [crop_face(best, face, spec) for face in faces]

    def _measure(
        self, photograph: Photograph, faces: Sequence[DetectedFace], crops: Sequence[Pixels]
    ) -> list[MeasuredFace]:
        spec, size_px = self.card.input.spec, (photograph.width, photograph.height)
        return [
            measured_face(face, crop, spec, size_px, self._required) for face, crop in zip(faces, crops, strict=True)
        ]

    def _embed_batch(self, crops: list[Pixels]) -> Embedding:
        return self._embedder.embed(np.stack(crops))


Choose = Callable[[Sequence[DetectedFace], Photograph], list[DetectedFace]]


def open_pipeline(
    weights: Path,
    *,
    model: str,
    device: Device = Device.CPU,
    detector_threads: int = 1,
    embedder_threads: int = 1,
    workers: int = 2,
    limits: ImageLimits | None = None,
    required: QualityRequirements | None = None,
    min_face_px: float = 40.0,
    detect_side_px: int = 960,
    max_batch: int = 16,
    max_queue: int = 256,
) -> FacePipeline:
    """Load the networks in `weights` and start the threads; raises ConfigurationError."""
    options = DetectorOptions(min_face_px=min_face_px)
    settings: dict[str, Any] = {"workers": workers, "max_batch": max_batch, "max_queue": max_queue}
    return FacePipeline(
        FaceDetector(weights, options, device=device, threads=detector_threads),
        FaceEmbedder(weights / model, device=device, threads=embedder_threads),
        limits=limits or ImageLimits(),
        required=required or QualityRequirements(),
        detect_side_px=detect_side_px,
        **settings,
    )


@contextmanager
def _timed(took_ms: dict[str, float], stage: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    took_ms[stage] = _ms_since(started)


def _ms_since(started: float) -> float:
    return (time.perf_counter() - started) * 1000.0
