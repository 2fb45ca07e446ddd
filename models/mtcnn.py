"""Export MTCNN's three networks from the weights inside the facenet-pytorch package to ONNX.

    python -m models.mtcnn [--out models/weights]

The weights (MIT licence, Tim Esler's port of the authors' Caffe files) are read from the package's data folder
without importing it: importing facenet_pytorch imports torchvision, which has no CPU build beside torch's.
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

WEIGHTS = Path(__file__).parent / "weights"


class PReLU(nn.PReLU):
    """PReLU in elementary operations: bit for bit the same, and the whole network runs in half the time.

    ONNX Runtime's own PRelu operator is slow: it took two thirds of all three networks.
    """

    def forward(self, x: Tensor) -> Tensor:
        slope = self.weight.view(-1, *[1] * (x.ndim - 2))
        return x.clamp(min=0) + slope * x.clamp(max=0)


class PNet(nn.Module):
    """Proposal network: fully convolutional, 12 px window, stride 2."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 10, 3), PReLU(10)
        self.pool1 = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.conv2, self.prelu2 = nn.Conv2d(10, 16, 3), PReLU(16)
        self.conv3, self.prelu3 = nn.Conv2d(16, 32, 3), PReLU(32)
        self.conv4_1, self.conv4_2 = nn.Conv2d(32, 2, 1), nn.Conv2d(32, 4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        x = self.pool1(self.prelu1(self.conv1(x)))
        x = self.prelu3(self.conv3(self.prelu2(self.conv2(x))))
        return self.conv4_2(x), _logit(self.conv4_1(x))


class RNet(nn.Module):
    """Refinement network: 24 px windows."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 28, 3), PReLU(28)
        self.pool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2, self.prelu2 = nn.Conv2d(28, 48, 3), PReLU(48)
        self.pool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv3, self.prelu3 = nn.Conv2d(48, 64, 2), PReLU(64)
        self.dense4, self.prelu4 = nn.Linear(576, 128), PReLU(128)
        self.dense5_1, self.dense5_2 = nn.Linear(128, 2), nn.Linear(128, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        x = self.pool1(self.prelu1(self.conv1(x)))
        x = self.pool2(self.prelu2(self.conv2(x)))
        x = self.prelu3(self.conv3(x))
        # The Caffe original flattens column by column.
        x = self.prelu4(self.dense4(x.permute(0, 3, 2, 1).flatten(1)))
        return self.dense5_2(x), _logit(self.dense5_1(x))


class ONet(nn.Module):
    """Output network: 48 px windows, five landmarks."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 32, 3), PReLU(32)
        self.pool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2, self.prelu2 = nn.Conv2d(32, 64, 3), PReLU(64)
        self.pool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv3, self.prelu3 = nn.Conv2d(64, 64, 3), PReLU(64)
        self.pool3 = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.conv4, self.prelu4 = nn.Conv2d(64, 128, 2), PReLU(128)
        self.dense5, self.prelu5 = nn.Linear(1152, 256), PReLU(256)
        self.dense6_1, self.dense6_2, self.dense6_3 = nn.Linear(256, 2), nn.Linear(256, 4), nn.Linear(256, 10)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        x = self.pool1(self.prelu1(self.conv1(x)))
        x = self.pool2(self.prelu2(self.conv2(x)))
        x = self.pool3(self.prelu3(self.conv3(x)))
        x = self.prelu4(self.conv4(x))
        x = self.prelu5(self.dense5(x.permute(0, 3, 2, 1).flatten(1)))
        return self.dense6_2(x), self.dense6_3(x), _logit(self.dense6_1(x))


def _logit(scores: Tensor) -> Tensor:
    """Face against background, (n, 1, ...): its logistic function is the probability.

    The probability itself is not exported: near one, runtimes round it differently, and the order of the best
    windows with it.
    """
    return scores[:, 1:] - scores[:, :1]


NETWORKS: dict[str, tuple[type[nn.Module], int, list[str]]] = {
    "pnet": (PNet, 64, ["offsets", "logit"]),
    "rnet": (RNet, 24, ["offsets", "logit"]),
    "onet": (ONet, 48, ["offsets", "landmarks", "logit"]),
}


def package_weights() -> Path:
    """The data folder of the installed facenet-pytorch package; raises FileNotFoundError without one."""
    spec = find_spec("facenet_pytorch")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("install it first: pip install --no-deps facenet-pytorch==2.6.0")
    return Path(spec.origin).parent / "data"


def load(name: str, data: Path) -> nn.Module:
    """One of the three networks with the package's weights, ready for inference."""
    network = NETWORKS[name][0]()
    network.load_state_dict(torch.load(data / f"{name}.pt", weights_only=True))
    return network.eval()


def export(name: str, data: Path, out: Path) -> Path:
    """Write mtcnn_NAME.onnx; P-Net takes any height and width, the others any number of windows."""
    network, (_, side, outputs) = load(name, data), NETWORKS[name]
    axes = {2: "height", 3: "width"} if name == "pnet" else {0: "windows"}
    path = out / f"mtcnn_{name}.onnx"
    torch.onnx.export(
        network,
        (torch.zeros(1 if name == "pnet" else 2, 3, side, side),),
        str(path),
        input_names=["image"],
        output_names=outputs,
        dynamic_axes={"image": axes} | dict.fromkeys(outputs, axes),
        dynamo=False,
        opset_version=17,
    )
    _stamp(path, name)
    return path


def _stamp(path: Path, name: str) -> None:
    model = onnx.load(path)
    onnx.helper.set_model_props(
        model,
        {
            "network": f"MTCNN {name} (Zhang, Zhang, Li, Qiao 2016)",
            "weights": f"facenet-pytorch 2.6.0, data/{name}.pt",
            "licence": "MIT (facenet-pytorch, Copyright (c) 2019 Timothy Esler)",
        },
    )
    onnx.save(model, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    out = parser.parse_args().out
    for name in NETWORKS:
        path = export(name, package_weights(), out)
        print(f"{path} {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
