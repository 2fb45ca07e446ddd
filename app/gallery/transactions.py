"""Transactions of the gallery: writes that each hold the next revision, and reads of one state of the database."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.errors import NotReady
from app.gallery import audit, statements
from app.gallery.engine import NO_TRANSACTION, WRITING, WriteTurn, database_errors

logger = logging.getLogger(__name__)

_PURGE_WAIT_MS = 200


@dataclass(frozen=True, slots=True)
class Write:
    """A transaction that holds the next revision. It commits when its block ends, unless it was undone."""

    connection: sa.Connection
    transaction: sa.Transaction
    revision: int

    def undo(self) -> int:
        """Leave all as it was, the revision too, and return that."""
        self.transaction.rollback()
        return self.revision - 1

    def audit(self, action: str, **facts: Any) -> None:
        """Say in the audit log what this transaction does."""
        audit.append(self.connection, [audit.entry(action, revision=self.revision, **facts)])


class Transactions:
    """All begin here. Each raises NotReady when the database cannot answer. Thread-safe."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._writer = engine.execution_options(**WRITING)
        self._turn = WriteTurn(engine)
        self._unpurged = engine.dialect.name == "sqlite"  # by whoever used the file before, perhaps

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @contextmanager
    def write(self) -> Iterator[Write]:
        """A change of the gallery."""
        with (
            self._turn.taken(),
            database_errors(),
            self._writer.connect() as connection,
            connection.begin() as transaction,
        ):
            yield Write(connection, transaction, statements.next_revision(connection))

    @contextmanager
    def write_beside(self) -> Iterator[sa.Connection]:
        """A change of what no index hears of, such as the audit log."""
        with self._turn.taken(), database_errors(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """On SQLite of one state throughout; on PostgreSQL each statement may see a later one."""
        with database_errors(), self._engine.begin() as connection:
            yield connection

    def purge(self) -> bool:
        """Overwrite what removed rows have left in SQLite's write-ahead log; False while a reader still needs it.

        PostgreSQL keeps removed rows until it vacuums, and its log until it recycles the segment.
        """
        if self._engine.dialect.name != "sqlite":
            return True
        try:
            with database_errors(), self._engine.execution_options(**NO_TRANSACTION).connect() as connection:
                busy = _emptied(connection)
        except NotReady:
            busy = 1
        if busy:
            logger.warning("the write-ahead log is in use; what was removed stays in it until the next sweep")
        self._unpurged = bool(busy)
        return not busy

    def purge_again(self) -> bool:
        """Purge unless the last attempt did; False while somebody is reading.

        The first time in a process always purges: one that was killed may have erased without it.
        """
        return not self._unpurged or self.purge()


def _emptied(connection: sa.Connection) -> int:
    """0 where the write-ahead log was emptied, 1 where somebody reads from it.

    Nobody can write while SQLite waits for readers, so it waits for less than elsewhere.
    """
    usual_ms = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {min(usual_ms, _PURGE_WAIT_MS)}")
    try:
        return int(connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar_one())
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {usual_ms}")
