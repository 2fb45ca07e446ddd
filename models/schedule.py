"""How training moves: the optimiser, its learning rate and the side of the pictures, over the progress of a run.

Progress is 0 at the first step and 1 at the end.
"""

import math
from collections.abc import Iterable

import torch
from torch import nn

from models.options import Options


def make_optimiser(modules: Iterable[nn.Module], options: Options) -> torch.optim.Optimizer:
    """The chosen method, with weight decay on convolutions and linear layers and none on norms and biases."""
    parameters = [parameter for module in modules for parameter in module.parameters()]
    matrices = [p for p in parameters if p.ndim > 1]
    vectors = [p for p in parameters if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": options.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    rate = options.learning_rate
    match options.optimiser:
        case "sgd":
            return torch.optim.SGD(groups, lr=rate, momentum=0.9, nesterov=True)
        case "adagrad":
            return torch.optim.Adagrad(groups, lr=rate)
        case "adamw":
            return torch.optim.AdamW(groups, lr=rate)
    raise ValueError(f"optimiser {options.optimiser!r} is not one of sgd, adagrad, adamw")


def learning_rate(options: Options, progress: float) -> float:
    """Linear warm-up, then half a cosine down to zero, or a fall by a factor at each milestone."""
    if progress < options.warmup:
        return options.learning_rate * progress / options.warmup
    if options.schedule == "step":
        passed = sum(progress >= milestone for milestone in options.milestones)
        return options.learning_rate * options.step_factor**passed
    angle = math.pi * (progress - options.warmup) / (1 - options.warmup)
    return options.learning_rate * 0.5 * (1 + math.cos(angle))


def set_learning_rate(optimiser: torch.optim.Optimizer, options: Options, progress: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(options, progress)


def side_at(options: Options, progress: float) -> int:
    """Input side at this share of training: small pictures first, since early steps learn as much from them."""
    if progress >= options.growing:
        return options.side
    stage = int(progress / options.growing * len(options.growing_scales))
    return round(options.side * options.growing_scales[stage])
