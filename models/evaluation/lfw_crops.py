"""Crops of every photograph of LFW in several geometries, each photograph decoded and searched for a face once."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from tqdm import tqdm

from app.domain import FaceChoice
from app.errors import NoFace
from app.faces.choose import choose_face
from app.faces.crop import CropSpec, crop_face
from app.faces.decode import ImageLimits, decode
from app.faces.detect import FaceDetector
from models.lfw import WEIGHTS, Crop
from models.photographs import geometry_name
from models.whole import written_whole

_CHUNK = 50


def lfw_crops(
    images: Path, specs: Sequence[CropSpec], work: Path, processes: int = 1
) -> dict[CropSpec, dict[str, Crop]]:
    """For each geometry, photograph name to crop, kept in `work`; a photograph without a face is not there."""
    work.mkdir(parents=True, exist_ok=True)
    missing = [spec for spec in specs if not _file(work, spec).exists()]
    if missing:
        for spec, crops in _made(sorted(images.glob("*/*.jpg")), missing, processes).items():
            with written_whole(_file(work, spec)) as unfinished:
                np.savez(unfinished, names=np.array(list(crops)), crops=np.stack(list(crops.values())))
    return {spec: _read(_file(work, spec)) for spec in specs}


def _made(photographs: list[Path], specs: list[CropSpec], processes: int) -> dict[CropSpec, dict[str, Crop]]:
    found: dict[CropSpec, dict[str, Crop]] = {spec: {} for spec in specs}
    chunks = [photographs[start : start + _CHUNK] for start in range(0, len(photographs), _CHUNK)]
    with (
        ProcessPoolExecutor(processes, get_context("spawn")) as pool,
        tqdm(total=len(photographs), unit="photo") as bar,
    ):
        each = map if processes == 1 else pool.map  # an executor starts no process before it is used
        for chunk, made in zip(chunks, each(partial(_chunk, specs=specs), chunks), strict=True):
            for name, crops in made.items():
                for spec, crop in zip(specs, crops, strict=True):
                    found[spec][name] = crop
            bar.update(len(chunk))
    return found


def _chunk(photographs: list[Path], specs: list[CropSpec]) -> dict[str, list[Crop]]:
    """Name to its crops, one a geometry."""
    detector, found = FaceDetector(WEIGHTS), {}
    for path in photographs:
        photograph = decode(path.read_bytes(), ImageLimits())
        try:
            face = choose_face(detector.detect(photograph), FaceChoice.CENTRAL, photograph)
        except NoFace:
            continue
        found[path.stem] = [crop_face(photograph, face, spec) for spec in specs]
    return found


def _read(path: Path) -> dict[str, Crop]:
    with np.load(path) as kept:
        return dict(zip(kept["names"].tolist(), kept["crops"], strict=True))


def _file(work: Path, spec: CropSpec) -> Path:
    return work / f"lfw-{geometry_name(spec)}.npz"
