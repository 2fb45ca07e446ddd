"""The learning rate, the side of the pictures and the optimiser over the progress of a run."""

from pathlib import Path

import pytest
import torch
from torch import nn

from models.options import OPTIMISERS, Options
from models.schedule import learning_rate, make_optimiser, set_learning_rate, side_at

RUN = {"crops": Path("crops"), "out": Path("out")}


def test_along_a_cosine_the_rate_warms_up_and_falls_to_zero() -> None:
    options = Options(**RUN, warmup=0.1, learning_rate=0.4)
    seen = [learning_rate(options, progress) for progress in (0.0, 0.05, 0.1, 0.55, 1.0)]
    assert seen == pytest.approx([0, 0.2, 0.4, 0.2, 0], abs=1e-6)


def test_in_steps_the_rate_falls_by_the_factor_at_each_milestone() -> None:
    options = Options(**RUN, schedule="step", warmup=0.1, learning_rate=0.4, milestones=(0.5, 0.8), step_factor=0.5)
    seen = [learning_rate(options, progress) for progress in (0.05, 0.1, 0.49, 0.5, 0.79, 0.8, 1.0)]
    assert seen == pytest.approx([0.2, 0.4, 0.4, 0.2, 0.2, 0.1, 0.1])


def test_pictures_grow_through_the_scales_to_the_whole_side() -> None:
    options = Options(**RUN, side=112, growing=0.6)
    assert [side_at(options, progress) for progress in (0, 0.29, 0.31, 0.59, 0.6, 1)] == [80, 80, 96, 96, 112, 112]
    assert side_at(Options(**RUN, side=112, growing=0.5, growing_scales=(6 / 7,)), 0.1) == 96
    assert side_at(Options(**RUN, side=112), 0) == 112


@pytest.mark.parametrize("name", OPTIMISERS)
def test_matrices_decay_and_norms_and_biases_do_not(name: str) -> None:
    layers = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    decaying, constant = make_optimiser([layers], Options(**RUN, optimiser=name, weight_decay=0.25)).param_groups
    assert [p is layers[0].weight for p in decaying["params"]] == [True]
    assert len(constant["params"]) == 3
    assert (decaying["weight_decay"], constant["weight_decay"]) == (0.25, 0)


def test_the_rate_reaches_every_group_of_the_optimiser() -> None:
    optimiser = torch.optim.SGD([{"params": [nn.Parameter(torch.zeros(1))]} for _ in range(2)], lr=9.0)
    set_learning_rate(optimiser, Options(**RUN, learning_rate=0.4, warmup=0.5), 0.25)
    assert [group["lr"] for group in optimiser.param_groups] == [0.2, 0.2]
