"""What a network costs: parameters, and multiply-adds for one picture."""

import warnings
from collections.abc import Callable

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

Size = tuple[int, int]


def cost(build: Callable[[], nn.Module], size: Size) -> tuple[int, int]:
    """(parameters, multiply-adds of one picture of `size` (height, width)), counted without weights in memory.

    Multiply-adds are those of convolutions and matrix products, half of what PyTorch counts as operations; the
    papers call them FLOPS.
    """
    with torch.device("meta"), warnings.catch_warnings():
        # Initialising weights that do not exist is said to do nothing.
        warnings.simplefilter("ignore", UserWarning)
        network = build().eval()
        picture = torch.empty(1, 3, *size)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(picture)
    return sum(p.numel() for p in network.parameters()), counter.get_total_flops() // 2
