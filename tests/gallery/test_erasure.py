"""The proof of erasure holds where it should, and fails where something was left."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from app.errors import NotReady
from app.gallery import erasure, model_change, tables
from app.gallery.erasure import Finding, verify_erasure
from app.gallery.sealing import TemplateKeys
from app.gallery.store import GalleryStore
from tests.gallery.faces import MODEL_ID, new_face

SECRET = np.asarray(new_face(1).embedding).tobytes()


def by_check(findings: list[Finding]) -> dict[str, bool | None]:
    return {finding.check: finding.ok for finding in findings}


def test_nothing_is_left_of_who_was_erased(store: GalleryStore, engine: sa.Engine) -> None:
    for seed in range(1, 20):
        store.add("default", f"s{seed}", [new_face(seed)], name=f"Name {seed}")
    erased = store.remove_subject("default", "s1")
    findings = by_check(verify_erasure(engine, wanted=[SECRET, b"Name 1 "], receipt_revision=erased.revision))
    if engine.dialect.name == "sqlite":
        assert findings == {
            "tombstones": True,
            "crops": True,
            "receipt": True,
            "canary": True,
            "write-ahead log": True,
            "given bytes": True,
        }
    else:
        assert findings == {
            "tombstones": True,
            "crops": True,
            "receipt": True,
            "canary": True,
            "files of PostgreSQL": None,
            "given bytes": None,
        }
    assert [gallery.name for gallery in store.galleries()] == ["default"]
    assert len(store.subjects("default")) == 18


def test_who_was_not_erased_is_found(sqlite_store: GalleryStore, sqlite_engine: sa.Engine) -> None:
    revision = sqlite_store.add("default", "ada", [new_face(1)]).revision
    findings = by_check(verify_erasure(sqlite_engine, wanted=[SECRET], receipt_revision=revision))
    assert findings["given bytes"] is False
    assert findings["receipt"] is False
    assert findings["canary"] is True


def test_encrypted_canaries_are_not_needed_but_encrypted_galleries_pass(sqlite_engine: sa.Engine) -> None:
    GalleryStore(sqlite_engine, MODEL_ID, TemplateKeys((b"k" * 32,))).add("default", "ada", [new_face(1)])
    findings = by_check(verify_erasure(sqlite_engine, wanted=[SECRET]))
    assert findings["canary"] is True
    assert findings["given bytes"] is True


def test_a_database_that_does_not_overwrite_is_caught(
    sqlite_engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    @sa.event.listens_for(sqlite_engine, "checkout")
    def insecure(connection: sa.engine.interfaces.DBAPIConnection, _record: object, _proxy: object) -> None:
        connection.cursor().execute("PRAGMA secure_delete = OFF")

    monkeypatch.setattr(GalleryStore, "purge", lambda store: True)
    findings = by_check(verify_erasure(sqlite_engine))
    assert findings["canary"] is False


@pytest.mark.parametrize("error", [KeyboardInterrupt, NotReady("the database is away")])
def test_a_proof_that_is_interrupted_leaves_no_canary(
    store: GalleryStore, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, error: type[BaseException] | NotReady
) -> None:
    def interrupt(*_: object) -> None:
        raise error

    monkeypatch.setattr(erasure, "_erase_canary", interrupt)
    with pytest.raises((KeyboardInterrupt, NotReady)):
        verify_erasure(engine)
    assert [gallery.name for gallery in store.galleries()] == ["default"]


def test_the_canary_of_a_proof_that_was_killed_is_in_nobodys_way_and_goes(
    store: GalleryStore, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    canaries = GalleryStore(engine, tables.CANARY_MODEL)
    canaries.create_gallery("erasure-canary-of-mine")  # a name is no proof: who is in it is nobody's canary
    store.add("erasure-canary-of-mine", "ada", [new_face(1)])
    canaries.create_gallery("erasure-canary-0123456789abcdef")
    canaries.add("erasure-canary-0123456789abcdef", "canary", [new_face(2)])
    with engine.connect() as connection:
        assert model_change.coverage(connection, MODEL_ID) == model_change.Coverage(0, 0)
        model_change.check_model(connection, MODEL_ID, start_without_faces=False)
    store.remove_subject("erasure-canary-of-mine", "ada")
    store.check_model(start_without_faces=False)
    store.add("erasure-canary-of-mine", "ada", [new_face(1)])
    assert by_check(verify_erasure(engine))["canary"] is True
    assert len(store.galleries()) == 3  # it may be somebody's who is at it now
    monkeypatch.setattr(erasure, "_CANARY_LIFE", -timedelta(hours=1))
    verify_erasure(engine)
    assert [gallery.name for gallery in store.galleries()] == ["default", "erasure-canary-of-mine"]


def test_short_bytes_are_looked_for_whole() -> None:
    assert erasure.chunks(b"Ada") == [b"Ada"]
    assert erasure.chunks(b"a" * 32) == [b"a" * 16, b"a" * 16]
    assert erasure.chunks(b"0123456789abcdefTHE END") == [b"0123456789abcdef", b"789abcdefTHE END"]


def test_a_receipt_of_later_than_the_database_is_not_proven(store: GalleryStore, engine: sa.Engine) -> None:
    """As after a backup from before the erasure was put back."""
    revision = store.add("default", "ada", [new_face(1)]).revision
    [receipt] = [found for found in verify_erasure(engine, receipt_revision=revision + 2) if found.check == "receipt"]
    assert receipt == Finding(
        "receipt", False, f"the database is at revision {revision}, from before revision {revision + 2}"
    )


def test_a_receipt_of_a_revision_without_faces_proves_nothing(store: GalleryStore, engine: sa.Engine) -> None:
    revision = store.create_gallery("other")
    assert by_check(verify_erasure(engine, receipt_revision=revision))["receipt"] is None


def test_bytes_are_found_wherever_a_file_is_cut_into_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = np.random.default_rng(0).integers(0, 256, 200, dtype=np.uint8).tobytes()
    (tmp_path / "file").write_bytes(content)
    pieces = [content[start : start + length] for start in range(200) for length in (1, 9, 16)]
    monkeypatch.setattr(erasure, "_BLOCK_BYTES", 32)
    found = erasure.found_in([tmp_path / "file"], [*pieces, b"not in there"])
    assert {secret for _, secret in found} == set(pieces)
    (tmp_path / "file").write_bytes(b"")
    assert erasure.found_in([tmp_path / "file"], pieces) == []
