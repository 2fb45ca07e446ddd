"""Multiply-adds of an ONNX file for one face, counted from its graph: convolutions and matrix products."""

from math import prod
from pathlib import Path

import onnx
from onnx import shape_inference


def of(path: Path) -> int:
    """Multiply-adds of one input; biases, norms, activations and pooling are not counted, as in the papers."""
    graph = _inferred(path).graph
    shapes = {value.name: _shape(value) for value in [*graph.value_info, *graph.input, *graph.output]}
    shapes |= {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    return sum(_node(node, shapes) for node in graph.node)


def _inferred(path: Path) -> onnx.ModelProto:
    model = onnx.load(path)
    for value in model.graph.input:
        value.type.tensor_type.shape.dim[0].ClearField("dim_param")
        value.type.tensor_type.shape.dim[0].dim_value = 1
    # Shapes written by the exporter carry the free batch; infer them anew for one. A file that magnifies its input
    # computes the new size itself, which `data_prop` follows.
    del model.graph.value_info[:]
    return shape_inference.infer_shapes(model, data_prop=True)


def _node(node: onnx.NodeProto, shapes: dict[str, tuple[int, ...]]) -> int:
    if node.op_type == "Conv":
        # Each number of the output is a sum over the weights of its channel.
        return prod(shapes[node.output[0]]) * prod(shapes[node.input[1]][1:])
    if node.op_type in ("MatMul", "Gemm"):
        transposed = any(a.name == "transA" and a.i for a in node.attribute)
        first = shapes[node.input[0]]
        return prod(shapes[node.output[0]]) * first[0 if transposed else -1]
    return 0


def _shape(value: onnx.ValueInfoProto) -> tuple[int, ...]:
    return tuple(dim.dim_value or 1 for dim in value.type.tensor_type.shape.dim)
