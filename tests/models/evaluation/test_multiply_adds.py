"""Multiply-adds counted by hand."""

from pathlib import Path

from models.evaluation import multiply_adds
from tests.models.evaluation.conftest import CHANNELS


def test_convolutions_and_matrix_products_are_counted_for_one_face(network: Path) -> None:
    assert multiply_adds.of(network) == CHANNELS * 16 * 16 * 3 * 3 * 3 + CHANNELS * 8
