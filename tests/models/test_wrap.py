"""Networks of others in the many forms in which they come, against their own answers face by face."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.wrap import check, port, vectors, wrapped

SIDE = 16


def foreign(
    *,
    shape: tuple[int | str, ...] = ("n", 3, SIDE, SIDE),
    opset: int = 17,
    listed: bool = False,
    second: bool = False,
    flat_shape: tuple[int, ...] | None = None,
) -> onnx.ModelProto:
    """A convolution, an average and a product: vectors of 5 numbers that are not of length one.

    `listed`: weights stand among the inputs too, as in files of older exporters; `second`: the map is an output as
    well; `flat_shape`: the number of faces is fixed inside, by a reshape.
    """
    rng = np.random.default_rng(0)
    weights = {"kernel": rng.normal(size=(8, 3, 3, 3)), "matrix": rng.normal(size=(8, 5)) * 3}
    constants = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()]
    last = shape[1] != 3
    nodes = [helper.make_node("Transpose", ["picture"], ["planes"], perm=[0, 3, 1, 2])] if last else []
    nodes += [
        helper.make_node("Conv", ["planes" if last else "picture", "kernel"], ["map"]),
        helper.make_node("Relu", ["map"], ["positive"]),
        helper.make_node("MaxPool", ["positive"], ["pooled"], kernel_shape=[8, 8], strides=[6, 6]),
        helper.make_node("GlobalAveragePool", ["pooled"], ["mean"]),
    ]
    if flat_shape is None:
        nodes.append(helper.make_node("Flatten", ["mean"], ["flat"]))
    else:
        constants.append(numpy_helper.from_array(np.array(flat_shape, np.int64), "flat_shape"))
        nodes.append(helper.make_node("Reshape", ["mean", "flat_shape"], ["flat"]))
    nodes.append(helper.make_node("MatMul", ["flat", "matrix"], ["vector"]))
    inputs = [helper.make_tensor_value_info("picture", TensorProto.FLOAT, shape)]
    if listed:
        inputs += [helper.make_tensor_value_info(each.name, TensorProto.FLOAT, each.dims) for each in constants]
    outputs = [helper.make_tensor_value_info("vector", TensorProto.FLOAT, [shape[0], 5])]
    if second:
        outputs.insert(0, helper.make_tensor_value_info("map", TensorProto.FLOAT, [shape[0], 8, None, None]))
    graph = helper.make_graph(nodes, "foreign", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def alone(model: onnx.ModelProto, face: np.ndarray) -> np.ndarray:
    """What the network says of one face (3, side, side), scaled to length one."""
    session = ort.InferenceSession(model.SerializeToString())
    if model.graph.input[0].type.tensor_type.shape.dim[1].dim_value != 3:
        face = face.transpose(1, 2, 0)
    vector = session.run(["vector"], {"picture": np.ascontiguousarray(face)[None]})[0][0]
    return vector / np.sqrt((vector**2).sum())


def together(made: onnx.ModelProto, faces: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(made.SerializeToString())
    return session.run(None, {session.get_inputs()[0].name: faces})[0]


@pytest.fixture
def faces() -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (4, 3, SIDE, SIDE)).astype(np.float32)


FORMS = {
    "any number of faces": foreign(),
    "one face": foreign(shape=(1, 3, SIDE, SIDE)),
    "any size": foreign(shape=("n", 3, "height", "width")),
    "colours last": foreign(shape=("n", SIDE, SIDE, 3)),
    "weights among the inputs": foreign(listed=True),
    "operators of 2019": foreign(opset=9),
    "several outputs": foreign(second=True),
}


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_any_number_of_faces_get_the_unit_vectors_that_each_gets_alone(
    form: str, mirrored: bool, faces: np.ndarray
) -> None:
    model = FORMS[form]
    made = wrapped(model, SIDE, "vector", mirrored=mirrored)
    for count in (1, 4):
        found = together(made, faces[:count])
        for vector, face in zip(found, faces, strict=False):
            wanted = alone(model, face)
            if mirrored:
                wanted = wanted + alone(model, face[:, :, ::-1])
                wanted /= np.sqrt((wanted**2).sum())
            np.testing.assert_allclose(vector, wanted, atol=1e-5)
    assert check(model, made, "vector", SIDE, mirrored=mirrored) < 1e-5


def test_a_network_whose_number_of_faces_is_fixed_inside_is_refused() -> None:
    model = foreign(flat_shape=(1, 8))
    with pytest.raises(ValueError, match="does not take several faces at once: export it with a free first axis"):
        check(model, wrapped(model, SIDE), "vector", SIDE)


def test_a_network_that_mixes_the_faces_of_a_batch_is_refused() -> None:
    model = foreign()
    model.graph.node[-1].output[0] = "raw"
    model.graph.node.extend(
        [
            helper.make_node("ReduceMean", ["raw"], ["mean_of_batch"], axes=[0], keepdims=1),
            helper.make_node("ReduceMean", ["raw"], ["half"], axes=[1], keepdims=1),
            helper.make_node("Add", ["mean_of_batch", "raw"], ["sum"]),
            helper.make_node("Sub", ["sum", "half"], ["vector"]),
        ]
    )
    with pytest.raises(ValueError, match=r"faces together differ by 0\.\d+ from each alone, 0\.0001 is allowed"):
        check(model, wrapped(model, SIDE), "vector", SIDE)


@pytest.mark.parametrize(
    "shape", [("n", 1, SIDE, SIDE), ("n", 3, SIDE, SIDE + 4), ("n", 3, SIDE)], ids=["grey", "not square", "no picture"]
)
def test_what_takes_no_square_picture_of_three_colours_is_refused(shape: tuple[int | str, ...]) -> None:
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["picture"], ["vector"])],
        "other",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["n", "d"])],
    )
    with pytest.raises(ValueError, match=r"takes \{'picture': .*\}; wanted is one picture of three colours"):
        port(helper.make_model(graph))


def test_of_several_outputs_one_must_be_named() -> None:
    model = foreign(second=True)
    with pytest.raises(ValueError, match=r"gives map, vector: say which of them is the embedding \(--output\)"):
        vectors(model)
    assert vectors(model, "vector") == "vector"
    assert vectors(foreign()) == "vector"
