"""The database that SAMEFACE_DATABASE_URL names, opened for the length of a command."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from app.terminal import plain_errors, quiet_settings

if TYPE_CHECKING:
    import sqlalchemy as sa

    from app.settings import Settings


@contextmanager
def opened_database(*, as_json: bool = False) -> "Iterator[tuple[Settings, sa.Engine]]":
    """The settings and an engine of the database, brought up to date; errors end the command in a sentence."""
    from app.gallery.engine import open_engine
    from app.gallery.migration import migrate

    with plain_errors(as_json=as_json):
        settings = quiet_settings()
        engine = open_engine(settings.database_url)
        try:
            migrate(engine)
            yield settings, engine
        finally:
            engine.dispose()


@contextmanager
def snapshot(*, as_json: bool = False) -> "Iterator[sa.Connection]":
    """A connection to the same database that sees one state of it."""
    with opened_database(as_json=as_json) as (_, engine), snapshot_of(engine) as connection:
        yield connection


@contextmanager
def snapshot_of(engine: "sa.Engine") -> "Iterator[sa.Connection]":
    """A connection that sees one state of the database; raises NotReady where it does not answer."""
    from app.gallery.engine import database_errors

    options = {"isolation_level": "REPEATABLE READ"} if engine.dialect.name == "postgresql" else {}
    with database_errors(), engine.connect().execution_options(**options) as connection:
        yield connection
