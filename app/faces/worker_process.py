"""One process that reads photographs, as the thread that started it sees it; the other end is app.faces.worker."""

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import app
from app.faces.inference import NetworkOptions, Opened, Outcome, Work
from app.faces.pipe import Pipe

_START_SECONDS = 60.0
_END_SECONDS = 5.0
# How a process ends that stumbled over its own work; any other signal came from outside.
_CRASHES = frozenset({signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL})
# One core each: libraries that would start threads of their own are told not to.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class ProcessEnded(Exception):
    """A process that should be there is not; `crashed` by what it did, or `too_slow` and therefore killed."""

    def __init__(self, message: str, *, crashed: bool = False, too_slow: bool = False) -> None:
        super().__init__(message)
        self.crashed, self.too_slow = crashed, too_slow


class WorkerProcess:
    """To be made and used by one thread, with whose end it is killed."""

    def __init__(self, options: NetworkOptions, *, max_batch: int, max_seconds: float) -> None:
        """Returns when the networks are loaded; raises ConfigurationError, or ProcessEnded."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = _started(theirs.fileno())
        _set_timeout(ours, _START_SECONDS)
        self._pipe = Pipe(ours)
        try:
            opened = self._exchange((options, max_batch))
            if isinstance(opened, Exception):
                raise opened
            self.opened: Opened = opened
        except BaseException:
            self.end()
            raise
        _set_timeout(ours, max_seconds)

    def ask(self, work: Sequence[Work]) -> list[Outcome]:
        """Have photographs read; raises ProcessEnded."""
        outcomes: list[Outcome] = self._exchange([task for _, task in work], [data for data, _ in work])
        return outcomes

    def end(self) -> None:
        """Let it finish and wait for it; kill it where it does not. May be called again."""
        self._pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def _exchange(self, message: object, photographs: Sequence[bytes] = ()) -> Any:
        try:
            self._pipe.send(message, photographs)
            answer, _ = self._pipe.receive()
            return answer
        except BlockingIOError:  # the pipe's time ran out
            self._process.kill()
            self.end()
            raise ProcessEnded("killed, because it took too long", too_slow=True) from None
        except (EOFError, ConnectionError):
            raise self._ended() from None

    def _ended(self) -> ProcessEnded:
        self.end()
        status = self._process.returncode
        if status >= 0:
            return ProcessEnded(f"exit status {status}", crashed=True)
        return ProcessEnded(signal.Signals(-status).name, crashed=-status in _CRASHES)


def _started(descriptor: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "app.faces.worker", str(descriptor), str(os.getpid())]
    # It has no business with the settings, which may hold passwords and keys.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SAMEFACE_")}
    folders = [str(Path(app.__file__).parent.parent), *filter(None, [kept.get("PYTHONPATH")])]
    return subprocess.Popen(  # noqa: S603 - of this interpreter, and its arguments are two numbers
        command,
        env={**kept, **_ONE_THREAD, "PYTHONPATH": os.pathsep.join(folders)},
        pass_fds=[descriptor],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )


def _set_timeout(pipe: socket.socket, seconds: float) -> None:
    """Let every read and write of the pipe fail with BlockingIOError that makes no progress for so long."""
    whole, part = divmod(seconds, 1.0)
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        pipe.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", int(whole), int(part * 1e6)))
