"""A replica that is told to stop lets the proxies in front notice before it takes no more connections."""

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.processes import Server, serving

DRAIN_SECONDS = 2.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path / "sameface.db", SAMEFACE_DRAIN_SECONDS=str(DRAIN_SECONDS)) as server:
        yield server


def wait_until_draining(server: Server) -> httpx.Response:
    deadline = time.monotonic() + DRAIN_SECONDS
    while (answer := httpx.get(f"{server.http.base_url}/health/ready")).status_code == 200:
        assert time.monotonic() < deadline, "the service does not drain"
        time.sleep(0.02)
    return answer


def test_a_replica_that_stops_says_so_first_and_answers_what_still_comes(server: Server) -> None:
    kept = server.http.get("/health/live")
    assert "connection" not in kept.headers
    server.process.send_signal(signal.SIGTERM)
    told = wait_until_draining(server)
    assert told.status_code == 503
    assert told.json()["status"] == "not_ready"
    assert "stopping" in told.json()["checks"]["serving"]["detail"]
    # On the connection that was open before, and on a new one.
    for answer in (server.http.get("/health/live"), httpx.get(f"{server.http.base_url}/health/live")):
        assert answer.status_code == 200
        assert answer.headers["connection"] == "close"
    server.process.wait(30)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.http.base_url}/health/live")


def test_what_is_asked_of_a_draining_replica_is_answered(server: Server) -> None:
    """Callers who make a new connection for each request, until they have noticed as a proxy would."""
    failures: list[Exception] = []
    answered, noticed = threading.Semaphore(0), threading.Event()

    def ask() -> None:
        try:
            while not noticed.is_set():
                assert httpx.get(f"{server.http.base_url}/health/live").status_code == 200
                answered.release()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    answered.acquire()
    server.process.send_signal(signal.SIGTERM)
    wait_until_draining(server)
    for _ in range(5):
        assert answered.acquire(timeout=DRAIN_SECONDS), "nothing is answered while draining"
    noticed.set()
    for thread in threads:
        thread.join(30)
    assert failures == []


def test_a_second_signal_ends_the_drain(tmp_path: Path) -> None:
    with serving(tmp_path / "sameface.db", SAMEFACE_DRAIN_SECONDS="600") as server:
        server.process.send_signal(signal.SIGTERM)
        wait_until_draining(server)
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(30)


def test_without_a_drain_and_on_interrupt_it_stops_at_once(tmp_path: Path) -> None:
    with serving(tmp_path / "sameface.db", SAMEFACE_DRAIN_SECONDS="600") as server:
        server.process.send_signal(signal.SIGINT)
        server.process.wait(30)
