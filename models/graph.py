"""An ONNX graph, written node by node: for networks whose operations are chosen for the runtime, not traced."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper, numpy_helper

Shape = Sequence[int | str]

_OPSET = 17
_ALL = 2**31 - 1  # more boxes than suppression will ever be asked for


class Graph:
    """Nodes and constants in the order in which they were added; each method gives the name of its output."""

    def __init__(self, prefix: str = "") -> None:
        """`prefix`: of every name, where nodes are to stand beside those of another graph."""
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._prefix = prefix

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{self._prefix}{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def floats(self, values: ArrayLike) -> str:
        """A constant of float32."""
        return self._constant(np.asarray(values, np.float32))

    def ints(self, values: ArrayLike) -> str:
        """A constant of int64."""
        return self._constant(np.asarray(values, np.int64))

    def conv(self, x: str, weight: NDArray[Any], bias: NDArray[Any] | None = None, *, group: int = 1) -> str:
        """A convolution without padding; `weight`: (channels out, channels in / group, height, width)."""
        inputs = [x, self.floats(weight), *([] if bias is None else [self.floats(bias)])]
        return self.op("Conv", *inputs, kernel_shape=list(weight.shape[2:]), group=group)

    def max_pool(self, x: str, side: int) -> str:
        """Windows two apart; the last of a row may stand out over the edge."""
        return self.op("MaxPool", x, kernel_shape=[side, side], strides=[2, 2], ceil_mode=1)

    def gemm(self, x: str, weight: NDArray[Any], added: str) -> str:
        """x times `weight`, (out, in), transposed, plus `added`."""
        return self.op("Gemm", x, self.floats(weight.T), added)

    def suppressed(self, boxes: str, scores: str, overlap: float, min_score: str) -> str:
        """Indices of those of float32 (n, 4) that no better box overlaps by more than that, best first."""
        batch = self.op("Unsqueeze", boxes, self.ints([0])), self.op("Unsqueeze", scores, self.ints([0, 1]))
        limits = self.ints([_ALL]), self.floats([overlap]), min_score
        return self.op("Gather", self.op("NonMaxSuppression", *batch, *limits), self.ints(2), axis=1)

    def model(
        self,
        result: str,
        floats: Mapping[str, Shape],
        output: Mapping[str, Shape],
        *,
        ints: Mapping[str, Shape] | None = None,
    ) -> onnx.ModelProto:
        """The checked model: inputs of float32 and int64 with their shapes, and its one output, which is `result`."""
        ((name, shape),) = output.items()
        nodes = [*self.nodes, helper.make_node("Identity", [result], [name])]
        inputs = [helper.make_tensor_value_info(key, TensorProto.FLOAT, value) for key, value in floats.items()]
        inputs += [helper.make_tensor_value_info(key, TensorProto.INT64, value) for key, value in (ints or {}).items()]
        outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)]
        graph = helper.make_graph(nodes, "graph", inputs, outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        return model

    def _constant(self, values: NDArray[Any]) -> str:
        name = f"{self._prefix}constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values.copy(order="C"), name))
        return name
