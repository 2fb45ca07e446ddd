"""Databases with people in them, and what a service answers about them."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from app.main import open_service
from app.settings import Settings
from tests.api.conftest import Client, client_with
from tests.gallery.conftest import postgres  # noqa: F401 - a fixture
from tests.gallery.crash.photographs import photographs

PEOPLE = 4
KEY = base64.b64encode(bytes(range(32))).decode()


class Deployment:
    """The service over one database, opened for each question as a restart would."""

    def __init__(self, settings: Settings, database_url: str) -> None:
        # Photographs of one portrait: it is their distances that must stay.
        self.settings = settings.model_copy(
            update={"database_url": database_url, "template_keys": SecretStr(KEY), "min_face_px": 60.0}
        )

    def enroll(self) -> None:
        """PEOPLE subjects, each with a photograph, a name and metadata; one of them erased again."""
        with open_service(self.settings) as service:
            client = client_with(service, self.settings)
            for number, photograph in enumerate(photographs()[:PEOPLE]):
                fields = {
                    "subject_id": f"emp-{number}",
                    "name": f"Person {number}",
                    "metadata": {"floor": number},
                    "on_duplicate": "allow",
                    "image": base64.b64encode(photograph).decode(),
                }
                assert client.post("/gallery/enroll", json=fields).status_code == 201
            assert client.request("DELETE", "/gallery/subjects/emp-1").status_code == 200

    def answers(self) -> list[Any]:
        """Who is like each photograph and how much, and who is enrolled."""
        with open_service(self.settings) as service:
            client = client_with(service, self.settings)
            return [*(_candidates(client, photograph) for photograph in photographs()), _subjects(client)]


def _candidates(client: Client, photograph: bytes) -> list[tuple[str, str, float]]:
    fields = {"image": base64.b64encode(photograph).decode(), "threshold": 4.0, "top_k": 100}
    answer = client.post("/identify", json=fields).json()
    (face,) = answer["faces"]
    return [(row["subject_id"], row["face_id"], row["distance"]) for row in face["candidates"]]


def _subjects(client: Client) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client.get("/gallery/subjects").json()["items"]
    assert [item["subject_id"] for item in items] == ["emp-0", "emp-2", "emp-3"]
    return items


@pytest.fixture
def new_database(postgres: Any) -> Iterator[str]:  # noqa: F811
    """The name of an empty PostgreSQL database."""
    from tests.gallery.conftest import run_sql

    run_sql(postgres.get_uri(), "CREATE DATABASE deployed")
    yield "deployed"
    run_sql(postgres.get_uri(), "DROP DATABASE deployed WITH (FORCE)")
