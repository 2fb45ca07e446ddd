"""A database's URL and password from files, so that they stand in no environment."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from app.errors import ConfigurationError
from app.settings import load_settings

WITHOUT_PASSWORD = "postgresql+psycopg://sameface@postgres:5433/faces?sslmode=require"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "DATABASE_URL_FILE", "DATABASE_PASSWORD_FILE"):
        monkeypatch.delenv(f"SAMEFACE_{name}", raising=False)


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return tmp_path / "secret"


@pytest.mark.parametrize("password", ["plain", "a:b@c/d?e#f%20 g", "ünïcode", "trailing space "])
def test_a_password_from_a_file_arrives_as_it_is(secret: Path, monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    secret.write_text(f"{password}\n")
    monkeypatch.setenv("SAMEFACE_DATABASE_URL", WITHOUT_PASSWORD)
    monkeypatch.setenv("SAMEFACE_DATABASE_PASSWORD_FILE", str(secret))
    url = sa.make_url(load_settings().database_url)
    assert url == sa.make_url(WITHOUT_PASSWORD).set(password=password)


def test_a_whole_url_comes_from_a_file(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret.write_text("postgresql+psycopg://sameface:hunter2@postgres/faces\r\n")
    monkeypatch.setenv("SAMEFACE_DATABASE_URL_FILE", str(secret))
    assert load_settings().database_url == "postgresql+psycopg://sameface:hunter2@postgres/faces"


@pytest.mark.parametrize(
    ("environment", "content", "fault"),
    [
        ({"DATABASE_URL": WITHOUT_PASSWORD, "DATABASE_URL_FILE": "{secret}"}, "sqlite:///x.db", "unset"),
        ({"DATABASE_URL_FILE": "{secret}", "DATABASE_PASSWORD_FILE": "{secret}"}, "sqlite:///x.db", "unset"),
        ({"DATABASE_URL_FILE": "{secret}"}, "mysql://user:hunter2@place/faces", "must begin with"),
        ({"DATABASE_URL_FILE": "{secret}"}, "\n", "is empty"),
        ({"DATABASE_URL_FILE": "/nowhere/url"}, "", "No such file"),
        ({"DATABASE_PASSWORD_FILE": "{secret}"}, "hunter2", "needs a SAMEFACE_DATABASE_URL"),
        ({"DATABASE_URL": "sqlite:///x.db", "DATABASE_PASSWORD_FILE": "{secret}"}, "hunter2", "with a user"),
        (
            {"DATABASE_URL": "postgresql://user:other@place/faces", "DATABASE_PASSWORD_FILE": "{secret}"},
            "hunter2",
            "without a password",
        ),
    ],
    ids=["two urls", "url and password", "kind", "empty", "missing", "no url", "sqlite", "two passwords"],
)
def test_what_contradicts_itself_is_refused_without_a_word_of_the_secret(
    secret: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], content: str, fault: str
) -> None:
    secret.write_text(content)
    for name, value in environment.items():
        monkeypatch.setenv(f"SAMEFACE_{name}", value.format(secret=secret))
    with pytest.raises(ConfigurationError) as refusal:
        load_settings()
    assert fault in refusal.value.message
    assert "SAMEFACE_DATABASE" in refusal.value.message
    assert "hunter2" not in refusal.value.message


def test_a_file_that_is_not_text_is_refused(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret.write_bytes(b"\xff\xfe\x00")
    monkeypatch.setenv("SAMEFACE_DATABASE_URL_FILE", str(secret))
    with pytest.raises(ConfigurationError, match="it is not text"):
        load_settings()
