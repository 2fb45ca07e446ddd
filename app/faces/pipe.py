"""Messages between the service and a process that reads photographs: an object, pickled, and photographs as they are.

A message is one system call, however many photographs go along: at each, Python lets go of its lock, and a busy event
loop may keep it for milliseconds while the process at the other end waits.
"""

import pickle
import socket
import struct
from collections.abc import Iterator, Sequence
from typing import Any

_COUNT = struct.Struct("=Q")
# Of a usual answer and of several photographs of 250x250; what is longer takes more calls.
_BUFFER_BYTES = 256 * 1024


class Pipe:
    """One end of a pair of connected stream sockets, for one thread at a time.

    Its methods raise EOFError or ConnectionError where the other end is gone, and BlockingIOError where a time limit
    of the socket itself (SO_RCVTIMEO, SO_SNDTIMEO) runs out.
    """

    def __init__(self, connected: socket.socket) -> None:
        """`connected` belongs to the pipe from now on."""
        self._socket = connected
        self._buffer = bytearray(_BUFFER_BYTES)
        self._filled = 0

    def send(self, message: object, photographs: Sequence[bytes] = ()) -> None:
        """Raises what pickle raises of a message that it cannot take; nothing has been sent then."""
        parts = [pickle.dumps(message, pickle.HIGHEST_PROTOCOL), *photographs]
        sizes = struct.pack(f"={len(parts)}Q", *map(len, parts))
        left = [memoryview(part) for part in (_COUNT.pack(len(parts)), sizes, *parts) if part]
        while left:
            sent = self._socket.sendmsg(left)
            while left and sent >= len(left[0]):
                sent -= len(left.pop(0))
            if sent:
                left[0] = left[0][sent:]

    def receive(self) -> tuple[Any, list[bytes]]:
        """The next message and the photographs that came with it."""
        self._fill(_COUNT.size)
        (count,) = _COUNT.unpack_from(self._buffer)
        start = _COUNT.size * (1 + count)
        self._fill(start)
        sizes = struct.unpack_from(f"={count}Q", self._buffer, _COUNT.size)
        self._fill(start + sum(sizes))
        message, *photographs = self._cut(start, sizes)
        return pickle.loads(message), photographs  # noqa: S301 - of the same program

    def close(self) -> None:
        """The other end sees the end of it; may be called again."""
        self._socket.close()

    def _fill(self, wanted: int) -> None:
        """Receive until the buffer holds so many bytes."""
        if len(self._buffer) < wanted:
            self._buffer.extend(bytes(wanted - len(self._buffer)))
        while self._filled < wanted:
            with memoryview(self._buffer) as whole, whole[self._filled :] as free:
                received = self._socket.recv_into(free)
            if received == 0:
                raise EOFError
            self._filled += received

    def _cut(self, start: int, sizes: Sequence[int]) -> Iterator[bytes]:
        """Parts of the buffer one after the other; what follows them moves to its front."""
        for size in sizes:
            yield bytes(memoryview(self._buffer)[start : start + size])
            start += size
        left = self._buffer[start : self._filled]
        del self._buffer[_BUFFER_BYTES:]
        self._buffer[: len(left)] = left
        self._filled = len(left)
