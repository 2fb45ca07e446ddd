"""Multiply-adds counted by hand."""

from pathlib import Path

import pytest

from models.evaluation import multiply_adds
from models.export import export_network
from models.networks import build
from models.networks.mirrored import Magnified
from tests.models.evaluation.conftest import CHANNELS


def test_convolutions_and_matrix_products_are_counted_for_one_face(network: Path) -> None:
    assert multiply_adds.of(network) == CHANNELS * 16 * 16 * 3 * 3 * 3 + CHANNELS * 8


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")
@pytest.mark.filterwarnings("ignore:.*legacy TorchScript-based ONNX export:DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_pictures_magnified_inside_the_file_cost_what_the_larger_ones_cost(tmp_path: Path) -> None:
    network = build("nn4", 128, 96).eval()
    export_network(network, 96, tmp_path / "plain.onnx")
    export_network(Magnified(network, 96).eval(), 64, tmp_path / "magnified.onnx")
    assert multiply_adds.of(tmp_path / "magnified.onnx") == multiply_adds.of(tmp_path / "plain.onnx")
