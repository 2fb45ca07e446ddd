"""What the stages of one photograph cost, and what their arithmetic costs with nothing around it.

The bare stages are: Pillow's decoder at the same reduction; ONNX Runtime on the very tensors that detection and
embedding gave it; one affine transform for the crop; the sums behind the quality in plain numpy. Figures are processor
time of one thread, medians over repeats; our detection and both embeddings are those of the cheapest batch. The whole
is what `FacePipeline.embed` takes by the clock, as the service runs it.
"""

import asyncio
import io
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from PIL import Image

from app.domain import FaceChoice
from app.faces.choose import choose_face
from app.faces.crop import crop_face
from app.faces.decode import ImageLimits, Photograph, Pixels, decode
from app.faces.detect import FaceDetector
from app.faces.embed import FaceEmbedder, network_input
from app.faces.quality import QualityRequirements, measured_face
from app.faces.runtime import open_session
from app.main import open_service
from app.settings import Settings
from tests.benchmarks.pictures import picture
from tests.benchmarks.plan import Plan, Progress, Row

DETECT_SIDE_PX = 960  # as the pipeline has it
BATCHES = (1, 2, 4, 8, 16)
TOGETHER = (1, 2, 4, 8)  # photographs, of which a process reads so many at the most
PHOTOGRAPH_STAGES = ("decode", "detect", "crop", "quality")
AT_ONCE = 8
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)

Runs = list[tuple[Any, Any, dict[str, NDArray[np.float32]]]]


class Stages:
    """The stages of one photograph as calls without arguments, ours and bare; `embed` takes a batch size."""

    def __init__(self, size: str, threads: int = 1) -> None:
        """`threads`: ONNX Runtime's, for every network."""
        settings = Settings()
        weights, model = settings.weights_dir, settings.weights_dir / f"{settings.model}.onnx"
        data, limits, required = picture(size), ImageLimits(), QualityRequirements()
        detector, embedder = FaceDetector(weights, threads=threads), FaceEmbedder(model, threads=threads)
        session, spec = open_session(model, threads=threads), embedder.card.input.spec
        photograph = decode(data, limits, draft_px=DETECT_SIDE_PX)
        with recorded_runs() as runs:
            face = choose_face(detector.detect(photograph), FaceChoice.LARGEST, photograph)
        crop = crop_face(photograph, face, spec)
        batch = np.stack([crop] * BATCHES[-1])
        planes, name = network_input(batch, embedder.card.input), session.get_inputs()[0].name
        pixels, size_px = Image.fromarray(photograph.pixels), (photograph.width, photograph.height)
        self.ours: dict[str, Callable[[], Any]] = {
            "decode": lambda: decode(data, limits, draft_px=DETECT_SIDE_PX),
            "detect": lambda: detector.detect(photograph),
            "crop": lambda: crop_face(photograph, face, spec),
            "quality": lambda: measured_face(face, crop, spec, size_px, required),
        }
        self.bare: dict[str, Callable[[], Any]] = {
            "decode": lambda: bare_decode(data, photograph),
            "detect": lambda: [run(names, inputs) for run, names, inputs in runs],
            "crop": lambda: bare_crop(pixels, spec.crop_px),
            "quality": lambda: bare_quality(crop),
        }
        self.our_detect: Callable[[int], Any] = lambda n: detector.detect_all([photograph] * n)
        self.our_embed: Callable[[int], Any] = lambda n: embedder.embed(batch[:n])
        self.bare_embed: Callable[[int], Any] = lambda n: session.run(None, {name: planes[:n]})

    def bare_photographs(self, count: int) -> None:
        """All bare stages of so many photographs, which go through each stage together (it stays in the caches)."""
        for stage in PHOTOGRAPH_STAGES:
            for _ in range(count):
                self.bare[stage]()
        self.bare_embed(count)


@contextmanager
def recorded_runs() -> Iterator[Runs]:
    """Every run of a network meanwhile, with a copy of its inputs, to be run again with nothing around it."""
    original, runs = ort.InferenceSession.run, Runs()

    def run(session: Any, names: Any, inputs: dict[str, Any], *options: Any) -> Any:
        copied = {name: np.array(values) for name, values in inputs.items()}
        runs.append((original.__get__(session), names, copied))
        return original(session, names, inputs, *options)

    with patch.object(ort.InferenceSession, "run", run):
        yield runs


def bare_decode(data: bytes, photograph: Photograph) -> None:
    """To the same size."""
    height, width = photograph.pixels.shape[:2]
    image = Image.open(io.BytesIO(data))
    image.draft("RGB", (width, height))
    np.asarray(image.convert("RGB"))


def bare_crop(image: Image.Image, side: int) -> None:
    scale = 1.2
    image.transform((side, side), Image.Transform.AFFINE, (scale, 0, 10, 0, scale, 10), Image.Resampling.BILINEAR)


def bare_quality(crop: Pixels) -> tuple[float, float, float]:
    """Light, contrast and fine detail of the middle of the crop."""
    side = len(crop)
    luma = crop[int(0.3 * side) : int(0.92 * side), int(0.22 * side) : int(0.78 * side)].astype(np.float32) @ _LUMA
    detail = 4 * luma[1:-1, 1:-1] - luma[:-2, 1:-1] - luma[2:, 1:-1] - luma[1:-1, :-2] - luma[1:-1, 2:]
    return float(luma.mean()), float(luma.std()), float(detail.std())


def steps(plan: Plan) -> int:
    return 2 * len(plan.sizes)


def measure(plan: Plan, progress: Progress) -> list[Row]:
    """A row for each size: milliseconds of `ours` and `bare` by stage, and of the whole pipeline."""
    rows = []
    for size in plan.sizes:
        with progress.step(f"stages {size}"):
            row = {"size": size, **stage_ms(size, plan.repeats)}
        with progress.step(f"pipeline {size}"):
            rows.append(row | {"pipeline": whole(size, plan.repeats)})
    return rows


def stage_ms(size: str, repeats: int) -> Row:
    """Milliseconds of processor time for one photograph by stage, and the batches at which embedding is cheapest."""
    stages = Stages(size)
    row: Row = {"repeats": repeats}
    for side, calls, embed in (("ours", stages.ours, stages.our_embed), ("bare", stages.bare, stages.bare_embed)):
        took = {stage: cpu_ms(call, repeats) for stage, call in calls.items()}
        row[f"{side}_embed_batch"], took["embed"] = cheapest(embed, BATCHES, repeats // 4 + 1)
        if side == "ours":
            row["ours_detect_batch"], took["detect"] = cheapest(stages.our_detect, TOGETHER, repeats // 2 + 1)
        row[f"{side}_ms"] = {stage: round(ms, 3) for stage, ms in took.items()}
    return row


def cheapest(call: Callable[[int], Any], batches: Sequence[int], repeats: int) -> tuple[int, float]:
    """The batch of which one costs least, and the milliseconds of processor time that one of it costs."""
    by_batch = {n: cpu_ms(lambda n=n: call(n), repeats) / n for n in batches}
    best = min(by_batch, key=lambda n: by_batch[n])
    return best, by_batch[best]


def whole(size: str, repeats: int) -> Row:
    """The pipeline as the service opens it: p50 of one photograph alone, and photographs a second, AT_ONCE at once."""
    data = picture(size)
    with tempfile.TemporaryDirectory(prefix="sameface-benchmark-") as folder:
        settings = Settings(database_url=f"sqlite:///{folder}/sameface.db")
        with open_service(settings) as service:
            return asyncio.run(_whole(lambda: service.pipeline.embed(data), repeats))


async def _whole(embed: Callable[[], Any], repeats: int) -> Row:
    await asyncio.gather(*(embed() for _ in range(AT_ONCE)))
    alone, started = [], time.perf_counter()
    for _ in range(repeats):
        begun = time.perf_counter()
        await embed()
        alone.append(time.perf_counter() - begun)
    started = time.perf_counter()

    async def caller() -> None:
        for _ in range(max(repeats // 4, 2)):
            await embed()

    await asyncio.gather(*(caller() for _ in range(AT_ONCE)))
    rate = AT_ONCE * max(repeats // 4, 2) / (time.perf_counter() - started)
    return {"lone_p50_ms": round(float(np.median(alone)) * 1000.0, 2), "photographs_per_second": round(rate, 1)}


def cpu_ms(call: Callable[[], Any], repeats: int) -> float:
    """Median processor time of this thread, milliseconds."""
    call()
    took = []
    for _ in range(repeats):
        started = time.thread_time()
        call()
        took.append(time.thread_time() - started)
    return float(np.median(took)) * 1000.0


def pairs_per_second(stage_ms: dict[str, float], cores: int | None = None) -> float:
    """Verifications that the cores could answer if they did nothing but these stages, two photographs each."""
    return (cores or len(os.sched_getaffinity(0))) * 1000.0 / (2 * sum(stage_ms.values()))
