"""Templates at rest: nothing readable in the database, the same answers, and keys that can be changed while serving."""

import base64
import os
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from app.errors import ConfigurationError
from app.gallery import rotation
from app.gallery.engine import open_engine
from app.gallery.faiss_index import FaissIndex
from app.gallery.follower import GalleryFollower
from app.gallery.sealing import SealBroken, StoredTemplate, Template, TemplateKey, TemplateKeys, read_keys
from app.gallery.store import GalleryStore
from app.gallery.tables import faces
from tests.gallery.faces import EMBEDDING_SIZE, MODEL_ID, embedding, new_face

FIRST, SECOND = os.urandom(32), os.urandom(32)
TEMPLATE = Template(embedding(1).tobytes(), new_face(1).content_sha256)
FACE_ID = "0b0e7b2e-6a3f-4b61-9d5c-6f9a53f1a001"


def found(engine: sa.Engine, keys: TemplateKeys, seed: int) -> list[tuple[str, float]]:
    """Who a new index finds."""
    store, index = GalleryStore(engine, MODEL_ID, keys), FaissIndex(EMBEDDING_SIZE)
    GalleryFollower(store, index)._catch_up()
    [candidates] = index.search("default", embedding(seed)[None], 5)
    return [(candidate.subject_id, round(candidate.distance, 6)) for candidate in candidates]


def rows(engine: sa.Engine) -> list[sa.Row[tuple[object, ...]]]:
    with engine.connect() as connection:
        return list(connection.execute(sa.select(faces).where(faces.c.vector.is_not(None)).order_by(faces.c.id)))


def test_what_is_sealed_opens_with_its_key_only() -> None:
    sealed = TemplateKeys((FIRST,)).seal(TEMPLATE, FACE_ID, MODEL_ID)
    assert TemplateKeys((SECOND, FIRST)).open(sealed, FACE_ID, MODEL_ID) == TEMPLATE
    with pytest.raises(ConfigurationError, match=TemplateKey(FIRST).key_id):
        TemplateKeys((SECOND,)).open(sealed, FACE_ID, MODEL_ID)


def test_a_sealed_vector_shows_nothing_and_never_looks_the_same_twice() -> None:
    keys = TemplateKeys((FIRST,))
    one, two = (keys.seal(TEMPLATE, FACE_ID, MODEL_ID) for _ in range(2))
    assert one.vector != two.vector
    assert one.content_sha256 == two.content_sha256 != TEMPLATE.content_sha256
    assert not any(TEMPLATE.vector[start : start + 4] in one.vector for start in range(0, 512, 4))


@pytest.mark.parametrize(
    ("face_id", "model_id", "flipped"),
    [
        (FACE_ID[:-1] + "2", MODEL_ID, None),
        (FACE_ID, "another-model", None),
        (FACE_ID, MODEL_ID, 0),
        (FACE_ID, MODEL_ID, 40),
        (FACE_ID, MODEL_ID, -1),
    ],
    ids=["another face", "another model", "nonce", "ciphertext", "tag"],
)
def test_a_sealed_vector_that_was_altered_or_moved_does_not_open(
    face_id: str, model_id: str, flipped: int | None
) -> None:
    keys = TemplateKeys((FIRST,))
    sealed = keys.seal(TEMPLATE, FACE_ID, MODEL_ID)
    altered = bytearray(sealed.vector)
    if flipped is not None:
        altered[flipped] ^= 1
    with pytest.raises(SealBroken):
        keys.open(StoredTemplate(bytes(altered), sealed.content_sha256, sealed.key_id), face_id, model_id)


def test_with_keys_the_database_holds_no_vector_and_answers_are_the_same(engine: sa.Engine) -> None:
    keys = TemplateKeys((FIRST,))
    store = GalleryStore(engine, MODEL_ID, keys)
    for seed in range(1, 6):
        store.add("default", f"s{seed}", [new_face(seed)])
    for row in rows(engine):
        assert len(row.vector) == 12 + 32 + 512 + 16
        assert row.key_id == keys.primary_id
    assert found(engine, keys, 3)[0] == ("s3", 0)
    [again] = store.add("default", "s3", [new_face(3)]).faces
    assert again.existed


def test_a_damaged_row_is_left_out_and_the_others_are_served(
    engine: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    keys = TemplateKeys((FIRST,))
    store = GalleryStore(engine, MODEL_ID, keys)
    [face] = store.add("default", "ada", [new_face(1)]).faces
    store.add("default", "bob", [new_face(2)])
    with engine.begin() as connection:
        connection.execute(sa.update(faces).where(faces.c.face_id == face.face_id).values(vector=os.urandom(572)))
    assert [subject for subject, _ in found(engine, keys, 1)] == ["bob"]
    assert "it is left out" in caplog.text


def test_a_missing_key_is_named_at_start(engine: sa.Engine) -> None:
    GalleryStore(engine, MODEL_ID, TemplateKeys((FIRST,))).add("default", "ada", [new_face(1)])
    for keys in (TemplateKeys(), TemplateKeys((SECOND,))):
        with pytest.raises(ConfigurationError, match=TemplateKey(FIRST).key_id):
            GalleryStore(engine, MODEL_ID, keys).check_keys()
    GalleryStore(engine, MODEL_ID, TemplateKeys((SECOND, FIRST))).check_keys()


def test_rotation_brings_every_row_under_the_first_key_and_changes_no_answer(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "BATCH", 3)
    GalleryStore(engine, MODEL_ID).add("default", "plain", [new_face(1), new_face(2)])
    GalleryStore(engine, MODEL_ID, TemplateKeys((FIRST,))).add("default", "first", [new_face(3), new_face(4)])
    keys = TemplateKeys((SECOND, FIRST))
    store = GalleryStore(engine, MODEL_ID, keys)
    store.add("default", "second", [new_face(5)])
    store.remove_subject("default", store.add("default", "gone", [new_face(6)]).subject_id)
    before, revision = [found(engine, keys, seed) for seed in range(1, 6)], store.revision()
    assert rotation.count_to_rotate(engine, keys) == 4
    assert next(rotation.rotate(engine, keys)) == 3  # stopped after a batch, as by Ctrl-C
    assert rotation.count_to_rotate(engine, keys) == 1
    assert list(rotation.rotate(engine, keys)) == [1]
    assert {row.key_id for row in rows(engine)} == {keys.primary_id}
    only = TemplateKeys((SECOND,))
    assert [found(engine, only, seed) for seed in range(1, 6)] == before
    assert store.revision() == revision
    assert all(
        face.existed for face in GalleryStore(engine, MODEL_ID, only).add("default", "plain", [new_face(1)]).faces
    )


def test_rotation_leaves_an_altered_row_and_goes_on(engine: sa.Engine, caplog: pytest.LogCaptureFixture) -> None:
    store = GalleryStore(engine, MODEL_ID, TemplateKeys((FIRST,)))
    altered, *_ = [store.add("default", f"s{seed}", [new_face(seed)]).faces[0].face_id for seed in range(1, 6)]
    with engine.begin() as connection:
        one = sa.select(faces.c.id).order_by(faces.c.id).limit(1).scalar_subquery()
        connection.execute(sa.update(faces).where(faces.c.id == one).values(vector=b"x" * 60))
    keys = TemplateKeys((SECOND, FIRST))
    assert sum(rotation.rotate(engine, keys)) == 4
    assert rotation.count_to_rotate(engine, keys) == 1
    assert altered in caplog.text
    assert "left as it is" in caplog.text


def test_without_the_old_key_rotation_refuses_and_changes_nothing(engine: sa.Engine) -> None:
    GalleryStore(engine, MODEL_ID, TemplateKeys((FIRST,))).add("default", "ada", [new_face(1)])
    before = rows(engine)
    with pytest.raises(ConfigurationError):
        rotation.count_to_rotate(engine, TemplateKeys((SECOND,)))
    with pytest.raises(ConfigurationError):
        list(rotation.rotate(engine, TemplateKeys((SECOND,))))
    assert rows(engine) == before


def test_no_plain_vector_is_left_on_disk_after_the_first_rotation(sqlite_url: str, tmp_path: Path) -> None:
    engine = open_engine(sqlite_url)
    store, keys = GalleryStore(engine, MODEL_ID), TemplateKeys((FIRST,))
    store.add("default", "ada", [new_face(1)])
    list(rotation.rotate(engine, keys))
    store.purge()
    on_disk = b"".join(path.read_bytes() for path in tmp_path.iterdir() if not path.name.endswith("-shm"))
    vector = np.asarray(new_face(1).embedding).tobytes()
    assert not any(vector[start : start + 16] in on_disk for start in range(0, 512, 16))
    assert new_face(1).content_sha256.encode() not in on_disk
    engine.dispose()


def test_keys_are_read_from_a_setting_or_a_file(tmp_path: Path) -> None:
    text = [base64.b64encode(secret).decode() for secret in (SECOND, FIRST)]
    (tmp_path / "keys").write_text("\n".join(text) + "\n")
    for keys in (read_keys(SecretStr(",".join(text)), None), read_keys(None, tmp_path / "keys")):
        assert keys.primary_id == TemplateKey(SECOND).key_id
        assert keys.key(TemplateKey(FIRST).key_id)
    assert read_keys(None, None).primary is None


@pytest.mark.parametrize("text", ["", ",", " \n"], ids=repr)
def test_a_setting_or_file_without_a_key_is_not_taken_for_no_encryption(text: str, tmp_path: Path) -> None:
    """As an unset variable of a shell gives: nobody asked for templates in clear."""
    with pytest.raises(ConfigurationError, match="holds no key"):
        read_keys(SecretStr(text), None)
    (tmp_path / "keys").write_text(text)
    with pytest.raises(ConfigurationError, match="holds no key"):
        read_keys(None, tmp_path / "keys")


@pytest.mark.parametrize("text", ["short", base64.b64encode(b"x" * 31).decode(), "!" * 44], ids=["short", "31", "odd"])
def test_what_is_no_key_is_refused_and_not_repeated(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        read_keys(SecretStr(text), None)
    assert text not in refusal.value.message
    with pytest.raises(ConfigurationError):
        read_keys(SecretStr(text), tmp_path / "keys")
    with pytest.raises(ConfigurationError):
        read_keys(None, tmp_path / "missing")
