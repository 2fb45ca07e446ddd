"""What the service records, encrypts and forgets, by its settings."""

import asyncio
import base64
import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from app import logs
from app.errors import BadRequest, ConfigurationError, Overloaded
from app.gallery import audit
from app.gallery.engine import open_engine
from app.gallery.tables import faces
from app.main import open_service
from app.settings import Settings

WAIT_SECONDS = 60.0


@pytest.fixture(scope="module")
def keeping(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings that encrypt, record every decision, and sweep often."""
    database = tmp_path_factory.mktemp("keeping") / "sameface.db"
    update = {
        "database_url": f"sqlite:///{database}",
        "template_keys": SecretStr(base64.b64encode(os.urandom(32)).decode()),
        "audit_decisions": True,
        "sweep_interval_seconds": 0.1,
    }
    return settings.model_copy(update=update)


@pytest.fixture
def engine(keeping: Settings) -> Iterator[sa.Engine]:
    engine = open_engine(keeping.database_url)
    yield engine
    engine.dispose()


def entries(engine: sa.Engine) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        assert audit.verify(connection).fault is None
        return [json.loads(row.entry) for row in audit.rows(connection)]


def test_decisions_are_in_the_audit_log_when_the_service_has_stopped(
    keeping: Settings, engine: sa.Engine, portrait: bytes, portrait_again: bytes
) -> None:
    request, key = logs.request_id.set("request-1"), logs.key_id.set("key-1")
    try:
        with open_service(keeping) as service:
            verified = asyncio.run(service.verify(portrait, portrait_again))
            asyncio.run(service.enroll("collins", [portrait]))
            identified = asyncio.run(service.identify(portrait_again))
            unknown = asyncio.run(service.identify(portrait_again, threshold=0.0))
    finally:
        logs.request_id.reset(request)
        logs.key_id.reset(key)
    found = entries(engine)
    assert {(entry["key_id"], entry["request_id"]) for entry in found} == {("key-1", "request-1")}
    assert {entry["action"] for entry in found} == {"verify", "enroll", "identify"}
    [match] = [entry for entry in found if entry["action"] == "verify"]
    assert (match["decision"], match["distance"], match["threshold"]) == (
        "match",
        verified.distance,
        verified.threshold,
    )
    hit, miss = [entry for entry in found if entry["action"] == "identify"]
    [candidate] = identified.faces[0].candidates
    assert (hit["decision"], hit["subject_id"], hit["distance"]) == ("identified", "collins", candidate.distance)
    assert (hit["gallery"], hit["revision"]) == ("default", identified.gallery.revision)
    assert (miss["decision"], miss["distance"], miss["threshold"]) == ("unknown", candidate.distance, 0)
    assert "subject_id" not in miss
    assert unknown.faces[0].candidates == []


def test_a_decision_that_cannot_be_recorded_is_not_given(
    keeping: Settings, portrait: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_service(keeping.model_copy(update={"max_audit_queue": 1})) as service:
        log = service.decisions._log
        assert log is not None
        log.add([audit.entry("verify")])
        monkeypatch.setattr(log, "_room", _NoRoom())
        with pytest.raises(Overloaded):
            asyncio.run(service.verify(portrait, portrait))


class _NoRoom:
    def acquire(self, blocking: bool) -> bool:
        return False

    def release(self) -> None:
        pass


def test_embeddings_are_encrypted_and_another_key_is_refused(
    keeping: Settings, engine: sa.Engine, portrait: bytes
) -> None:
    with open_service(keeping) as service:
        asyncio.run(service.enroll("encrypted", [portrait]))
        embedding = asyncio.run(service.pipeline.embed(portrait)).embedding.tobytes()
    with engine.connect() as connection:
        vectors = list(connection.execute(sa.select(faces.c.vector).where(faces.c.vector.is_not(None))).scalars())
    assert vectors
    assert not any(embedding[:16] in vector for vector in vectors)
    without = keeping.model_copy(update={"template_keys": None})
    with pytest.raises(ConfigurationError, match="rotate-key"), open_service(without):
        pass


def test_who_expires_is_erased_by_itself(keeping: Settings, portrait: bytes) -> None:
    with open_service(keeping) as service:
        service.store.create_gallery("visitors")
        soon = datetime.now(UTC) + timedelta(seconds=4)
        asyncio.run(service.enroll("visitor", [portrait], gallery="visitors", expires_at=soon))
        assert service.store.subject("visitors", "visitor").expires_at == soon
        deadline = time.monotonic() + WAIT_SECONDS
        while service.searcher.index.state("visitors").faces:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert datetime.now(UTC) >= soon
        assert service.store.subjects("visitors") == []


@pytest.mark.parametrize("expires_at", [datetime(2020, 1, 1, tzinfo=UTC), datetime(2999, 1, 1)], ids=["over", "naive"])
def test_a_time_that_is_over_or_names_no_zone_is_refused(
    keeping: Settings, portrait: bytes, expires_at: datetime
) -> None:
    with open_service(keeping) as service, pytest.raises(BadRequest) as refusal:
        asyncio.run(service.enroll("visitor", [portrait], expires_at=expires_at))
    assert refusal.value.field == "expires_at"
