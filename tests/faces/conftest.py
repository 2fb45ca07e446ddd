"""The served detector, photographs of known pixels, and a small embedder with a real card."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from app.domain import Box, DetectedFace
from app.faces.card import METADATA_KEY, CardCalibration, CardInput, CardOperatingPoint, ModelCard
from app.faces.decode import Photograph
from app.faces.detect import FaceDetector

WEIGHTS = Path(__file__).parent.parent.parent / "models" / "weights"


@pytest.fixture(scope="session")
def detector() -> FaceDetector:
    return FaceDetector(WEIGHTS)


def photograph(pixels: NDArray[np.uint8] | Image.Image, scale: float = 1.0) -> Photograph:
    array = np.asarray(pixels)
    return Photograph(array, round(array.shape[1] / scale), round(array.shape[0] / scale), scale)


def face(left: float, top: float, right: float, bottom: float, landmarks: object = None) -> DetectedFace:
    points = np.zeros((5, 2)) if landmarks is None else landmarks
    return DetectedFace(Box(left, top, right, bottom), 0.99, np.asarray(points, np.float32))


def card(**changes: object) -> ModelCard:
    """Rates 0.1, 0.01 and 0.001 at thresholds 1.5, 1.2 and 0.9, for an embedder of eight dimensions."""
    points = tuple(
        CardOperatingPoint(far=far, threshold=threshold, ci95=(far / 2, far * 2))
        for far, threshold in ((0.1, 1.5), (0.01, 1.2), (0.001, 0.9))
    )
    calibration = CardCalibration(
        data="made up", people=100, impostor_pairs=10_000, genuine_pairs=50, operating_points=points, curve=points
    )
    values: dict[str, object] = {
        "id": "tiny",
        "architecture": "average pool",
        "embedding_size": 8,
        "parameters": 24,
        "input": CardInput(crop_px=32),
        "default_far": 0.01,
        "calibration": calibration,
    }
    return ModelCard.model_validate(values | changes)


def write_embedder(path: Path, model_card: ModelCard | None) -> Path:
    """Average colour of a crop, times a fixed matrix, to the unit sphere: 8 numbers."""
    matrix = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["faces", "axes"], ["colour"], keepdims=0),
        helper.make_node("MatMul", ["colour", "matrix"], ["raw"]),
        helper.make_node("LpNormalization", ["raw"], ["embeddings"], axis=1, p=2),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("faces", TensorProto.FLOAT, ["n", 3, "side", "side"])],
        [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["n", 8])],
        [numpy_helper.from_array(np.array([2, 3]), "axes"), numpy_helper.from_array(matrix, "matrix")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    if model_card is not None:
        helper.set_model_props(model, {METADATA_KEY: model_card.model_dump_json(exclude={"sha256"})})
    onnx.save(model, path)
    return path
