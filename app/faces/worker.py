"""A process that reads photographs for another one: `python -m app.faces.worker FD`, started by app.faces.processes.

It is told its NetworkOptions over the pipe, answers Opened, and then a Reading or an exception for each photograph. It
ends when the pipe does, which is also what it sees of the other process's death.
"""

import contextlib
import ctypes
import gc
import os
import signal
import socket
import sys
import traceback
from collections.abc import Mapping, Sequence
from itertools import islice
from pickle import PicklingError

import numpy as np

from app.domain import Embedding
from app.errors import SamefaceError
from app.faces.decode import Pixels
from app.faces.embed import FaceEmbedder
from app.faces.inference import NetworkOptions, Opened, Outcome, Work
from app.faces.pipe import Pipe
from app.faces.reader import Found, PhotographReader, timed

_PR_SET_PDEATHSIG = 1  # prctl(2)


class PhotographWorker:
    """Reads photographs, several together, and embeds their faces `max_batch` at a time."""

    def __init__(self, reader: PhotographReader, embedder: FaceEmbedder, *, max_batch: int) -> None:
        self._reader, self._embedder, self._max_batch = reader, embedder, max_batch

    def answer(self, work: Sequence[Work]) -> list[Outcome]:
        """What came of each photograph, errors included."""
        found = self._find(work)
        wanted = {
            number: each.crops
            for number, each in enumerate(found)
            if isinstance(each, Found) and ((task := work[number][1]) is None or task.embed)
        }
        took_ms: dict[str, float] = {}
        try:
            with timed(took_ms, "embed"):
                embedded = self._embed(wanted)
        except Exception as error:
            return [error if number in wanted else _outcome(each, [], {}) for number, each in enumerate(found)]
        return [
            _outcome(each, embedded.get(number, []), took_ms if number in wanted else {})
            for number, each in enumerate(found)
        ]

    def _find(self, work: Sequence[Work]) -> list[Found | Exception]:
        wanted = [(data, task) for data, task in work if task is not None]
        found = iter(self._reader.find_all(wanted))
        return [self._grey() if task is None else next(found) for _, task in work]

    def _grey(self) -> Found:
        """A face's crop without a face, for the embedder to show that it works."""
        side = self._embedder.card.input.crop_px
        return Found([], [np.full((side, side, 3), 128, np.uint8)], [], 0, 0, 0)

    def _embed(self, crops: Mapping[int, Sequence[Pixels]]) -> dict[int, list[Embedding]]:
        """Embeddings of each photograph's crops; batches reach over photographs."""
        every = [crop for each in crops.values() for crop in each]
        starts = range(0, len(every), self._max_batch)
        rows = (
            row for start in starts for row in self._embedder.embed(np.stack(every[start : start + self._max_batch]))
        )
        return {number: list(islice(rows, len(each))) for number, each in crops.items()}


def serve(pipe: Pipe) -> None:
    """Answer until the pipe ends."""
    (options, max_batch), _ = pipe.receive()
    worker = _opened(pipe, options, max_batch)
    while worker is not None:
        tasks, photographs = pipe.receive()
        _send(pipe, worker.answer(list(zip(photographs, tasks, strict=True))))


def _outcome(found: Found | Exception, embeddings: Sequence[Embedding], took_ms: Mapping[str, float]) -> Outcome:
    if isinstance(found, Exception):
        return found
    found.took_ms.update(took_ms)
    return found.reading(embeddings)


def _opened(pipe: Pipe, options: NetworkOptions, max_batch: int) -> PhotographWorker | None:
    try:
        reader, embedder = options.open()
    except SamefaceError as error:
        pipe.send(error)
        return None
    # What is loaded now stays: looking through it again and again for garbage is work for nothing.
    gc.collect()
    gc.freeze()
    pipe.send(Opened(embedder.card, embedder.provider))
    return PhotographWorker(reader, embedder, max_batch=max_batch)


def _send(pipe: Pipe, outcomes: Sequence[Outcome]) -> None:
    # The traceback stays behind in this process; of an error that nobody expected, its text goes along.
    for error in {each for each in outcomes if isinstance(each, Exception)}:
        if not isinstance(error, SamefaceError):
            error.add_note("".join(traceback.format_exception(error)))
    try:
        pipe.send(outcomes)
    except (TypeError, AttributeError, PicklingError):  # an error that cannot be pickled; nothing has been sent then
        pipe.send([RuntimeError(repr(each)) if isinstance(each, Exception) else each for each in outcomes])


def _end_with(parent: int) -> None:
    """Be killed when the thread that started this process ends, also where a decoder does not come back."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit()


def main() -> None:
    # A terminal or systemd tells every process of a service to stop; the service stops this one when it is done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _end_with(int(sys.argv[2]))
    with contextlib.suppress(EOFError, ConnectionError):
        serve(Pipe(socket.socket(fileno=int(sys.argv[1]))))


if __name__ == "__main__":
    main()
