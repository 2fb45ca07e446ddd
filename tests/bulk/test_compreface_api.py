"""Photographs are fetched from a running CompreFace, page by page, and asked for again where it fails."""

import httpx
import pytest

from app.bulk import compreface_api
from app.bulk.compreface_api import CompreFaceApi
from app.client import Unreachable
from app.errors import ConfigurationError
from tests.bulk.compreface import KEY, Api


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compreface_api.time, "sleep", lambda _: None)


def test_all_pages_are_read_and_photographs_as_they_are_wanted(compreface_api: Api) -> None:
    compreface_api.examples = [(f"i{number}", f"s{number % 2}", bytes([number])) for number in range(5)]
    with CompreFaceApi(compreface_api.url, KEY) as compreface:
        found = compreface.photographs()
        assert [(photograph.image_id, photograph.subject) for photograph in found] == [
            (image_id, subject) for image_id, subject, _ in compreface_api.examples
        ]
        assert len(compreface_api.asked) == 3
        assert [photograph.read() for photograph in found] == [file for _, _, file in compreface_api.examples]


def test_an_example_without_a_photograph_is_empty(compreface_api: Api) -> None:
    compreface_api.examples = [("i1", "a", b"")]
    with CompreFaceApi(compreface_api.url, KEY) as compreface:
        assert compreface.photographs()[0].read() == b""


def test_a_server_that_fails_for_a_moment_is_asked_again(compreface_api: Api) -> None:
    compreface_api.examples = [("i1", "a", b"x")]
    compreface_api.failures = 3
    with CompreFaceApi(compreface_api.url, KEY) as compreface:
        assert len(compreface.photographs()) == 1
    compreface_api.failures = 4
    with (
        CompreFaceApi(compreface_api.url, KEY) as compreface,
        pytest.raises(ConfigurationError, match=r"500 .*went wrong"),
    ):
        compreface.photographs()


def test_a_refusal_is_told_in_compreface_s_words(compreface_api: Api) -> None:
    with (
        CompreFaceApi(compreface_api.url, "wrong") as compreface,
        pytest.raises(ConfigurationError, match=r"404 .*not found"),
    ):
        compreface.photographs()


def test_a_server_that_is_not_there_is_told() -> None:
    with CompreFaceApi("http://127.0.0.1:1", KEY) as compreface, pytest.raises(Unreachable, match=r"127\.0\.0\.1:1"):
        compreface.photographs()


@pytest.mark.parametrize("answer", [httpx.Response(200, text="<html>"), httpx.Response(200, json={"a": 1})])
def test_what_is_not_compreface_is_told(monkeypatch: pytest.MonkeyPatch, answer: httpx.Response) -> None:
    monkeypatch.setattr(httpx.Client, "get", lambda *_, **__: answer)
    with (
        CompreFaceApi("http://127.0.0.1:1", KEY) as compreface,
        pytest.raises(ConfigurationError, match="not CompreFace"),
    ):
        compreface.photographs()


def test_a_redirection_is_no_photograph(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = httpx.Response(301, headers={"location": "https://elsewhere"}, content=b"moved")
    monkeypatch.setattr(httpx.Client, "get", lambda *_, **__: answer)
    with CompreFaceApi("http://127.0.0.1:1", KEY) as compreface, pytest.raises(ConfigurationError, match="301"):
        compreface._photograph("i1")
