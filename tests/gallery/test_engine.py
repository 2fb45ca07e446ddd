"""Opening databases, and what becomes of their errors."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import exc

from app.errors import ConfigurationError, NotReady
from app.gallery.engine import WRITING, database_errors, open_engine
from app.gallery.store import GalleryStore
from tests.gallery.faces import MODEL_ID, new_face

OUR_OWN_MISTAKES = {"ProgrammingError", "DataError", "NotSupportedError"}


def database_error_classes(base: type[exc.DBAPIError] = exc.DBAPIError) -> Iterator[type[exc.DBAPIError]]:
    for kind in base.__subclasses__():
        yield kind
        yield from database_error_classes(kind)


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("secure_delete", 1), ("foreign_keys", 1), ("busy_timeout", 5000)],
)
def test_every_sqlite_connection_is_durable_and_forgets_what_is_deleted(
    tmp_path: Path, pragma: str, value: object
) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/gallery.db")
    with engine.connect() as first, engine.connect() as second:
        for connection in (first, second):
            assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() == value
    engine.dispose()


def test_only_the_owner_can_read_a_sqlite_database(tmp_path: Path, sqlite_store: GalleryStore) -> None:
    sqlite_store.add("default", "ada", [new_face(1)])
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(["gallery.db", "gallery.db-wal", "gallery.db-shm"], 0o600)


def test_the_folder_of_a_sqlite_database_is_made(tmp_path: Path) -> None:
    open_engine(f"sqlite:///{tmp_path}/new/folder/gallery.db").dispose()
    assert (tmp_path / "new/folder/gallery.db").exists()


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:a.db?uri=true",
        "mysql://localhost/a",
        "nonsense",
        "",
        "postgresql+psycopg://host:54e2/faces",
    ],
)
def test_a_url_that_cannot_serve_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigurationError):
        open_engine(url)


def test_a_folder_that_cannot_be_made_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be made"):
        open_engine(f"sqlite:///{tmp_path}/file/gallery.db")


def test_a_configuration_error_does_not_show_the_password() -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_engine("oracle://user:secret@localhost/a")
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("kind", list(database_error_classes()), ids=lambda kind: kind.__name__)
def test_each_error_of_a_database_is_translated_or_is_our_own_mistake(kind: type[exc.DBAPIError]) -> None:
    expected = kind if kind.__name__ in OUR_OWN_MISTAKES else NotReady
    with pytest.raises(expected), database_errors():
        raise kind("SELECT 1", {}, Exception("server 10.0.0.1 went away"))


def test_a_translated_error_keeps_the_details_from_callers_and_not_from_the_log() -> None:
    with pytest.raises(NotReady) as caught, database_errors():
        raise exc.OperationalError("SELECT 1", {}, Exception("server 10.0.0.1 went away"))
    assert "10.0.0.1" not in caught.value.message
    assert "10.0.0.1" in str(caught.value.__cause__)


def test_a_database_that_cannot_be_reached_is_not_ready() -> None:
    engine = open_engine("postgresql://user:secret@127.0.0.1:9/gallery")
    with pytest.raises(NotReady):
        GalleryStore(engine, MODEL_ID).revision()


def test_a_write_lock_that_stays_taken_is_not_ready_and_reads_go_on(database_url: str) -> None:
    engine = open_engine(database_url, lock_timeout_seconds=0.1)
    store = GalleryStore(engine, MODEL_ID)
    with engine.execution_options(**WRITING).begin() as connection:
        connection.execute(sa.text("UPDATE gallery_state SET revision = revision"))
        with pytest.raises(NotReady):
            store.add("default", "ada", [new_face(1)])
        assert store.revision() == 1
    assert store.add("default", "ada", [new_face(1)]).revision == 2
    engine.dispose()


def test_no_connection_left_is_not_ready(sqlite_url: str) -> None:
    engine = sa.create_engine(sqlite_url, pool_size=1, max_overflow=0, pool_timeout=0.05)
    with engine.connect(), pytest.raises(NotReady):
        GalleryStore(engine, MODEL_ID).revision()
    engine.dispose()


def test_an_error_that_is_logged_names_nobody(database_url: str) -> None:
    engine = open_engine(database_url)
    with engine.connect() as connection, pytest.raises(exc.DBAPIError) as failure:
        connection.execute(sa.text("SELECT nothing FROM nowhere WHERE name = :name"), {"name": "Ada Lovelace"})
    assert "Ada" not in str(failure.value)
    engine.dispose()


@pytest.mark.parametrize("then", ["removed", "replaced"])
def test_a_sqlite_file_that_is_another_one_is_not_written_to(
    tmp_path: Path, sqlite_store: GalleryStore, then: str
) -> None:
    sqlite_store.add("default", "ada", [new_face(1)])
    file = tmp_path / "gallery.db"
    copy = file.read_bytes()
    file.rename(tmp_path / "moved.db")
    if then == "replaced":
        file.write_bytes(copy)
    for _ in range(2):
        with pytest.raises(NotReady, match="the database's file was removed or replaced while it was open"):
            sqlite_store.add("default", "bob", [new_face(2)])
    (tmp_path / "moved.db").replace(file)
    sqlite_store.add("default", "bob", [new_face(2)])


def test_a_database_that_cannot_hold_every_name_is_refused(postgres: Any) -> None:
    postgres.psql("CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    url = sa.make_url(postgres.get_uri()).set(drivername="postgresql+psycopg", database="latin")
    engine = open_engine(url.render_as_string(hide_password=False))
    with pytest.raises(ConfigurationError, match="encoded in LATIN1, which cannot hold every name"), engine.connect():
        pass
    engine.dispose()
