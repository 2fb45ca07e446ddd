"""Inception-ResNet-v1 (Szegedy et al. 2016) as facenet-pytorch has it, with a head of any embedding size.

The network is the package's own file, so that its published weights fit:
https://github.com/timesler/facenet-pytorch/releases/tag/v2.2.9 has 20180402-114759-vggface2.pt and
20180408-102900-casia-webface.pt. `python -m models.train --network inception-resnet-v1 --start-from FILE` begins with
them; a head that is not 512-D begins fresh. They were trained on 160 px.
"""

import sys
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from torch import Tensor, nn
from torch.nn import functional

from models.networks.count import Size

FEATURES = 1792


@cache
def package_file() -> ModuleType:
    """The package's file, without the package: importing facenet_pytorch imports torchvision, which its file needs not.

    Raises ImportError where the package is not installed.
    """
    package = find_spec("facenet_pytorch")
    if package is None or package.origin is None:
        raise ImportError("inception-resnet-v1 needs facenet-pytorch; `make train-env` installs it")
    folder = ModuleType("facenet_pytorch_files")
    folder.__path__ = [str(Path(package.origin).parent / "models")]
    sys.modules[folder.__name__] = folder
    return import_module(f"{folder.__name__}.inception_resnet_v1")


def inception_resnet_v1(embedding_size: int, size: Size) -> nn.Module:
    """float32 (n, 3, side, side) to unit vectors (n, embedding_size); any side from 80 up, the package's is 160."""
    network: nn.Module = _with_float32_norm()()
    network.last_linear = nn.Linear(FEATURES, embedding_size, bias=False)
    network.last_bn = nn.BatchNorm1d(embedding_size, eps=0.001)
    return network


@cache
def _with_float32_norm() -> type[nn.Module]:
    """The package's class, its unit vectors exact also where it was computed in bfloat16."""
    theirs: type[nn.Module] = package_file().InceptionResnetV1

    class InceptionResNetV1(theirs):  # type: ignore[misc, valid-type]
        def forward(self, x: Tensor) -> Tensor:
            return functional.normalize(super().forward(x).float(), dim=1)

    return InceptionResNetV1
