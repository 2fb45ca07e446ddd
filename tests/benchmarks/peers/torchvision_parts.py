"""The two functions of torchvision that facenet-pytorch calls, for environments whose torch has no torchvision.

`batched_nms` keeps the same boxes in the same order; it loops over those that are kept, in numpy, where torchvision's
loops over all in C++. `to_tensor` of a float array is a transposition.
"""

import sys
from importlib.util import find_spec
from types import ModuleType

import numpy as np
import torch


def install() -> bool:
    """Take torchvision's place where it is not installed; whether it was taken."""
    if find_spec("torchvision") is not None:
        return False
    names = ["torchvision", "torchvision.transforms", "torchvision.transforms.functional"]
    names += ["torchvision.ops", "torchvision.ops.boxes"]
    modules = {name: ModuleType(name) for name in names}
    modules["torchvision.transforms"].functional = modules["torchvision.transforms.functional"]
    modules["torchvision.transforms.functional"].to_tensor = to_tensor
    modules["torchvision.ops.boxes"].batched_nms = batched_nms
    sys.modules.update(modules)
    return True


def to_tensor(image: np.ndarray) -> torch.Tensor:
    """float32 (height, width, 3) to (3, height, width), unscaled as torchvision leaves floats."""
    return torch.from_numpy(image.transpose(2, 0, 1)).contiguous()


def batched_nms(boxes: torch.Tensor, scores: torch.Tensor, groups: torch.Tensor, threshold: float) -> torch.Tensor:
    """Indices of the boxes kept, best first: those that no better one of their group overlaps by more (IoU)."""
    if boxes.numel() == 0:
        return torch.empty(0, dtype=torch.int64)
    apart = boxes + (groups.to(boxes) * (boxes.max() + 1))[:, None]
    rows, order, kept = apart.numpy(), np.argsort(-scores.numpy(), kind="stable"), []
    area = (rows[:, 2] - rows[:, 0]) * (rows[:, 3] - rows[:, 1])
    while len(order):
        best, order = order[0], order[1:]
        kept.append(int(best))
        low, high = np.maximum(rows[best, :2], rows[order, :2]), np.minimum(rows[best, 2:], rows[order, 2:])
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        order = order[shared <= threshold * (area[best] + area[order] - shared)]
    return torch.tensor(kept, dtype=torch.int64)
