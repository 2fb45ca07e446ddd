"""What a key is: random, hashed, scoped, bound, ending."""

from datetime import UTC, datetime, timedelta

import pytest

from app.errors import BadRequest
from app.keys.key import Scope, Token, new_key

NOW = datetime.now(UTC)


def test_a_token_is_read_as_it_was_written() -> None:
    key, token = new_key("camera", [Scope.IDENTIFY])
    assert Token.parse(str(token)) == token
    assert token.key_id == key.key_id
    assert key.has_secret(token.secret)


def test_a_key_does_not_hold_its_secret_nor_show_it() -> None:
    key, token = new_key("camera", [Scope.IDENTIFY])
    assert token.secret not in repr(key)
    assert token.secret not in repr(token)
    assert len(token.secret) == 43  # 256 bits in base64


def test_keys_differ() -> None:
    tokens = [new_key("camera", [Scope.IDENTIFY])[1] for _ in range(100)]
    assert len({token.key_id for token in tokens}) == len({token.secret for token in tokens}) == 100


def test_another_secret_is_not_the_keys() -> None:
    key, token = new_key("camera", [Scope.IDENTIFY])
    assert not key.has_secret(token.secret[:-1] + ("A" if token.secret[-1] != "A" else "B"))
    assert not key.has_secret(new_key("other", [Scope.IDENTIFY])[1].secret)
    assert not key.has_secret("")


@pytest.mark.parametrize("text", ["", "sameface_", "secret", "sameface_0123456789ab_short", "sämeface_x", "x" * 10_000])
def test_what_is_no_token_is_not_taken_for_one(text: str) -> None:
    assert Token.parse(text) is None


@pytest.mark.parametrize("scope", Scope)
def test_a_scope_permits_itself_and_admin_permits_everything(scope: Scope) -> None:
    key, _ = new_key("any", [scope])
    permitted = {other for other in Scope if key.permits([other])}
    assert permitted == (set(Scope) if scope is Scope.ADMIN else {scope})


def test_a_bound_key_reaches_its_galleries_only() -> None:
    bound, _ = new_key("any", [Scope.ADMIN], galleries=["staff"])
    free, _ = new_key("any", [Scope.ADMIN])
    assert bound.reaches("staff")
    assert not bound.reaches("default")
    assert free.reaches("default")


def test_a_key_ends_at_its_expiry() -> None:
    key, _ = new_key("any", [Scope.VERIFY], expires_at=NOW + timedelta(hours=1))
    assert key.usable(NOW)
    assert not key.usable(NOW + timedelta(hours=1))


@pytest.mark.parametrize(
    ("fault", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"scopes": []}, "scope"),
        ({"galleries": []}, "gallery"),
        ({"galleries": ["no such/name"]}, "gallery"),
        ({"expires_at": NOW - timedelta(seconds=1)}, "expires"),
        ({"rate_limit": "often"}, "rate_limit"),
        ({"rate_limit": ""}, "rate_limit"),
        ({"rate_limit": ";".join(["1/second"] * 20)}, "rate_limit"),
    ],
)
def test_a_key_of_no_use_is_not_made(fault: dict[str, object], field: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        new_key(**{"name": "any", "scopes": [Scope.VERIFY]} | fault)
    assert refusal.value.field == field
