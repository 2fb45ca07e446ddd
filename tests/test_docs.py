"""The documentation names what there is."""

import re
from pathlib import Path

import pytest
import typer

from app.cli import app
from app.terminal import ExitStatus

DOCS = Path(__file__).parent.parent / "docs"
COMMANDS = (DOCS / "commands.md").read_text("utf-8")


def commands() -> list[str]:
    """Every command with its group, as in `keys create`."""
    root = typer.main.get_command(app)
    found = []
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        below = getattr(command, "commands", None)
        found += [f"{name} {inner}" for inner in below] if below else [name]
    return found


@pytest.mark.parametrize("command", commands())
def test_every_command_is_described(command: str) -> None:
    rows = [row for row in COMMANDS.splitlines() if row.startswith("| `")]
    assert any(re.search(rf"`{re.escape(command)}[ `]", row) for row in rows)


@pytest.mark.parametrize("status", ExitStatus)
def test_every_exit_status_is_described(status: ExitStatus) -> None:
    assert f"\n| {status.value} | " in COMMANDS


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?://)([^)#\s]+)", page.read_text("utf-8"))
    assert [target for target in targets if not (DOCS / target).exists()] == []


def test_the_index_lists_every_page() -> None:
    index = (DOCS / "README.md").read_text("utf-8")
    assert [page.name for page in DOCS.glob("*.md") if page.name != "README.md" and f"({page.name})" not in index] == []
