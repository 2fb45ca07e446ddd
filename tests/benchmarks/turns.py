"""Versions of the service in turns with the bare stages, for machines on which other work comes and goes.

    git worktree add /tmp/before COMMIT
    python -m tests.benchmarks.turns before=/tmp/before now=. [--size 250x250] [--minutes 3] [--note "..."]

A checkout's server is loaded for a moment by 16 callers and by one, then the next; then bare stages run on all cores,
one photograph and four at a time, and the stages' times are taken on one core. Again and again, in the other direction
every second time; what was measured while others took more than a share of a core is left out. Writes medians to
results/turns_SIZE.json.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.benchmarks import limit
from tests.benchmarks.generator import Generator
from tests.benchmarks.http_load import verify_requests
from tests.benchmarks.limit import Way, cores
from tests.benchmarks.pictures import SIZES
from tests.benchmarks.plan import Row
from tests.benchmarks.record import commit, write_record
from tests.benchmarks.server import Server, running
from tests.benchmarks.stages import pairs_per_second, stage_ms
from tests.processes import free_port

CALLERS = (16, 1)
REPEATS = 15  # of each stage
MOST_OTHER_CORES = 0.15
_FIGURES = ("per_second", "p50_ms", "p95_ms", "p99_ms", "server_cores", "client_cores")

Turn = Callable[[], Row]


def measure(checkouts: dict[str, Path], size: str, *, seconds: float, minutes: float) -> tuple[dict[str, Row], int]:
    """Medians by name of what was measured, and how many measurements were left out."""
    kept: dict[str, list[Row]] = {}
    left_out = 0
    with turns(checkouts, size, seconds) as taken:
        order, ends = list(taken), time.monotonic() + 60 * minutes
        while time.monotonic() < ends:
            for name in order:
                row, others = watched(taken[name])
                if others > MOST_OTHER_CORES:
                    left_out += 1
                else:
                    kept.setdefault(name, []).append(row)
            order.reverse()
    return {name: summary(rows) for name, rows in kept.items()}, left_out


@contextmanager
def turns(checkouts: dict[str, Path], size: str, seconds: float) -> Iterator[dict[str, Turn]]:
    """What takes turns, by name; the servers run until the end."""
    taken: dict[str, Turn] = {}
    with ExitStack() as opened:
        folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="sameface-benchmark-"))
        for name, checkout in checkouts.items():
            server = opened.enter_context(_serving(checkout, f"sqlite:///{folder}/{name}.db"))
            generator = opened.enter_context(Generator(server, verify_requests(size), seconds))
            generator.warm_up()
            for callers in CALLERS:
                taken[f"{name}, {callers} callers"] = lambda load=generator.closed, n=callers: load(n)
        for batch in (1, 4):
            way = Way(cores(), 1, 1, batch)
            taken[f"bare stages, {batch} at a time"] = lambda way=way: {
                "per_second": limit.rate(size, way, seconds) / 2
            }
        taken["computed from bare stages"] = lambda: {
            "per_second": pairs_per_second(stage_ms(size, REPEATS)["bare_ms"])
        }
        yield taken


@contextmanager
def _serving(checkout: Path, database_url: str) -> Iterator[Server]:
    port = free_port()
    command = [sys.executable, "-m", "app.cli", "serve", "--port", str(port)]
    variables = {"SAMEFACE_DATABASE_URL": database_url, "SAMEFACE_LOG_LEVEL": "warning"}
    with running(command, port, folder=checkout, **variables) as pid:
        yield Server([port], [pid])


def watched(turn: Turn) -> tuple[Row, float]:
    """What a turn gives, and how many cores others kept busy meanwhile."""
    ours, busy, started = _own_seconds(), _busy_seconds(), time.perf_counter()
    row = turn()
    elapsed = time.perf_counter() - started
    others = (_busy_seconds() - busy - (_own_seconds() - ours)) / elapsed
    return row, others - row.get("server_cores", 0.0) - row.get("client_cores", 0.0)


def summary(rows: list[Row]) -> Row:
    """Median of each figure that the rows have, and how many rows there are."""
    medians = {name: [row[name] for row in rows if row.get(name) is not None] for name in _FIGURES}
    return {"rounds": len(rows)} | {
        name: round(statistics.median(values), 2) for name, values in medians.items() if values
    }


def _busy_seconds() -> float:
    """Of all cores together since the start of the machine: user, nice, system, interrupts (proc(5), `stat`)."""
    ticks = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:8]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    """Of this process and of those that it started and that have ended."""
    return sum(os.times()[:4])


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.turns",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkouts", nargs="+", metavar="NAME=FOLDER")
    parser.add_argument("--size", choices=list(SIZES), default="250x250")
    parser.add_argument("--seconds", type=float, default=1.5, help="of each turn")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--note", default="", help="what else the machine did meanwhile")
    options = parser.parse_args()
    checkouts = {name: Path(folder) for name, folder in (each.split("=", 1) for each in options.checkouts)}
    rows, left_out = measure(checkouts, options.size, seconds=options.seconds, minutes=options.minutes)
    commits = {name: commit(folder) for name, folder in checkouts.items()}
    print(write_record(f"turns_{options.size}", options.note, commits=commits, left_out=left_out, rows=rows))


if __name__ == "__main__":
    main()
