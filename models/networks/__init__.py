"""The networks of FaceNet, each a row of one table."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from models.networks.inception import NN2


@dataclass(frozen=True, slots=True)
class Network:
    """A network with the figures of the paper (tables 1 to 3) that a test checks it against."""

    build: Callable[[int], nn.Module]
    paper_input_px: int
    paper_parameters: float
    paper_multiply_adds: float


NETWORKS: dict[str, Network] = {
    "nn2": Network(NN2, paper_input_px=224, paper_parameters=7.5e6, paper_multiply_adds=1.6e9),
}


def build(name: str, embedding_size: int = 128) -> nn.Module:
    """A network of the table with fresh weights; raises KeyError for a name that is not in it."""
    return NETWORKS[name].build(embedding_size)
