"""Which photographs are trained on."""

import os
import sys
from pathlib import Path

import pytest

from app.bulk.people import SUFFIXES
from models.manifest import LAYOUTS, folder_per_person, images, main, read, read_exclusions, without, write


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_a_folder_per_person_names_people_and_skips_what_is_no_photograph(tmp_path: Path) -> None:
    touch(tmp_path, "ann/1.jpg", "ann/more/2.PNG", "bob/3.webp", "bob/notes.txt", ".ipynb_checkpoints/4.jpg")
    rows = [(p.path.name, p.identity, p.source) for p in folder_per_person(tmp_path, "mine")]
    assert rows == [("1.jpg", "ann", "mine"), ("2.PNG", "ann", "mine"), ("3.webp", "bob", "mine")]


def test_photographs_are_of_the_kinds_that_the_service_enrols(tmp_path: Path) -> None:
    touch(tmp_path, *(f"ann/photo{suffix}" for suffix in SUFFIXES), "ann/SCAN.TIFF")
    assert {path.name for path in images(tmp_path)} == {f"photo{suffix}" for suffix in SUFFIXES} | {"SCAN.TIFF"}


def test_celeba_keeps_training_and_validation_people_apart_and_its_test_people_out(
    tmp_path: Path,
) -> None:
    touch(tmp_path, "7_000001.jpg", "8_162770.jpg", "9_162771.jpg", "9_182637.jpg", "10_182638.jpg")
    training = [p.path.stem for p in LAYOUTS["celeba"](tmp_path, "celeba")]
    validation = [p.path.stem for p in LAYOUTS["celeba-validation"](tmp_path, "celeba-validation")]
    assert training == ["7_000001", "8_162770"]
    assert validation == ["9_162771", "9_182637"]


@pytest.mark.parametrize(("layout", "cap"), [("pins", 120), ("vgg2", 150)])
def test_people_of_many_photographs_are_capped_evenly(tmp_path: Path, layout: str, cap: int) -> None:
    touch(tmp_path, *(f"ann/{i:04d}.jpg" for i in range(2 * cap)), "bob/1.jpg")
    rows = list(LAYOUTS[layout](tmp_path, layout))
    numbers = [int(p.path.stem) for p in rows if p.identity == "ann"]
    assert numbers == list(range(0, 2 * cap, 2))
    assert len(rows) == cap + 1


def test_exclusions_name_people_or_single_unlabelled_files(tmp_path: Path) -> None:
    touch(tmp_path / "fiw", "F1/MID1/a.jpg", "F1/MID2/b.jpg")
    touch(tmp_path / "utk", "20_0_1.jpg", "30_1_0.jpg")
    listed = tmp_path / "overlap.tsv"
    listed.write_text("set\tidentity_or_file\nfiw\tF1/MID1\nutk\t30_1_0.jpg\n")
    photos = [*LAYOUTS["fiw"](tmp_path / "fiw", "fiw"), *LAYOUTS["utk"](tmp_path / "utk", "utk")]
    kept = without(photos, read_exclusions(listed))
    assert [(p.source, p.identity, p.path.name) for p in kept] == [
        ("fiw", "F1/MID2", "b.jpg"),
        ("utk", "", "20_0_1.jpg"),
    ]


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    touch(tmp_path, "ann/with\ttab.jpg", "bob/2.jpg")
    photos = list(folder_per_person(tmp_path, "mine"))
    assert write(photos, tmp_path / "manifest.tsv") == 2
    assert read(tmp_path / "manifest.tsv") == photos


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, *sources: str) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["manifest", *sources, "--out", "manifest.tsv"])
    main()


def test_folders_of_several_sources_become_one_manifest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    touch(tmp_path, "photos/ann/1.jpg", "faces/1.jpg")
    run(monkeypatch, tmp_path, "mine=photos", "utk=faces")
    rows = [(photo.identity, photo.source) for photo in read(tmp_path / "manifest.tsv")]
    assert rows == [("ann", "mine"), ("", "utk")]


@pytest.mark.parametrize(
    ("source", "fact"),
    [
        ("photos", "'photos' is not NAME=FOLDER"),
        ("mine=", "'mine=' is not NAME=FOLDER"),
        ("=photos", "'=photos' is not NAME=FOLDER"),
        ("mine=phtos", "there is no folder phtos"),
        ("mine=empty", "no photographs are left to write"),
    ],
)
def test_a_source_without_a_folder_of_photographs_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, fact: str
) -> None:
    touch(tmp_path, "photos/ann/1.jpg", "empty/ann/notes.txt")
    with pytest.raises(SystemExit) as end:
        run(monkeypatch, tmp_path, source)
    assert end.value.code == 2
    assert fact in capsys.readouterr().err
    assert not (tmp_path / "manifest.tsv").exists()


def test_loose_photographs_are_nobodys(tmp_path: Path) -> None:
    touch(tmp_path, "ann/1.jpg", "2.jpg")
    with pytest.raises(ValueError, match=r"1 photographs lie directly in .* \(the first is 2\.jpg\)"):
        list(folder_per_person(tmp_path, "mine"))


def test_names_that_are_no_utf8_come_back_as_they_were(tmp_path: Path) -> None:
    name = os.fsdecode(b"M\xfcller")
    touch(tmp_path / "photos", f"{name}/1.jpg")
    write(folder_per_person(tmp_path / "photos", "mine"), tmp_path / "out.tsv")
    [photo] = read(tmp_path / "out.tsv")
    assert (photo.identity, photo.path.exists()) == (name, True)


@pytest.mark.parametrize(
    ("arguments", "fact"),
    [
        (["celeba=photos"], "is not named IDENTITY_NUMBER"),
        (["mine=photos"], "1 photographs lie directly in photos"),
        (["utk=photos", "--exclude", "short.tsv"], "short.tsv, row 2: a set and an identity or file name are wanted"),
    ],
)
def test_what_cannot_be_a_manifest_is_told_as_a_fact_and_nothing_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], fact: str
) -> None:
    touch(tmp_path / "photos", "1.jpg")
    (tmp_path / "short.tsv").write_text("utk\t1.jpg\nutk\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["manifest", *arguments, "--out", "out.tsv"])
    with pytest.raises(SystemExit, match=fact):
        main()
    assert not (tmp_path / "out.tsv").exists()


def test_another_file_is_no_manifest(tmp_path: Path) -> None:
    (tmp_path / "other.tsv").write_text("path\tsource\n1.jpg\tmine\n")
    with pytest.raises(ValueError, match="is no manifest: its first row names no identity"):
        read(tmp_path / "other.tsv")
