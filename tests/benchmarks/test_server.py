"""What a process and its children cost together."""

import subprocess
import sys
import time

from tests.benchmarks.server import Server, ready, tree
from tests.processes import free_port

WORK = "import time; end = time.process_time() + 0.1\nwhile time.process_time() < end: pass\n"
CHILD = f"import subprocess, sys; {WORK}child = subprocess.Popen([sys.executable, '-c', 'input()']); child.wait()"


def test_the_processes_that_a_server_starts_count_with_it() -> None:
    with subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE) as process:
        server = Server([0], [process.pid])
        deadline = time.monotonic() + 60
        while server.processes() < 2:
            assert time.monotonic() < deadline, "the child does not start"
            time.sleep(0.01)
        assert server.cpu_seconds() >= 0.09
        assert server.resident_mib() > 5
        process.communicate(b"\n")


def test_a_process_that_has_ended_costs_nothing() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert tree(process.pid) == [process.pid]
    assert Server([0], [process.pid]).cpu_seconds() == 0.0


def test_nobody_listening_is_not_ready() -> None:
    assert not ready(free_port())
