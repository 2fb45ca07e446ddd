"""Photographs read in processes of their own, each on one core.

Threads that read photographs wait for Python's one lock; processes do not, and a decoder that crashes takes one of
them with it and not the service: its photographs are tried once more in a new one. `ProcessPoolExecutor` fails all its
work when one process dies and `multiprocessing` runs the caller's main module again in each, so the processes are
started here, and each is spoken to by a thread of its own. What waits while they are busy they take a few at a time.
"""

import logging
import threading
from collections.abc import Sequence
from typing import cast

from app.batcher import MicroBatcher
from app.errors import ConfigurationError, DeadlineExceeded, NotReady, SamefaceError, UnreadableImage
from app.faces.card import ModelCard
from app.faces.inference import NetworkOptions, Opened, Outcome, Reading, Task, Work
from app.faces.worker_process import ProcessEnded, WorkerProcess

logger = logging.getLogger(__name__)

_START_SECONDS = 60.0
# Photographs that a process takes at once, where so many wait: more take no less time each, and all wait for all.
_MAX_TOGETHER = 8
# Most bytes of files of such photographs: of large ones a few take as long as eight small ones.
_MAX_TOGETHER_BYTES = 1 << 20
# Faces that go through the embedding network at once: what its layers give for more is too much for a core's cache.
_MAX_FACES = 4


class ProcessInference:
    """See app.faces.inference.Inference; `depth` and `batch_sizes` count photographs."""

    def __init__(
        self, options: NetworkOptions, *, workers: int, max_batch: int, max_queue: int, max_seconds: float
    ) -> None:
        """Start `workers` processes and wait until each has loaded its networks; raises ConfigurationError.

        `max_batch`: most faces embedded at once, of which four are the most that pay on one core. `max_queue`: most
        photographs that wait for a process. `max_seconds`: the longest that one may take.
        """
        self._options, self._max_seconds = options, max_seconds
        self._max_batch = min(max_batch, _MAX_FACES)
        self._lock = threading.Lock()
        self._deaths = 0
        self._healthy = True
        self._own = threading.local()
        self._processes: list[WorkerProcess] = []
        self._batcher: MicroBatcher[threading.Barrier | Work, Opened | Outcome] = MicroBatcher(
            self._run,
            name="reading",
            max_batch=_MAX_TOGETHER,
            max_queue=max(max_queue, workers),
            threads=workers,
            weigh=_file_bytes,
            max_weight=_MAX_TOGETHER_BYTES,
        )
        try:
            opened = self._start(workers)
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
        return self._batcher.batch_sizes

    @property
    def healthy(self) -> bool:
        return self._healthy and self._batcher.healthy

    @property
    def depth(self) -> int:
        return self._batcher.depth

    @property
    def deaths(self) -> int:
        return self._deaths

    @property
    def pids(self) -> list[int]:
        """The ids of the processes that there are."""
        with self._lock:
            return [process.pid for process in self._processes]

    async def read(self, data: bytes, task: Task) -> Reading:
        return await self._outcome((data, task))

    async def probe(self) -> None:
        await self._outcome((b"", None))

    def close(self) -> None:
        self._batcher.close()
        for process in self._processes:
            process.end()

    async def _outcome(self, work: Work) -> Reading:
        outcome = await self._batcher.ask(work)
        if isinstance(outcome, Exception):
            raise outcome
        return cast(Reading, outcome)

    def _start(self, count: int) -> Opened:
        """Each thread starts its process; the barrier keeps one thread from starting two."""
        together = threading.Barrier(count)
        starts = [self._batcher.submit(together) for _ in range(count)]
        outcomes = [start.result() for start in starts]
        for outcome in outcomes:
            if isinstance(outcome, ConfigurationError):
                raise outcome
        return cast(Opened, outcomes[0])

    def _run(self, work: list[threading.Barrier | Work]) -> Sequence[Opened | Outcome]:
        """On one of the threads."""
        if isinstance(work[0], threading.Barrier):
            return [self._begin(work[0])]
        return self._answer(cast(list[Work], work))

    def _begin(self, together: threading.Barrier) -> Opened | Exception:
        try:
            opened = self._process().opened
            together.wait(_START_SECONDS)
        except ProcessEnded as end:
            together.abort()
            return ConfigurationError(f"a process that reads photographs ended while it started: {end}")
        except (ConfigurationError, threading.BrokenBarrierError) as error:
            together.abort()
            return error
        return opened

    def _answer(self, work: list[Work]) -> Sequence[Outcome]:
        try:
            outcomes = self._process().ask(work)
        except ConfigurationError as error:  # of a new process: what it loads was changed since the others started
            self._healthy = False
            return [_cannot_start(error)] * len(work)
        except ProcessEnded as end:
            self._bury(end)
            return [self._answer_again(each, end) for each in work]
        self._healthy = not any(
            isinstance(each, Exception) and not isinstance(each, SamefaceError) for each in outcomes
        )
        return outcomes

    def _answer_again(self, work: Work, first: ProcessEnded) -> Outcome:
        """Alone in a new process, so that a photograph that ends processes fails alone."""
        if first.too_slow:
            return DeadlineExceeded(f"the photograph was not read in {self._max_seconds:g} s")
        try:
            (outcome,) = self._process().ask([work])
        except ConfigurationError as error:
            return _cannot_start(error)
        except ProcessEnded as second:
            self._bury(second)
            if first.crashed and second.crashed:
                return UnreadableImage(
                    f"the process that read these {len(work[0])} bytes crashed, twice; save the photograph again"
                )
            return NotReady("the processes that read photographs were ended; try again shortly")
        self._healthy = True
        return outcome

    def _process(self) -> WorkerProcess:
        """This thread's process; started where there is none."""
        process: WorkerProcess | None = getattr(self._own, "process", None)
        if process is None:
            process = WorkerProcess(self._options, max_batch=self._max_batch, max_seconds=self._max_seconds)
            self._own.process = process
            with self._lock:
                self._processes.append(process)
        return process

    def _bury(self, end: ProcessEnded) -> None:
        """Forget the process of this thread."""
        process: WorkerProcess | None = getattr(self._own, "process", None)
        self._own.process = None
        with self._lock:
            self._deaths += 1
            if process in self._processes:
                self._processes.remove(process)
        self._healthy = False
        logger.warning("a process that reads photographs ended", extra={"facts": {"reason": str(end)}})


def _cannot_start(error: ConfigurationError) -> NotReady:
    refusal = NotReady("no process can be started to read photographs")
    refusal.__cause__ = error
    return refusal


def _file_bytes(work: threading.Barrier | Work) -> int:
    return 0 if isinstance(work, threading.Barrier) else len(work[0])
