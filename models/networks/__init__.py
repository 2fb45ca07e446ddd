"""The networks, each a row of one table with the figures that a test checks it against.

`python -m models.networks` prints the table as counted.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from models.networks.count import Size
from models.networks.deepface import DeepFace
from models.networks.deepid2 import DeepID2
from models.networks.inception import nn2, nn4, nns1, nns2
from models.networks.inception_resnet import inception_resnet_v1
from models.networks.zeiler_fergus import NN1


@dataclass(frozen=True, slots=True)
class Network:
    """How to build a network for an embedding size and a size of pictures, and what its paper says that it costs."""

    build: Callable[[int, Size], nn.Module]
    paper_px: Size  # height, width
    parameters: float | None  # None: the source does not say
    multiply_adds: float | None
    source: str
    paper_embedding_size: int = 128
    smallest_px: int = 64
    one_size: bool = False  # fully or locally connected layers fit pictures of the size it was built for only


NETWORKS: dict[str, Network] = {
    "nn1": Network(NN1, (220, 220), 140e6, 1.6e9, "FaceNet, table 1", one_size=True),
    "nn2": Network(nn2, (224, 224), 7.5e6, 1.6e9, "FaceNet, table 2"),
    "nn3": Network(nn2, (160, 160), 7.5e6, None, "FaceNet, table 3: NN2 at 160 px"),
    "nn4": Network(nn4, (96, 96), None, 285e6, "FaceNet, section 3.3: which modules lose their 5x5 is reconstructed"),
    "nns1": Network(nns1, (165, 165), 26e6, 220e6, "FaceNet, section 3.3: reconstruction", one_size=True),
    "nns2": Network(nns2, (140, 116), 4.3e6, 20e6, "FaceNet, section 3.3: reconstruction", one_size=True),
    "inception-resnet-v1": Network(
        inception_resnet_v1, (160, 160), 23.5e6, None, "facenet-pytorch 2.6.0", paper_embedding_size=512, smallest_px=80
    ),
    "deepface": Network(
        DeepFace, (152, 152), 120e6, None, "DeepFace, section 3.2", paper_embedding_size=4030, smallest_px=72,
        one_size=True,
    ),
    "deepid2": Network(
        DeepID2, (55, 47), None, None, "DeepID2, figure 1", paper_embedding_size=160, smallest_px=32, one_size=True
    ),
}  # fmt: skip


def head(name: str, side: int = 112) -> set[str]:
    """Names of the weights, and running means, whose shape depends on the embedding size."""
    with torch.device("meta"), warnings.catch_warnings():
        # Initialising weights that do not exist is said to do nothing.
        warnings.simplefilter("ignore", UserWarning)
        shapes = [{name_: w.shape for name_, w in build(name, size, side).state_dict().items()} for size in (8, 16)]
    return {weight for weight, shape in shapes[0].items() if shapes[1][weight] != shape}


def build(name: str, embedding_size: int = 128, side: int = 112) -> nn.Module:
    """A network of the table with fresh weights; raises KeyError for a name that is not in it."""
    return NETWORKS[name].build(embedding_size, (side, side))
