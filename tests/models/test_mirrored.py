"""Averaging with the mirror image, in PyTorch and in the exported file."""

from pathlib import Path

import onnxruntime as ort
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.evaluation import multiply_adds
from models.export import export_network, parity
from models.networks.mirrored import Mirrored

SIDE = 16


class Tiny(nn.Module):
    """A network whose answer depends on left and right."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.conv = nn.Conv2d(3, 4, 3, stride=2)
        self.linear = nn.Linear(4 * 7 * 7, 8)

    def forward(self, x: Tensor) -> Tensor:
        return functional.normalize(self.linear(self.conv(x).relu().flatten(1)), dim=1)


@pytest.fixture
def faces() -> Tensor:
    return torch.rand(5, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(4))


def test_a_face_and_its_mirror_image_have_one_embedding(faces: Tensor) -> None:
    network = Tiny().eval()
    assert (network(faces) - network(faces.flip(3))).abs().max() > 0.01
    torch.testing.assert_close(Mirrored(network)(faces), Mirrored(network)(faces.flip(3)))


def test_it_is_the_normalised_sum_of_both(faces: Tensor) -> None:
    network = Tiny().eval()
    for face, embedding in zip(faces, Mirrored(network)(faces), strict=True):
        total = network(face[None])[0] + network(face.flip(2)[None])[0]
        torch.testing.assert_close(embedding, total / total.norm())


def test_the_exported_file_does_it_for_any_number_of_faces_at_twice_the_cost(tmp_path: Path, faces: Tensor) -> None:
    plain, mirrored = tmp_path / "plain.onnx", tmp_path / "mirrored.onnx"
    network = Mirrored(Tiny()).eval()
    export_network(Tiny().eval(), SIDE, plain)
    export_network(network, SIDE, mirrored)
    assert parity(network, mirrored, SIDE) < 1e-6
    session = ort.InferenceSession(mirrored)
    (together,) = session.run(None, {"faces": faces.numpy()})
    for face, embedding in zip(faces, together, strict=True):
        (alone,) = session.run(None, {"faces": face[None].numpy()})
        assert abs(alone[0] - embedding).max() < 1e-6
    assert multiply_adds.of(mirrored) == 2 * multiply_adds.of(plain)
