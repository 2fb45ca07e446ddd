"""A convolutional network of few numbers, with a card, for what is done to network files."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from app.faces.card import METADATA_KEY
from tests.faces.conftest import card
from tests.models.conftest import MIDDLE

CHANNELS = 16
SIDE = 32


def write_network(path: Path) -> Path:
    """Convolution (3x3, stride 2), ReLU, average, matrix product, unit length: 32 px to 8 numbers."""
    rng = np.random.default_rng(0)
    weights = {
        "kernel": rng.normal(size=(CHANNELS, 3, 3, 3)),
        "bias": rng.normal(size=CHANNELS),
        "matrix": rng.normal(size=(CHANNELS, 8)),
    }
    nodes = [
        helper.make_node("Conv", ["faces", "kernel", "bias"], ["map"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["map"], ["positive"]),
        helper.make_node("GlobalAveragePool", ["positive"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["raw"]),
        helper.make_node("LpNormalization", ["raw"], ["embeddings"], axis=1, p=2),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("faces", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["n", 8])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {METADATA_KEY: card(input=MIDDLE).model_dump_json(exclude={"sha256"})})
    onnx.save(model, path)
    return path


@pytest.fixture
def network(tmp_path: Path) -> Path:
    return write_network(tmp_path / "small.onnx")
