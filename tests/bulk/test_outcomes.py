"""The file from which a bulk enrolment goes on: whole after any end, and never mistaken for somebody else's."""

import errno
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.bulk.outcomes import ENROLLED, REJECTED, Outcome, Progress, write_report
from app.errors import ConfigurationError


def outcome(number: int) -> Outcome:
    return Outcome(f"s{number}", f"{number}.jpg", f"{number:064x}", ENROLLED)


def run(path: Path, *numbers: int) -> int:
    """Enrol some photographs, and say how many were known before."""
    progress = Progress(path)
    known = len(progress)
    progress.add([outcome(number) for number in numbers])
    progress.close()
    return known


@pytest.mark.parametrize("kept_bytes", [1, 14, 15, 40])
def test_a_run_that_was_killed_while_it_wrote_is_gone_on_with_again_and_again(tmp_path: Path, kept_bytes: int) -> None:
    path = tmp_path / "state.jsonl"
    run(path, 1, 2)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:kept_bytes])  # the next line, cut short
    assert run(path, 3) == 2
    assert run(path, 4) == 3
    assert run(path) == 4


def test_a_report_names_files_whatever_bytes_their_names_are(tmp_path: Path) -> None:
    rejected = replace(outcome(1), path=os.fsdecode(b"M\xfcller.jpg"), status=REJECTED)
    write_report(tmp_path / "report.csv", [rejected])
    assert "M\\udcfcller.jpg" in (tmp_path / "report.csv").read_text("utf-8")


@pytest.mark.parametrize("content", [b"notes of mine", b'{"a": 1}', b'{"a": 1}\n{"subject_id": "ada', b"\n\n"])
def test_the_file_of_somebody_else_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="line 1: not the state of an enrolment"):
        Progress(path)
    assert path.read_bytes() == content


def test_what_names_people_is_for_its_owner_alone(tmp_path: Path) -> None:
    write_report(tmp_path / "report.csv", [replace(outcome(1), status=REJECTED)])
    assert (tmp_path / "report.csv").stat().st_mode & 0o077 == 0


def test_a_full_disk_is_told_and_no_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    progress = Progress(tmp_path / "state.jsonl")
    with monkeypatch.context() as patched:
        patched.setattr(progress, "_file", SimpleNamespace(writelines=full))
        with pytest.raises(ConfigurationError, match="No space left"):
            progress.add([outcome(1)])
    progress.close()


def test_what_was_rejected_last_is_not_known(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    run(path, 1, 2)
    progress = Progress(path)
    progress.add([replace(outcome(2), status=REJECTED)])
    progress.close()
    again = Progress(path)
    assert again.known("s1", outcome(1).content_sha256 or "") is not None
    assert again.known("s2", outcome(2).content_sha256 or "") is None
    again.close()
