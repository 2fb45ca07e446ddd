"""A process that reads photographs is killed while requests are on their way: each is answered, and none with a 500."""

import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.processes import Server, serving

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="children are looked up in /proc")

CALLERS, KILLS = 4, 3


def children(pid: int) -> list[int]:
    """Processes that a process has started, by any of its threads."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def verified(server: Server, portrait: bytes, until: float) -> list[tuple[int, str]]:
    """Status and code of one request after another."""
    answers = []
    while time.monotonic() < until:
        response = server.http.post("/verify", files={"image1": portrait, "image2": portrait})
        answers.append((response.status_code, response.json().get("code", "")))
    return answers


def test_requests_outlive_the_death_of_processes_that_read_photographs(tmp_path: Path, portrait: bytes) -> None:
    with serving(tmp_path / "own.db", SAMEFACE_IMAGE_WORKERS="2") as server:
        ends = time.monotonic() + KILLS + 1.0
        with ThreadPoolExecutor(CALLERS) as callers:
            answering = [callers.submit(verified, server, portrait, ends) for _ in range(CALLERS)]
            for _ in range(KILLS):
                time.sleep(1.0)
                os.kill(children(server.process.pid)[0], signal.SIGKILL)
            answers = [answer for caller in answering for answer in caller.result()]
        assert set(answers) <= {(200, ""), (503, "not_ready")}
        assert answers.count((200, "")) > len(answers) / 2
        # Back at once, with as many processes as before, and it tells of the deaths.
        assert verified(server, portrait, time.monotonic() + 0.01) == [(200, "")]
        assert server.http.get("/health/ready").json()["status"] == "ready"
        assert len(children(server.process.pid)) == 2
        assert "sameface_reading_process_deaths_total 3.0" in server.http.get("/metrics").text
