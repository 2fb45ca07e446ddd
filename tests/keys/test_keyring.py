"""The keys in memory: soon in step with the database, and still there when it is away."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from app.errors import NotReady, Unauthenticated
from app.gallery.migration import downgrade
from app.keys.key import Scope
from app.keys.keyring import Keyring
from app.keys.store import KeyStore

REFRESH_SECONDS = 0.05


@pytest.fixture
def keyring(keys: KeyStore) -> Iterator[Keyring]:
    keyring = Keyring(keys, refresh_seconds=REFRESH_SECONDS)
    keyring.start()
    yield keyring
    keyring.stop()


def eventually(condition: object) -> bool:
    deadline = time.monotonic() + 10
    while not condition():  # type: ignore[operator]
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def reason(keyring: Keyring, token: object) -> object:
    try:
        keyring.authenticate(str(token))
    except Unauthenticated as error:
        return error.facts["reason"]
    return None


def test_a_valid_token_is_its_key(keys: KeyStore) -> None:
    key, token = keys.create("any", [Scope.VERIFY])
    keyring = Keyring(keys, refresh_seconds=60)
    keyring.refresh()
    assert keyring.authenticate(str(token)) == key


def test_keys_are_asked_for_from_the_first_one_on_and_for_good(keys: KeyStore, keyring: Keyring) -> None:
    assert not keyring.required
    key, token = keys.create("any", [Scope.VERIFY])
    assert eventually(lambda: keyring.required)
    assert reason(keyring, token) is None
    keys.revoke(key.key_id)
    assert eventually(lambda: reason(keyring, token) == "revoked")
    assert keyring.required


def test_an_expiry_counts_at_once(keys: KeyStore) -> None:
    _, token = keys.create("any", [Scope.VERIFY], expires_at=datetime.now(UTC) + timedelta(seconds=0.3))
    keyring = Keyring(keys, refresh_seconds=60)
    keyring.refresh()
    assert reason(keyring, token) is None
    assert eventually(lambda: reason(keyring, token) == "expired")


def test_a_right_id_with_a_wrong_secret_is_invalid(keys: KeyStore) -> None:
    _, one = keys.create("one", [Scope.VERIFY])
    _, other = keys.create("other", [Scope.VERIFY])
    keyring = Keyring(keys, refresh_seconds=60)
    keyring.refresh()
    assert reason(keyring, f"sameface_{one.key_id}_{other.secret}") == "invalid"
    assert reason(keyring, "nonsense") == "invalid"


def test_keys_stay_valid_while_the_database_is_away(
    keys: KeyStore, keyring: Keyring, migrated_engine: sa.Engine
) -> None:
    _, token = keys.create("any", [Scope.VERIFY])
    assert eventually(lambda: keyring.required)
    downgrade(migrated_engine, "base")
    assert eventually(lambda: keyring._failing)
    assert reason(keyring, token) is None


def test_a_database_that_is_away_at_the_start_is_told() -> None:
    engine = sa.create_engine("postgresql+psycopg://127.0.0.1:1/nothing")
    with pytest.raises(NotReady):
        Keyring(KeyStore(engine), refresh_seconds=1).start()


def test_the_thread_ends(keys: KeyStore) -> None:
    keyring = Keyring(keys, refresh_seconds=60)
    keyring.start()
    keyring.stop()
    assert not keyring._thread.is_alive()
