"""Browsers may call from other origins only where the operator says so."""

from app.service import FaceService
from tests.api.conftest import Client, client_with

PREFLIGHT = {
    "Origin": "https://a.example",
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "X-API-Key, Content-Type",
}


def test_other_origins_are_allowed_nothing_by_default(client: Client) -> None:
    assert client.request("OPTIONS", "/verify", headers=PREFLIGHT).status_code == 405
    answer = client.get("/model", headers={"Origin": "https://a.example"})
    assert "access-control-allow-origin" not in answer.headers


def test_a_configured_origin_is_allowed_and_others_are_not(service: FaceService) -> None:
    origins = "https://a.example, https://b.example:8443"
    client = client_with(service, service.settings.model_copy(update={"cors_origins": origins}))
    for origin in ("https://a.example", "https://b.example:8443"):
        preflight = client.request("OPTIONS", "/verify", headers=PREFLIGHT | {"Origin": origin})
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == origin
        assert "access-control-allow-credentials" not in preflight.headers
        refused = client.get("/nowhere", headers={"Origin": origin})
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (404, origin)
    other = client.get("/model", headers={"Origin": "https://c.example"})
    assert "access-control-allow-origin" not in other.headers
