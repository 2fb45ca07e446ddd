"""How soon the service is there: the import of `app.main`, and ready with an empty gallery."""

import os
import statistics
import subprocess
import sys
import tempfile
import time

from tests.benchmarks.plan import Plan, Progress, Row
from tests.benchmarks.server import REPOSITORY, START_SECONDS, ready
from tests.processes import free_port

REPEATS = 5
_IMPORT = "import time; began = time.perf_counter(); import app.main; print(time.perf_counter() - began)"


def steps(plan: Plan) -> int:
    return 3


def measure(plan: Plan, progress: Progress) -> list[Row]:
    """Seconds by the clock, medians and the slowest of REPEATS, each in a new process.

    One before them writes the bytecode, as the first start after an installation does.
    """
    import_seconds()
    with progress.step("import of app.main"):
        imports = [import_seconds() for _ in range(REPEATS)]
    with tempfile.TemporaryDirectory(prefix="sameface-benchmark-") as folder:
        with progress.step("ready with a new database"):
            new = [ready_seconds(f"sqlite:///{folder}/{number}.db") for number in range(REPEATS)]
        with progress.step("ready with an empty database"):
            empty = [ready_seconds(f"sqlite:///{folder}/0.db") for _ in range(REPEATS)]
    named = {"import of app.main": imports, "ready, database made anew": new, "ready, gallery empty": empty}
    return [{"what": what, "seconds": middle(took), "slowest": round(max(took), 2)} for what, took in named.items()]


def environment(**variables: str) -> dict[str, str]:
    """The variables of this process, but that bytecode is kept."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | variables


def middle(took: list[float]) -> float:
    return round(statistics.median(took), 2)


def import_seconds() -> float:
    """Of `import app.main` in a new interpreter, which has started by then."""
    command = [sys.executable, "-c", _IMPORT]
    run = subprocess.run(command, env=environment(), cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return float(run.stdout)


def ready_seconds(database_url: str) -> float:
    """From the start of the `sameface serve` process to its first 200 on /health/ready."""
    port = free_port()
    command = [sys.executable, "-m", "app.cli", "serve", "--port", str(port)]
    variables = environment(SAMEFACE_DATABASE_URL=database_url, SAMEFACE_LOG_LEVEL="warning")
    began = time.perf_counter()
    process = subprocess.Popen(command, env=variables, cwd=REPOSITORY, stderr=subprocess.DEVNULL)
    try:
        while not ready(port):
            if process.poll() is not None or time.perf_counter() - began > START_SECONDS:
                raise RuntimeError("sameface does not start")
            time.sleep(0.01)
        return time.perf_counter() - began
    finally:
        process.terminate()
        process.wait()
