"""Many callers, one worker or a few: requests that wait while a batch runs become the next batch.

There is no timer. A thread blocks for one item, takes its share of what else waits, and runs it, so a lone request
waits for nobody and batches fill themselves under load. Every accepted item ends in a result, an error or a
cancellation.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Generic, Protocol, TypeVar

from app.errors import NotReady, Overloaded

Item = TypeVar("Item")
Result = TypeVar("Result")
Row = TypeVar("Row", covariant=True)

logger = logging.getLogger(__name__)


class Rows(Protocol[Row]):
    """What a batch answers: a list, or a numpy array of one row per item."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Row]: ...


class MicroBatcher(Generic[Item, Result]):
    """Runs `run` on lists of waiting items, in threads of its own. Safe to call from any thread or event loop."""

    def __init__(
        self,
        run: Callable[[list[Item]], Rows[Result]],
        *,
        name: str,
        max_batch: int,
        max_queue: int,
        threads: int = 1,
        weigh: Callable[[Item], int] = lambda _: 0,
        max_weight: int = 0,
    ) -> None:
        """`run` answers one result per item, in order. `max_queue` bounds the items that wait for a batch.

        `threads` run batches side by side, each of them a fair share of what waits. A batch of several items weighs at
        most `max_weight` in all: what takes long should not wait for much of its like.
        """
        self._run = run
        self._name = name
        self._max_batch = max_batch
        self._max_queue = max_queue
        self._weigh, self._max_weight = weigh, max_weight
        self._waiting: deque[tuple[Item, Future[Result]]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._healthy = True
        self._batch_sizes = [0] * (max_batch + 1)
        self._threads = [threading.Thread(target=self._work, name=name, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    @property
    def healthy(self) -> bool:
        """Whether the last batch succeeded; true before the first."""
        return self._healthy

    @property
    def depth(self) -> int:
        """Items waiting for a batch, cancelled ones left out."""
        with self._changed:
            return sum(not future.cancelled() for _, future in self._waiting)

    @property
    def batch_sizes(self) -> list[int]:
        """How many batches have run of each size, from 0 to `max_batch`."""
        return list(self._batch_sizes)

    def submit(self, item: Item) -> Future[Result]:
        """Queue an item. Raises Overloaded when `max_queue` items wait already, NotReady once closed."""
        future: Future[Result] = Future()
        with self._changed:
            if self._closed:
                raise NotReady(f"{self._name} is closed")
            self._make_room()
            self._waiting.append((item, future))
            self._changed.notify()
        return future

    async def ask(self, item: Item) -> Result:
        """Queue an item and await its result; cancelling drops the item if its batch has not begun."""
        return await asyncio.wrap_future(self.submit(item))

    def close(self) -> None:
        """Refuse new items, finish the accepted ones, stop the threads. May be called again."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _make_room(self) -> None:
        if len(self._waiting) < self._max_queue:
            return
        # Abandoned items must not keep live ones out.
        self._waiting = deque(entry for entry in self._waiting if not entry[1].cancelled())
        if len(self._waiting) >= self._max_queue:
            raise Overloaded(
                f"{len(self._waiting)} items wait for {self._name}; try again shortly",
                queue=self._name,
                max_queue=self._max_queue,
            )

    def _work(self) -> None:
        while batch := self._next_batch():
            self._answer(batch)

    def _next_batch(self) -> list[tuple[Item, Future[Result]]]:
        """The next items nobody has cancelled; blocks for the first, and is empty only once closed and drained."""
        batch: list[tuple[Item, Future[Result]]] = []
        with self._changed:
            while not batch:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    break
                share = min(self._max_batch, -(-len(self._waiting) // len(self._threads)))
                weight = 0
                while self._waiting and len(batch) < share:
                    item, future = self._waiting[0]
                    if batch and weight + self._weigh(item) > self._max_weight:
                        break
                    self._waiting.popleft()
                    if future.set_running_or_notify_cancel():
                        batch.append((item, future))
                        weight += self._weigh(item)
        return batch

    def _answer(self, batch: list[tuple[Item, Future[Result]]]) -> None:
        with self._changed:
            self._batch_sizes[len(batch)] += 1
        try:
            results = self._run([item for item, _ in batch])
            if len(results) != len(batch):
                raise RuntimeError(f"{self._name} answered {len(results)} results for {len(batch)} items")
        except BaseException as error:  # a thread outlives whatever a batch raises; its waiters hear of it
            self._healthy = False
            logger.exception("a batch of %d failed in %s", len(batch), self._name)
            for _, future in batch:
                future.set_exception(error)
            return
        self._healthy = True
        for (_, future), result in zip(batch, results, strict=True):
            future.set_result(result)
