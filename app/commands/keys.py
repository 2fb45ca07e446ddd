"""`sameface keys`: make, list and revoke API keys, in the database that SAMEFACE_DATABASE_URL names."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.connection import AsJson
from app.commands.database import opened_database
from app.errors import BadRequest
from app.keys.key import ApiKey, Scope

if TYPE_CHECKING:
    from rich.table import Table

    from app.keys.store import KeyStore

keys = typer.Typer(help="API keys: make, list, revoke.", no_args_is_help=True)

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="Who or what the key is for.")],
    scope: Annotated[list[Scope], typer.Option(help="What the key may do; may be repeated. admin includes all.")],
    gallery: Annotated[
        list[str] | None, typer.Option(help="Bind the key to this gallery; may be repeated. All, if left out.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="When the key ends: 12h, 30d, 8w, or a time such as 2027-01-31T12:00Z.")
    ] = None,
    rate_limit: Annotated[
        str | None,
        typer.Option(help="Most requests: 20/second;1000/hour, or unlimited. As SAMEFACE_RATE_LIMIT, if left out."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and show its secret, which is kept nowhere and cannot be shown again."""
    with _store(as_json=as_json) as store:
        key, token = store.create(
            name, scope, galleries=gallery or None, expires_at=parse_expiry(expires), rate_limit=rate_limit
        )
    if as_json:
        typer.echo(json.dumps({**_facts(key), "key": str(token)}))
        return
    typer.echo(token)  # alone on standard output, so that it can be piped
    typer.echo(f"key {key.key_id} ({', '.join(sorted(key.scopes))}); it is shown only this once", err=True)


@keys.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """Show all keys, the expired and revoked ones too."""
    with _store(as_json=as_json) as store:
        found = store.all()
    if as_json:
        typer.echo(json.dumps([_facts(key) for key in found], indent=2))
        return
    from rich.console import Console

    Console().print(_table(found))


@keys.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="As `sameface keys list` shows it.")], as_json: AsJson = False
) -> None:
    """End a key for good. Running services notice within SAMEFACE_KEY_REFRESH_SECONDS."""
    with _store(as_json=as_json) as store:
        key = store.revoke(key_id)
    typer.echo(json.dumps(_facts(key)) if as_json else f"key {key.key_id} ({key.name}) is revoked")


def parse_expiry(text: str | None, now: datetime | None = None) -> datetime | None:
    """A duration from `now` or an ISO 8601 time, UTC where it names no zone. Raises BadRequest."""
    if text is None:
        return None
    try:
        if found := re.fullmatch(r"(\d{1,5})([hdw])", text):
            return (now or datetime.now(UTC)) + int(found[1]) * _UNITS[found[2]]
        given = datetime.fromisoformat(text)
        return (given if given.tzinfo else given.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadRequest(f"--expires {text}: neither a duration (12h, 30d, 8w) nor a time", field="expires") from None


@contextmanager
def _store(*, as_json: bool) -> "Iterator[KeyStore]":
    from app.keys.store import KeyStore

    with opened_database(as_json=as_json) as (_, engine):
        yield KeyStore(engine)


def _facts(key: ApiKey) -> dict[str, Any]:
    return {
        "key_id": key.key_id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "galleries": None if key.galleries is None else sorted(key.galleries),
        "created_at": key.created_at.isoformat(timespec="seconds"),
        "expires_at": _iso(key.expires_at),
        "revoked_at": _iso(key.revoked_at),
        "rate_limit": key.rate_limit,
    }


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat(timespec="seconds")


def _table(found: list[ApiKey]) -> "Table":
    from rich.markup import escape
    from rich.table import Table

    table = Table("key id", "name", "scopes", "galleries", "rate", "created", "state")
    for key in found:
        galleries = "all" if key.galleries is None else ", ".join(sorted(key.galleries))
        created = key.created_at.date().isoformat()
        table.add_row(
            key.key_id,
            escape(key.name),
            ", ".join(sorted(key.scopes)),
            galleries,
            key.rate_limit or "",
            created,
            _state(key),
        )
    return table


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return f"revoked {_iso(key.revoked_at)}"
    if key.expires_at is None:
        return "valid"
    return f"{'valid until' if key.usable(datetime.now(UTC)) else 'expired'} {_iso(key.expires_at)}"
