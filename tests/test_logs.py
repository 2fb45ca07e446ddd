"""What a line of the log says, in both formats."""

import json
import logging
import sys
from collections.abc import Iterator

import pytest

from app import logs
from app.logs import JsonFormatter, TextFormatter, configure_logging


def record(message: str, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("app.api.context", logging.INFO, __file__, 1, message, (), None)
    made.__dict__.update(extra)
    return made


@pytest.fixture(autouse=True)
def within_a_request() -> Iterator[None]:
    request, key = logs.request_id.set("r1"), logs.key_id.set("k1")
    yield
    logs.request_id.reset(request)
    logs.key_id.reset(key)


FACTS = {"route": "/verify", "status": 200, "took_ms": 12.5, "code": None, "audit": {"action": "verify"}}


def test_json_holds_the_facts_as_members() -> None:
    line = json.loads(JsonFormatter().format(record("request", facts=FACTS)))
    assert line.items() >= {"message": "request", "request_id": "r1", "key_id": "k1", **FACTS}.items()


def test_text_ends_in_the_same_facts() -> None:
    line = TextFormatter("%(levelname)s %(message)s").format(record("request", facts=FACTS))
    told = 'INFO request request_id=r1 key_id=k1 route=/verify status=200 took_ms=12.5 audit={"action": "verify"}'
    assert line == told


def test_a_traceback_follows_the_line() -> None:
    try:
        raise ZeroDivisionError("why")
    except ZeroDivisionError:
        failed = record("it failed", exc_info=sys.exc_info())
    first, *rest = TextFormatter("%(message)s").format(failed).splitlines()
    assert first == "it failed request_id=r1 key_id=k1"
    assert rest[-1] == "ZeroDivisionError: why"


def test_debugging_does_not_tell_what_a_photograph_says_of_its_owner() -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        configure_logging("debug", "json")
        assert not logging.getLogger("PIL.TiffImagePlugin").isEnabledFor(logging.DEBUG)
        assert logging.getLogger("app").isEnabledFor(logging.DEBUG)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
