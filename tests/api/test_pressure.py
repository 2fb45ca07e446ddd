"""A real process under more load than it takes: refusals are quick, accepted work is done, stalled uploads end."""

import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.processes import Server, serving

HALF_A_FORM = (
    b"POST /verify HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=frontier\r\n"
    b"Content-Length: 100000\r\n\r\n--frontier\r\n"
)
# Refusals are a few milliseconds on an idle machine; this one may be busy with other tests.
REFUSED_WITHIN_SECONDS = 1.0


def verify(server: Server, portrait: bytes) -> tuple[int, float, httpx.Headers]:
    started = time.perf_counter()
    with httpx.Client(base_url=server.http.base_url, timeout=60) as http:
        response = http.post("/verify", files={"image1": portrait, "image2": portrait})
    return response.status_code, time.perf_counter() - started, response.headers


@contextmanager
def half_uploads(server: Server, count: int) -> Iterator[list[socket.socket]]:
    """Connections on each of which a form has begun, and nothing more comes; yields once all are being worked on."""
    with ExitStack() as opened:
        connections = []
        for _ in range(count):
            connection = opened.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30))
            connection.sendall(HALF_A_FORM)
            connections.append(connection)
        wait_until(lambda: in_progress(server) == count)
        yield connections


def in_progress(server: Server) -> int:
    """Requests in progress but for the one that asks."""
    lines = server.http.get("/metrics").text.splitlines()
    return int(float(next(line.split()[1] for line in lines if line.startswith("sameface_requests_in_progress ")))) - 1


def wait_until(condition: Callable[[], bool], within_seconds: float = 20.0) -> None:
    deadline = time.monotonic() + within_seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_seconds} s"
        time.sleep(0.02)


def test_overload_is_refused_at_once_and_accepted_work_is_done(tmp_path: Path, portrait: bytes) -> None:
    answers: list[tuple[int, float, httpx.Headers]] = []
    with serving(tmp_path / "sameface.db", SAMEFACE_MAX_REQUESTS_IN_FLIGHT="2") as server:
        callers = [threading.Thread(target=lambda: answers.append(verify(server, portrait))) for _ in range(16)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        assert verify(server, portrait)[0] == 200  # the places are free again
    refused = [(took, headers) for status, took, headers in answers if status == 503]
    assert {status for status, _, _ in answers} == {200, 503}
    assert all(headers["retry-after"] == "1" for _, headers in refused)
    assert statistics.median(took for took, _ in refused) < REFUSED_WITHIN_SECONDS
    assert max(took for status, took, _ in answers if status == 200) < 30


def test_stalled_uploads_give_their_places_back(tmp_path: Path) -> None:
    limits = {"SAMEFACE_MAX_REQUESTS_IN_FLIGHT": "2", "SAMEFACE_UPLOAD_IDLE_SECONDS": "2"}
    with serving(tmp_path / "sameface.db", **limits) as server, half_uploads(server, 2) as stalled:
        assert server.http.get("/model").status_code == 503
        wait_until(lambda: server.http.get("/model").status_code == 200)
        for connection in stalled:
            assert connection.recv(4096).startswith(b"HTTP/1.1 504")


@pytest.mark.parametrize("linger", [b"\0\0\0\0\0\0\0\0", b"\1\0\0\0\0\0\0\0"], ids=["closed", "reset"])
def test_uploads_whose_caller_went_give_their_places_back(tmp_path: Path, linger: bytes) -> None:
    with serving(tmp_path / "sameface.db", SAMEFACE_MAX_REQUESTS_IN_FLIGHT="2") as server:
        with half_uploads(server, 2) as gone:
            assert server.http.get("/model").status_code == 503
            for connection in gone:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        wait_until(lambda: server.http.get("/model").status_code == 200, within_seconds=5)


def test_a_trickle_ends_with_the_deadline(tmp_path: Path) -> None:
    limit = {"SAMEFACE_REQUEST_DEADLINE_SECONDS": "2"}
    with serving(tmp_path / "sameface.db", **limit) as server, half_uploads(server, 1) as [connection]:
        connection.settimeout(0.2)
        answer = b""
        started = time.monotonic()
        while not answer and time.monotonic() - started < 20:
            try:
                connection.sendall(b"x")
                answer = connection.recv(4096)
            except TimeoutError:
                continue
        assert answer.startswith(b"HTTP/1.1 504")
