"""`sameface keys` as an operator uses it."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.commands.keys import parse_expiry
from app.errors import BadRequest
from app.keys.key import Token
from tests.commands.conftest import Command
from tests.processes import environment, run, serving

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_a_key_is_made_shown_once_listed_and_revoked(tmp_path: Path) -> None:
    env = environment(tmp_path / "sameface.db")
    bound = ("--scope", "identify", "--scope", "enroll", "--gallery", "staff", "--expires", "30d")
    made = run("keys", "create", "door camera", *bound, "--rate-limit", "5/second", env=env)
    assert made.returncode == 0, made.stderr
    token = Token.parse(made.stdout.strip())
    assert token is not None
    listed = run("keys", "list", "--json", env=env).stdout
    [facts] = json.loads(listed)
    assert (facts["key_id"], facts["name"]) == (token.key_id, "door camera")
    assert (facts["scopes"], facts["galleries"]) == (["enroll", "identify"], ["staff"])
    assert facts["rate_limit"] == "5/second"
    assert datetime.fromisoformat(facts["expires_at"]) - datetime.now(UTC) < timedelta(days=30)
    assert token.secret not in listed
    assert "is revoked" in run("keys", "revoke", token.key_id, env=env).stdout
    table = run("keys", "list", env=env | {"COLUMNS": "200"}).stdout
    assert "revoked 2" in table
    assert token.secret not in table


def test_a_name_is_shown_as_it_was_given(sameface: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Square brackets are no markup."""
    for name in ("backup [/old]", "door [lobby]"):
        assert sameface("keys", "create", name, "--scope", "verify").exit_code == 0
    told = sameface("keys", "list")
    assert told.exit_code == 0
    assert "backup [/old]" in told.stdout
    assert "door [lobby]" in told.stdout


def test_a_running_service_follows_the_command(tmp_path: Path) -> None:
    database = tmp_path / "sameface.db"
    env = environment(database)

    def until(status: int, headers: dict[str, str]) -> None:
        deadline = time.monotonic() + 10
        while server.http.get("/model", headers=headers).status_code != status:
            assert time.monotonic() < deadline, f"no {status}"
            time.sleep(0.05)

    with serving(database, SAMEFACE_KEY_REFRESH_SECONDS="0.2") as server:
        until(200, {})
        token = run("keys", "create", "any", "--scope", "verify", env=env).stdout.strip()
        until(401, {})
        until(200, {"X-API-Key": token})
        run("keys", "revoke", token.split("_")[1], env=env)
        until(401, {"X-API-Key": token})
        assert server.http.get("/model").status_code == 401
        assert server.http.get("/health/ready").status_code == 200
        assert token not in server.log.read_text()


def test_json_has_the_key_for_scripts(tmp_path: Path) -> None:
    made = run("keys", "create", "ci", "--scope", "verify", "--json", env=environment(tmp_path / "sameface.db"))
    facts = json.loads(made.stdout)
    token = Token.parse(facts["key"])
    assert token is not None
    assert (token.key_id, facts["scopes"]) == (facts["key_id"], ["verify"])


def test_a_revoked_key_and_a_mistake_are_told_as_json(sameface: Command) -> None:
    made = json.loads(sameface("keys", "create", "ci", "--scope", "verify", "--json").stdout)
    revoked = json.loads(sameface("keys", "revoke", made["key_id"], "--json").stdout)
    assert (revoked["key_id"], revoked["name"]) == (made["key_id"], "ci")
    assert datetime.now(UTC) - datetime.fromisoformat(revoked["revoked_at"]) < timedelta(minutes=5)
    assert "key" not in revoked
    told = sameface("keys", "revoke", "nobody", "--json")
    assert told.exit_code == 2
    assert json.loads(told.stdout)["error"]["code"] == "bad_request"


def test_mistakes_are_told_in_a_sentence(tmp_path: Path) -> None:
    env = environment(tmp_path / "sameface.db")
    for arguments, fault in (
        (("create", "x", "--scope", "verify", "--expires", "soon"), "--expires soon"),
        (("revoke", "nobody"), "there is no key 'nobody'"),
    ):
        ended = run("keys", *arguments, env=env)
        assert ended.returncode == 2
        assert fault in ended.stderr
        assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("text", "time"),
    [
        (None, None),
        ("12h", NOW + timedelta(hours=12)),
        ("30d", NOW + timedelta(days=30)),
        ("2w", NOW + timedelta(weeks=2)),
        ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31T12:00+02:00", datetime(2027, 1, 31, 10, tzinfo=UTC)),
    ],
)
def test_an_expiry_is_a_duration_or_a_time(text: str | None, time: datetime | None) -> None:
    assert parse_expiry(text, NOW) == time


@pytest.mark.parametrize("text", ["", "30", "d", "30y", "99999w9", "2027-13-01", "-1d", "9999-12-31T23:00-12:00"])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="--expires"):
        parse_expiry(text)
