"""A database that the commands find work in."""

from pathlib import Path

import pytest

from app.gallery.engine import open_engine
from app.gallery.migration import migrate
from app.gallery.store import GalleryStore
from tests.gallery.faces import MODEL_ID, new_face


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database with one subject, after another was erased at revision 4."""
    path = tmp_path / "sameface.db"
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    store = GalleryStore(engine, MODEL_ID)
    store.add("default", "ada", [new_face(1)], name="Ada Lovelace")
    store.add("default", "bob", [new_face(2)], name="Bob Hopkinson")
    assert store.remove_subject("default", "ada").revision == 4
    engine.dispose()
    return path
