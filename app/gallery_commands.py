"""`sameface audit`, `verify-erasure` and `rotate-key`: upkeep of the database that SAMEFACE_DATABASE_URL names."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.errors import ConfigurationError
from app.settings import Settings, variable
from app.terminal import plain_errors, read_settings

if TYPE_CHECKING:
    import sqlalchemy as sa

audit = typer.Typer(help="The audit log: verify its chain, export its entries.", no_args_is_help=True)

_NOT_PROVEN = 1


@audit.command("verify")
def verify_audit(
    known_hash: Annotated[
        str | None, typer.Option(help="The last hash that an earlier verification printed and you kept elsewhere.")
    ] = None,
) -> None:
    """Walk the chain of the audit log and name the first entry that does not fit; exit status 1 if there is one."""
    from app.gallery.audit import verify

    with _snapshot() as connection:
        found = verify(connection, known_hash)
    typer.echo(f"{found.entries} entries fit, positions {found.first_position} to {found.last_position}")
    typer.echo(f"last hash {found.last_hash}")
    if found.fault is not None:
        where = "" if found.broken_position is None else f" at position {found.broken_position}"
        typer.echo(f"the audit log is broken{where}: {found.fault}", err=True)
        raise typer.Exit(_NOT_PROVEN)


@audit.command("export")
def export_audit() -> None:
    """Print every entry as a line of JSON with its position and hash."""
    from app.gallery.audit import rows

    with _snapshot() as connection:
        for row in rows(connection):
            line = {"position": row.position, "hash": row.hash} | json.loads(row.entry)
            typer.echo(json.dumps(line, ensure_ascii=False))


def verify_erasure(
    revision: Annotated[
        int | None, typer.Option(help="The revision that an erasure answered: nothing of it may be left.")
    ] = None,
    text: Annotated[
        list[str] | None, typer.Option(help="A name or other text that must not be in the files; may be repeated.")
    ] = None,
    file: Annotated[
        list[Path] | None,
        typer.Option(help="A file whose bytes must not be in the files, such as a vector in float32; may be repeated."),
    ] = None,
) -> None:
    """Prove that erasing leaves nothing: erase a subject of random numbers, look for its bytes, exit 1 if any is left.

    It may run beside a service. A face_id is kept by design, and so are subject ids in the audit log.
    """
    from app.gallery.erasure import verify_erasure as verify

    with _engine() as (_, engine):
        wanted = [*(given.encode() for given in text or []), *(_content(path) for path in file or [])]
        findings = verify(engine, wanted=wanted, receipt_revision=revision)
    words = {True: "ok", False: "FAILED", None: "not provable from here"}
    for finding in findings:
        typer.echo(f"{finding.check}: {words[finding.ok]}; {finding.detail}")
    if any(finding.ok is False for finding in findings):
        raise typer.Exit(_NOT_PROVEN)


def rotate_key() -> None:
    """Encrypt every template with the first template key, while the service runs; may be stopped and begun again."""
    from rich.console import Console
    from rich.progress import Progress

    from app.gallery.audit import entry
    from app.gallery.rotation import count_to_rotate, rotate
    from app.gallery.sealing import read_keys
    from app.gallery.store import GalleryStore

    with _engine() as (settings, engine):
        keys = read_keys(settings.template_keys, settings.template_keys_file)
        if keys.primary is None:
            raise ConfigurationError(
                f"there is no template key to encrypt with; set {variable('template_keys')} or "
                f"{variable('template_keys_file')}"
            )
        with Progress(console=Console(file=sys.stderr)) as progress:
            bar = progress.add_task("templates", total=count_to_rotate(engine, keys))
            for done in rotate(engine, keys):
                progress.advance(bar, done)
        store = GalleryStore(engine, "")
        store.record([entry("rotate_key", template_key_id=keys.primary_id)])
        store.purge()
        left = count_to_rotate(engine, keys)
    typer.echo(f"all templates are encrypted with key {keys.primary_id}" if not left else f"{left} are still to do")


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None


@contextmanager
def _engine() -> "Iterator[tuple[Settings, sa.Engine]]":
    from app.gallery.engine import open_engine
    from app.gallery.migration import migrate

    with plain_errors():
        settings = read_settings()
        engine = open_engine(settings.database_url)
        try:
            migrate(engine)
            yield settings, engine
        finally:
            engine.dispose()


@contextmanager
def _snapshot() -> "Iterator[sa.Connection]":
    """A connection that sees one state of the database."""
    from app.gallery.engine import database_errors

    with _engine() as (_, engine), database_errors():
        options = {"isolation_level": "REPEATABLE READ"} if engine.dialect.name == "postgresql" else {}
        with engine.connect().execution_options(**options) as connection:
            yield connection
