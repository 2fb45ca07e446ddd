"""`sameface health`: what a container's health check asks."""

import http.client
import json
from typing import TYPE_CHECKING

import typer

from app.terminal import plain_errors

if TYPE_CHECKING:
    from app.settings import Settings

_PATIENCE_SECONDS = 4.0
_UNHEALTHY = 1
_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - names what it replaces


def health() -> None:
    """Ask the service on this machine whether requests should be sent to it; exit status 1 if not."""
    from app.settings import load_settings

    with plain_errors():
        settings = load_settings()
    try:
        status, answer = _ask(settings)
    except (OSError, http.client.HTTPException) as error:
        typer.echo(f"no answer from {settings.host}, port {settings.port}: {error or type(error).__name__}", err=True)
        raise typer.Exit(_UNHEALTHY) from None
    typer.echo(answer)
    if status != http.client.OK:
        raise typer.Exit(_UNHEALTHY)


def _ask(settings: "Settings") -> tuple[int, str]:
    """Status of /health/ready and what it says, on one line."""
    host = _EVERY_ADDRESS.get(settings.host, settings.host)
    connection = http.client.HTTPConnection(host, settings.port, timeout=_PATIENCE_SECONDS)
    try:
        connection.request("GET", "/health/ready")
        response = connection.getresponse()
        return response.status, json.dumps(json.loads(response.read()))
    except ValueError as error:
        raise http.client.HTTPException(f"the answer is not JSON: {error}") from None
    finally:
        connection.close()
