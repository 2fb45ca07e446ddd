"""Which of several processes feeds an index that they share.

PostgreSQL gives an advisory lock to one session at a time and takes it back when the session ends, however it ends.
Beside SQLite it is the lock of a file, which the kernel takes back from a process that ended.
"""

import contextlib
import fcntl
import hashlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Protocol

import psycopg
import sqlalchemy as sa

logger = logging.getLogger(__name__)

# A server forgets a client that has vanished within half a minute, and not in the kernel's hours.
_VANISHED = (
    "SET tcp_keepalives_idle = 10",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 3",
    "SET tcp_user_timeout = 15000",
)
_HELD = """
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND granted AND pid = pg_backend_pid() AND objsubid = 1
AND ((classid::bigint << 32) | objid::bigint) = :key
"""


class Election(Protocol):
    """Is this process the one? Thread-safe."""

    def stand(self) -> bool:
        """Be elected, if nobody else is, and say whether one is. Never waits for another to step down."""

    def holds(self) -> bool:
        """Whether this process has been elected ever since it last stood."""

    def close(self) -> None:
        """Step down."""


def open_election(engine: sa.Engine, name: str) -> Election:
    """An election among all processes that have this database open; `name` tells it from others."""
    if engine.dialect.name == "postgresql":
        return AdvisoryLock(engine, name)
    file = Path(str(engine.url.database))
    return FileLock(file.with_name(f"{file.name}-{name}.lock"))


class AdvisoryLock:
    """A session of PostgreSQL that holds a lock. A pooler must not share out its statements among sessions."""

    def __init__(self, engine: sa.Engine, name: str) -> None:
        self._engine = engine
        self._key = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), signed=True)
        self._session: sa.Connection | None = None
        self._turn = threading.Lock()

    def stand(self) -> bool:
        """As Election has it."""
        return self._answer(lambda: self._holds(self._opened()) or self._takes(self._opened()))

    def holds(self) -> bool:
        """As Election has it. False too while PostgreSQL does not answer: then nobody knows whose the lock is."""
        return self._answer(lambda: self._session is not None and self._holds(self._session))

    def close(self) -> None:
        """End the session, and the lock with it."""
        with self._turn:
            self._drop()

    def _answer(self, ask: Callable[[], bool]) -> bool:
        with self._turn:
            try:
                return ask()
            except (sa.exc.SQLAlchemyError, psycopg.Error) as error:
                logger.debug("nothing can be told of the lock now: %s", error)
                self._drop()
                return False

    def _opened(self) -> sa.Connection:
        if self._session is not None:
            return self._session
        session = self._engine.execution_options(isolation_level="AUTOCOMMIT").connect()
        session.detach()  # it lasts as long as the service, which must not cost others a connection
        self._session = session
        for statement in _VANISHED:
            session.exec_driver_sql(statement)
        return session

    def _holds(self, session: sa.Connection) -> bool:
        return bool(session.execute(sa.text(_HELD), {"key": self._key}).scalar_one())

    def _takes(self, session: sa.Connection) -> bool:
        return bool(session.execute(sa.select(sa.func.pg_try_advisory_lock(self._key))).scalar_one())

    def _drop(self) -> None:
        if self._session is not None:
            with contextlib.suppress(sa.exc.SQLAlchemyError, psycopg.Error):
                self._session.close()
        self._session = None


class FileLock:
    """A file that one process at a time has locked."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._turn = threading.Lock()

    def holds(self) -> bool:
        """As Election has it."""
        return self._file is not None

    def stand(self) -> bool:
        """As Election has it."""
        with self._turn:
            if self._file is not None:
                return True
            file = self._path.open("ab")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.close()
                return False
            self._file = file
            return True

    def close(self) -> None:
        """Unlock it."""
        with self._turn:
            if self._file is not None:
                self._file.close()
            self._file = None
