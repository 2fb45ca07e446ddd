"""`sameface audit`: the audit log of the database that SAMEFACE_DATABASE_URL names."""

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer

from app.commands.connection import AsJson
from app.commands.database import snapshot
from app.terminal import ExitStatus

audit = typer.Typer(help="The audit log: verify its chain, export its entries.", no_args_is_help=True)


@audit.command("verify")
def verify_audit(
    known_hash: Annotated[
        str | None, typer.Option(help="The last hash that an earlier verification printed and you kept elsewhere.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Walk the chain of the audit log and name the first entry that does not fit; exit status 1 if there is one."""
    from app.gallery.audit import verify

    with snapshot(as_json=as_json) as connection:
        found = verify(connection, known_hash)
    if as_json:
        typer.echo(json.dumps(asdict(found)))
    else:
        typer.echo(f"{found.entries} entries fit, positions {found.first_position} to {found.last_position}")
        typer.echo(f"last hash {found.last_hash}")
    if found.fault is not None:
        where = "" if found.broken_position is None else f" at position {found.broken_position}"
        typer.echo(f"the audit log is broken{where}: {found.fault}", err=True)
        raise typer.Exit(ExitStatus.NO)


@audit.command("export")
def export_audit() -> None:
    """Print every entry as a line of JSON with its position and hash."""
    from app.gallery.audit import rows

    with snapshot() as connection:
        for row in rows(connection):
            line = {"position": row.position, "hash": row.hash} | _facts(row.entry)
            typer.echo(json.dumps(line, ensure_ascii=False))


def _facts(entry: str) -> dict[str, Any]:
    """What an entry says; the text as it is where somebody wrote over it."""
    try:
        facts = json.loads(entry)
    except ValueError:
        facts = None
    return facts if isinstance(facts, dict) else {"unreadable": entry}
