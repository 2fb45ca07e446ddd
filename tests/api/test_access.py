"""Who may do what: every endpoint with every kind of key, generated from the routes of the application itself."""

import asyncio
import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.routing import Mount, Route

from app import logs
from app.api.access import Access, GalleryIn, declared
from app.keys.key import Scope
from app.keys.store import KeyStore
from app.keys.table import api_keys
from app.main import create_app, open_service
from app.service import FaceService
from app.settings import Settings
from tests.api.conftest import Client, client_with

# Not routes of ours, and nothing in them but files of this repository.
FILES = {"/openapi.json", "/docs", "/docs/assets", "/", "/console/assets"}

# What a reviewer would look up first. Everything else is held to what its route declares.
REVIEWED: dict[str, tuple[tuple[Scope, ...], GalleryIn] | bool] = {
    "POST /verify": ((Scope.VERIFY,), GalleryIn.NOTHING),
    "POST /identify": ((Scope.IDENTIFY,), GalleryIn.BODY),
    "POST /gallery/enroll": ((Scope.ENROLL,), GalleryIn.BODY),
    "DELETE /gallery/subjects/{subject_id}": ((Scope.ENROLL,), GalleryIn.PARAMETER),
    "POST /cluster": ((Scope.VERIFY,), GalleryIn.NOTHING),
    "GET /cluster/jobs/{job_id}": ((Scope.VERIFY,), GalleryIn.NOTHING),
    "DELETE /cluster/jobs/{job_id}": ((Scope.VERIFY,), GalleryIn.NOTHING),
    "POST /galleries": ((Scope.ADMIN,), GalleryIn.ANY),
    "DELETE /galleries/{gallery}": ((Scope.ADMIN,), GalleryIn.PARAMETER),
    "POST /api/v1/recognition/recognize": ((Scope.IDENTIFY,), GalleryIn.KEY),
    "POST /api/v1/recognition/faces": ((Scope.ENROLL,), GalleryIn.KEY),
    "DELETE /api/v1/recognition/subjects": ((Scope.ENROLL,), GalleryIn.KEY),
    "POST /api/v1/verification/verify": ((Scope.VERIFY,), GalleryIn.NOTHING),
    "GET /health/live": True,
    "GET /health/ready": True,
}


def api_routes(routes: list[Any]) -> Iterator[APIRoute]:
    """All of them, those of included routers too."""
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        elif isinstance(router := getattr(route, "original_router", None), APIRouter):
            yield from api_routes(router.routes)
        else:
            assert isinstance(route, Route | Mount), f"{route} is of a kind that this test does not know"
            assert route.path in FILES, f"{route.path} is outside of what asks for keys"


# Settings that bring routes along.
OPTIONAL: dict[str, Any] = {"compreface": True}
APP = create_app(Settings(**OPTIONAL))
ROUTES = {
    f"{method} {route.path}": route for route in api_routes(APP.routes) for method in sorted(route.methods - {"HEAD"})
}


@dataclass(frozen=True, slots=True)
class Caller:
    """A token and what it should open; `reason` where it should open nothing."""

    token: str | None
    scope: Scope | None = None
    galleries: frozenset[str] | None = None
    reason: str | None = None


@pytest.fixture(scope="module")
def guarded(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaceService]:
    """A service that asks for keys."""
    database = tmp_path_factory.mktemp("guarded") / "sameface.db"
    with open_service(settings.model_copy(update={"database_url": f"sqlite:///{database}", **OPTIONAL})) as opened:
        yield opened


@pytest.fixture(scope="module")
def callers(guarded: FaceService) -> Mapping[str, Caller]:
    keys: KeyStore = guarded.keyring._store
    made = {"no key": Caller(None, reason="missing"), "nonsense": Caller("nonsense", reason="invalid")}
    for scope in Scope:
        for binding in (None, "mine", "other", "mine and other"):
            galleries = None if binding is None else binding.split(" and ")
            _, token = keys.create("any", [scope], galleries=galleries)
            bound = None if galleries is None else frozenset(galleries)
            made[f"{scope} key bound to {binding}"] = Caller(str(token), scope, bound)
    wrong = str(token)[:-1] + ("A" if str(token)[-1] != "A" else "B")
    made["wrong secret"] = Caller(wrong, reason="invalid")
    revoked, token = keys.create("any", [Scope.ADMIN])
    keys.revoke(revoked.key_id)
    made["revoked admin key"] = Caller(str(token), reason="revoked")
    expired, token = keys.create("any", [Scope.ADMIN], expires_at=datetime.now(UTC) + timedelta(days=1))
    with keys._engine.begin() as connection:
        past = datetime.now(UTC) - timedelta(seconds=1)
        connection.execute(api_keys.update().where(api_keys.c.key_id == expired.key_id).values(expires_at=past))
    made["expired admin key"] = Caller(str(token), reason="expired")
    guarded.keyring.refresh()
    return made


@pytest.fixture(scope="module")
def guarded_client(guarded: FaceService) -> Client:
    return client_with(guarded, guarded.settings)


def asked(client: Client, name: str, token: str | None) -> httpx.Response:
    """A request of this route about the gallery `mine`, good enough to get past the check of its fields."""
    method, _, template = name.partition(" ")
    values = {"gallery": "mine", "subject_id": "nobody", "face_id": "00000000-0000-4000-8000-000000000000"}
    path = "/".join(values.get(part.strip("{}"), "none") if "{" in part else part for part in template.split("/"))
    headers = {} if token is None else {"X-API-Key": token}
    fields = sensible(name) if method in ("POST", "PUT", "PATCH") else None
    params = {} if fields and "gallery" in fields else {"gallery": "mine"}
    return client.request(method, path, params=params, headers=headers, json=fields)


def sensible(name: str) -> dict[str, Any]:
    """The required fields of the route's body, by its OpenAPI document, and the gallery if it has one."""
    method, _, path = name.partition(" ")
    content = APP.openapi()["paths"].get(path, {}).get(method.lower(), {}).get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    while "$ref" in schema:
        schema = APP.openapi()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    given = {field: value_of(field) for field in schema.get("required", ())}
    return given | ({"gallery": "mine"} if "gallery" in schema.get("properties", {}) else {})


def value_of(field: str) -> Any:
    no_image = base64.b64encode(b"no image").decode()
    return [no_image, no_image] if field == "images" else no_image if "image" in field else "nobody"


def expected(access: Access | bool | None, caller: Caller) -> int | None:
    """401, 403, or None where the caller gets in; the rule of docs/security.md in other words."""
    if access is True:
        return None
    assert isinstance(access, Access)
    if caller.reason:
        return 401
    if access.scopes and caller.scope not in (*access.scopes, Scope.ADMIN):
        return 403
    if caller.galleries is not None and access.gallery is GalleryIn.ANY:
        return 403
    if caller.galleries == {"mine", "other"} and access.gallery is GalleryIn.KEY:
        return 403
    if caller.galleries == {"other"} and access.gallery in (GalleryIn.BODY, GalleryIn.PARAMETER):
        return 403
    return None


@pytest.mark.parametrize("name", ROUTES)
def test_every_endpoint_declares_who_may_use_it(name: str) -> None:
    assert declared(ROUTES[name]) is not None, f"{name} declares no access: add dependencies=[needs(...)]"


@pytest.mark.parametrize("name", REVIEWED)
def test_reviewed_endpoints_ask_for_what_was_reviewed(name: str) -> None:
    access = declared(ROUTES[name])
    assert REVIEWED[name] == ((access.scopes, access.gallery) if isinstance(access, Access) else access)


@pytest.mark.parametrize("name", ROUTES)
def test_the_authorisation_matrix(name: str, guarded_client: Client, callers: Mapping[str, Caller]) -> None:
    access = declared(ROUTES[name])
    wrong = {}
    for who, caller in callers.items():
        response = asked(guarded_client, name, caller.token)
        status = response.status_code if response.status_code in (401, 403) else None
        if status != expected(access, caller):
            wrong[who] = (response.status_code, response.text[:200])
        if response.status_code == 401:
            assert response.headers["www-authenticate"].startswith("Bearer")
        assert response.status_code < 500 or name == "GET /health/ready", (who, response.text)
    assert not wrong


def test_a_route_that_declares_nothing_is_for_admin_keys_only(
    guarded: FaceService, callers: Mapping[str, Caller]
) -> None:
    client = client_with(guarded, guarded.settings)

    @client.app.get("/undeclared", include_in_schema=False)
    async def undeclared() -> str:
        return "in"

    for who, caller in callers.items():
        response = client.get("/undeclared", headers={"X-API-Key": caller.token} if caller.token else {})
        may = caller.scope is Scope.ADMIN and caller.galleries is None
        assert (response.status_code == 200) == may, who


def test_a_key_may_come_as_a_bearer_token(guarded_client: Client, callers: Mapping[str, Caller]) -> None:
    headers = {"Authorization": f"Bearer {callers['verify key bound to None'].token}"}
    assert guarded_client.get("/model", headers=headers).status_code == 200
    assert guarded_client.get("/model", headers={"Authorization": "Bearer nonsense"}).status_code == 401
    assert guarded_client.get("/model", headers={"Authorization": "Basic Zm9vOmJhcg=="}).status_code == 401


def test_401_and_403_say_what_is_missing(guarded_client: Client, callers: Mapping[str, Caller]) -> None:
    missing = guarded_client.get("/model")
    assert missing.headers["www-authenticate"] == 'Bearer realm="sameface"'
    assert missing.json()["code"] == "unauthenticated"
    invalid = guarded_client.get("/model", headers={"X-API-Key": "nonsense"})
    assert invalid.headers["www-authenticate"] == 'Bearer realm="sameface", error="invalid_token"'
    scope = asked(guarded_client, "POST /identify", callers["verify key bound to None"].token).json()
    assert (scope["code"], scope["scopes_needed"]) == ("forbidden", ["identify"])
    gallery = asked(guarded_client, "POST /identify", callers["identify key bound to other"].token).json()
    assert (gallery["code"], gallery["gallery"], gallery["galleries"]) == ("forbidden", "mine", ["other"])


def test_the_default_gallery_is_a_gallery_like_any_other(guarded_client: Client, callers: Mapping[str, Caller]) -> None:
    headers = {"X-API-Key": str(callers["enroll key bound to mine"].token)}
    assert guarded_client.get("/gallery/subjects", headers=headers).status_code == 403
    form = {"image": base64.b64encode(b"no image").decode()}
    headers = {"X-API-Key": str(callers["identify key bound to mine"].token)}
    assert guarded_client.post("/identify", json=form, headers=headers).status_code == 403


def test_a_refused_upload_is_not_read(guarded_client: Client) -> None:
    async def body() -> Any:
        yield b"x"
        raise AssertionError("the body was read")

    response = guarded_client.post("/verify", content=body(), headers={"Content-Type": "multipart/form-data"})
    assert response.status_code == 401


def test_the_log_has_the_id_of_the_key_and_never_the_secret(
    guarded_client: Client, callers: Mapping[str, Caller], caplog: pytest.LogCaptureFixture
) -> None:
    token = str(callers["verify key bound to None"].token)
    lines = []
    handler = caplog.handler
    handler.setFormatter(logs.JsonFormatter())
    with caplog.at_level("INFO"):
        guarded_client.get("/model", headers={"X-API-Key": token})
        lines = handler.stream.getvalue().splitlines()
    _, key_id, secret = token.split("_", 2)
    assert any(f'"key_id": "{key_id}"' in line for line in lines)
    assert secret not in "".join(lines)


def test_without_keys_only_this_machine_is_served(client: Client) -> None:
    async def call(host: str, **headers: str) -> httpx.Response:
        transport = httpx.ASGITransport(client.app, client=(host, 1234))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            return await http.get("/model", headers=headers)

    assert asyncio.run(call("127.0.0.1")).status_code == 200
    assert asyncio.run(call("::1")).status_code == 200
    assert asyncio.run(call("192.0.2.7")).status_code == 401
    assert asyncio.run(call("127.0.0.1", **{"Sec-Fetch-Site": "cross-site"})).status_code == 403


@pytest.mark.parametrize("host", ["localhost:8000", "[::1]:8000", "127.0.0.1", "127.0.0.1:9000"])
def test_without_keys_this_machine_may_be_called_by_its_own_names(client: Client, host: str) -> None:
    assert client.get("/model", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "192.0.2.7",
        "localhost.evil.example",
        # What the framework cannot read, and would take the address that is listened on in place of.
        "a{b.evil.example:8000",
        "evil.example:65536",
        "evil.example:",
        "[::1",
        "localhost:8000@evil.example",
        "",
    ],
)
def test_without_keys_a_page_cannot_reach_this_machine_under_a_name_of_its_own(client: Client, host: str) -> None:
    answer = client.get("/model", headers={"Host": host})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_without_keys_others_are_served_deliberately(service: FaceService) -> None:
    public = client_with(service, service.settings.model_copy(update={"allow_unauthenticated_public": True}))

    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(public.app, client=("192.0.2.7", 1234))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            return await http.get("/model")

    assert asyncio.run(call()).status_code == 200


def test_the_openapi_document_says_how_to_authenticate() -> None:
    document = APP.openapi()
    schemes = document["components"]["securitySchemes"]
    assert {scheme["type"] for scheme in schemes.values()} == {"apiKey", "http"}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            public = declared(ROUTES[f"{method.upper()} {path}"]) is True
            assert bool(operation.get("security")) != public, f"{method} {path}"
