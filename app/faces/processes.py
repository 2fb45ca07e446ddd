"""Photographs read in processes of their own, one photograph on one core at a time.

Threads that read photographs wait for Python's one lock; processes do not, and a decoder that crashes takes one of
them with it and not the service: the photograph is tried once more in a new one. `ProcessPoolExecutor` fails all its
work when one process dies and `multiprocessing` runs the caller's main module again in each, so the processes are
started here, and each is spoken to by a thread of its own.
"""

import asyncio
import logging
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import cast

from app.errors import ConfigurationError, DeadlineExceeded, NotReady, Overloaded, SamefaceError, UnreadableImage
from app.faces.card import ModelCard
from app.faces.inference import NetworkOptions, Opened, Reading, Task
from app.faces.worker_process import ProcessEnded, WorkerProcess

logger = logging.getLogger(__name__)

_ATTEMPTS = 2
_START_SECONDS = 60.0


class ProcessInference:
    """See app.faces.inference.Inference."""

    def __init__(
        self, options: NetworkOptions, *, workers: int, max_batch: int, max_queue: int, max_seconds: float
    ) -> None:
        """Start `workers` processes and wait until each has loaded its networks; raises ConfigurationError.

        `max_queue`: most photographs that wait for a process. `max_seconds`: the longest that one may take.
        """
        self._options, self._max_batch = options, max_batch
        self._max_queue, self._max_seconds = max_queue, max_seconds
        self._lock = threading.Lock()
        self._waiting = 0
        self._deaths = 0
        self._healthy = True
        self._batch_sizes = [0] * (max_batch + 1)
        self._own = threading.local()
        self._processes: list[WorkerProcess] = []
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="faces")
        try:
            opened = self._start_all(workers)
        except BaseException:
            self.close()
            raise
        self.card: ModelCard = opened.card
        self._provider = opened.provider

    @property
    def provider(self) -> str:
        return self._provider

    @property
    def batch_sizes(self) -> list[int]:
        return list(self._batch_sizes)

    @property
    def healthy(self) -> bool:
        return self._healthy

    @property
    def depth(self) -> int:
        return self._waiting

    @property
    def deaths(self) -> int:
        """How many processes have ended that should not have."""
        return self._deaths

    @property
    def pids(self) -> list[int]:
        """The ids of the processes that there are."""
        with self._lock:
            return [process.pid for process in self._processes]

    async def read(self, data: bytes, task: Task) -> Reading:
        return cast(Reading, await asyncio.wrap_future(self._submit(data, task)))

    async def probe(self) -> None:
        await asyncio.wrap_future(self._submit(b"", None))

    def close(self) -> None:
        self._threads.shutdown(wait=True)
        for process in self._processes:
            process.end()

    def _start_all(self, count: int) -> Opened:
        """Each thread starts its process; the barrier keeps one thread from starting two."""
        together = threading.Barrier(count)
        starts = [self._threads.submit(self._start_one, together) for _ in range(count)]
        opened = [start.result() for start in starts]
        return opened[0]

    def _start_one(self, together: threading.Barrier) -> Opened:
        try:
            process = self._process()
            together.wait(_START_SECONDS)
        except ProcessEnded as end:
            together.abort()
            raise ConfigurationError(f"a process that reads photographs ended while it started: {end}") from end
        except BaseException:
            together.abort()
            raise
        return process.opened

    def _submit(self, data: bytes, task: Task | None) -> "Future[Reading | None]":
        with self._lock:
            if self._waiting >= self._max_queue:
                raise Overloaded(
                    f"{self._waiting} photographs wait to be read; try again shortly",
                    queue="embed",
                    max_queue=self._max_queue,
                )
            self._waiting += 1
        try:
            future = self._threads.submit(self._work, data, task)
        except RuntimeError:
            self._waits_no_more()
            raise NotReady("reading photographs has stopped") from None
        future.add_done_callback(self._left_if_cancelled)
        return future

    def _left_if_cancelled(self, future: "Future[Reading | None]") -> None:
        if future.cancelled():  # before a thread took it
            self._waits_no_more()

    def _waits_no_more(self) -> None:
        with self._lock:
            self._waiting -= 1

    def _work(self, data: bytes, task: Task | None) -> Reading | None:
        self._waits_no_more()
        try:
            reading = self._ask(data, task)
        except SamefaceError as error:
            if isinstance(error, NotReady):
                self._healthy = False
            raise
        except Exception:
            self._healthy = False
            raise
        self._healthy = True
        if reading is not None:
            self._count_batches(len(reading.embeddings))
        return reading

    def _ask(self, data: bytes, task: Task | None) -> Reading | None:
        """Ask this thread's process, and after its death a new one."""
        ends: list[ProcessEnded] = []
        while len(ends) < _ATTEMPTS:
            try:
                return self._process().ask(data, task)
            except ProcessEnded as end:
                self._bury(end)
                ends.append(end)
                if end.too_slow:
                    raise DeadlineExceeded(f"the photograph was not read in {self._max_seconds:g} s") from end
            except ConfigurationError as error:  # of a new one
                raise NotReady(f"no process can be started to read photographs: {error.message}") from error
        if all(end.crashed for end in ends) and task is not None:
            raise UnreadableImage(
                f"the process that read these {len(data)} bytes crashed, twice; save the photograph again"
            )
        raise NotReady("the processes that read photographs were ended; try again shortly") from ends[-1]

    def _process(self) -> "WorkerProcess":
        """This thread's process; started where there is none."""
        process: WorkerProcess | None = getattr(self._own, "process", None)
        if process is None:
            process = WorkerProcess(self._options, max_batch=self._max_batch, max_seconds=self._max_seconds)
            self._own.process = process
            with self._lock:
                self._processes.append(process)
        return process

    def _bury(self, end: "ProcessEnded") -> None:
        """Forget the process of this thread."""
        process: WorkerProcess | None = getattr(self._own, "process", None)
        self._own.process = None
        with self._lock:
            self._deaths += 1
            if process in self._processes:
                self._processes.remove(process)
        self._healthy = False
        logger.warning("a process that reads photographs ended", extra={"facts": {"reason": str(end)}})

    def _count_batches(self, faces: int) -> None:
        with self._lock:
            whole, rest = divmod(faces, self._max_batch)
            self._batch_sizes[self._max_batch] += whole
            self._batch_sizes[rest] += rest > 0
