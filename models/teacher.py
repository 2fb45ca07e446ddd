"""Teacher embeddings for distillation: run a pretrained face network over prepared crops.

    python -m models.teacher crops/ --param TEACHER.param --bin TEACHER.bin --out crops/teacher.npy

Runs networks in ncnn's format with the `ncnn` package (`pip install ncnn`; it must not share a process with torch,
so this module does not import it). The input is the crop at 112 px, RGB 0 to 255, blob `data`; the output is blob
`fc1`. An embedding is the normalised sum over the crop and its mirror image. Teachers are used, never shipped:
their terms are stated in the card of whatever learnt from them.
"""

import argparse
import json
import os
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from app.faces.crop import TEMPLATE_112

TEACHER_PX = 112


def face_px(folder: Path) -> int:
    """Pixels of these crops that hold what a teacher's 112 hold: more where they were prepared for a larger network."""
    recorded = folder / "crop.json"
    if not recorded.exists():
        return TEACHER_PX
    (left, _), (right, _), *_ = json.loads(recorded.read_text())["template"]
    return round(TEACHER_PX * (right - left) / (TEMPLATE_112[1][0] - TEMPLATE_112[0][0]))


def teacher_view(crop: NDArray[np.uint8], inner_px: int) -> NDArray[np.uint8]:
    """The middle `inner_px` of a crop as uint8 (112, 112, 3)."""
    margin = (len(crop) - inner_px) // 2
    inner = crop[margin : margin + inner_px, margin : margin + inner_px]
    if inner_px == TEACHER_PX:
        return np.ascontiguousarray(inner)
    size = (TEACHER_PX, TEACHER_PX)
    return np.asarray(Image.fromarray(np.ascontiguousarray(inner)).resize(size, Image.Resampling.BILINEAR))


def embed_part(path: Path, *, param: Path, weights: Path) -> tuple[Path, NDArray[np.float32]]:
    """Embeddings of one part of crops, float32 (n, d), kept beside it so that a stopped run goes on."""
    done = path.with_suffix(".teacher.npy")
    if done.exists():
        return path, np.load(done)
    import ncnn  # an optional dependency of this one module

    network = ncnn.Net()
    network.opt.num_threads = 1
    network.load_param(str(param))
    network.load_model(str(weights))
    crops = np.load(path, mmap_mode="r")
    inner_px = face_px(path.parent)
    rows = []
    for crop in (teacher_view(stored, inner_px) for stored in crops):
        rows.append(sum(_embed(ncnn, network, np.ascontiguousarray(view)) for view in (crop, crop[:, ::-1])))
    embeddings = np.array(rows, np.float32).reshape(len(crops), -1)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    np.save(done, embeddings)
    return path, embeddings


def _embed(ncnn, network, crop):  # type: ignore[no-untyped-def]
    extractor = network.create_extractor()
    side = TEACHER_PX
    extractor.input("data", ncnn.Mat.from_pixels(crop, ncnn.Mat.PixelType.PIXEL_RGB, side, side))
    _, output = extractor.extract("fc1")
    embedding = np.array(output)
    return embedding / np.linalg.norm(embedding)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crops", type=Path)
    parser.add_argument("--param", type=Path, required=True)
    parser.add_argument("--bin", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    parts = sorted(options.crops.glob("part-?????.npy"))
    work = partial(embed_part, param=options.param, weights=options.bin)
    with get_context("spawn").Pool(options.processes) as pool:
        rows = dict(tqdm(pool.imap_unordered(work, parts), total=len(parts), unit="part"))
    embeddings = np.concatenate([rows[path] for path in parts])
    np.save(options.out, embeddings)
    print(f"{len(embeddings)} embeddings of size {embeddings.shape[1]} in {options.out}")


if __name__ == "__main__":
    main()
