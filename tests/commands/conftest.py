"""The command in this process, photographs on the disk, and a database that commands find work in."""

import io
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from app.cli import app
from app.gallery.engine import open_engine
from app.gallery.migration import migrate
from app.gallery.store import GalleryStore
from tests.bulk.compreface import compreface_api, compreface_database  # noqa: F401
from tests.gallery.conftest import postgres  # noqa: F401
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


Command = Callable[..., Result]


@pytest.fixture
def own_log() -> Iterator[None]:
    """A command sends the log to its standard error, which is gone after it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def sameface(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_log: None) -> Command:
    """`sameface` with arguments, in this process, on a database and a state folder of its own."""
    monkeypatch.setenv("SAMEFACE_DATABASE_URL", f"sqlite:///{tmp_path / 'own.db'}")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "200")
    for variable in ("SAMEFACE_SERVER", "SAMEFACE_API_KEY"):
        monkeypatch.delenv(variable, raising=False)

    def run(*arguments: object) -> Result:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        logging.getLogger().handlers.clear()
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def photographs(tmp_path: Path, portrait: bytes, portrait_again: bytes, no_face: bytes, two_faces: bytes) -> Path:
    """A folder with portrait.jpg, again.jpg, no_face.jpg and two_faces.jpg."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    for name, content in (
        ("portrait", portrait),
        ("again", portrait_again),
        ("no_face", no_face),
        ("two_faces", two_faces),
    ):
        (folder / f"{name}.jpg").write_bytes(content)
    return folder


def at_quality(photograph: bytes, quality: int) -> bytes:
    """The same picture in another file."""
    buffer = io.BytesIO()
    Image.open(io.BytesIO(photograph)).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
