"""A served ONNX file back to a network that can be trained on: its weights are read, its norms measured anew.

An exported file has its batch norms folded into the convolutions, and of eight bits it has rounded weights. Both can
be undone well enough to go on from: weights are taken as the file multiplies with them, and every norm is set so that
it changes nothing on crops like those that training will see.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

Norm = nn.BatchNorm1d | nn.BatchNorm2d
Array = NDArray[Any]


def reopen(path: Path, network: nn.Module, images: Tensor) -> None:
    """Fill a fresh network of the file's kind, to compute on `images`, float32 (n, 3, side, side), what the file does.

    Raises ValueError where the file's layers are not this network's.
    """
    model = onnx.load(path)
    read = _layers(model)
    layers = {name: m for name, m in network.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}
    if read.keys() != layers.keys() or any(read[name][0].shape != m.weight.shape for name, m in layers.items()):
        raise ValueError(f"{path} has {len(read)} layers that are not the {len(layers)} of this network")
    lengths = {name: layer.weight.norm().item() for name, layer in layers.items()}
    for name, (weight, bias) in read.items():
        layers[name].weight.data.copy_(torch.from_numpy(np.array(weight)))
        _pass_through(_norm_behind(network, name), torch.from_numpy(np.array(bias)))
    held = _named(model)
    for name in _others(network):
        if name not in held:
            raise ValueError(f"{path} does not hold {name}, which this network needs")
        network.get_parameter(name).data.copy_(torch.from_numpy(held[name]))
    measure_norms(network, images)
    for name, length in lengths.items():
        rescale(layers[name], _norm_behind(network, name), length)
    level(_norm_behind(network, list(layers)[-1]))


@torch.no_grad()
def rescale(layer: nn.Conv2d | nn.Linear, norm: Norm, length: float) -> None:
    """Give a layer's weights the length of fresh ones, which the norm behind it undoes.

    Steps of one size move long weights little and short ones far: so a learning rate means what it meant at first.
    """
    factor = length / layer.weight.norm()
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    layer.weight *= factor
    norm.running_mean *= factor
    norm.running_var *= factor.square()
    norm.weight.copy_(scale / factor * (norm.running_var + norm.eps).sqrt())


@torch.no_grad()
def level(norm: Norm) -> None:
    """Give the last norm, behind which vectors are made unit vectors, scales about 1."""
    size = norm.weight.square().mean().sqrt()
    norm.weight /= size
    norm.bias /= size


@torch.no_grad()
def measure_norms(network: nn.Module, images: Tensor) -> None:
    """Give every norm the mean and variance of what reaches it, and the scale and offset that undo them."""

    def measure(norm: Norm, inputs: tuple[Tensor]) -> None:
        axes = [axis for axis in range(inputs[0].ndim) if axis != 1]
        variance, mean = torch.var_mean(inputs[0].float(), axes, correction=0)
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        norm.bias += scale * (mean - norm.running_mean)
        norm.weight.copy_(scale * (variance + norm.eps).sqrt())
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)

    hooks = [m.register_forward_pre_hook(measure) for m in network.modules() if isinstance(m, Norm)]
    training = network.training
    network.eval()(images)
    network.train(training)
    for hook in hooks:
        hook.remove()


def _layers(model: onnx.ModelProto) -> dict[str, tuple[Array, Array]]:
    """Weight and bias of every convolution and linear layer, by the name that the network has for it."""
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and set(node.input) <= constants.keys():
            constants[node.output[0]] = _dequantised(*(constants[name] for name in node.input))
    return dict(_read(model, constants))


def _read(model: onnx.ModelProto, constants: dict[str, Array]) -> Iterator[tuple[str, tuple[Array, Array]]]:
    norms = {node.input[0]: node for node in model.graph.node if node.op_type == "BatchNormalization"}
    for node in model.graph.node:
        if node.op_type == "Conv":
            yield _module_name(node.name), (constants[node.input[1]], constants[node.input[2]])
        elif (
            node.op_type == "Gemm"
        ):  # a linear layer with its norm folded in, which is all that its output is named after
            transposed = any(a.name == "transB" and a.i for a in node.attribute)
            weight = constants[node.input[1]] if transposed else constants[node.input[1]].T
            name = _module_name(node.output[0]).rpartition(".")[0]
            yield f"{name}.linear", (weight, constants[node.input[2]])
        elif node.op_type == "MatMul":
            norm = norms[node.output[0]]
            scale, offset, mean, variance = (constants[name] for name in norm.input[1:])
            (epsilon,) = (attribute.f for attribute in norm.attribute if attribute.name == "epsilon")
            factor = scale / np.sqrt(variance + epsilon)
            yield _module_name(node.name), (constants[node.input[1]].T * factor[:, None], offset - factor * mean)


def _dequantised(values: Array, scale: Array, zero: Array) -> Array:
    """float32: one scale for all, or one for each channel of the first axis."""
    shape = (-1, *[1] * (values.ndim - 1)) if scale.ndim else ()
    offset = values.astype(np.int64) - zero.astype(np.int64).reshape(shape)
    return (offset * scale.astype(np.float64).reshape(shape)).astype(np.float32)


def _module_name(name: str) -> str:
    """The exporter's "/network/stem/stem.0/conv/Conv" is the module "stem.0.conv"."""
    parts = [part for part in name.strip("/").split("/")[:-1] if part != "network"]
    kept = [p for p, following in zip(parts, [*parts[1:], ""], strict=True) if not following.startswith(f"{p}.")]
    return ".".join(kept)


def _named(model: onnx.ModelProto) -> dict[str, Array]:
    """Parameters that the file holds under their own names: what is neither a layer nor a norm."""
    return {t.name.removeprefix("network."): np.array(numpy_helper.to_array(t)) for t in model.graph.initializer}


def _others(network: nn.Module) -> list[str]:
    """Parameters of neither layers nor norms: places of the last map."""
    of_layers = {
        f"{name}.{kind}"
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear | Norm)
        for kind in ("weight", "bias")
    }
    return [name for name, _ in network.named_parameters() if name not in of_layers]


def _norm_behind(network: nn.Module, layer: str) -> Norm:
    return network.get_submodule(f"{layer.rpartition('.')[0]}.norm")  # type: ignore[return-value]


@torch.no_grad()
def _pass_through(norm: Norm, bias: Tensor) -> None:
    """Make a norm add `bias` and nothing else."""
    norm.running_mean.zero_()
    norm.running_var.fill_(1 - norm.eps)
    norm.weight.fill_(1)
    norm.bias.copy_(bias)
