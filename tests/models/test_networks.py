"""The networks against the figures of the papers, and what every one of them must do."""

import importlib.util
from itertools import product
from pathlib import Path

import pytest
import torch
from torch import nn

from models import export
from models.checkpoint import start_from
from models.networks import NETWORKS, build, head
from models.networks.blocks import LocalConv, Maxout, mean_around
from models.networks.count import cost
from models.networks.inception_resnet import package_file

WITHOUT_PACKAGE = pytest.mark.skipif(
    importlib.util.find_spec("facenet_pytorch") is None,
    reason="facenet-pytorch is not installed; `make train-env` installs it",
)
ALL = [pytest.param(name, marks=WITHOUT_PACKAGE if name == "inception-resnet-v1" else ()) for name in NETWORKS]


@pytest.mark.parametrize("name", ALL)
def test_parameters_and_multiply_adds_are_within_ten_percent_of_the_paper(name: str) -> None:
    row = NETWORKS[name]
    parameters, multiply_adds = cost(lambda: row.build(row.paper_embedding_size, row.paper_px), row.paper_px)
    assert parameters == pytest.approx(row.parameters or parameters, rel=0.1)
    assert multiply_adds == pytest.approx(row.multiply_adds or multiply_adds, rel=0.1)


def test_cost_counts_weights_and_the_products_of_one_picture() -> None:
    def tiny() -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, bias=False), nn.Flatten(), nn.Linear(8 * 4 * 4, 5))

    assert cost(tiny, (9, 9)) == (8 * 27 + 128 * 5 + 5, 16 * 8 * 27 + 128 * 5)


def test_rows_of_the_papers_tables_are_reached_one_by_one() -> None:
    """FaceNet's table 1 rounds to thousands and millions; these are its rows for NN1."""
    with torch.device("meta"):
        network = NETWORKS["nn1"].build(128, (220, 220))
    kernels = [m.weight.numel() for m in network.convolutions.modules() if isinstance(m, nn.Conv2d)]
    table = [9e3, 4e3, 111e3, 37e3, 664e3, 148e3, 885e3, 66e3, 590e3, 66e3, 590e3]
    assert kernels == pytest.approx(table, rel=0.06)
    fully_connected = [layer.linear.weight.numel() for layer in (network.fc1, network.fc2)]
    assert [*fully_connected, network.fc7128.weight.numel()] == pytest.approx([103e6, 34e6, 524e3], rel=0.02)


@pytest.mark.parametrize("embedding_size", [64, 512])
@pytest.mark.parametrize("name", ALL)
def test_any_embedding_size_at_the_smallest_and_the_papers_side(name: str, embedding_size: int) -> None:
    row = NETWORKS[name]
    for size in ((row.smallest_px, row.smallest_px), row.paper_px):
        with torch.device("meta"):
            assert row.build(embedding_size, size).eval()(torch.empty(2, 3, *size)).shape == (2, embedding_size)


@pytest.mark.parametrize("name", [param for param in ALL if param.values != ("nn1",)])
def test_embeddings_are_unit_vectors_and_gradients_reach_every_weight(name: str) -> None:
    side = NETWORKS[name].smallest_px
    torch.manual_seed(0)
    network = build(name, 64, side).train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        embeddings = network(torch.randn(4, 3, side, side))
    assert embeddings.dtype == torch.float32
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(4))
    embeddings[:, 0].sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


@pytest.mark.parametrize("side", [64, 80, 96, 112, 160])
def test_one_nn2_takes_pictures_of_any_side(side: int) -> None:
    network = build("nn2").eval()
    with torch.inference_mode():
        embeddings = network(torch.randn(2, 3, side, side))
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(2))


@pytest.mark.parametrize("grey", [-1.0, 0.0, 1.0])
def test_gradients_stay_finite_on_flat_pictures(grey: float) -> None:
    network = build("nn2").train()
    network(torch.full((4, 3, 64, 64), grey))[:, 0].sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())


@pytest.mark.parametrize("framed", [False, True])
def test_means_around_a_place_and_their_slopes_are_those_of_a_double_loop(framed: bool) -> None:
    """Slopes too: those of PyTorch's own padded average were wrong on CUDA, and training learnt nothing there."""
    x = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)).contiguous(
        memory_format=torch.channels_last
    )
    weights = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(1))
    means, slopes = torch.zeros_like(x), torch.zeros_like(x)
    for y, x_ in product(range(4), range(5)):
        rows, columns = slice(max(y - 1, 0), y + 2), slice(max(x_ - 1, 0), x_ + 2)
        means[..., y, x_] = x[..., rows, columns].sum((2, 3)) / 9
        slopes[..., rows, columns] += weights[..., y, x_, None, None] / 9
    x.requires_grad_()
    found = mean_around(x, framed=framed)
    (found * weights).sum().backward()
    torch.testing.assert_close(found.detach(), means)
    torch.testing.assert_close(x.grad, slopes)


def test_the_weighted_pool_begins_as_the_even_average() -> None:
    pool = build("nn2").embedding
    x = torch.randn(3, 1024, 4, 4)
    expected = nn.functional.normalize(pool.eval().norm(pool.linear(x.mean((2, 3)))), dim=1)
    torch.testing.assert_close(pool(x), expected)


@pytest.mark.parametrize(("stride", "shared"), [(1, 1), (2, 1), (1, 2), (1, 3)])
def test_a_local_convolution_weighs_each_place_with_its_own_weights(stride: int, shared: int) -> None:
    layer = LocalConv(3, 4, 3, (9, 8), stride=stride, shared=shared)
    nn.init.normal_(layer.bias)
    x = torch.randn(2, 3, 9, 8)
    found = layer(x)
    height, width = layer.output_size
    across = -(-width // shared)
    for row in range(height):
        for column in range(width):
            patch = x[:, :, row * stride : row * stride + 3, column * stride : column * stride + 3].flatten(1)
            weight = layer.weight[(row // shared) * across + column // shared]
            expected = patch @ weight + layer.bias[0, :, row, column]
            torch.testing.assert_close(found[:, :, row, column], expected)


def test_a_local_convolution_with_equal_weights_is_a_convolution() -> None:
    layer = LocalConv(2, 5, 3, (7, 7))
    kernel = torch.randn(5, 2, 3, 3)
    layer.weight.data[:] = kernel.flatten(1).T
    x = torch.randn(3, 2, 7, 7)
    torch.testing.assert_close(layer(x), nn.functional.conv2d(x, kernel))


def test_maxout_gives_the_larger_of_two_products() -> None:
    layer, x = Maxout(6, 4), torch.randn(3, 6)
    both = layer.linear(x)
    expected = torch.stack([torch.max(both[:, i], both[:, i + 4]) for i in range(4)], dim=1)
    assert torch.equal(layer(x), expected)


@WITHOUT_PACKAGE
def test_published_weights_of_inception_resnet_v1_begin_a_network_with_another_head(tmp_path: Path) -> None:
    published = package_file().InceptionResnetV1(classify=True, num_classes=20)
    torch.save(published.state_dict(), tmp_path / "published.pt")
    network = build("inception-resnet-v1", 128, 160)
    fresh = start_from(tmp_path / "published.pt", network)
    assert {name.split(".")[0] for name in fresh} == {"last_linear", "last_bn"}
    same = build("inception-resnet-v1", 512, 160)
    assert start_from(tmp_path / "published.pt", same) == []
    x = torch.randn(2, 3, 80, 80)
    published.classify = False
    with torch.inference_mode():
        torch.testing.assert_close(same.eval()(x), published.eval()(x))


@pytest.mark.parametrize("name", ["nn4", "nns2", "deepface", "deepid2"])
def test_onnx_runtime_gives_the_same_embeddings_for_any_number_of_faces(name: str, tmp_path: Path) -> None:
    side = NETWORKS[name].smallest_px
    network = build(name, 64, side).eval()
    export.export_network(network, side, tmp_path / "network.onnx")
    for count in (1, 5):
        assert export.parity(network, tmp_path / "network.onnx", side, count) < export.PARITY


@pytest.mark.parametrize(("name", "layers"), [("nn2", {"embedding.linear", "embedding.norm"}), ("nn1", {"fc7128"})])
def test_the_head_is_what_depends_on_the_embedding_size(name: str, layers: set[str]) -> None:
    assert {weight.rpartition(".")[0] for weight in head(name, 64)} == layers


def test_a_head_that_fits_can_begin_fresh_all_the_same(tmp_path: Path) -> None:
    first, second = build("deepid2", 16, 32), build("deepid2", 16, 32)
    torch.save({"network": first.state_dict()}, tmp_path / "last.pt")
    names = head("deepid2", 32)
    assert set(start_from(tmp_path / "last.pt", second, names)) == names
    for name, weight in second.state_dict().items():
        assert torch.equal(weight, first.state_dict()[name]) == (name not in names)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save({"network": build("nns2", 64, 64).state_dict()}, tmp_path / "last.pt")
    with pytest.raises(ValueError, match="at least half are needed"):
        start_from(tmp_path / "last.pt", build("nn2"))
