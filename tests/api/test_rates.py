"""Rates hold for each caller alone, and what is refused says when to come back."""

import time

import pytest

from app.api.rates import RateLimiter
from app.errors import ConfigurationError, RateLimited
from app.keys.key import Scope
from app.main import open_service
from app.service import FaceService
from app.settings import Settings, load_settings
from tests.api.conftest import client_with


def admitted(limiter: RateLimiter, caller: str, times: int, own_rates: str | None = None) -> int:
    count = 0
    for _ in range(times):
        try:
            limiter.admit(caller, own_rates)
        except RateLimited:
            continue
        count += 1
    return count


def test_each_caller_has_a_rate_of_its_own() -> None:
    limiter = RateLimiter("3/hour")
    assert [admitted(limiter, caller, 5) for caller in ("a", "b", "a")] == [3, 3, 0]


def test_every_one_of_several_rates_holds() -> None:
    limiter = RateLimiter("4/hour;2/second")
    assert admitted(limiter, "a", 5) == 2
    time.sleep(1.1)
    assert admitted(limiter, "a", 5) == 2
    time.sleep(1.1)
    assert admitted(limiter, "a", 5) == 0


def test_a_caller_may_have_rates_of_its_own() -> None:
    limiter = RateLimiter("1/hour")
    assert admitted(limiter, "a", 5, "3/hour") == 3
    assert admitted(limiter, "b", 5, "unlimited") == 5
    assert admitted(limiter, "c", 5) == 1
    assert admitted(RateLimiter(None), "a", 5, "2/hour") == 2
    assert admitted(RateLimiter(None), "a", 5) == 5


def test_a_refusal_says_how_long_to_wait() -> None:
    limiter = RateLimiter("1/minute")
    limiter.admit("a")
    with pytest.raises(RateLimited) as refusal:
        limiter.admit("a")
    assert 55 <= int(str(refusal.value.facts["retry_after_seconds"])) <= 60


@pytest.mark.parametrize("rate", ["often", "10", "0/second", "-1/second", ""])
def test_what_is_no_rate_is_refused_at_start(rate: str) -> None:
    with pytest.raises(ConfigurationError, match="SAMEFACE_RATE_LIMIT"):
        load_settings(rate_limit=rate)


def test_too_many_requests_are_answered_429_and_health_never_is(service: FaceService) -> None:
    client = client_with(service, service.settings.model_copy(update={"rate_limit": "2/minute"}))
    answers = [client.get("/model") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["code"] == "rate_limited"
    assert 1 <= int(answers[2].headers["retry-after"]) <= 60
    assert all(client.get("/health/live").status_code == 200 for _ in range(3))


def test_a_rate_is_counted_by_key_and_a_wrong_key_takes_nothing_from_it(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    database = tmp_path_factory.mktemp("rates") / "sameface.db"
    own = settings.model_copy(update={"database_url": f"sqlite:///{database}", "rate_limit": "1/minute"})
    with open_service(own) as service:
        keys = service.keyring._store
        tokens = [keys.create("any", [Scope.VERIFY])[1] for _ in range(2)]
        generous = str(keys.create("any", [Scope.VERIFY], rate_limit="3/minute")[1])
        service.keyring.refresh()
        client = client_with(service, own)
        wrong = f"sameface_{tokens[0].key_id}_{'A' * 43}"
        assert [client.get("/model", headers={"X-API-Key": wrong}).status_code for _ in range(2)] == [401, 401]
        for token in tokens:
            statuses = [client.get("/model", headers={"X-API-Key": str(token)}).status_code for _ in range(2)]
            assert statuses == [200, 429]
        statuses = [client.get("/model", headers={"X-API-Key": generous}).status_code for _ in range(4)]
        assert statuses == [200, 200, 200, 429]
