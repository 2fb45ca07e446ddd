"""`sameface enroll`: folders and lists of people, resumed and reported."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from app.client import Sameface
from app.errors import GalleryNotFound
from tests.commands.conftest import Command, at_quality
from tests.processes import Server, environment


@pytest.fixture
def people(photographs: Path) -> Path:
    """Two photographs of collins, one of nobody, a file that is no photograph, and a folder without any."""
    folder = photographs / "people"
    for subject_id, name in (("collins", "portrait"), ("collins", "again"), ("nobody", "no_face")):
        (folder / subject_id).mkdir(parents=True, exist_ok=True)
        (photographs / f"{name}.jpg").rename(folder / subject_id / f"{name}.jpg")
    (folder / "collins" / "notes.txt").write_text("no photograph")
    (folder / "empty").mkdir()
    return folder


def told(ended: Any, status: int) -> dict[str, Any]:
    assert ended.exit_code == status, ended.stderr
    facts: dict[str, Any] = json.loads(ended.stdout)
    return facts


def test_a_folder_is_enrolled_and_what_was_rejected_is_reported(
    sameface: Command, people: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.csv"
    ended = sameface("enroll", people, "--report", report)
    assert ended.exit_code == 1
    assert "2 photographs of 1 people are in gallery default; 1 were rejected" in ended.stdout
    [row] = csv.DictReader(report.read_text("utf-8").splitlines())
    assert (row["subject_id"], row["reasons"], row["measured"]) == ("nobody", "no_face", '{"faces_found": 0}')
    assert row["path"] == str(people / "nobody" / "no_face.jpg")


def test_a_report_that_cannot_be_written_is_told_before_anybody_is_enrolled(
    sameface: Command, people: Path, server: Server, tmp_path: Path
) -> None:
    gallery, where = f"g-{uuid4().hex}", f"http://127.0.0.1:{server.port}"
    report = tmp_path / "nowhere" / "report.csv"
    ended = sameface("enroll", people, "--gallery", gallery, "--create", "--server", where, "--report", report)
    assert f"the report {report} cannot be written: No such file or directory" in ended.stderr
    with Sameface(where) as client, pytest.raises(GalleryNotFound):
        client.gallery(gallery)


def test_a_second_run_sends_only_what_is_new_and_who_was_erased_since(
    sameface: Command, people: Path, server: Server
) -> None:
    gallery, where = f"g-{uuid4().hex}", f"http://127.0.0.1:{server.port}"
    enroll = ("enroll", people, "--gallery", gallery, "--create", "--server", where, "--json")
    assert told(sameface(*enroll), 1)["enrolled"] == 2
    again = told(sameface(*enroll), 1)
    assert (again["earlier"], again["enrolled"], again["rejected"]) == (2, 2, 1)
    (people / "ada").mkdir()
    (people / "ada" / "1.jpg").write_bytes((people / "collins" / "again.jpg").read_bytes())
    more = told(sameface(*enroll), 1)
    assert (more["photographs"], more["earlier"], more["duplicates"]) == (4, 2, 1)
    with Sameface(where) as client:
        client.delete_subject("collins", gallery=gallery)
        assert told(sameface(*enroll), 1)["earlier"] == 1
        assert client.subject("collins", gallery=gallery).faces == 2
    anew = told(sameface(*enroll, "--again"), 1)
    assert (anew["earlier"], anew["existed"]) == (0, 3)


def test_a_run_that_is_stopped_goes_on_where_it_was(sameface: Command, portrait: bytes, tmp_path: Path) -> None:
    people, state = tmp_path / "people", tmp_path / "state.jsonl"
    for number in range(80):  # enough that it is stopped in the middle, on a busy machine too
        (people / f"s{number:02}").mkdir(parents=True)
        (people / f"s{number:02}" / "1.jpg").write_bytes(at_quality(portrait, 16 + number))
    enroll = ["enroll", str(people), "--state", str(state), "--on-duplicate", "allow", "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "app.cli", *enroll, "--jobs", "1"],
        env=environment(tmp_path / "own.db"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell's background jobs ignore it, and hand that down.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as running:
        while not (state.exists() and state.read_text().count("\n") >= 2):
            assert running.poll() is None, running.communicate()
            time.sleep(0.005)
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=60)
    assert running.returncode == 130
    facts = told(sameface(*enroll), 0)
    assert facts["earlier"] >= 2
    assert (facts["photographs"], facts["subjects"]) == (80, 80)


def test_a_list_gives_names_metadata_and_an_end(sameface: Command, photographs: Path, server: Server) -> None:
    gallery, where = f"g-{uuid4().hex}", f"http://127.0.0.1:{server.port}"
    rows = [
        ["subject_id", "path", "name", "metadata", "expires_at"],
        ["collins", "portrait.jpg", "Eileen Collins", '{"floor": 3}', "2099-01-01T00:00Z"],
        ["collins", "again.jpg", "", "", ""],
        ["lost", "nowhere.jpg", "", "", ""],
    ]
    file = photographs / "people.csv"
    with file.open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerows(rows)
    facts = told(sameface("enroll", file, "--gallery", gallery, "--create", "--server", where, "--json"), 1)
    assert [reject["reasons"] for reject in facts["rejects"]] == [["unreadable_file"]]
    with Sameface(where) as client:
        subject = client.subject("collins", gallery=gallery)
    assert (subject.name, subject.metadata, subject.faces) == ("Eileen Collins", {"floor": 3}, 2)
    assert subject.expires_at is not None
    assert subject.expires_at.year == 2099


def test_a_folder_whose_name_is_no_text_is_rejected_and_the_others_are_enrolled(
    sameface: Command, photographs: Path
) -> None:
    people = photographs / "people"
    for name in (b"M\xfcller", b"zoe"):  # the first as old systems wrote it
        folder = people / os.fsdecode(name)
        folder.mkdir(parents=True)
        (folder / "1.jpg").write_bytes((photographs / "portrait.jpg").read_bytes())
    facts = told(sameface("enroll", people, "--json"), 1)
    assert (facts["enrolled"], facts["rejected"]) == (1, 1)
    assert "without control characters" in facts["rejects"][0]["detail"]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("subject_id,file\na,b.jpg\n", "it needs ['path', 'subject_id']"),
        ("subject_id,path\na,\n", "line 2"),
        ("subject_id,path,metadata\na,b.jpg,[]\n", "line 2: metadata is not a JSON object"),
        ("subject_id,path,name\na,b.jpg,A\na,c.jpg,B\n", "line 3: the name of 'a' was 'A'"),
        ("subject_id,path,expires_at\na,b.jpg,soon\n", "line 2: expires_at 'soon'"),
        ("subject_id,path\n", "no rows"),
    ],
)
def test_a_list_that_is_wrong_is_status_2_and_names_the_line(
    sameface: Command, tmp_path: Path, lines: str, told: str
) -> None:
    file = tmp_path / "people.csv"
    file.write_text(lines, encoding="utf-8")
    ended = sameface("enroll", file)
    assert ended.exit_code == 2
    assert told in ended.stderr


def test_photographs_refused_together_are_given_a_chance_of_their_own(
    sameface: Command, photographs: Path, server: Server
) -> None:
    gallery, where = f"g-{uuid4().hex}", f"http://127.0.0.1:{server.port}"
    folder = photographs / "people" / "mixed"
    folder.mkdir(parents=True)
    for name in ("no_face", "two_faces"):
        (photographs / f"{name}.jpg").rename(folder / f"{name}.jpg")
    options = ("--gallery", gallery, "--create", "--server", where, "--json")
    facts = told(sameface("enroll", folder.parent, *options), 1)
    assert [reject["reasons"] for reject in facts["rejects"]] == [["no_face"], ["several_faces"]]
    assert facts["rejects"][1]["measured"] == {"faces_found": 2}


def test_a_state_of_something_else_and_a_missing_gallery_stop_the_run(sameface: Command, people: Path) -> None:
    state = people / "state"
    state.write_text('{"no": "state"}\nof ours\n')
    ended = sameface("enroll", people, "--state", state)
    assert ended.exit_code == 3
    assert "line 1" in ended.stderr
    ended = sameface("enroll", people, "--gallery", "staff")
    assert ended.exit_code == 7
    assert "--create" in ended.stderr


def test_what_was_rejected_is_sent_again_under_another_policy(
    sameface: Command, photographs: Path, two_faces: bytes
) -> None:
    folder = photographs / "pairs" / "both"
    folder.mkdir(parents=True)
    (folder / "1.jpg").write_bytes(two_faces)
    enroll = ("enroll", folder.parent, "--gallery", f"g-{uuid4().hex}", "--create", "--json")
    assert told(sameface(*enroll), 1)["rejected"] == 1
    assert told(sameface(*enroll, "--on-several-faces", "largest"), 0)["enrolled"] == 1
