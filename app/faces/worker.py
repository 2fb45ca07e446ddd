"""A process that reads photographs for another one: `python -m app.faces.worker FD`, started by app.faces.processes.

It is told its NetworkOptions over the pipe, answers Opened, and then a Reading or an exception for each task. It ends
when the pipe does, which is also what it sees of the other process's death.
"""

import contextlib
import ctypes
import gc
import os
import signal
import sys
import time
import traceback
from multiprocessing.connection import Connection

import numpy as np

from app.errors import SamefaceError
from app.faces.embed import FaceEmbedder
from app.faces.inference import NetworkOptions, Opened, Reading, Task
from app.faces.reader import PhotographReader

_PR_SET_PDEATHSIG = 1  # prctl(2)


class PhotographWorker:
    """Reads photographs one after another, and embeds their faces `max_batch` at a time."""

    def __init__(self, reader: PhotographReader, embedder: FaceEmbedder, *, max_batch: int) -> None:
        self._reader, self._embedder, self._max_batch = reader, embedder, max_batch

    def answer(self, data: bytes, task: Task | None) -> Reading | Exception | None:
        """What came of it; without a task, a grey square is embedded, for nothing."""
        try:
            if task is not None:
                return self._read(data, task)
            self._probe()
        except SamefaceError as error:
            return error
        except Exception as error:
            # The traceback stays behind in this process; its text goes with the error into the log.
            error.add_note(traceback.format_exc())
            return error
        return None

    def _read(self, data: bytes, task: Task) -> Reading:
        found = self._reader.find(data, task.selection, keep_crops=task.keep_crops)
        embeddings, took_ms = [], found.took_ms
        if task.embed:
            started = time.perf_counter()
            for first in range(0, len(found.crops), self._max_batch):
                embeddings += [*self._embedder.embed(np.stack(found.crops[first : first + self._max_batch]))]
            took_ms["embed"] = (time.perf_counter() - started) * 1000.0
        return Reading(found.faces, embeddings, found.kept, found.faces_found, found.width_px, found.height_px, took_ms)

    def _probe(self) -> None:
        side = self._embedder.card.input.crop_px
        self._embedder.embed(np.full((1, side, side, 3), 128, np.uint8))


def serve(connection: Connection) -> None:
    """Answer until the pipe ends."""
    options, max_batch = connection.recv()
    worker = _opened(connection, options, max_batch)
    while worker is not None:
        task = connection.recv()
        data = connection.recv_bytes()
        _send(connection, worker.answer(data, task))


def _opened(connection: Connection, options: NetworkOptions, max_batch: int) -> PhotographWorker | None:
    try:
        reader, embedder = options.open()
    except SamefaceError as error:
        connection.send(error)
        return None
    # What is loaded now stays: looking through it again and again for garbage is work for nothing.
    gc.collect()
    gc.freeze()
    connection.send(Opened(embedder.card, embedder.provider))
    return PhotographWorker(reader, embedder, max_batch=max_batch)


def _send(connection: Connection, outcome: object) -> None:
    try:
        connection.send(outcome)
    except (TypeError, AttributeError, ValueError) as error:  # what cannot be pickled; nothing has been sent then
        connection.send(RuntimeError(f"{outcome!r} cannot be sent: {error}"))


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
        serve(Connection(int(sys.argv[1])))


if __name__ == "__main__":
    main()
