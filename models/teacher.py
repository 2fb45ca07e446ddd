"""Teacher embeddings for distillation: pretrained face networks, run over prepared crops.

    python -m models.teacher crops/ --network TEACHER.param --out crops/teacher.npy

Reads networks in ncnn's format, TEACHER.bin beside TEACHER.param (see `models.ncnn`). Their input is the crop at 112
px, RGB 0 to 255. An embedding is the normalised sum over the crop and its mirror image. With several --network their
unit vectors stand side by side, scaled to one again: the squared L2 of such a pair is the mean of the teachers' own.
Teachers are used, never shipped: their terms are stated in the card of whatever learnt from them.
"""

import argparse
import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from app.faces.crop import TEMPLATE_112
from models.augment import planes, resized
from models.data import parts_of
from models.device_check import CROPS as CHECKED
from models.device_check import check_teacher
from models.ncnn import NcnnNetwork
from models.refusals import refusals
from models.targets import centred
from models.whole import written_whole

TEACHER_PX = 112
BATCH_SIZE = 250


class Teacher(nn.Module):
    """Crops, uint8 (n, stored, stored, 3), to unit vectors, float32 (n, d), of the middle `inner_px` of each."""

    def __init__(self, networks: Sequence[Path], inner_px: int = TEACHER_PX) -> None:
        """`networks`: .param files; raises ValueError for what cannot be read."""
        super().__init__()
        self.networks = nn.ModuleList(NcnnNetwork(path) for path in networks)
        self.inner_px = inner_px

    @torch.inference_mode()
    def forward(self, crops: Tensor) -> Tensor:
        view = teacher_view(crops, self.inner_px)
        with torch.autocast(view.device.type, dtype=torch.bfloat16, enabled=view.is_cuda):
            rows = [functional.normalize(network(view).float(), dim=1) for network in self.networks]
        return functional.normalize(torch.cat(rows, dim=1), dim=1)

    def both_ways(self, crops: Tensor) -> Tensor:
        """The normalised sum over each crop and its mirror image."""
        return functional.normalize(self(crops) + self(crops.flip(2)), dim=1)


def teacher_view(crops: Tensor, inner_px: int) -> Tensor:
    """The middle `inner_px` of crops, uint8 (n, stored, stored, 3), as float32 (n, 3, 112, 112), 0 to 255."""
    margin = (crops.shape[1] - inner_px) // 2
    inner = crops[:, margin : margin + inner_px, margin : margin + inner_px]
    return resized(planes(inner), TEACHER_PX).mul(127.5).add(127.5).contiguous(memory_format=torch.channels_last)


def face_px(folder: Path) -> int:
    """Pixels of these crops that hold what a teacher's 112 hold: more where they were prepared for a larger network."""
    recorded = folder / "crop.json"
    if not recorded.exists():
        return TEACHER_PX
    (left, _), (right, _), *_ = json.loads(recorded.read_text())["template"]
    return round(TEACHER_PX * (right - left) / (TEMPLATE_112[1][0] - TEMPLATE_112[0][0]))


def embed_part(teacher: Teacher, crops: NDArray[np.uint8], device: torch.device) -> NDArray[np.float32]:
    """Embeddings of one part of crops, float32 (n, d)."""
    batches = torch.from_numpy(crops).split(BATCH_SIZE)
    return np.concatenate([teacher.both_ways(batch.to(device)).cpu().numpy() for batch in batches])


def embed_folder(crops: Path, networks: Sequence[Path], finished: Path) -> NDArray[np.float32]:
    """Embeddings of a folder of crops, float32 (n, d); parts that lie in `finished` are not made again.

    Raises ValueError where there are no crops, where a network cannot be read, and where the finished parts are not
    known to be of these networks and crops.
    """
    parts = parts_of(crops)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    teacher = Teacher(networks, face_px(crops)).to(device, memory_format=torch.channels_last)
    _keep_origin(finished, networks, parts)
    if device.type != "cpu":
        check_teacher(teacher, torch.from_numpy(np.load(parts[0], mmap_mode="r")[:CHECKED].copy()), device)
    for path in tqdm(parts, unit="part"):
        if not (finished / path.name).exists():
            with written_whole(finished / path.name) as unfinished:
                np.save(unfinished, embed_part(teacher, np.load(path), device))
    return np.concatenate([np.load(finished / path.name) for path in parts])


def _keep_origin(finished: Path, networks: Sequence[Path], parts: Sequence[Path]) -> None:
    """Remember what the parts are made of; raises ValueError where there are some of something else."""
    finished.mkdir(parents=True, exist_ok=True)
    origin, note = _origin(networks, parts), finished / "origin.json"
    known = json.loads(note.read_text()) if note.exists() else {}
    other = [what for what, digest in origin.items() if known.get(what) != digest]
    if other and any(finished.glob("part-?????.npy")):
        raise ValueError(
            f"{finished} holds embeddings that are not known to be of these {' and these '.join(other)}; "
            "delete it to begin anew, or choose another --out"
        )
    with written_whole(note) as unfinished:
        unfinished.write_text(json.dumps(origin))


def _origin(networks: Sequence[Path], parts: Sequence[Path]) -> dict[str, str]:
    """Digests of the networks, in their order, and of the crops: of gigabytes only the names, sizes and times."""
    files = [file for network in networks for file in (network, network.with_suffix(".bin"))]
    stats = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in parts]
    return {
        "networks": _digest([hashlib.sha256(file.read_bytes()).hexdigest() for file in files]),
        "crops": _digest([face_px(parts[0].parent), *stats]),
    }


def _digest(value: Sequence[object]) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crops", type=Path)
    parser.add_argument("--network", type=Path, action="append", required=True, metavar="NAME.param")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--centred", action="store_true", help="take off the mean of all (not for --morphs)")
    options = parser.parse_args()
    finished = options.out.with_suffix(".parts")  # so that a stopped run goes on
    with refusals():
        embeddings = embed_folder(options.crops, options.network, finished)
    np.save(options.out, centred(embeddings) if options.centred else embeddings)
    shutil.rmtree(finished)
    print(f"{len(embeddings)} embeddings of size {embeddings.shape[1]} in {options.out}")


if __name__ == "__main__":
    main()
