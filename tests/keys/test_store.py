"""Keys come back as they were made, and stay when they are revoked."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from app.errors import BadRequest
from app.gallery import audit
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


def test_keys_that_are_made_and_revoked_are_in_the_audit_log(keys: KeyStore, migrated_engine: sa.Engine) -> None:
    key, token = keys.create("gate", [Scope.IDENTIFY], galleries=["staff"])
    for _ in range(2):  # the second time nothing changes
        keys.revoke(key.key_id)
    with migrated_engine.connect() as connection:
        made, ended = (json.loads(row.entry) for row in audit.rows(connection))
        assert audit.verify(connection).fault is None
    assert (made["action"], made["of_key"], made["name"]) == ("create_key", key.key_id, "gate")
    assert (made["scopes"], made["galleries"]) == (["identify"], ["staff"])
    assert (ended["action"], ended["of_key"]) == ("revoke_key", key.key_id)
    assert token.secret not in json.dumps(made)
