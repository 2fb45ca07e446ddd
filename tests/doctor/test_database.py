"""What the doctor finds in a database, on both kinds where the schema is concerned."""

import base64
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from app.doctor.database import examine_database
from app.gallery.engine import open_engine
from app.gallery.migration import downgrade, known_revisions, migrate
from app.gallery.sealing import TemplateKeys
from app.gallery.store import GalleryStore
from app.gallery.tables import audit_entries
from app.keys.key import Scope
from app.keys.store import KeyStore
from app.settings import Settings
from tests.gallery.faces import new_face


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    return Settings(database_url=f"sqlite:///{tmp_path / 'own.db'}")


@pytest.fixture
def engine(own: Settings) -> sa.Engine:
    engine = open_engine(own.database_url)
    migrate(engine)
    return engine


def found(settings: Settings) -> dict[str, tuple[str, str]]:
    return {finding.check: (finding.verdict.value, finding.detail) for finding in examine_database(settings)}


def test_a_database_that_is_not_there_is_not_made(own: Settings, tmp_path: Path) -> None:
    assert found(own)["database"][0] == "ok"
    assert list(tmp_path.iterdir()) == []


def test_the_schema_is_the_latest_older_unknown_or_none(own: Settings, engine: sa.Engine) -> None:
    newest, older = known_revisions()[-1], known_revisions()[-2]
    verdict, detail = found(own)["database"]
    assert verdict == "ok"
    assert f"the schema {newest}, the latest" in detail
    downgrade(engine, older)
    verdict, detail = found(own)["database"]
    assert verdict == "warning"
    assert f"the schema {older}" in detail
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = 'later'"))
    assert found(own)["database"][0] == "wrong"
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE alembic_version"))
    assert "is empty" in found(own)["database"][1]


def test_a_clock_that_went_back_is_wrong(own: Settings, engine: sa.Engine) -> None:
    assert found(own)["clock"][0] == "ok"
    later = datetime.now(UTC) + timedelta(hours=1)
    with engine.begin() as connection:
        connection.execute(audit_entries.insert().values(position=1, at=later, entry="{}", hash="0" * 64))
    assert found(own)["clock"][0] == "wrong"


def test_keys_that_end_and_an_open_address_are_told(own: Settings, engine: sa.Engine) -> None:
    public = own.model_copy(update={"host": "0.0.0.0"})
    assert found(own)["keys"][0] == "ok"
    assert found(public)["keys"][0] == "wrong"
    assert found(public.model_copy(update={"allow_unauthenticated_public": True}))["keys"][0] == "warning"
    keys = KeyStore(engine)
    key, _ = keys.create("door", [Scope.IDENTIFY], expires_at=datetime.now(UTC) + timedelta(days=3))
    assert found(public)["keys"] == ("warning", f"1 valid; within two weeks these end: {key.key_id} (door)")
    keys.revoke(key.key_id)
    assert found(public)["keys"][0] == "wrong"
    keys.create("door", [Scope.IDENTIFY])
    assert found(public)["keys"] == ("ok", "1 of 2 API keys are valid")


def test_a_database_that_does_not_answer_is_wrong() -> None:
    away = Settings(database_url="postgresql+psycopg://127.0.0.1:1/faces?connect_timeout=2")
    assert found(away)["database"][0] == "wrong"


def test_rows_that_the_service_could_not_serve_are_wrong(own: Settings, engine: sa.Engine) -> None:
    assert found(own)["faces"][0] == "ok"
    GalleryStore(engine, "another-model", TemplateKeys((b"k" * 32,))).add("default", "ada", [new_face(1)])
    verdict, detail = found(own)["faces"]
    assert verdict == "wrong"
    assert "not among the template keys" in detail
    key = SecretStr(base64.b64encode(b"k" * 32).decode())
    verdict, detail = found(own.model_copy(update={"template_keys": key}))["faces"]
    assert verdict == "wrong"
    assert "model" in detail
    assert found(own.model_copy(update={"template_keys": key, "start_without_faces": True}))["faces"][0] == "ok"


def test_an_empty_database_on_an_open_address_is_told(own: Settings) -> None:
    open_engine(own.database_url).dispose()
    with sqlite3.connect(str(own.sqlite_file)) as connection:
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    assert found(own.model_copy(update={"host": "0.0.0.0"}))["keys"][0] == "wrong"
