"""Similarities of a student against plain loops over faces."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from models.options import Options
from models.similarity import Similarities, similarity_distillation
from tests.models.test_mining import unit

RUN = {"crops": Path("crops"), "out": Path("out")}
STUDENT, TEACHER, FACES = unit(4, 6, seed=1), unit(4, 6, seed=2), unit(9, 6, seed=3)


def shares(face: torch.Tensor, temperature: float) -> list[float]:
    """How much a face resembles each of FACES: shares of 1."""
    powers = [math.exp(sum(a * b for a, b in zip(face.tolist(), f.tolist(), strict=True)) / temperature) for f in FACES]
    return [power / sum(powers) for power in powers]


@pytest.mark.parametrize("temperature", [0.08, 1.0])
def test_the_loss_is_the_divergence_of_shares_times_the_temperature(temperature: float) -> None:
    loops = [
        sum(w * math.log(w / s) for w, s in zip(shares(t, temperature), shares(e, temperature), strict=True))
        for e, t in zip(STUDENT, TEACHER, strict=True)
    ]
    found = similarity_distillation(STUDENT, TEACHER, FACES, temperature).item()
    assert found == pytest.approx(temperature * sum(loops) / len(loops), rel=1e-5)


def test_a_student_that_sees_what_its_teacher_sees_loses_nothing() -> None:
    student = TEACHER.clone().requires_grad_()
    loss = similarity_distillation(student, TEACHER, FACES, 0.08)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert student.grad is not None
    assert student.grad.abs().max() < 1e-6


def test_a_slip_towards_somebody_costs_more_than_one_towards_nobody() -> None:
    axes = torch.eye(3)
    slipped = 0.8 * axes[0] + 0.6 * axes[1:]  # towards the second axis, where a face lies; towards the third
    near, nobody = (similarity_distillation(face[None], axes[:1], axes[:2], 0.08) for face in slipped)
    assert near > 1.5 * nobody


def test_a_pass_over_the_others_meets_everybody_once_and_a_step_always_meets_the_same() -> None:
    teacher = unit(12, 4, seed=5)
    similarities = Similarities(teacher.numpy(), Options(**RUN, similarity_faces=4), torch.device("cpu"))
    met = torch.cat([similarities.others(step) for step in (7, 5, 6)])
    assert sorted(met.tolist()) == sorted(teacher.tolist())
    again = Similarities(teacher.numpy(), Options(**RUN, similarity_faces=4), torch.device("cpu"))
    assert torch.equal(again.others(7), met[:4])


def test_fewer_crops_than_asked_for_are_all_met_at_every_step() -> None:
    teacher = unit(5, 4, seed=6)
    similarities = Similarities(teacher.numpy(), Options(**RUN), torch.device("cpu"))
    for step in (0, 3):
        assert np.array_equal(np.sort(similarities.others(step), axis=0), np.sort(teacher.numpy(), axis=0))
    assert similarities(teacher, teacher, 0).item() == pytest.approx(0, abs=1e-6)
