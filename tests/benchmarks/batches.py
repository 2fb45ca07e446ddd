"""Faces a second of the embedding network by batch, on the device that is asked for: decoded crops in, vectors out."""

import subprocess
import time

import numpy as np

from app.faces.embed import FaceEmbedder
from app.faces.runtime import Device
from app.settings import Settings
from tests.benchmarks.limit import cores
from tests.benchmarks.plan import Plan, Progress, Row

BATCHES = {Device.CPU: (1, 2, 4, 8, 16, 32), Device.CUDA: (1, 4, 16, 64, 128, 256, 512)}


def steps(plan: Plan) -> int:
    return len(BATCHES[Device(plan.device)]) * len(_threads(Device(plan.device)))


def measure(plan: Plan, progress: Progress) -> list[Row]:
    """A row for each number of threads and batch."""
    device, settings, rows = Device(plan.device), Settings(), []
    for threads in _threads(device):
        embedder = FaceEmbedder(settings.weights_dir / f"{settings.model}.onnx", device=device, threads=threads)
        common = {"device": card_name() if device is Device.CUDA else "cpu", "provider": embedder.provider}
        for batch in BATCHES[device]:
            with progress.step(f"batches of {batch}, {threads} threads, {device}"):
                rate = faces_per_second(embedder, batch, plan.seconds / 4)
            rows.append(common | {"threads": threads, "batch": batch, "faces_per_second": round(rate, 1)})
    return rows


def _threads(device: Device) -> list[int]:
    return sorted({1, cores()}) if device is Device.CPU else [1]


def faces_per_second(embedder: FaceEmbedder, batch: int, seconds: float) -> float:
    """Of one caller that waits for each batch."""
    side = embedder.card.input.crop_px
    crops = np.random.default_rng(1).integers(0, 256, (batch, side, side, 3), np.uint8)
    embedder.embed(crops)
    started, count = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - started) < seconds:
        embedder.embed(crops)
        count += batch
    return count / elapsed


def card_name() -> str:
    """The first card, as NVIDIA's own tool names it."""
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]
