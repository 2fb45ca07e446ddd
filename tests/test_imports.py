"""Imports go one way, so that a part can be read, tested and replaced without the parts above it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

APP = Path(__file__).parent.parent / "app"

# What may be imported by each part besides itself and everything on the lines above it; the parts of one line are
# strangers to each other.
LAYERS = [
    {"app", "app.errors", "app.domain", "app.logs", "app.database_url", "app.probe", "app.sizing", "app.cores"},
    {"app.batcher", "app.metrics", "app.settings"},
    {"app.faces", "app.gallery"},
    {"app.search", "app.decisions", "app.enrolment", "app.keys", "app.clustering", "app.records", "app.thresholds"},
    {"app.photographs", "app.verifier"},
    {"app.cluster_jobs", "app.clusterer", "app.enroller"},
    {"app.service"},
    {"app.health"},
    {"app.api"},
    {"app.compreface"},
    {"app.main", "app.client"},
    {"app.connections"},
    {"app.serving"},
    {"app.terminal", "app.bulk", "app.doctor"},
    {"app.commands"},
    {"app.cli"},
]
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}
FILES = sorted(APP.rglob("*.py"))


def module(path: Path) -> str:
    return ".".join(path.relative_to(APP.parent).with_suffix("").parts).removesuffix(".__init__")


def part(name: str) -> str:
    """The part that a module belongs to: app.faces.card is of app.faces."""
    return ".".join(name.split(".")[:2])


def is_module(name: str) -> bool:
    path = APP.parent / name.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").exists()


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if is_module(name) else str(node.module) for name in names)


@pytest.mark.parametrize("path", FILES, ids=module)
def test_imports_go_one_way(path: Path) -> None:
    own = part(module(path))
    assert own in LEVEL, f"{own} has no place in LAYERS"
    for name in imported(path):
        assert name.split(".")[0] not in ("models", "torch", "torchvision", "facenet_pytorch"), f"{own} imports {name}"
        if name.split(".")[0] == "app" and part(name) != own:
            assert LEVEL[part(name)] < LEVEL[own], f"{own} imports {name}"
