"""The thread that keeps an index in step with the database, or looks on while another process does."""

import asyncio
import gc
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from app.gallery.changes import Changes
from app.gallery.index import ChangeSink, GalleryIndex
from app.gallery.store import GalleryStore

logger = logging.getLogger(__name__)

_REACH_POLL_SECONDS = 0.005
_WATCH_POLL_SECONDS = 0.05  # while another process takes in what this one has heard of already


@dataclass(frozen=True, slots=True)
class FollowerLag:
    """How far the index is behind the database.

    `database_revision` is the last one heard of. `seconds_since_success` counts from when the index was last known to
    be up to date, and is None before the first time; `last_error` says why the last attempt failed, if it did.
    """

    applied_revision: int
    database_revision: int
    seconds_since_success: float | None
    last_error: str | None


class GalleryFollower:
    """Applies what changed in the database to the index, on `wake` and every `interval_seconds`.

    While the database is away the index serves what it has. No error ends the thread.

    An index that many processes share is fed by one of them (`GalleryIndex.sinks`); the others look how far it is.
    """

    def __init__(self, store: GalleryStore, index: GalleryIndex, *, interval_seconds: float = 1.0) -> None:
        self._store = store
        self._index = index
        self._interval_seconds = interval_seconds
        self._woken = threading.Event()
        self._stopping = False
        self._progress = threading.Condition()
        self._database_revision = 0
        self._caught_up_at: float | None = None
        self._last_error: str | None = None
        self._feeds = True
        self._work_left = False
        self._thread = threading.Thread(target=self._run, name="gallery-follower", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, after what it is applying; whoever waits is told that the wait was in vain."""
        self._stopping = True
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join()
        with self._progress:
            self._progress.notify_all()

    def wake(self) -> None:
        """Look for changes now."""
        self._woken.set()

    def wait_for(self, revision: int, timeout_seconds: float) -> bool:
        """Wait until searches see a revision. False when the time runs out, the follower stops or the index is away."""
        if self._index.revision < revision:
            self.wake()
        with self._progress:
            self._progress.wait_for(
                lambda: self._index.revision >= revision or self._is_vain,
                timeout_seconds,
            )
        return self._index.revision >= revision

    async def reach(self, revision: int, timeout_seconds: float) -> bool:
        """As `wait_for`, and without a thread: any number may wait, for a revision that never comes too."""
        deadline = time.monotonic() + timeout_seconds
        if self._index.revision < revision:
            self.wake()
        while self._index.revision < revision and time.monotonic() < deadline and not self._is_vain:  # noqa: ASYNC110
            await asyncio.sleep(_REACH_POLL_SECONDS)
        return self._index.revision >= revision

    @property
    def _is_vain(self) -> bool:
        return self._stopping or self._index.away is not None

    @property
    def lag(self) -> FollowerLag:
        """What readiness reports."""
        since = self._caught_up_at
        seconds = None if since is None else time.monotonic() - since
        return FollowerLag(self._index.revision, self._database_revision, seconds, self._last_error)

    def _run(self) -> None:
        while True:
            self._woken.clear()
            if self._stopping:
                return
            try:
                self._catch_up()
            except Exception as error:
                self._failed(error)
            self._woken.wait(self._pause_seconds())

    def _pause_seconds(self) -> float:
        if self._last_error is not None or not self._work_left:
            return self._interval_seconds
        return min(self._interval_seconds, 0 if self._feeds else _WATCH_POLL_SECONDS)

    def _catch_up(self) -> None:
        sinks = self._index.sinks()
        self._feeds, self._work_left = bool(sinks), False
        if not sinks:
            self._watch()
        for sink in sinks[:1]:
            self._feed(sink)
        for sink in sinks[1:]:  # page by page, so that what is searched does not fall behind
            self._feed(sink, one_page=True)

    def _watch(self) -> None:
        newest = self._store.revision()
        self._progressed(newest)
        self._work_left = self._index.revision < newest

    def _feed(self, sink: ChangeSink, *, one_page: bool = False) -> None:
        changes, anew = self._first_changes(sink)
        if changes.is_newest or one_page or anew:  # what is fed may be another one once it began anew
            self._apply(sink, changes, anew=anew)
            self._work_left = self._work_left or not changes.is_newest
        else:
            with _without_collector():
                self._feed_far(sink, changes, anew=anew)

    def _first_changes(self, sink: ChangeSink) -> tuple[Changes, bool]:
        """The next changes for a sink; the first of all, and True, where it was fed from another state of things."""
        applied, end = sink.position, sink.audit_end
        changes = self._store.changes(applied)
        if changes.revision < applied:
            logger.warning("the database went back from revision %d to %d; reading it anew", applied, changes.revision)
        elif end is not None and not self._store.continues(end):
            logger.warning("the database is another one than that which was indexed; reading it anew")
        else:
            return changes, False
        return self._store.changes(0), True

    def _feed_far(self, sink: ChangeSink, changes: Changes, *, anew: bool) -> None:
        """Take in many changes; the next ones are read meanwhile, where the database lets others work beside that."""
        with ThreadPoolExecutor(1, thread_name_prefix="gallery-reader") as reader:
            while not self._stopping:
                beside = self._store.reads_beside_work and not changes.is_newest
                ahead = reader.submit(self._store.changes, changes.revision) if beside else None
                self._apply(sink, changes, anew=anew)
                if changes.is_newest:
                    return
                changes, anew = ahead.result() if ahead else self._store.changes(changes.revision), False

    def _apply(self, sink: ChangeSink, changes: Changes, *, anew: bool) -> None:
        sink.apply(changes, anew=anew)
        self._progressed(changes.newest_revision)

    def _progressed(self, database_revision: int) -> None:
        if self._last_error is not None:
            logger.info("following the database again, at revision %d", self._index.revision)
        with self._progress:
            self._database_revision = database_revision
            self._last_error = None
            if self._index.revision >= database_revision:
                self._caught_up_at = time.monotonic()
            self._progress.notify_all()

    def _failed(self, error: Exception) -> None:
        message = f"{type(error).__name__}: {error}"
        if message != self._last_error:  # once, not every second
            logger.warning(
                "the index stays at revision %d until the database can be followed again: %s",
                self._index.revision,
                message,
                exc_info=error,
            )
        with self._progress:
            self._last_error = message
            self._progress.notify_all()  # who waits need not, where the index is away


@contextmanager
def _without_collector() -> Iterator[None]:
    """Rows come and go by the million and hold no cycles; looking for some takes as long as reading them."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()
