"""Restart and kill the replicas of docker-compose.yml under load, and count the requests that fail.

    docker compose up --detach --wait
    python -m tests.deployment.rollout --key-file KEY --record "what else ran on the machine"

Exit status 1 when a request failed during a rolling restart, or an acknowledged enrolment is gone afterwards. While a
replica is killed, requests that it was working on have to fail; how many is recorded.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.record import write_record
from tests.deployment.load import Callers
from tests.gallery.crash.photographs import photographs

REPOSITORY = Path(__file__).parents[2]
REPLICAS = ("api-1", "api-2", "api-3")


def compose(*arguments: str) -> str:
    """Run docker compose in the repository and return what it prints."""
    command = ["docker", "compose", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True, timeout=600).stdout


def rolling_restart() -> None:
    """As an operator does it."""
    subprocess.run([REPOSITORY / "docker" / "rolling-restart.sh"], check=True, capture_output=True, timeout=1800)


def campaign(callers: Callers, rounds: int, steady_seconds: float) -> list[dict[str, Any]]:
    """Steady load; `rounds` rolling restarts; each replica killed once and started again; steady load."""
    phases = []
    with callers.calling():
        with callers.phase("steady") as phase:
            time.sleep(steady_seconds)
        phases.append(phase.summary())
        for number in range(1, rounds + 1):
            with callers.phase(f"rolling restart {number}") as phase:
                rolling_restart()
            phases.append(phase.summary())
        for replica in REPLICAS:
            with callers.phase(f"{replica} killed") as phase:
                compose("kill", replica)
                time.sleep(steady_seconds / 2)
            phases.append(phase.summary())
            with callers.phase(f"{replica} started again") as phase:
                compose("up", "--detach", "--no-deps", "--wait", replica)
                time.sleep(3)
            phases.append(phase.summary())
    return phases


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1")
    parser.add_argument("--key-file", type=Path, required=True, help="a file with an API key of scope admin")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--callers", type=int, default=4)
    parser.add_argument("--steady-seconds", type=float, default=20.0)
    parser.add_argument("--record", metavar="NOTE", help="keep the summary among the benchmarks' results, with a note")
    given = parser.parse_args()
    callers = Callers(given.url, given.key_file.read_text().strip(), photographs(), count=given.callers)
    phases = campaign(callers, given.rounds, given.steady_seconds)
    missing = callers.missing()
    summary = {
        "callers": given.callers,
        "replicas": len(REPLICAS),
        "engine": json.loads(
            subprocess.run(["docker", "version", "--format", "json"], capture_output=True, text=True).stdout
        )["Server"]["Version"],
        "phases": phases,
        "failed_in_rolling_restarts": sum(row["failed"] for row in phases if "rolling" in row["phase"]),
        "acknowledged_and_kept": len(callers.enrolled) - len(missing),
        "acknowledged_and_missing": missing,
    }
    if given.record is not None:
        write_record("rolling_restart", given.record, **summary)
    sys.stdout.write(json.dumps(summary, indent=1) + "\n")
    return 1 if summary["failed_in_rolling_restarts"] or missing else 0


if __name__ == "__main__":
    sys.exit(main())
