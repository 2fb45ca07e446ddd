"""Keys come back as they were made, and stay when they are revoked."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from app.errors import BadRequest
from app.keys.key import Scope
from app.keys.store import KeyStore


def test_keys_come_back_as_they_were_made(keys: KeyStore) -> None:
    until = datetime.now(UTC) + timedelta(days=1)
    free, _ = keys.create("free", [Scope.ADMIN])
    bound, _ = keys.create("bound", [Scope.ENROLL, Scope.IDENTIFY], galleries=["b", "a"], expires_at=until)
    assert keys.all() == [free, bound]


def test_the_secret_is_nowhere_in_the_database(keys: KeyStore, migrated_engine: sa.Engine) -> None:
    _, token = keys.create("any", [Scope.VERIFY])
    with migrated_engine.begin() as connection:
        row = connection.exec_driver_sql("SELECT * FROM api_keys").one()
    assert token.secret not in repr(tuple(row))


def test_a_revoked_key_stays_with_the_time_it_was_revoked_first(keys: KeyStore) -> None:
    key, _ = keys.create("any", [Scope.VERIFY])
    first = keys.revoke(key.key_id)
    assert first.revoked_at is not None
    assert not first.usable(datetime.now(UTC))
    assert keys.revoke(key.key_id) == first
    assert keys.all() == [first]


def test_an_unknown_key_cannot_be_revoked(keys: KeyStore) -> None:
    with pytest.raises(BadRequest, match="no key 'nobody'"):
        keys.revoke("nobody")


def test_a_scope_of_a_later_version_permits_nothing(keys: KeyStore, migrated_engine: sa.Engine) -> None:
    key, _ = keys.create("any", [Scope.VERIFY])
    with migrated_engine.begin() as connection:
        connection.exec_driver_sql('UPDATE api_keys SET scopes = \'["verify", "fly"]\'')
    assert keys.all() == [key]
