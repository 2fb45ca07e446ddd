"""The facenet-pytorch package's own detector, without torchvision, which has no build for torch's CPU wheels.

Of torchvision its detector uses non-maximum suppression alone; here that is a double loop.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from numpy.typing import NDArray

MISSING = find_spec("facenet_pytorch") is None


def batched_nms(boxes: torch.Tensor, scores: torch.Tensor, _groups: torch.Tensor, threshold: float) -> torch.Tensor:
    """Of one group: keep a box unless a better one that was kept overlaps it by more than the threshold."""
    kept: list[int] = []
    rows = boxes.numpy()
    area = (rows[:, 2] - rows[:, 0]) * (rows[:, 3] - rows[:, 1])
    for i in torch.argsort(scores, descending=True, stable=True).tolist():
        for j in kept:
            width = max(min(rows[i, 2], rows[j, 2]) - max(rows[i, 0], rows[j, 0]), 0)
            height = max(min(rows[i, 3], rows[j, 3]) - max(rows[i, 1], rows[j, 1]), 0)
            shared = width * height
            if shared / (area[i] + area[j] - shared) > threshold:
                break
        else:
            kept.append(i)
    return torch.tensor(kept, dtype=torch.int64)


@contextmanager
def _stub_modules() -> Iterator[None]:
    names = ["torchvision", "torchvision.transforms", "torchvision.ops", "torchvision.ops.boxes"]
    stubs = {name: ModuleType(name) for name in names}
    stubs["torchvision.transforms"].functional = None
    stubs["torchvision.ops.boxes"].batched_nms = batched_nms
    spec = find_spec("facenet_pytorch")
    assert spec is not None
    assert spec.origin is not None
    package = ModuleType("facenet_pytorch")  # without running its __init__, which imports all of torchvision
    package.__path__ = [str(Path(spec.origin).parent)]
    before = {name: sys.modules.get(name) for name in [*stubs, "facenet_pytorch"]}
    sys.modules.update(stubs | {"facenet_pytorch": package})
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


class ReferenceDetector:
    """Boxes float (n, 5) with score, and landmarks float (n, 5, 2), as the package finds them."""

    def __init__(self) -> None:
        with _stub_modules():
            self._detect = importlib.import_module("facenet_pytorch.models.utils.detect_face").detect_face
            networks = importlib.import_module("facenet_pytorch.models.mtcnn")
            self.networks = networks.PNet(), networks.RNet(), networks.ONet()

    def find(self, pixels: NDArray[np.uint8], min_face_px: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        with torch.inference_mode():
            boxes, points = self._detect(pixels, min_face_px, *self.networks, [0.6, 0.7, 0.7], 0.709, "cpu")
        return np.array(boxes[0], np.float64).reshape(-1, 5), np.array(points[0], np.float64).reshape(-1, 5, 2)
