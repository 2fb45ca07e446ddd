"""The mean embedding at the origin."""

import pytest
import torch
from torch import nn

from models.centre import centre
from models.networks import build
from models.networks.mirrored import Mirrored


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(24, 3, 64, 64, generator=torch.Generator().manual_seed(2)) * 2 - 1


@pytest.fixture
def network(images: torch.Tensor) -> nn.Module:
    """One that tells images apart, and leans to one side."""
    torch.manual_seed(1)
    network = build("nn4", 16, 64)
    with torch.no_grad():
        for _ in range(12):
            network(images)  # settles its norms
        network.embedding.norm.bias += 0.4
    return network.eval()


def test_the_mean_of_faces_and_their_mirror_images_is_moved_to_the_origin(
    network: nn.Module, images: torch.Tensor
) -> None:
    with torch.no_grad():
        leaning = torch.cat([network(images), network(images.flip(3))]).mean(0).norm().item()
        before, after = centre(network, list(images.split(10)))
        found = torch.cat([network(images), network(images.flip(3))])
    assert before == pytest.approx(leaning, abs=1e-5)
    assert before > 0.1
    assert after < 0.02 * before
    assert found.mean(0).norm().item() == pytest.approx(after, abs=1e-5)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(48))
    assert Mirrored(network)(images).mean(0).norm() < 0.1 * before


def test_a_network_without_a_last_norm_is_refused() -> None:
    with pytest.raises(ValueError, match="does not end in a batch norm"):
        centre(nn.Flatten(), [torch.zeros(1, 3, 4, 4)])
