"""Somebody else's ONNX network as one that the service takes: any number of faces in, unit vectors out."""

from typing import NamedTuple

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, version_converter

from models.graph import Graph

# Sums take their axes as an input from here on.
_OPSET = 13
# Largest difference of a coordinate between a face alone, as the network itself has it, and among others.
PARITY = 1e-4
# Names that nobody else gives.
_FACES, _EMBEDDINGS = "adopted_faces", "adopted_embeddings"

Floats = NDArray[np.float32]


class Port(NamedTuple):
    """What a network takes: its name, its side in pixels (None: any), and whether colours come last."""

    name: str
    side: int | None
    colours_last: bool


def port(model: onnx.ModelProto) -> Port:
    """The one picture that a network takes; raises ValueError where it takes something else."""
    constants = {tensor.name for tensor in model.graph.initializer}  # older files list them as inputs too
    inputs = [value for value in model.graph.input if value.name not in constants]
    shapes = {value.name: [d.dim_value or d.dim_param for d in value.type.tensor_type.shape.dim] for value in inputs}
    for name, shape in shapes.items() if len(inputs) == 1 else ():
        for colours_last, colours_at in ((False, 1), (True, 3)):
            sides = [length for axis, length in enumerate(shape) if axis not in (0, colours_at)]
            if len(shape) == 4 and shape[colours_at] == 3 and (sides[0] == sides[1] or not isinstance(sides[0], int)):
                return Port(name, sides[0] if isinstance(sides[0], int) else None, colours_last)
    raise ValueError(f"takes {shapes}; wanted is one picture of three colours and equal sides, (n, 3, side, side)")


def vectors(model: onnx.ModelProto, wanted: str | None = None) -> str:
    """The output with a vector for each face; raises ValueError where it is not plain which."""
    names = [value.name for value in model.graph.output]
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted not in names:
        raise ValueError(f"gives {', '.join(names)}: say which of them is the embedding (--output)")
    return wanted


def wrapped(model: onnx.ModelProto, side: int, output: str | None = None, *, mirrored: bool = False) -> onnx.ModelProto:
    """float32 (n, 3, side, side), any n, to unit vectors (n, d); with `mirrored` of both mirror images together."""
    taken, given = port(model), vectors(model, output)
    if max(entry.version for entry in model.opset_import if not entry.domain) < _OPSET:
        model = version_converter.convert_version(model, _OPSET)
    before, after = Graph("adopted_before_"), Graph("adopted_after_")
    faces = _FACES
    if mirrored:
        from_the_last_column = (before.ints([number]) for number in (-1, -(2**31), 3, -1))
        faces = before.op("Concat", faces, before.op("Slice", faces, *from_the_last_column), axis=0)
    if taken.colours_last:
        faces = before.op("Transpose", faces, perm=[0, 2, 3, 1])
    rows = after.op("LpNormalization", after.op("Flatten", given, axis=1), axis=1, p=2)
    if mirrored:  # (2n, d) as (2, n, d), where 0 stands for d
        pairs = after.op("Reshape", after.op("Unsqueeze", rows, after.ints([1])), after.ints([2, -1, 0]))
        rows = after.op("LpNormalization", after.op("ReduceSum", pairs, after.ints([0]), keepdims=0), axis=1, p=2)
    graph = helper.make_graph(
        [
            *before.nodes,
            helper.make_node("Identity", [faces], [taken.name]),
            *model.graph.node,
            *after.nodes,
            helper.make_node("Identity", [rows], [_EMBEDDINGS]),
        ],
        "adopted",
        [helper.make_tensor_value_info(_FACES, TensorProto.FLOAT, ["n", 3, side, side])],
        [helper.make_tensor_value_info(_EMBEDDINGS, TensorProto.FLOAT, ["n", "d"])],
        [*model.graph.initializer, *before.constants, *after.constants],
    )
    return helper.make_model(
        graph, opset_imports=model.opset_import, ir_version=max(model.ir_version, 8), functions=model.functions
    )


def check(model: onnx.ModelProto, made: onnx.ModelProto, given: str, side: int, *, mirrored: bool = False) -> float:
    """Largest difference of a coordinate from what the network itself gives; raises ValueError above `PARITY`."""
    faces = np.random.default_rng(0).uniform(-1, 1, (3, 3, side, side)).astype(np.float32)
    looks = [faces, faces[..., ::-1]] if mirrored else [faces]
    alone = _unit(answers(model, np.concatenate(looks), given))
    wanted = _unit(alone.reshape(len(looks), len(faces), -1).sum(axis=0))
    try:
        found = _session(made).run(None, {_FACES: faces})[0]
    except Exception as error:  # what ONNX Runtime raises has no class of its own
        raise ValueError(f"does not take several faces at once: export it with a free first axis ({error})") from error
    difference = float(np.abs(found - wanted).max()) if found.shape == wanted.shape else float("inf")
    if not difference <= PARITY:
        raise ValueError(
            f"faces together differ by {difference:.2g} from each alone, {PARITY:g} is allowed: export the network "
            "with a free first axis, in the form for inference"
        )
    return difference


def answers(model: onnx.ModelProto, faces: Floats, given: str) -> Floats:
    """What a network itself gives for float32 (n, 3, side, side), one face at a time: float32 (n, d)."""
    session, taken = _session(model), port(model)
    rows = [face.transpose(1, 2, 0) if taken.colours_last else face for face in faces]
    return np.stack([session.run([given], {taken.name: np.ascontiguousarray(row)[None]})[0].ravel() for row in rows])


def _session(model: onnx.ModelProto) -> ort.InferenceSession:
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def _unit(rows: Floats) -> Floats:
    scaled: Floats = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return scaled
