"""The API over an index on Milvus: found when enrolled, not found when erased; 503 while Milvus is away."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.main import open_service
from app.settings import Settings
from tests.api.conftest import Client, client_with
from tests.gallery.milvus_server import LiteServer, skip_without_milvus


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiteServer]:
    skip_without_milvus()
    server = LiteServer(tmp_path / "milvus")
    yield server
    server.stop()


def settings(folder: Path, uri: str, **given: object) -> Settings:
    return Settings(
        database_url=f"sqlite:///{folder}/sameface.db",
        index="milvus",
        milvus_uri=uri,
        milvus_timeout_seconds=3,
        index_wait_seconds=20,
        follow_interval_seconds=0.1,
        image_workers=2,
        embedder_threads=1,
        **given,  # type: ignore[arg-type]
    )


@contextmanager
def served(settings: Settings) -> Iterator[Client]:
    with open_service(settings) as service:
        yield client_with(service, settings)


def enroll(client: Client, photo: bytes, subject_id: str = "ada") -> dict[str, object]:
    answer = client.post("/gallery/enroll", files={"image": photo}, data={"subject_id": subject_id, "name": "Ada"})
    assert answer.status_code == 201
    document: dict[str, object] = answer.json()
    return document


def identified(client: Client, photo: bytes, **fields: object) -> list[tuple[str, str]]:
    answer = client.post("/identify", files={"image": photo}, data=fields)
    assert answer.status_code == 200
    [face] = answer.json()["faces"]
    return [(candidate["subject_id"], candidate["name"]) for candidate in face["candidates"]]


def test_who_is_enrolled_is_identified_until_erased(tmp_path: Path, portrait: bytes, portrait_again: bytes) -> None:
    skip_without_milvus()
    with served(settings(tmp_path, f"{tmp_path}/milvus.db")) as client:
        enrolled = enroll(client, portrait)
        assert enrolled["indexed"] is True
        assert identified(client, portrait_again, min_revision=enrolled["revision"]) == [("ada", "Ada")]
        assert client.get("/health/ready").json()["status"] == "ready"
        assert client.request("DELETE", "/gallery/subjects/ada").status_code == 200
        assert identified(client, portrait_again) == []


def test_while_milvus_is_away_only_identification_waits(
    tmp_path: Path, server: LiteServer, portrait: bytes, portrait_again: bytes
) -> None:
    with served(settings(tmp_path, server.uri)) as client:
        enroll(client, portrait)
        server.stop()
        refused = client.post("/identify", files={"image": portrait_again})
        assert (refused.status_code, refused.json()["code"]) == (503, "not_ready")
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["content-type"] == "application/problem+json"
        both = {"image1": portrait, "image2": portrait_again}
        assert client.post("/verify", files=both).json()["verified"] is True
        assert enroll(client, portrait_again, "bob")["indexed"] is False
        rejecting = {"subject_id": "cleo", "on_duplicate": "reject"}
        assert client.post("/gallery/enroll", files={"image": portrait}, data=rejecting).status_code == 503
        ready = client.get("/health/ready")
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
        assert ready.json()["checks"]["index"]["facts"]["available"] == 0
        assert "sameface_index_available 0.0" in client.get("/metrics").text
        server.start()
        found = client.post("/identify", files={"image": portrait_again}, data={"min_revision": 3})
        while found.status_code == 503:
            found = client.post("/identify", files={"image": portrait_again}, data={"min_revision": 3})
        [face] = found.json()["faces"]
        assert {candidate["subject_id"] for candidate in face["candidates"]} == {"ada", "bob"}


def test_the_service_starts_while_milvus_is_away(tmp_path: Path, server: LiteServer, portrait: bytes) -> None:
    server.stop()
    with served(settings(tmp_path, server.uri)) as client:
        assert client.post("/verify", files={"image1": portrait, "image2": portrait}).status_code == 200
        assert client.post("/identify", files={"image": portrait}).status_code == 503
        server.start()
