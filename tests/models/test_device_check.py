"""A device that computes something else than the CPU."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from models.data import Crops
from models.device_check import check_device, check_teacher
from models.networks import build
from models.options import Options

CPU = torch.device("cpu")


@pytest.fixture
def options(crops_folder: Path, tmp_path: Path) -> Options:
    return Options(crops=crops_folder, out=tmp_path, network="nn2", side=64)


class Unsteady(nn.Module):
    """Answers differently each time, as a device would that is wrong."""

    def __init__(self, slopes_only: bool) -> None:
        super().__init__()
        self.network = build("nn4", 128, 64)
        self.slopes_only = slopes_only

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        fault = torch.randn(128)
        found = self.network(x)
        # The forward pass is right, and its slopes are those of something else.
        wrong = found * fault - (found * fault).detach() + found.detach() if self.slopes_only else found + fault
        return nn.functional.normalize(wrong, dim=1)


def test_a_device_that_agrees_passes(crops_folder: Path, options: Options) -> None:
    check_device(build("nn2", 128, 64), Crops(crops_folder), options, CPU)


def test_other_pictures_are_noticed(crops_folder: Path, options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    crops = Crops(crops_folder)
    monkeypatch.setattr(crops, "pixels", lambda chosen: torch.from_numpy(crops[np.roll(chosen, 1)]))
    with pytest.raises(ValueError, match=r"augmented pictures: .* differ by 0\.\d+, at most 0\.02 is allowed"):
        check_device(build("nn2", 128, 64), crops, options, CPU)


@pytest.mark.parametrize(("slopes_only", "said"), [(False, "embeddings of the network"), (True, "cosine of slopes")])
def test_other_embeddings_and_other_slopes_are_noticed(
    crops_folder: Path, options: Options, slopes_only: bool, said: str
) -> None:
    torch.manual_seed(0)
    with pytest.raises(ValueError, match=said):
        check_device(Unsteady(slopes_only), Crops(crops_folder), options, CPU)


class Forgetful(nn.Module):
    """A teacher whose answers depend on the order in which it is asked."""

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(torch.randn(len(crops), 16), dim=1)


class Steady(nn.Module):
    """A teacher that goes by the colours."""

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(crops.float().mean((1, 2)), dim=1)


def test_a_teacher_that_says_otherwise_on_the_device_is_noticed(crops_folder: Path) -> None:
    crops = Crops(crops_folder).pixels(np.arange(16))
    check_teacher(Steady(), crops, CPU)
    with pytest.raises(ValueError, match="embeddings of the teacher"):
        check_teacher(Forgetful(), crops, CPU)
