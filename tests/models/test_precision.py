"""Smaller forms of a network: what they store, and how near they stay."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from app.faces.card import CardInput
from app.faces.embed import FaceEmbedder
from models.data import Crops
from models.photographs import unmarked
from models.precision import HeldOut, halve, main, make, parity, quantise
from tests.models.conftest import write_crops
from tests.models.evaluation.conftest import write_network


@pytest.fixture
def network(tmp_path: Path) -> Path:
    return write_network(tmp_path / "small.onnx")


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Crops:
    return Crops(write_crops(tmp_path_factory.mktemp("crops"), side=40, people=30))


def images(crops: Crops) -> np.ndarray:
    return np.ascontiguousarray(crops[np.arange(20)][:, 4:36, 4:36])


def outputs(model: onnx.ModelProto, op_type: str) -> list[str]:
    return [name for node in model.graph.node if node.op_type == op_type for name in node.output]


def types(path: Path) -> dict[str, int]:
    return {tensor.name: tensor.data_type for tensor in onnx.load(path).graph.initializer}


def test_large_weights_are_stored_in_half_and_embeddings_hardly_move(network: Path, crops: Crops) -> None:
    target = network.with_name("half.onnx")
    halve(network, target)
    assert types(target) == {"kernel_fp16": TensorProto.FLOAT16, "bias": TensorProto.FLOAT, "matrix": TensorProto.FLOAT}
    full, half = (unmarked(path, CardInput(crop_px=32))(images(crops)) for path in (network, target))
    assert 0 < np.abs(full - half).max() < 2e-3


def test_convolutions_are_stored_in_eight_bits_and_embeddings_stay_near(network: Path, crops: Crops) -> None:
    target = network.with_name("eight.onnx")
    quantise(network, target, crops, CardInput(crop_px=32), count=64)
    assert TensorProto.INT8 in types(target).values()
    full, eight = (unmarked(path, CardInput(crop_px=32))(images(crops)) for path in (network, target))
    measured = parity(full, eight)
    assert 0 < measured["mean_squared_l2"] <= measured["max_squared_l2"] < 0.01


def test_a_convolution_keeps_its_eight_bits_for_what_the_relu_behind_it_leaves(network: Path, crops: Crops) -> None:
    target = network.with_name("eight.onnx")
    quantise(network, target, crops, CardInput(crop_px=32), count=64)
    model = onnx.load(target)
    (behind,) = (node for node in model.graph.node if set(node.input) & set(outputs(model, "Conv")))
    assert behind.op_type == "QuantizeLinear"
    (nought,) = (numpy_helper.to_array(t) for t in model.graph.initializer if t.name == behind.input[2])
    assert nought == 0  # the smallest number of eight bits stands for nought


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_a_form_is_served_with_thresholds_of_its_own_and_says_what_it_costs(
    network: Path, crops: Crops, precision: str
) -> None:
    target = network.with_name(f"{precision}.onnx")
    measured = make(network, precision, target, HeldOut(crops, "other made-up people", default_far=0.1))
    card = FaceEmbedder(target).card
    assert (card.id, card.calibration.data) == (f"tiny-{precision}", "other made-up people")
    assert card.calibration.people == 30
    assert card.results["precision"] == measured
    assert set(measured["ms_per_face"]) == {"full", "small"}


def test_too_few_people_leave_what_was_there(network: Path, tmp_path: Path) -> None:
    target = tmp_path / "int8.onnx"
    target.write_bytes(b"served")
    few = Crops(write_crops(tmp_path / "few", side=40, people=3))
    with pytest.raises(ValueError, match="support no operating point"):
        make(network, "fp16", target, HeldOut(few, "three people"))
    assert target.read_bytes() == b"served"
    assert not list(tmp_path.glob("*unfinished*"))


def command(monkeypatch: pytest.MonkeyPatch, network: Path, crops: Path, out: Path, *more: str) -> None:
    said = ["--calibration-crops", str(crops), "--calibration-data", "made-up people", "--out-folder", str(out)]
    monkeypatch.setattr("sys.argv", ["precision", str(network), *said, *more])
    main()


def test_the_command_writes_the_forms_that_are_asked_for_and_what_was_measured(
    monkeypatch: pytest.MonkeyPatch, network: Path, tmp_path: Path
) -> None:
    crops, measured = write_crops(tmp_path / "crops", side=40, people=30), tmp_path / "measured.json"
    more = ["--precision", "fp16", "--default-far", "0.1", "--out", str(measured)]
    command(monkeypatch, network, crops, tmp_path / "out", *more)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["small-fp16.onnx"]
    assert json.loads(measured.read_text()) == [
        FaceEmbedder(tmp_path / "out" / "small-fp16.onnx").card.results["precision"]
    ]


def test_the_command_ends_with_the_fact(monkeypatch: pytest.MonkeyPatch, network: Path, tmp_path: Path) -> None:
    few = write_crops(tmp_path / "few", side=40, people=3)
    for model, crops, fact in (
        (network, tmp_path / "nowhere", "nowhere holds no crops"),
        (tmp_path / "nope.onnx", few, r"no model file at .*nope\.onnx"),
        (network, few, "few: .* support no operating point"),
    ):
        with pytest.raises(SystemExit, match=fact):
            command(monkeypatch, model, crops, tmp_path / "out", "--precision", "fp16")


def test_parity_is_the_squared_distance_between_both_embeddings_of_a_crop() -> None:
    full = np.array([[1, 0], [0, 1]], np.float32)
    assert parity(full, np.array([[1, 0], [1, 0]], np.float32)) == {"mean_squared_l2": 1.0, "max_squared_l2": 2.0}
