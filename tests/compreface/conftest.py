"""A running service that speaks CompreFace, with keys that are bound to one collection each."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.gallery.engine import open_engine
from app.gallery.migration import migrate
from app.keys.key import Scope
from app.keys.store import KeyStore
from app.main import create_app
from app.settings import Settings
from tests.api.documented import assert_in_document
from tests.processes import Server, serving

ALL_BUT_ADMIN = [Scope.VERIFY, Scope.IDENTIFY, Scope.ENROLL]


@functools.cache
def document() -> dict[str, Any]:
    """The OpenAPI document."""
    return create_app(Settings(compreface=True)).openapi()


def assert_documented(response: httpx.Response) -> None:
    """What is answered, the OpenAPI document tells of; and an error is a message and a number."""
    assert_in_document(response, document())
    if response.is_error:
        assert response.headers["content-type"] == "application/json"
        assert response.json().keys() == {"message", "code"}


@dataclass(frozen=True)
class CompreFaceServer:
    """A running service, and its keys as whoever runs it would make them."""

    server: Server
    keys: KeyStore

    def key(self, *scopes: Scope, galleries: list[str] | None = None) -> str:
        """A new key; by default bound to a new gallery that does not exist yet."""
        bound = [f"c-{uuid4().hex}"] if galleries is None else galleries
        _, token = self.keys.create("test", scopes or ALL_BUT_ADMIN, galleries=bound or None)
        self._wait_until_known(str(token))
        return str(token)

    def http(self, key: str | None) -> httpx.Client:
        """A client that sends the key and holds every answer to the document."""
        headers = {} if key is None else {"x-api-key": key}
        hooks = {"response": [lambda response: response.read(), assert_documented]}
        return httpx.Client(base_url=self.server.http.base_url, headers=headers, timeout=60, event_hooks=hooks)

    def _wait_until_known(self, token: str) -> None:
        while self.server.http.get("/model", headers={"x-api-key": token}).status_code == 401:
            assert self.server.process.poll() is None


@pytest.fixture(scope="session")
def compreface(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CompreFaceServer]:
    database: Path = tmp_path_factory.mktemp("compreface") / "sameface.db"
    engine = open_engine(f"sqlite:///{database}")
    migrate(engine)
    keys = KeyStore(engine)
    keys.create("first", [Scope.METRICS])  # from now on, every caller needs one
    settings = {"SAMEFACE_COMPREFACE": "true", "SAMEFACE_KEY_REFRESH_SECONDS": "0.05", "SAMEFACE_STORE_CROPS": "true"}
    with serving(database, SAMEFACE_IMAGE_WORKERS="2", **settings) as server:
        yield CompreFaceServer(server, keys)
    engine.dispose()


@pytest.fixture
def http(compreface: CompreFaceServer) -> Iterator[httpx.Client]:
    """Requests of a collection of its own."""
    with compreface.http(compreface.key()) as client:
        yield client


def photograph(data: bytes) -> dict[str, Any]:
    """The form that most requests send."""
    return {"files": {"file": ("photograph.jpg", data, "image/jpeg")}}


def add(http: httpx.Client, subject: str, data: bytes) -> str:
    """Save an example, and return its image_id."""
    answer = http.post("/api/v1/recognition/faces", params={"subject": subject}, **photograph(data))
    assert answer.status_code == 201, answer.text
    image_id: str = answer.json()["image_id"]
    return image_id
