"""The thread that erases what may be kept no longer.

That is subjects whose time is over, old entries of the audit log, old answers to enrolments, and what an erasure had to
leave in SQLite's write-ahead log because somebody was reading.
"""

import logging
import threading
from collections.abc import Callable
from datetime import timedelta

from app.gallery.answers import EnrolmentAnswers
from app.gallery.store import GalleryStore

logger = logging.getLogger(__name__)


class Sweeper:
    """Sweeps at start and every `interval_seconds`. Any number of replicas may sweep one database; no error ends it.

    `erased` is called after subjects were erased, so that the index of this replica hears of it at once.
    """

    def __init__(
        self,
        store: GalleryStore,
        erased: Callable[[], None],
        *,
        interval_seconds: float,
        audit_retention: timedelta | None = None,
        answers: EnrolmentAnswers | None = None,
    ) -> None:
        self._store = store
        self._erased = erased
        self._interval_seconds = interval_seconds
        self._audit_retention = audit_retention
        self._answers = answers
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)

    def start(self) -> None:
        """Begin to sweep."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, after what it is erasing."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def sweep(self) -> None:
        """Erase all that is due now. Raises NotReady where the database does not answer."""
        while not self._stopping.is_set() and self._store.erase_expired() is not None:
            self._erased()
        self._store.purge_again()
        if self._audit_retention is not None:
            self._store.prune_audit(self._audit_retention)
        if self._answers is not None:
            self._answers.prune()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.sweep()
            except Exception as error:
                logger.warning("what has expired could not be erased now; it will be tried again: %s", error)
            self._stopping.wait(self._interval_seconds)
