"""What the README and the page of the API list is what there is."""

import re
import tomllib
from pathlib import Path

import pytest

from app.api.problems import STATUS

REPOSITORY = Path(__file__).parent.parent
README = (REPOSITORY / "README.md").read_text()
API = (REPOSITORY / "docs" / "api.md").read_text()
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=~!; ]", requirement)[0] for requirement in requirements}


@pytest.mark.parametrize(
    "package",
    sorted(names(PROJECT["dependencies"]).union(*map(names, PROJECT["optional-dependencies"].values()))),
)
def test_every_dependency_has_a_reason(package: str) -> None:
    reasons = [row.split("|") for row in README.splitlines() if row.startswith("| ")]
    assert any(re.search(rf"(?<![\w-]){re.escape(package)}(?![\w-])", row[1]) and row[2].strip() for row in reasons)


@pytest.mark.parametrize("code", sorted(set(STATUS) - {"configuration"}))
def test_every_error_code_is_listed_under_its_status(code: str) -> None:
    rows = [row for row in API.splitlines() if row.startswith(f"| {STATUS[code]} |")]
    assert any(f"`{code}`" in row for row in rows)


def test_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\((?!https?://)([^)#]+)\)", README)
    assert targets
    assert [target for target in targets if not (REPOSITORY / target).exists()] == []
