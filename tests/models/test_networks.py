"""The networks against the figures of the paper's tables."""

import pytest
import torch
from torch import nn

from models.networks import NETWORKS, build


def multiply_adds(network: nn.Module, side: int) -> int:
    """Of convolutions and linear layers, for one picture, by counting what each layer puts out."""
    total = 0

    def count(layer: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        nonlocal total
        total += output[0].numel() * (layer.weight.numel() // layer.weight.shape[0])

    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    with torch.inference_mode():
        network.eval()(torch.zeros(1, 3, side, side))
    for hook in hooks:
        hook.remove()
    return total


@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_and_multiply_adds_are_within_ten_percent_of_the_paper(name: str) -> None:
    row, network = NETWORKS[name], build(name)
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(row.paper_parameters, rel=0.1)
    assert multiply_adds(network, row.paper_input_px) == pytest.approx(row.paper_multiply_adds, rel=0.1)


@pytest.mark.parametrize("side", [64, 80, 96, 112, 160])
@pytest.mark.parametrize("embedding_size", [64, 128])
def test_any_side_and_embedding_size_give_unit_vectors(side: int, embedding_size: int) -> None:
    network = build("nn2", embedding_size).eval()
    with torch.inference_mode():
        embeddings = network(torch.randn(2, 3, side, side))
    assert embeddings.shape == (2, embedding_size)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(2))


@pytest.mark.parametrize("grey", [-1.0, 0.0, 1.0])
def test_gradients_stay_finite_on_flat_pictures(grey: float) -> None:
    network = build("nn2").train()
    network(torch.full((4, 3, 64, 64), grey))[:, 0].sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())


def test_the_weighted_pool_begins_as_the_even_average() -> None:
    pool = build("nn2").embedding
    x = torch.randn(3, 1024, 4, 4)
    expected = nn.functional.normalize(pool.eval().norm(pool.linear(x.mean((2, 3)))), dim=1)
    torch.testing.assert_close(pool(x), expected)
