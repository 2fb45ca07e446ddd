"""Counts for the model card."""

from pathlib import Path

from models.provenance import counted, left_out
from tests.models.conftest import FACES, PEOPLE


def test_photographs_and_people_are_counted_by_set(crops_folder: Path) -> None:
    assert counted(crops_folder) == {
        "crops": PEOPLE * FACES,
        "sets": {"made": {"photographs": PEOPLE * FACES, "people": PEOPLE}},
    }


def test_photographs_of_nobody_count_no_people_and_failures_are_lines(tmp_path: Path) -> None:
    (tmp_path / "part-00000.tsv").write_text("a.jpg\t\tutk\nb.jpg\t\tutk\nc.jpg\tann\tmine\n")
    (tmp_path / "failures.tsv").write_text("d.jpg\tutk\tno_face\n")
    found = counted(tmp_path)
    assert found["sets"] == {"mine": {"photographs": 1, "people": 1}, "utk": {"photographs": 2, "people": 0}}
    assert (found["crops"], found["photographs_without_a_face"]) == (3, 1)


def test_what_was_left_out_is_counted_by_set(tmp_path: Path) -> None:
    (tmp_path / "overlap.tsv").write_text("set\tidentity_or_file\nutk\ta.jpg\nutk\tb.jpg\npins\tAnn\n")
    assert left_out(tmp_path / "overlap.tsv") == {"pins": 1, "utk": 2}
