"""Rows of text between tabs: manifests, what lies beside crops, lists of exclusions."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

# Names of files need not be UTF-8: whatever they hold comes back as it was.
TEXT: dict[str, Any] = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}


def read_rows(path: Path) -> list[list[str]]:
    """Every row of a file."""
    with path.open(**TEXT) as file:
        return list(csv.reader(file, delimiter="\t"))


def write_rows(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Write a file of them."""
    with path.open("w", **TEXT) as file:
        csv.writer(file, delimiter="\t").writerows(rows)
