"""Decisions on their way into the audit log: written behind the request, in batches, by one thread."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence

from app.errors import Overloaded
from app.gallery.audit import Entry

logger = logging.getLogger(__name__)

_BATCH = 500
_END = None
_CLOSING_RETRY_SECONDS = 0.2


class DecisionLog:
    """A bounded queue in front of the audit log.

    What `add` took is written, in order, while the database answers; while it does not, it is kept and tried again.
    A decision that there is no room to record is not given: `add` raises Overloaded.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Entry]], None],
        *,
        max_queue: int,
        retry_seconds: float = 1.0,
        attempts_when_closing: int = 5,
    ) -> None:
        self._write = write
        self._retry_seconds = retry_seconds
        self._attempts_left = attempts_when_closing  # for all that waits then: who stops it may not wait long
        self._queue: queue.Queue[Entry | None] = queue.Queue()
        self._room = threading.BoundedSemaphore(max_queue)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="decision-log", daemon=True)
        self._thread.start()

    def add(self, entries: Sequence[Entry]) -> None:
        """Record entries. Raises Overloaded where there is no room for all of them, and then records none."""
        taken = 0
        while taken < len(entries) and self._room.acquire(blocking=False):
            taken += 1
        if taken < len(entries):
            for _ in range(taken):
                self._room.release()
            raise Overloaded("the audit log cannot keep up; the decision is not given because it cannot be recorded")
        for entry in entries:
            self._queue.put(entry)

    @property
    def depth(self) -> int:
        """Entries that wait."""
        return self._queue.qsize()

    def close(self) -> None:
        """Write what waits, then end the thread. What the database does not take is in the process's log instead."""
        self._closing.set()
        self._queue.put(_END)
        self._thread.join()

    def _run(self) -> None:
        ended = False
        while not ended:
            batch, ended = self._next_batch()
            if batch:
                self._write_or_log(batch)
            for _ in batch:
                self._room.release()

    def _next_batch(self) -> tuple[list[Entry], bool]:
        batch: list[Entry] = []
        item = self._queue.get()
        while item is not _END:
            batch.append(item)
            if len(batch) == _BATCH:
                return batch, False
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _write_or_log(self, batch: Sequence[Entry]) -> None:
        while self._attempts_left:
            try:
                self._write(batch)
                return
            except Exception as error:
                logger.warning("%d decisions wait for the audit log: %s", len(batch), error)
            if self._closing.wait(self._retry_seconds):
                self._attempts_left -= 1
                time.sleep(min(self._retry_seconds, _CLOSING_RETRY_SECONDS))
        for entry in batch:
            logger.error("this decision did not reach the audit log", extra={"facts": {"audit": dict(entry)}})
