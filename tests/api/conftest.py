"""The whole HTTP stack over the real service, without a socket."""

import asyncio
import functools
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.main import create_app
from app.service import FaceService
from app.settings import Settings
from tests.api.documented import assert_in_document


@functools.cache
def document() -> dict[str, Any]:
    """The OpenAPI document."""
    return create_app(Settings()).openapi()


def assert_documented(response: httpx.Response) -> None:
    """Whatever is tested of the API, it answers no status that the OpenAPI document does not tell of."""
    assert_in_document(response, document())


class Client:
    """Requests answered in this process, one at a time or several at once."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.together((method, path, options))[0]

    def together(self, *requests: tuple[str, str, dict[str, Any]]) -> list[httpx.Response]:
        async def scenario() -> list[httpx.Response]:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=60) as http:
                asked = (http.request(method, path, **options) for method, path, options in requests)
                return await asyncio.gather(*asked)

        responses = asyncio.run(scenario())
        for response in responses:
            assert_documented(response)
        return responses

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.request("POST", path, **options)


def client_with(service: FaceService, settings: Settings) -> Client:
    """A client of an application with other settings, over a service that is open already."""
    app = create_app(settings)
    app.state.service = service
    return Client(app)


@pytest.fixture(scope="session")
def client(service: FaceService, settings: Settings) -> Client:
    return client_with(service, settings)
