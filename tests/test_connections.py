"""Connections to a real process that do not ask in earnest are ended, and those that do are left alone."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import httpx
import pytest

from tests.processes import Server, serving

HEADER_TIMEOUT_SECONDS = 1.0
ENDED_WITHIN_SECONDS = 10.0
REQUEST = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    limits = {"SAMEFACE_HEADER_TIMEOUT_SECONDS": str(HEADER_TIMEOUT_SECONDS), "SAMEFACE_MAX_HEADER_BYTES": "2048"}
    database = tmp_path_factory.mktemp("connections") / "sameface.db"
    with serving(database, SAMEFACE_KEEP_ALIVE_SECONDS="30", SAMEFACE_MAX_REQUESTS_IN_FLIGHT="1", **limits) as server:
        yield server


@pytest.fixture
def connection(server: Server) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=ENDED_WITHIN_SECONDS) as opened:
        yield opened


def rest(connection: socket.socket, piece: bytes = b"") -> bytes:
    """All that comes until the connection is closed, while `piece` is sent again and again."""
    answer, ends = b"", time.monotonic() + ENDED_WITHIN_SECONDS
    connection.settimeout(0.1)
    while time.monotonic() < ends:
        try:
            if piece:
                connection.sendall(piece)
            received = connection.recv(65_536)
        except TimeoutError:
            continue
        except ConnectionError:
            return answer
        if not received:
            return answer
        answer += received
    raise AssertionError(f"still open after {ENDED_WITHIN_SECONDS} s")


def answer_of(connection: socket.socket) -> bytes:
    answer = b""
    while b'"status"' not in answer and b"\r\n\r\n{" not in answer:
        answer += connection.recv(65_536)
    return answer


def test_half_a_header_is_answered_408(connection: socket.socket) -> None:
    connection.sendall(REQUEST)
    assert rest(connection).startswith(b"HTTP/1.1 408")


def test_headers_that_trickle_are_answered_408(connection: socket.socket) -> None:
    connection.sendall(REQUEST)
    assert rest(connection, piece=b"X-A: b\r\n").startswith(b"HTTP/1.1 408")


def test_empty_lines_keep_no_connection_open(connection: socket.socket) -> None:
    assert rest(connection, piece=b"\r\n").startswith(b"HTTP/1.1 408")


def test_a_connection_that_says_nothing_is_closed_without_a_word(connection: socket.socket) -> None:
    assert rest(connection) == b""


def test_headers_without_an_end_are_answered_431(connection: socket.socket) -> None:
    connection.sendall(REQUEST + b"X-A: " + b"a" * 4096)
    time.sleep(0.2)
    connection.sendall(b"a" * 4096)
    assert rest(connection).startswith(b"HTTP/1.1 431")


def test_what_is_refused_is_not_done(server: Server, connection: socket.socket) -> None:
    server.http.post("/galleries", json={"name": "stays"})
    head = b"DELETE /galleries/stays HTTP/1.1\r\nHost: localhost\r\n"
    connection.sendall(head + b"X-A: " + b"a" * 1000 + b"\r\nX-B: " + b"b" * 1500 + b"\r\n\r\n")  # in one piece
    assert rest(connection).startswith(b"HTTP/1.1 431")
    assert server.http.get("/galleries/stays").status_code == 200


def test_pipelined_requests_are_answered_though_the_first_takes_its_time(connection: socket.socket) -> None:
    connection.sendall((REQUEST + b"\r\n") * 3)
    time.sleep(2 * HEADER_TIMEOUT_SECONDS)
    connection.sendall(REQUEST + b"Connection: close\r\n\r\n")
    assert rest(connection).count(b"HTTP/1.1 200") == 4


def test_trailers_without_an_end_end_the_connection(connection: socket.socket) -> None:
    head = b"POST /detect HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked"
    connection.sendall(head + b"\r\n\r\n0\r\n")
    started = time.monotonic()
    assert rest(connection, piece=b"X-A: b\r\n" * 100) == b""
    assert time.monotonic() - started < ENDED_WITHIN_SECONDS / 2


def test_headers_without_an_end_behind_an_answer_end_the_connection(connection: socket.socket) -> None:
    connection.sendall(b"GET /docs/assets/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n" + REQUEST)
    connection.settimeout(0.5)
    with suppress(TimeoutError, ConnectionError):
        for _ in range(10_000):  # nothing is read, so the answer is not over
            connection.sendall(b"X-A: " + b"a" * 1000 + b"\r\n")
    assert rest(connection).count(b"HTTP/1.1 ") <= 1  # and it does end


def test_the_headers_of_a_second_request_are_waited_for_no_longer(connection: socket.socket) -> None:
    connection.sendall(REQUEST + b"\r\n")
    assert answer_of(connection).startswith(b"HTTP/1.1 200")
    connection.sendall(REQUEST)
    assert rest(connection).startswith(b"HTTP/1.1 408")


def test_a_connection_may_rest_between_requests(connection: socket.socket) -> None:
    for _ in range(2):
        connection.sendall(REQUEST + b"\r\n")
        assert answer_of(connection).startswith(b"HTTP/1.1 200")
        time.sleep(2 * HEADER_TIMEOUT_SECONDS)


def test_an_upload_may_take_longer_than_headers(connection: socket.socket) -> None:
    body = b'{"image": "aaaa"}'
    head = f"POST /detect HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    connection.sendall(head.encode() + b"\r\n\r\n")
    for byte in body:
        time.sleep(2 * HEADER_TIMEOUT_SECONDS / len(body))
        connection.sendall(bytes([byte]))
    assert b'"unsupported_format"' in answer_of(connection)


@pytest.mark.parametrize("pause_seconds", [0.0, 0.5])
def test_the_refusal_of_an_upload_reaches_its_caller(server: Server, pause_seconds: float) -> None:
    def slowly() -> Iterator[bytes]:
        for _ in range(4):
            time.sleep(pause_seconds / 4)
            yield b"x" * 100_000

    def refused() -> int:
        return httpx.post(f"{server.http.base_url}/nothing", content=slowly()).status_code

    assert refused() == 404


def test_a_refused_upload_that_never_ends_is_ended(connection: socket.socket) -> None:
    connection.sendall(b"POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
    answer = rest(connection, piece=b"x")
    assert answer.startswith(b"HTTP/1.1 404")
    assert b"408" not in answer


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + ENDED_WITHIN_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_hundred_slow_callers_keep_nobody_out(server: Server) -> None:
    slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(100)]
    try:
        for connection in slow:
            connection.sendall(REQUEST)
        assert httpx.get(f"{server.http.base_url}/model").status_code == 200
    finally:
        for connection in slow:
            connection.close()
    wait_until(lambda: httpx.get(f"{server.http.base_url}/model").status_code == 200)
