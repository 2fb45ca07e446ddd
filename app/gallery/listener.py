"""Word of a commit from PostgreSQL itself, so that a replica need not wait for its next look at the database.

What is said carries nothing: it only wakes the follower, which reads what changed. So it does no harm when word is
lost, said twice or not heard at all, as behind a connection pooler that does not pass LISTEN on; the follower looks
by itself at its interval. SQLite has no such thing.
"""

import logging
import threading
from collections.abc import Callable
from typing import cast

import psycopg
import sqlalchemy as sa

logger = logging.getLogger(__name__)

_CHANNEL = "sameface_gallery"
_PATIENCE_SECONDS = 0.5  # how soon the thread notices that it is to stop


def announce(connection: sa.Connection) -> None:
    """Tell all listeners as soon as this transaction commits; nothing is said if it does not."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_notify(_CHANNEL, "")))


class ChangeListener:
    """A thread that calls `heard` at each commit of any replica. No error ends it; on SQLite there is no thread."""

    def __init__(self, engine: sa.Engine, heard: Callable[[], None], *, retry_seconds: float = 1.0) -> None:
        self._engine = engine
        self._heard = heard
        self._retry_seconds = retry_seconds
        self._stopping = threading.Event()
        self._listening = threading.Event()
        self._failed = False
        self._thread = threading.Thread(target=self._run, name="gallery-listener", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        if self._engine.dialect.name == "postgresql":
            self._thread.start()

    def stop(self) -> None:
        """End the thread and its connection."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def listening(self) -> bool:
        """Whether word of a commit would be heard now."""
        return self._listening.is_set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except (sa.exc.SQLAlchemyError, psycopg.Error) as error:
                self._lost(error)
            finally:
                self._listening.clear()
            self._stopping.wait(self._retry_seconds)

    def _listen(self) -> None:
        with self._engine.execution_options(isolation_level="AUTOCOMMIT").connect() as pooled:
            connection = cast(psycopg.Connection, pooled.connection.driver_connection)
            pooled.detach()  # it waits for as long as the service runs, which must not cost others a connection
            pooled.exec_driver_sql(f"LISTEN {_CHANNEL}")
            self._found()
            while not self._stopping.is_set():
                for _ in connection.notifies(timeout=_PATIENCE_SECONDS, stop_after=1):
                    self._heard()

    def _found(self) -> None:
        if self._failed:
            logger.info("hearing of other replicas' commits again")
        self._failed = False
        self._listening.set()
        self._heard()  # of what was said while nobody listened

    def _lost(self, error: Exception) -> None:
        if not self._failed:
            logger.warning("word of other replicas' commits is lost; the index looks for them by itself: %s", error)
        self._failed = True
