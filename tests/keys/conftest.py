"""Keys in real databases: those that the tests of the gallery start."""

import pytest
import sqlalchemy as sa

from app.keys.store import KeyStore
from tests.gallery.conftest import database, empty_url, migrated_engine, postgres

__all__ = ["database", "empty_url", "migrated_engine", "postgres"]


@pytest.fixture
def keys(migrated_engine: sa.Engine) -> KeyStore:
    return KeyStore(migrated_engine)
