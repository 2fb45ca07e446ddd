"""Keys in real databases: those that the tests of the gallery start."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from app.gallery.engine import open_engine
from app.gallery.migration import migrate
from app.keys.store import KeyStore
from tests.gallery.conftest import database, empty_url, postgres

__all__ = ["database", "empty_url", "postgres"]


@pytest.fixture
def engine(empty_url: str) -> Iterator[sa.Engine]:
    engine = open_engine(empty_url)
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def keys(engine: sa.Engine) -> KeyStore:
    return KeyStore(engine)
