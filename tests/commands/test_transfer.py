"""`sameface export` and `import`: a gallery that was taken elsewhere is the same gallery."""

import gzip
import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr

from app.domain import Embedding
from app.gallery.engine import open_engine
from app.gallery.migration import migrate
from app.gallery.sealing import TemplateKeys, read_keys
from app.gallery.store import GalleryStore
from app.service import FaceService
from tests.commands.conftest import Command
from tests.gallery.faces import new_face
from tests.processes import environment, run

KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


@pytest.fixture
def model_id(service: FaceService) -> str:
    return service.card.id


def vectors(store: GalleryStore) -> dict[tuple[str | None, str | None], list[Embedding]]:
    """Every embedding by subject_id and name."""
    found: dict[tuple[str | None, str | None], list[Embedding]] = {}
    for face in store.changes(0).faces:
        if face.vector is not None:
            found.setdefault((face.subject_id, face.name), []).append(np.frombuffer(face.vector, "<f4"))
    return found


def opened(path: Path, model_id: str, keys: TemplateKeys | None = None) -> GalleryStore:
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    return GalleryStore(engine, model_id, keys)


@pytest.fixture
def filled(tmp_path: Path, model_id: str) -> GalleryStore:
    """ada with two faces, bob with one and an end, carl who is over, and somebody in another gallery."""
    store = opened(tmp_path / "own.db", model_id)
    end = datetime.now(UTC) + timedelta(days=3)
    store.add("default", "ada", [new_face(1), new_face(2)], name="Ada Ä", metadata={"floor": 3})
    store.add("default", "bob", [new_face(3)], expires_at=end)
    store.create_gallery("other")
    store.add("other", "eve", [new_face(4)])
    return store


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def test_a_gallery_comes_back_bit_for_bit_and_twice_is_once(
    sameface: Command, filled: GalleryStore, model_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "gallery.jsonl"
    ended = sameface("export", file, "--json")
    assert ended.exit_code == 0, ended.stderr
    assert json.loads(ended.stdout) == {"subjects": 2, "faces": 3}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    monkeypatch.setenv("SAMEFACE_DATABASE_URL", f"sqlite:///{tmp_path / 'elsewhere.db'}")
    for existed in (0, 3):
        ended = sameface("import", file, "--json")
        assert ended.exit_code == 0, ended.stderr
        assert json.loads(ended.stdout) == {"subjects": 2, "faces": 3, "existed": existed, "expired": 0}
    elsewhere = opened(tmp_path / "elsewhere.db", model_id)
    expected = {who: found for who, found in vectors(filled).items() if who[0] != "eve"}
    found = vectors(elsewhere)
    assert found.keys() == expected.keys()
    for who, embeddings in expected.items():
        np.testing.assert_array_equal(found[who], embeddings)
    assert elsewhere.subject("default", "ada").metadata == {"floor": 3}
    assert elsewhere.subject("default", "bob").expires_at == filled.subject("default", "bob").expires_at


def test_an_encrypted_gallery_is_exported_in_clear_and_encrypted_again(
    sameface: Command, model_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = read_keys(SecretStr(KEY), None)
    store = opened(tmp_path / "own.db", model_id, keys)
    store.add("default", "ada", [new_face(1)])
    file = tmp_path / "gallery.jsonl"
    ended = sameface("export", file)
    assert ended.exit_code == 3
    assert "not among the template keys" in ended.stderr
    assert not file.exists()
    monkeypatch.setenv("SAMEFACE_TEMPLATE_KEYS", KEY)
    assert sameface("export", file).exit_code == 0
    [face] = lines_of(file)[1]["faces"]
    assert face["content_sha256"] == new_face(1).content_sha256
    assert sameface("import", file, "--gallery", "copy").exit_code == 0
    assert [face.existed for face in store.add("copy", "ada", [new_face(1)]).faces] == [True]


def test_the_embeddings_of_a_foreign_model_are_refused(sameface: Command, filled: GalleryStore, tmp_path: Path) -> None:
    file = tmp_path / "gallery.jsonl"
    assert sameface("export", file).exit_code == 0
    header, *rest = lines_of(file)
    header["model"] |= {"sha256": "0" * 64}
    file.write_text("\n".join(map(json.dumps, [header, *rest])), encoding="utf-8")
    ended = sameface("import", file, "--gallery", "new", "--json")
    assert ended.exit_code == 8
    assert "line 1: these embeddings were made by the model" in ended.stderr
    assert json.loads(ended.stdout)["error"]["code"] == "model_mismatch"
    assert "new" not in {gallery.name for gallery in filled.galleries()}


def damaged(lines: list[str], case: str) -> list[str]:
    subject = json.loads(lines[1])
    match case:
        case "cut":
            return lines[:-1]
        case "not json":
            return [lines[0], lines[1][:50], *lines[2:]]
        case "short":
            subject["faces"][0]["embedding"] = subject["faces"][0]["embedding"][:-8]
        case "no unit vector":
            subject["faces"][0]["embedding"] = "AAAA" * 170 + "AAA="
        case "id":
            subject["subject_id"] = 7
        case "no zone":
            subject["expires_at"] = "2090-01-01T00:00:00"
        case "format":
            return ["{}", *lines[1:]]
    return [lines[0], json.dumps(subject), *lines[2:]]


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ("cut", "not whole"),
        ("not json", "line 2: this is not JSON"),
        ("short", "line 2: this is no subject"),
        ("no unit vector", "line 2: this is no subject: ValueError an embedding is not a unit vector"),
        ("id", "line 2: this is no subject"),
        ("no zone", "line 2: expires_at needs a time zone"),
        ("format", "line 1: this is no sameface gallery"),
    ],
)
def test_a_damaged_file_is_refused_at_its_line(
    sameface: Command, filled: GalleryStore, tmp_path: Path, case: str, told: str
) -> None:
    file = tmp_path / "gallery.jsonl"
    assert sameface("export", file).exit_code == 0
    file.write_text("\n".join(damaged(file.read_text("utf-8").splitlines(), case)), encoding="utf-8")
    ended = sameface("import", file, "--gallery", "new")
    assert ended.exit_code == 2
    assert told in ended.stderr


def test_a_compressed_file_is_refused(sameface: Command, filled: GalleryStore, tmp_path: Path) -> None:
    file = tmp_path / "gallery.jsonl"
    assert sameface("export", file).exit_code == 0
    file.write_bytes(gzip.compress(file.read_bytes()))
    ended = sameface("import", file, "--gallery", "new")
    assert ended.exit_code == 2
    assert "no text in UTF-8" in ended.stderr


def test_who_is_over_is_left_out_and_files_are_not_overwritten(
    sameface: Command, filled: GalleryStore, tmp_path: Path
) -> None:
    file = tmp_path / "gallery.jsonl"
    assert sameface("export", file).exit_code == 0
    header, ada, bob, end = lines_of(file)
    bob["expires_at"] = "2020-01-01T00:00:00+00:00"
    file.write_text("\n".join(map(json.dumps, [header, ada, bob, end])), encoding="utf-8")
    counts = json.loads(sameface("import", file, "--gallery", "new", "--json").stdout)
    assert (counts["subjects"], counts["expired"]) == (1, 1)
    ended = sameface("export", file)
    assert ended.exit_code == 2
    assert "exists already" in ended.stderr
    assert sameface("export", tmp_path / "more.jsonl", "--gallery", "nobodys").exit_code == 7
    assert not list(tmp_path.glob("more*"))


def test_an_export_may_be_piped_and_is_in_the_audit_log(sameface: Command, filled: GalleryStore) -> None:
    ended = sameface("export", "-", "--gallery", "other")
    assert [json.loads(line).get("subject_id") for line in ended.stdout.splitlines()] == [None, "eve", None]
    entries = [json.loads(line) for line in sameface("audit", "export").stdout.splitlines()]
    assert (entries[-1]["action"], entries[-1]["gallery"], entries[-1]["subjects"]) == ("export", "other", 1)


def test_an_export_that_is_cut_short_is_in_the_audit_log_too(
    sameface: Command, filled: GalleryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a pipe that closes: what was read by then is out."""

    def cut(*arguments: object) -> Iterator[dict[str, object]]:
        yield {"subject_id": "ada"}
        raise BrokenPipeError

    monkeypatch.setattr("app.gallery.portable.read_lines", cut)
    with pytest.raises(BrokenPipeError):
        sameface("export", "-", "--gallery", "other")
    entries = [json.loads(line) for line in sameface("audit", "export").stdout.splitlines()]
    assert (entries[-1]["action"], entries[-1]["subjects"]) == ("export", 1)


def test_standard_streams_are_utf8_whatever_the_terminal_has(database: Path) -> None:
    engine = open_engine(f"sqlite:///{database}")
    model = json.loads(run("export", "-", env=environment(database)).stdout.splitlines()[0])["model"]["id"]
    GalleryStore(engine, model).create_gallery("names")
    GalleryStore(engine, model).add("names", "rene", [new_face(3)], name="Ren\u00e9 \u0141")
    engine.dispose()
    env = environment(database) | {"PYTHONIOENCODING": "latin-1"}
    exported = subprocess.run(
        [sys.executable, "-m", "app.cli", "export", "-", "--gallery", "names"],
        env=env,
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout
    assert "Ren\u00e9 \u0141" in exported.decode("utf-8")
    imported = subprocess.run(
        [sys.executable, "-m", "app.cli", "import", "-", "--gallery", "again"],
        env=env,
        input=exported,
        check=True,
        timeout=60,
        capture_output=True,
    )
    assert b"Traceback" not in imported.stderr
    again = run("export", "-", "--gallery", "again", env=environment(database)).stdout
    assert "Ren\u00e9 \u0141" in again


def test_faces_that_only_another_model_has_embedded_are_told_to_be_missing(
    sameface: Command, filled: GalleryStore, tmp_path: Path
) -> None:
    opened(tmp_path / "own.db", "another-model").add("default", "ada", [new_face(9)])
    ended = sameface("export", tmp_path / "gallery.jsonl")
    assert ended.exit_code == 1
    assert "1 faces are not in it: only other models than" in ended.stderr
    assert sameface("export", tmp_path / "other.jsonl", "--gallery", "other").exit_code == 0
