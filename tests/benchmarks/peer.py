"""What a user would pick instead, under the same load: see tests/benchmarks/peers.

Each peer runs as it runs best: one process for each core with one numerical thread, and callers shared out evenly, as
a good proxy would; docs/performance.md says why not threads.
"""

import json
import subprocess
import sys

from tests.benchmarks.generator import Generator
from tests.benchmarks.http_load import under_load, verify_requests
from tests.benchmarks.limit import cores
from tests.benchmarks.plan import Plan, Progress, Row
from tests.benchmarks.server import REPOSITORY, several

CALLERS = (1, 2, 4, 8, 16)
LOADS = (0.7,)
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def steps(plan: Plan) -> int:
    return len(plan.peers) * len(plan.peer_sizes) * (len(CALLERS) + len(LOADS))


def measure(plan: Plan, progress: Progress) -> list[Row]:
    """A row for each peer and size; of a peer that cannot run, one that says why."""
    return [row for name, python in plan.peers.items() for row in _peer(name, python, plan, progress)]


def _peer(name: str, python: str, plan: Plan, progress: Progress) -> list[Row]:
    versions, reason = look(name, python)
    if reason:
        return [{"peer": name, "skipped": reason}]
    command = [python, "-m", "uvicorn", f"tests.benchmarks.peers.{name}_app:app", "--log-level", "error"]
    rows = []
    with several(command, cores(), **_ONE_THREAD) as server:
        for size in plan.peer_sizes:
            with Generator(server, verify_requests(size), plan.seconds) as generator:
                loads = under_load(generator, f"{name} {size}", CALLERS, LOADS, progress)
            rows.append({"peer": name, "versions": versions, "size": size, **loads})
    return rows


def look(name: str, python: str = sys.executable) -> tuple[dict[str, str], str]:
    """Versions of the peer's packages, and why it cannot run; one of the two is empty."""
    script = (
        f"import json, uvicorn; from tests.benchmarks.peers.{name}_app import versions; print(json.dumps(versions()))"
    )
    try:
        run = subprocess.run([python, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    except OSError as error:
        return {}, f"{python} cannot be run: {error.strerror}"
    if run.returncode:
        return {}, (run.stderr.strip().splitlines() or [f"exit status {run.returncode}"])[-1]
    return json.loads(run.stdout.splitlines()[-1]), ""
