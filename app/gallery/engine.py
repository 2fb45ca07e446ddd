"""Opening the database, and the one boundary where its errors become ours."""

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy import exc

from app.errors import ConfigurationError, NotReady

_SQLITE_SINCE = (3, 35, 0)  # RETURNING
_POSTGRESQL = {
    # A network that swallows packets is noticed in seconds rather than in the kernel's quarter of an hour.
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    "client_encoding": "utf8",
}

# How a transaction begins on SQLite: DEFERRED reads one snapshot, IMMEDIATE takes the write lock at once, so that a
# reader never fails when it turns into a writer. PostgreSQL ignores the option.
WRITING = {"sqlite_begin": "IMMEDIATE"}
NO_TRANSACTION = {"sqlite_begin": None}
_BINARY = {"binary_rows": True}

_LOCK_TIMEOUT_SECONDS = 5.0


def open_engine(database_url: str, *, lock_timeout_seconds: float = _LOCK_TIMEOUT_SECONDS) -> sa.Engine:
    """An engine for SQLite or PostgreSQL whose commits are on disk when they return.

    `lock_timeout_seconds` is how long a statement waits for another's lock before it fails with NotReady. The file of
    a SQLite database is made readable by its owner only. Raises ConfigurationError for a URL that cannot serve.
    """
    try:
        url = sa.make_url(database_url)
        backend = url.get_backend_name()
        if backend == "sqlite":
            return _open_sqlite(url, lock_timeout_seconds)
        if backend == "postgresql":
            return _open_postgresql(url, lock_timeout_seconds)
    except (exc.ArgumentError, ImportError, ValueError) as error:  # a port that is no number, say
        raise ConfigurationError(f"the database URL cannot be used: {error}") from error
    raise ConfigurationError(f"the database must be sqlite or postgresql, not {backend}")


@contextmanager
def database_errors() -> Iterator[None]:
    """Turns what the database cannot do now into NotReady. A wrong statement stays an error of ours.

    The message names no host and no user, for callers read it; the cause does, for the log.
    """
    try:
        yield
    except (exc.ProgrammingError, exc.DataError, exc.NotSupportedError):
        raise
    except exc.DBAPIError as error:
        raise NotReady("the database cannot answer now") from error
    except exc.TimeoutError as error:
        raise NotReady("all connections to the database are busy") from error


def read_tuples(connection: sa.Connection, query: sa.Select[Any]) -> Sequence[tuple[Any, ...]]:
    """All rows of a query as the driver makes them, for those who read millions.

    No type of SQLAlchemy sees them: a UUID must be cast to text, and a time is what the driver takes it for. Measured
    over a million faces, that and the binary form of PostgreSQL halve the time.
    """
    result = connection.execute(query, execution_options=_BINARY)
    try:
        rows: Sequence[tuple[Any, ...]] = result.cursor.fetchall()
        return rows
    finally:
        result.close()


class WriteTurn:
    """Lets the writers of this process into SQLite one after the other; PostgreSQL queues them by itself.

    SQLite's own waiting is a lottery of sleeps: measured with 8 writers on a busy machine, the unluckiest waited 3.6 s
    for it and 0.9 s for this lock.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._lock = threading.Lock() if engine.dialect.name == "sqlite" else None

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for the turn and hold it. Raises NotReady when it does not come."""
        if self._lock is None:
            yield
            return
        if not self._lock.acquire(timeout=_LOCK_TIMEOUT_SECONDS):
            raise NotReady("the database is busy with other writes")
        try:
            yield
        finally:
            self._lock.release()


def _open_sqlite(url: sa.URL, lock_timeout_seconds: float) -> sa.Engine:
    if sqlite3.sqlite_version_info < _SQLITE_SINCE:
        raise ConfigurationError(f"SQLite {sqlite3.sqlite_version} is too old; 3.35 or later is needed")
    if url.database in (None, "", ":memory:") or str(url.database).startswith("file:"):
        raise ConfigurationError("the gallery must outlive the process: give the SQLite database a plain file")
    file = Path(str(url.database))
    _create_private_file(file)
    opened = _identity(file)
    engine = sa.create_engine(url, hide_parameters=True)  # errors are logged, and parameters are people

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions begin where `begin` says
        connection.execute(f"PRAGMA busy_timeout = {round(lock_timeout_seconds * 1000)}")
        _write_ahead(connection, lock_timeout_seconds)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA foreign_keys = ON")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        if _identity(file) != opened:  # what is written to a file without a name is gone with the process
            raise NotReady("the database's file was removed or replaced while it was open; start the service again")
        mode = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
        if mode is not None:
            connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


def _identity(file: Path) -> tuple[int, int] | None:
    """Which file it is, whatever its name; None where there is none."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _create_private_file(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)  # its -wal and -shm files inherit the mode
    except OSError as error:
        raise ConfigurationError(f"the database file {path} cannot be made: {error.strerror}") from error


def _write_ahead(connection: Any, timeout_seconds: float) -> None:
    """Turn the write-ahead log on; the first of several processes takes a lock for it that SQLite does not wait for."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _open_postgresql(url: sa.URL, lock_timeout_seconds: float) -> sa.Engine:
    defaults = {key: value for key, value in _POSTGRESQL.items() if key not in url.query}
    engine = sa.create_engine(url, connect_args=defaults, pool_pre_ping=True, hide_parameters=True)

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise ConfigurationError(
                f"the database is encoded in {encoding}, which cannot hold every name; make it with ENCODING 'UTF8'"
            )
        connection.execute(f"SET lock_timeout = {round(lock_timeout_seconds * 1000)}")
        # A writer that vanished in mid-transaction must not hold the revision for ever.
        connection.execute("SET idle_in_transaction_session_timeout = 30000")
        # Read in the server's own time zone, the last day of the year 9999 may lie beyond what Python has a date for.
        connection.execute("SET TIME ZONE 'UTC'")
        connection.commit()

    @sa.event.listens_for(engine, "before_cursor_execute")
    def choose_form(_connection: Any, cursor: Any, _statement: Any, _values: Any, context: Any, _many: Any) -> None:
        if context is not None and context.execution_options.get("binary_rows"):
            cursor.format = psycopg.pq.Format.BINARY  # a vector as text is twice as long

    return engine
