"""Readiness tells what is wrong, and how bad that is."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.main import open_service
from app.service import FaceService
from app.settings import Settings
from tests.api.conftest import client_with


@pytest.fixture
def own_service(settings: Settings, tmp_path: Path) -> Iterator[FaceService]:
    """A service that a test may break."""
    own = settings.model_copy(update={"database_url": f"sqlite:///{tmp_path / 'own.db'}", "max_index_lag_seconds": 0.5})
    with open_service(own) as opened:
        yield opened


def test_a_sound_service_is_alive_and_ready(service: FaceService) -> None:
    client = client_with(service, service.settings)
    assert client.get("/health/live").json() == {"status": "alive"}
    response = client.get("/health/ready")
    assert response.status_code == 200
    answer = response.json()
    assert answer["status"] == "ready"
    assert {name: check["ok"] for name, check in answer["checks"].items()} == {
        "model": True,
        "search": True,
        "index": True,
        "database": True,
        "disk": True,
    }


def test_readiness_names_what_runs_the_model(service: FaceService) -> None:
    answer = client_with(service, service.settings).get("/health/ready").json()
    assert answer["checks"]["model"]["facts"]["provider"] == "CPUExecutionProvider"


def test_being_asked_for_health_fills_no_log(service: FaceService, caplog: pytest.LogCaptureFixture) -> None:
    client = client_with(service, service.settings)
    with caplog.at_level("INFO", "app.api.context"):
        client.get("/health/ready")
        client.get("/health/live")
        assert caplog.records == []
        client.get("/model")
        assert len(caplog.records) == 1


def test_a_draining_service_is_not_ready(service: FaceService) -> None:
    client = client_with(service, service.settings)
    client.app.state.draining = True
    response = client.get("/health/ready")
    assert response.status_code == 503
    assert response.json()["checks"].keys() == {"serving"}
    assert client.get("/health/live").status_code == 200


def test_without_the_model_the_service_is_not_ready(own_service: FaceService) -> None:
    client = client_with(own_service, own_service.settings)
    own_service.pipeline.close()
    own_service.pipeline.inference._batcher._healthy = False  # as a failed batch leaves it
    response = client.get("/health/ready")
    assert response.status_code == 503
    assert response.json()["status"] == "not_ready"
    assert not response.json()["checks"]["model"]["ok"]


def test_an_index_that_follows_no_more_degrades_the_service(own_service: FaceService) -> None:
    client = client_with(own_service, own_service.settings)
    own_service.follower.stop()
    own_service.settings = own_service.settings.model_copy(update={"max_index_lag_seconds": 1e-9})
    response = client.get("/health/ready")
    assert response.status_code == 200
    assert response.json()["status"] == "degraded"
    assert not response.json()["checks"]["index"]["ok"]
    assert response.json()["checks"]["model"]["ok"]


def test_without_the_database_people_are_still_identified(own_service: FaceService, portrait: bytes) -> None:
    client = client_with(own_service, own_service.settings)
    database = Path(own_service.settings.database_url.removeprefix("sqlite:///"))
    with sqlite3.connect(database) as connection:
        connection.execute("DROP TABLE gallery_state")
    connection.close()
    answer = client.get("/health/ready").json()
    assert answer["status"] == "degraded"
    assert not answer["checks"]["database"]["ok"]
    assert client.post("/identify", files={"image": portrait}).status_code == 200


def test_a_disk_that_is_nearly_full_degrades_the_service(own_service: FaceService) -> None:
    client = client_with(own_service, own_service.settings)
    own_service.settings = own_service.settings.model_copy(update={"min_free_disk_bytes": 2**62})
    answer = client.get("/health/ready").json()
    assert answer["status"] == "degraded"
    assert not answer["checks"]["disk"]["ok"]
    assert answer["checks"]["disk"]["facts"]["free_bytes"] > 0


def test_searches_that_fail_degrade_the_service(own_service: FaceService) -> None:
    client = client_with(own_service, own_service.settings)
    own_service.searcher._batcher._healthy = False  # as a failed batch leaves it
    answer = client.get("/health/ready").json()
    assert answer["status"] == "degraded"
    assert not answer["checks"]["search"]["ok"]


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/model", "/docs", "/"])
def test_head_is_answered_as_get_without_the_body(service: FaceService, path: str) -> None:
    client = client_with(service, service.settings)
    whole, head = client.get(path), client.request("HEAD", path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.content))
