"""Write MTCNN's three networks as ONNX files, from the weights inside the facenet-pytorch package.

    python -m models.mtcnn [--out models/weights]

The weights (MIT licence, Tim Esler's port of the authors' Caffe files) are read from the package's data folder
without importing it: importing facenet_pytorch imports torchvision, which has no CPU build beside torch's.

The files compute what the package's networks compute, to rounding, in operations that ONNX Runtime runs twice as fast
as those of an ordinary export (docs/performance.md). It has convolutions that work on blocks of sixteen channels at
once, and loses that layout at every operation that has no such form, PReLU among them. Hence:

- PReLU of slope a is a*y + relu((1-a)*y) wherever a <= 1: two convolutions of one weight per channel, the first with
  its ReLU and the second with its addition built in. Channels of larger slopes become two, y and relu(y).
- P-Net takes the greatest of each window before its first PReLU, on a quarter of the numbers. For a falling PReLU
  (a < 0) that takes the least as well, from six more channels of the convolution, which the block had room for.
- (x - 127.5) / 128 is part of the first convolution; pictures come as 0 to 255.
- A face's logit is one number, the difference of the two that were trained. The probability is not what leaves R-Net
  and O-Net: near one, runtimes round it differently, and the order of the best windows with it.

P-Net also chooses among its windows, by ONNX's own non-maximum suppression.
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from models.graph import Graph

Floats = NDArray[np.float64]
Weights = dict[str, Floats]

WEIGHTS = Path(__file__).parent / "weights"
BLOCK = 16  # channels that ONNX Runtime's convolutions work on at once, with AVX-512; without it 8
_EDGE = -1e4  # beyond all that the first convolution gives


def package_weights() -> Path:
    """The data folder of the installed facenet-pytorch package; raises FileNotFoundError without one."""
    spec = find_spec("facenet_pytorch")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("install it first: pip install --no-deps facenet-pytorch==2.6.0")
    return Path(spec.origin).parent / "data"


def load(name: str, data: Path) -> Weights:
    """The package's weights of one of the three networks, by the names of its layers."""
    return {key: value.double().numpy() for key, value in torch.load(data / f"{name}.pt", weights_only=True).items()}


def pnet(weights: Weights) -> onnx.ModelProto:
    """Proposal network: fully convolutional, 12 px windows, 2 px apart; see `app.faces.pyramid` for its inputs.

    `image`: float32 (1, 4, height, width), RGB of 0 to 255 and the edge, 1 wherever a window of 3 px begins that is
    not whole. `positions`: int64 (n,), the windows that count, in the flat output. `windows`: float32 (n, 4), their
    boxes. `apart`: the same, in which windows overlap that may suppress each other in the first round. `min_score`:
    float32 (1,). Gives float32 (k, 9): box, probability and the four offsets, best first.
    """
    graph = Graph()
    x, second = _first_of_pnet(graph, weights)
    x = _prelu(graph, graph.conv(x, second, weights["conv2.bias"]), weights["prelu2.weight"])
    x = _prelu(graph, graph.conv(x, *_layer(weights, "conv3")), weights["prelu3.weight"])
    logit = _difference(weights, "conv4_1")
    heads = [np.concatenate(pair) for pair in zip(_layer(weights, "conv4_2"), logit, strict=True)]
    flat = graph.op("Reshape", graph.conv(x, *heads), graph.ints([5, -1]))
    found = _best_windows(graph, flat)
    inputs = {"image": (1, 4, "height", "width"), "windows": ("n", 4), "apart": ("n", 4), "min_score": (1,)}
    return graph.model(found, inputs, {"proposals": ("k", 9)}, ints={"positions": ("n",)})


def _first_of_pnet(graph: Graph, weights: Weights) -> tuple[str, Floats]:
    """The first layer with its pooling and PReLU, filled up to a block of channels; and the next layer's weight for it.

    The greatest of PReLU over a window is that of y and of a*y, since PReLU is the greater of the two: of the pooled y
    alone where it rises, and of both pooled where it falls (a < 0).
    """
    weight, bias = _of_bytes(*_layer(weights, "conv1"))
    slope, following = weights["prelu1.weight"], weights["conv2.weight"]
    falling, steep, count = np.flatnonzero(slope < 0), slope > 1, len(slope)
    weight = np.concatenate([weight, weight[falling] * slope[falling, None, None, None]])
    bias = np.concatenate([bias, bias[falling] * slope[falling]])
    spare = BLOCK - len(bias)
    weight = np.pad(weight, [(0, spare), (0, 1), (0, 0), (0, 0)])
    weight[:, 3, 0, 0] = _EDGE
    greatest = graph.max_pool(graph.conv("image", weight, np.pad(bias, (0, spare))), 2)
    # Straight + relu(bent). A steep PReLU is a*y - relu((a-1)*y): its negative is of the form.
    straight, bent = np.zeros((BLOCK, BLOCK)), np.zeros((BLOCK, BLOCK))
    each = np.arange(count)
    straight[each, each] = np.where(steep, -slope, np.where(slope < 0, 1, slope))
    bent[each, each] = np.where(slope < 0, -1, np.abs(1 - slope))
    bent[falling, count + np.arange(len(falling))] = 1
    following = following * np.where(steep, -1, 1)[:, None, None]
    following = np.pad(following, [(0, 0), (0, BLOCK - count), (0, 0), (0, 0)])
    straight, bent = straight[:, :, None, None], bent[:, :, None, None]
    return graph.op("Add", graph.conv(greatest, straight), graph.op("Relu", graph.conv(greatest, bent))), following


def _best_windows(graph: Graph, flat: str) -> str:
    """Of float32 (5, all positions), offsets and logit: the windows that suppression leaves, (k, 9)."""
    logit = graph.op("Gather", graph.op("Gather", flat, graph.ints(4), axis=0), "positions")
    # Not Sigmoid, which rounds to one earlier than this does, and ties decide which window stays.
    one = graph.floats([1.0])
    score = graph.op("Div", one, graph.op("Add", one, graph.op("Exp", graph.op("Neg", logit))))
    first = graph.suppressed("apart", score, 0.5, "min_score")
    windows, scores = (graph.op("Gather", rows, first, axis=0) for rows in ("windows", score))
    second = graph.suppressed(windows, scores, 0.7, "min_score")
    position = graph.op("Gather", graph.op("Gather", "positions", first), second)
    found = graph.op("Gather", flat, position, axis=1)
    offsets = graph.op("Transpose", graph.op("Slice", found, graph.ints([0]), graph.ints([4])), perm=[1, 0])
    best = graph.op("Unsqueeze", graph.op("Gather", scores, second), graph.ints([1]))
    return graph.op("Concat", graph.op("Gather", windows, second, axis=0), best, offsets, axis=1)


def rnet(weights: Weights) -> onnx.ModelProto:
    """Refinement network: float32 (n, 3, 24, 24), RGB of 0 to 255, to (n, 5), four offsets and the logit."""
    graph = Graph()
    weight, bias, slope, following = _split_where_steep(weights, "conv1", "prelu1", "conv2", 2 * BLOCK)
    x = graph.max_pool(_prelu(graph, graph.conv("image", *_of_bytes(weight, bias)), slope), 3)
    x = graph.max_pool(_prelu(graph, graph.conv(x, following, weights["conv2.bias"]), weights["prelu2.weight"]), 3)
    x = _prelu(graph, graph.conv(x, *_layer(weights, "conv3")), weights["prelu3.weight"])
    heads = [_layer(weights, "dense5_2"), _difference(weights, "dense5_1")]
    found = _dense(graph, x, weights, "dense4", "prelu4", heads)
    return graph.model(found, {"image": ("n", 3, 24, 24)}, {"found": ("n", 5)})


def onet(weights: Weights) -> onnx.ModelProto:
    """Output network: float32 (n, 3, 48, 48), RGB of 0 to 255, to (n, 15): four offsets, ten landmarks, the logit."""
    graph = Graph()
    x = graph.conv("image", *_of_bytes(*_layer(weights, "conv1")))
    x = graph.max_pool(_prelu(graph, x, weights["prelu1.weight"]), 3)
    x = graph.max_pool(_prelu(graph, graph.conv(x, *_layer(weights, "conv2")), weights["prelu2.weight"]), 3)
    x = graph.max_pool(_prelu(graph, graph.conv(x, *_layer(weights, "conv3")), weights["prelu3.weight"]), 2)
    x = _prelu(graph, graph.conv(x, *_layer(weights, "conv4")), weights["prelu4.weight"])
    heads = [_layer(weights, "dense6_2"), _layer(weights, "dense6_3"), _difference(weights, "dense6_1")]
    found = _dense(graph, x, weights, "dense5", "prelu5", heads)
    return graph.model(found, {"image": ("n", 3, 48, 48)}, {"found": ("n", 15)})


def _layer(weights: Weights, name: str) -> tuple[Floats, Floats]:
    return weights[f"{name}.weight"], weights[f"{name}.bias"]


def _difference(weights: Weights, name: str) -> tuple[Floats, Floats]:
    """The layer that gives face against background as one number, whose logistic function is the probability."""
    weight, bias = _layer(weights, name)
    return weight[1:] - weight[:1], bias[1:] - bias[:1]


def _of_bytes(weight: Floats, bias: Floats) -> tuple[Floats, Floats]:
    """A first layer that was trained on (x - 127.5) / 128, for x itself."""
    return weight / 128, bias - weight.sum((1, 2, 3)) * (127.5 / 128)


def _prelu(graph: Graph, y: str, slope: Floats) -> str:
    """a*y + relu((1-a)*y), which is PReLU for a <= 1."""
    each = len(slope)
    bent, straight = (part.reshape(-1, 1, 1, 1) for part in (1 - slope, slope))
    return graph.op("Add", graph.conv(y, straight, group=each), graph.op("Relu", graph.conv(y, bent, group=each)))


def _split_where_steep(
    weights: Weights, layer: str, prelu: str, following: str, channels: int
) -> tuple[Floats, Floats, Floats, Floats]:
    """Weight, bias and slopes of a layer filled up to `channels`, and the weight of the one after it.

    Where the slope a exceeds one, PReLU is a*y + (1-a)*relu(y): two channels, of slopes one and nought, whose factors
    go to the following layer. Both grow with y, so a pooling between does not matter.
    """
    (weight, bias), slope, after = _layer(weights, layer), weights[f"{prelu}.weight"], weights[f"{following}.weight"]
    steep, spare = np.flatnonzero(slope > 1), channels - len(slope)
    weight, bias, slope = (np.concatenate([rows, rows[steep]]) for rows in (weight, bias, slope))
    after = np.concatenate([after, after[:, steep] * (1 - slope[steep])[:, None, None]], axis=1)
    after[:, steep] *= slope[steep][:, None, None]
    slope[steep], slope[-len(steep) :] = 1, 0
    fill = spare - len(steep)
    weight, bias, slope = (np.pad(rows, [(0, fill), *[(0, 0)] * (rows.ndim - 1)]) for rows in (weight, bias, slope))
    return weight, bias, slope, np.pad(after, [(0, 0), (0, fill), (0, 0), (0, 0)])


def _dense(graph: Graph, x: str, weights: Weights, layer: str, prelu: str, heads: list[tuple[Floats, Floats]]) -> str:
    """A dense layer with its PReLU, and all heads as one layer of y and of relu(y)."""
    weight, bias = _layer(weights, layer)
    side = 3
    # The Caffe original flattens column by column, channels last.
    weight = weight.reshape(len(weight), side, side, -1).transpose(0, 3, 2, 1).reshape(len(weight), -1)
    y = graph.gemm(graph.op("Flatten", x), weight, graph.floats(bias))
    head, head_bias = (np.concatenate(parts) for parts in zip(*heads, strict=True))
    slope = weights[f"{prelu}.weight"]
    return graph.gemm(graph.op("Relu", y), head * (1 - slope), graph.gemm(y, head * slope, graph.floats(head_bias)))


NETWORKS = {"pnet": pnet, "rnet": rnet, "onet": onet}


def export(name: str, data: Path, out: Path) -> Path:
    """Write mtcnn_NAME.onnx."""
    model = NETWORKS[name](load(name, data))
    onnx.helper.set_model_props(
        model,
        {
            "network": f"MTCNN {name} (Zhang, Zhang, Li, Qiao 2016)",
            "weights": f"facenet-pytorch 2.6.0, data/{name}.pt",
            "licence": "MIT (facenet-pytorch, Copyright (c) 2019 Timothy Esler)",
        },
    )
    path = out / f"mtcnn_{name}.onnx"
    onnx.save(model, path)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    out = parser.parse_args().out
    for name in NETWORKS:
        path = export(name, package_weights(), out)
        print(f"{path} {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
