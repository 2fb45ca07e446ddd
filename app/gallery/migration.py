"""Bringing a database to the schema of this version, from wherever the package is installed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from app.errors import ConfigurationError
from app.gallery.engine import WRITING, database_errors, open_engine

SCRIPTS = Path(__file__).resolve().parents[2] / "migrations"
_LOCK = 0x73616D6566616365  # "sameface", any number that nobody else takes
_LOCK_MINUTES = 30


def migrate(engine_or_url: sa.Engine | str, revision: str = "head") -> None:
    """Upgrade the schema in one transaction; processes that start together do it one after the other.

    Raises NotReady when the database is away and ConfigurationError when it is of a later version than this one.
    """
    with _connection(engine_or_url) as connection:
        try:
            command.upgrade(_config(connection), revision)
        except CommandError as error:
            raise ConfigurationError(
                f"the database cannot be brought to the schema of this version: {error}"
            ) from error


def downgrade(engine_or_url: sa.Engine | str, revision: str) -> None:
    """Take the schema back to `revision` in one transaction; what the older schema cannot hold is lost."""
    with _connection(engine_or_url) as connection:
        command.downgrade(_config(connection), revision)


def known_revisions() -> list[str]:
    """Every schema that this version knows, the oldest first."""
    return [script.revision for script in ScriptDirectory.from_config(_scripts()).walk_revisions()][::-1]


def read_revision(connection: sa.Connection) -> str | None:
    """The schema of a database; None where it has none yet."""
    return MigrationContext.configure(connection).get_current_revision()


@contextmanager
def _connection(engine_or_url: sa.Engine | str) -> Iterator[sa.Connection]:
    engine = open_engine(engine_or_url) if isinstance(engine_or_url, str) else engine_or_url
    try:
        with database_errors(), engine.execution_options(**WRITING).begin() as connection:
            if connection.dialect.name == "postgresql":  # SQLite's BEGIN IMMEDIATE is a lock already
                _take_turn(connection)
            yield connection
    finally:
        if engine is not engine_or_url:
            engine.dispose()


def _take_turn(connection: sa.Connection) -> None:
    """Wait for whoever migrates now, which may take longer than any other wait."""
    usual = connection.exec_driver_sql("SHOW lock_timeout").scalar_one()
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_MINUTES}min'")
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{usual}'")


def _config(connection: sa.Connection) -> Config:
    config = _scripts()
    config.attributes["connection"] = connection
    return config


def _scripts() -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
