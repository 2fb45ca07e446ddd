"""What takes torchvision's place for a peer chooses the boxes that torchvision would."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.benchmarks.peers.torchvision_parts import batched_nms, to_tensor  # noqa: E402, imports torch
from tests.faces import reference  # noqa: E402


@pytest.mark.parametrize("seed", range(5))
def test_the_boxes_kept_are_those_of_the_plain_double_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 100, (80, 2)).astype(np.float32)
    boxes = torch.from_numpy(np.hstack([corners, corners + rng.uniform(10, 40, (80, 2)).astype(np.float32)]))
    scores, group = torch.from_numpy(rng.random(80).astype(np.float32)), torch.zeros(80, dtype=torch.int64)
    kept = batched_nms(boxes, scores, group, 0.5)
    assert 1 < len(kept) < 80
    assert kept.tolist() == reference.batched_nms(boxes, scores, group, 0.5).tolist()


def test_boxes_of_different_groups_do_not_push_each_other_out() -> None:
    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0]] * 2)
    scores = torch.tensor([0.5, 0.9])
    assert batched_nms(boxes, scores, torch.tensor([0, 0]), 0.5).tolist() == [1]
    assert batched_nms(boxes, scores, torch.tensor([0, 1]), 0.5).tolist() == [1, 0]
    assert batched_nms(boxes[:0], scores[:0], torch.tensor([]), 0.5).tolist() == []


def test_a_picture_becomes_planes_and_keeps_its_numbers() -> None:
    picture = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
    planes = to_tensor(picture)
    assert planes.shape == (3, 2, 4)
    assert planes[1, 0, 2] == picture[0, 2, 1]
