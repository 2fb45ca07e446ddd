"""What the stages of one photograph cost, and what their arithmetic costs with nothing around it.

    python -m tests.benchmarks.bare

The bare stages are: Pillow's decoder; ONNX Runtime on the very tensors that detection and embedding gave it; one
affine transform for the crop. All are processor time of one thread, medians over repeats. The embedder is tried in
batches of 1 to 16 and on 1 thread and all; the cheapest counts.
"""

import argparse
import io
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from PIL import Image

from app.domain import FaceChoice
from app.faces.choose import choose_face
from app.faces.crop import crop_face
from app.faces.decode import ImageLimits, Photograph, decode
from app.faces.detect import FaceDetector
from app.faces.embed import FaceEmbedder, network_input
from app.faces.runtime import open_session
from app.settings import Settings
from tests.benchmarks.pictures import SIZES, picture
from tests.benchmarks.record import write_record

DETECT_SIDE_PX = 960  # as `open_pipeline` has it
BATCHES = (1, 2, 4, 8, 16)


class RecordingSession:
    """A session that keeps every input it is given, to be run again bare."""

    def __init__(self, session: ort.InferenceSession) -> None:
        self._session = session
        self.inputs: list[dict[str, NDArray[np.float32]]] = []

    def run(self, names: None, inputs: dict[str, NDArray[np.float32]]) -> Any:
        self.inputs.append(inputs)
        return self._session.run(names, inputs)

    def again(self) -> None:
        """Nothing but the networks."""
        for inputs in self.inputs:
            self._session.run(None, inputs)


def stages(size: str, weights: Path, model: str, repeats: int) -> dict[str, dict[str, float]]:
    """Milliseconds of processor time for one photograph: `ours` and `bare`, by stage."""
    data = picture(size)
    detector, embedder = FaceDetector(weights), FaceEmbedder(weights / model)
    photograph = decode(data, ImageLimits(), draft_px=DETECT_SIDE_PX)
    face = choose_face(detector.detect(photograph), FaceChoice.LARGEST, photograph)
    crop = crop_face(photograph, face, embedder.card.input.spec)
    batch = np.stack([crop] * BATCHES[-1])
    ours = {
        "decode": cpu_ms(lambda: decode(data, ImageLimits(), draft_px=DETECT_SIDE_PX), repeats),
        "detect": cpu_ms(lambda: detector.detect(photograph), repeats),
        "crop": cpu_ms(lambda: crop_face(photograph, face, embedder.card.input.spec), repeats),
        "embed": min(cpu_ms(lambda n=n: embedder.embed(batch[:n]), repeats) / n for n in BATCHES),
    }
    sessions = [RecordingSession(session) for session in (detector._pnet, detector._rnet, detector._onet)]
    detector._pnet, detector._rnet, detector._onet = sessions  # type: ignore[assignment]
    detector.detect(photograph)
    pixels, side = Image.fromarray(photograph.pixels), embedder.card.input.crop_px
    bare = {
        "decode": cpu_ms(lambda: bare_decode(data, photograph), repeats),
        "detect": cpu_ms(lambda: [session.again() for session in sessions], repeats),
        "crop": cpu_ms(lambda: bare_crop(pixels, side), repeats),
        "embed": bare_embed_ms(weights / model, network_input(batch, embedder.card.input), repeats),
    }
    return {"ours": ours, "bare": bare}


def bare_decode(data: bytes, photograph: Photograph) -> None:
    """In the same size."""
    height, width = photograph.pixels.shape[:2]
    image = Image.open(io.BytesIO(data))
    image.draft("RGB", (width, height))
    np.asarray(image.convert("RGB"))


def bare_crop(image: Image.Image, side: int) -> None:
    scale = 1.2
    image.transform((side, side), Image.Transform.AFFINE, (scale, 0, 10, 0, scale, 10), Image.Resampling.BILINEAR)


def bare_embed_ms(path: Path, planes: NDArray[np.float32], repeats: int) -> float:
    """The cheapest way to run the network, per face: over batch sizes and threads, in core milliseconds."""
    best = float("inf")
    for threads in {1, os.cpu_count() or 1}:
        session = open_session(path, threads=threads)
        name = session.get_inputs()[0].name
        for n in BATCHES:
            wall = wall_ms(lambda n=n, s=session, i=name: s.run(None, {i: planes[:n]}), repeats)
            best = min(best, wall * threads / n)
    return best


def cpu_ms(call: Callable[[], Any], repeats: int) -> float:
    """Median processor time of this thread."""
    return _median(call, repeats, time.thread_time)


def wall_ms(call: Callable[[], Any], repeats: int) -> float:
    """Median time by the clock."""
    return _median(call, repeats, time.perf_counter)


def _median(call: Callable[[], Any], repeats: int, clock: Callable[[], float]) -> float:
    call()
    took = []
    for _ in range(repeats):
        started = clock()
        call()
        took.append((clock() - started) * 1000.0)
    return float(np.median(took))


def pairs_per_second(stage_ms: dict[str, float], cores: int) -> float:
    """Verifications that `cores` could answer if they did nothing but these stages, two photographs each."""
    return cores * 1000.0 / (2 * sum(stage_ms.values()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--repeats", type=int, default=41)
    parser.add_argument("--note", default="nothing else ran", help="what else the machine did meanwhile")
    options = parser.parse_args()
    settings = Settings()
    rows = {}
    for size in options.sizes:
        rows[size] = stages(size, settings.weights_dir, f"{settings.model}.onnx", options.repeats)
        print(size, json.dumps(rows[size]), flush=True)
    print(write_record("stages", options.note, model=settings.model, stages_cpu_ms=rows))


if __name__ == "__main__":
    main()
