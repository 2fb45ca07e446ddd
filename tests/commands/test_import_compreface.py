"""`sameface import-compreface`: from a database and from a running CompreFace, resumed and reported."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.bulk.compreface import KEY, Api, Database
from tests.commands.conftest import Command


def told(ended: Any, status: int) -> dict[str, Any]:
    assert ended.exit_code == status, ended.stderr
    facts: dict[str, Any] = json.loads(ended.stdout)
    return facts


@pytest.fixture
def full_api(compreface_api: Api, photographs: Path) -> Api:
    """Two photographs of Eileen, one of nobody, one that shows two faces, and one that was not saved."""
    compreface_api.examples = [
        ("i1", "Eileen", (photographs / "portrait.jpg").read_bytes()),
        ("i2", "Eileen", (photographs / "again.jpg").read_bytes()),
        ("i3", "nobody", (photographs / "no_face.jpg").read_bytes()),
        ("i4", "twins", (photographs / "two_faces.jpg").read_bytes()),
        ("i5", "lost", b""),
    ]
    return compreface_api


def test_a_running_compreface_is_imported_and_what_was_rejected_is_reported(
    sameface: Command, full_api: Api, tmp_path: Path
) -> None:
    report = tmp_path / "report.csv"
    ended = sameface("import-compreface", full_api.url, "--compreface-key", KEY, "--report", report)
    assert ended.exit_code == 1
    assert "3 photographs of 2 people are in gallery default; 2 were rejected" in ended.stdout
    rejected = {
        row["path"]: (row["subject_id"], row["reasons"])
        for row in csv.DictReader(report.read_text("utf-8").splitlines())
        if row["status"] == "rejected"
    }
    assert rejected == {"i3": ("nobody", "no_face"), "i5": ("lost", "not_saved")}
    found = told(sameface("identify", tmp_path / "photographs" / "portrait.jpg", "--json"), 0)
    assert found["faces"][0]["candidates"][0]["subject_id"] == "Eileen"


def test_a_second_run_fetches_only_what_is_new_or_was_rejected(sameface: Command, full_api: Api) -> None:
    command = ("import-compreface", full_api.url, "--compreface-key", KEY, "--gallery", "family", "--create", "--json")
    assert told(sameface(*command), 1)["enrolled"] == 3
    full_api.asked.clear()
    full_api.examples.append(("i6", "Eileen", full_api.examples[0][2] + b"\0"))
    again = told(sameface(*command), 1)
    assert (again["earlier"], again["enrolled"], again["rejected"]) == (3, 4, 2)
    fetched = {path.split("/")[-2] for path in full_api.asked if path.endswith("/img")}
    assert fetched == {"i3", "i5", "i6"}


def test_a_dump_is_imported(
    sameface: Command,
    compreface_database: Database,
    photographs: Path,
    tmp_path: Path,
) -> None:
    compreface_database.add(1, "Eileen", (photographs / "portrait.jpg").read_bytes())
    compreface_database.add(2, "Eileen", (photographs / "again.jpg").read_bytes())
    path = compreface_database.dump(tmp_path / "dump.sql")
    facts = told(sameface("import-compreface", path, "--json"), 0)
    assert (facts["enrolled"], facts["subjects"], facts["rejects"]) == (2, 1, [])
    assert told(sameface("import-compreface", path, "--json"), 0)["earlier"] == 2


def test_a_gallery_that_does_not_exist_is_made_on_request_only(sameface: Command, full_api: Api) -> None:
    command = ("import-compreface", full_api.url, "--compreface-key", KEY, "--gallery", "nowhere")
    ended = sameface(*command)
    assert (ended.exit_code, "--create makes it" in ended.stderr) == (7, True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{url}"], "needs --compreface-key"),
        (["{url}", "--compreface-key", "wrong"], "CompreFace answered 404"),
        (["nowhere.sql"], "nowhere.sql cannot be read"),
    ],
)
def test_what_cannot_be_read_is_told_in_a_sentence(
    sameface: Command,
    compreface_api: Api,
    arguments: list[str],
    sentence: str,
) -> None:
    ended = sameface("import-compreface", *(argument.format(url=compreface_api.url) for argument in arguments))
    assert ended.exit_code in (2, 3)
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr
