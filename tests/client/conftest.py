"""A server that fails first."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class Scripted:
    """A server that answers each connection with the next of its scripted answers; an empty one hangs up unheard."""

    def __init__(self, answers: Sequence[bytes]) -> None:
        self._answers = list(answers)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.requests: list[bytes] = []
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def header(self, name: str) -> list[str]:
        """The values that the requests had for a header."""
        lines = (line for request in self.requests for line in request.decode("latin-1").split("\r\n"))
        return [line.partition(": ")[2] for line in lines if line.lower().startswith(f"{name.lower()}: ")]

    def close(self) -> None:
        self._answers.clear()
        with socket.create_connection(self._socket.getsockname()):  # wakes the thread where answers are left
            self._thread.join(10)
        self._socket.close()

    def _serve(self) -> None:
        while self._answers:
            connection, _ = self._socket.accept()
            with connection:
                if not self._answers:
                    return
                request = _read_request(connection)
                self.requests.append(request)
                connection.sendall(self._answers.pop(0))


@contextmanager
def scripted(*answers: bytes) -> Iterator[Scripted]:
    """A scripted server, gone afterwards."""
    running = Scripted(answers)
    try:
        yield running
    finally:
        running.close()


def answer(status: int, body: bytes = b"{}", **headers: str) -> bytes:
    """An HTTP answer after which the connection closes; `retry_after` stands for Retry-After."""
    fields = {"content-type": "application/json", "content-length": str(len(body)), "connection": "close"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Scripted\r\n{head}\r\n".encode() + body


def _read_request(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        received += _received(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    length = next((int(line[16:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length: ")), 0)
    while len(body) < length:
        body += _received(connection)
    return head + b"\r\n\r\n" + body


def _received(connection: socket.socket) -> bytes:
    connection.settimeout(10)
    received = connection.recv(65536)
    assert received, "the client hung up"
    return received
