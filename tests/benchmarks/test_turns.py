"""Turns: what others do meanwhile is told from what is measured, and medians are of what was kept."""

import subprocess
import sys
import time

import pytest

from tests.benchmarks.turns import summary, watched


def spin(seconds: float) -> dict[str, float]:
    ends = time.process_time() + seconds
    while time.process_time() < ends:
        pass
    return {"per_second": 1.0}


def test_own_work_is_not_that_of_others_and_theirs_is() -> None:
    _, quiet = watched(lambda: spin(0.5))
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
        time.sleep(0.2)
        row, loud = watched(lambda: spin(0.5))
        other.kill()
    assert row == {"per_second": 1.0}
    assert loud > quiet + 0.3


def test_cores_of_the_server_and_of_its_callers_are_not_those_of_others() -> None:
    _, others = watched(lambda: time.sleep(0.2) or {"server_cores": 1.5, "client_cores": 0.25})
    _, idle = watched(lambda: time.sleep(0.2) or {})
    assert others == pytest.approx(idle - 1.75, abs=0.5)


def test_a_summary_is_the_median_of_each_figure_that_there_is() -> None:
    rows = [{"per_second": 1.0, "p50_ms": 3.0}, {"per_second": 5.0, "p50_ms": None}, {"per_second": 2.0, "p50_ms": 4.0}]
    assert summary(rows) == {"rounds": 3, "per_second": 2.0, "p50_ms": 3.5}
