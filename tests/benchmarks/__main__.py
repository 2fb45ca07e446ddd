"""How fast the service is, beside what the machine allows and beside other software.

    python -m tests.benchmarks [--only start verify ...] [--seconds 6] [--peer face_recognition=PYTHON] [--note "..."]

Sections, in the order in which they run: start (import, time until ready), stages (decode, detect, crop, quality,
embed; ours and bare; the whole pipeline), limit (bare stages with every core busy), search (galleries in memory beside
FAISS), batches (the embedding network by batch, on --device), verify and identify (over HTTP, closed loop at 1 to 64
callers and open loop), peers (other software under the same load; left out with its reason where its packages are
missing). Writes results/performance.json after each section, and .md and .png beside it; a section that is not
measured keeps what the record has of it, with the commit it was measured at.

Nothing else may run meanwhile, and nothing is asserted. Half an hour on two cores; `--seconds 1 --repeats 5
--galleries 0 10000 --out /tmp/performance.json` shows in a few minutes that all of it works.
"""

import argparse
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from app.faces.embed import FaceEmbedder
from app.settings import Settings
from tests.benchmarks import batches, http_load, limit, peer, search, stages, start
from tests.benchmarks.pictures import SIZES
from tests.benchmarks.plan import Plan, Progress, Row
from tests.benchmarks.record import RESULTS, commit, facts, machine
from tests.benchmarks.report import write_report

RECORD = RESULTS / "performance.json"


class Section(NamedTuple):
    """`steps` says how many steps of the bar `measure` takes."""

    measure: Callable[[Plan, Progress], list[Row]]
    steps: Callable[[Plan], int]


SECTIONS = {
    "start": Section(start.measure, start.steps),
    "stages": Section(stages.measure, stages.steps),
    "limit": Section(limit.measure, limit.steps),
    "search": Section(search.measure, search.steps),
    "batches": Section(batches.measure, batches.steps),
    "verify": Section(http_load.measure_verify, http_load.verify_steps),
    "peers": Section(peer.measure, peer.steps),
    "identify": Section(http_load.measure_identify, http_load.identify_steps),
}


def run(plan: Plan, only: list[str], record_path: Path, note: str) -> None:
    """Measure sections one after the other and write the record after each."""
    progress = Progress(sum(SECTIONS[name].steps(plan) for name in only))
    sections = json.loads(record_path.read_text())["sections"] if record_path.exists() else {}
    for name in (name for name in SECTIONS if name in only):
        before = {"commit": commit(), "load_average": machine()["load_average"]}
        rows = SECTIONS[name].measure(plan, progress)
        measured_at = datetime.now(UTC).isoformat(timespec="seconds")
        sections[name] = before | {"measured_at": measured_at, "seconds": plan.seconds, "rows": rows}
        record = {**facts("performance", note), "model": model(), "sections": sections}
        record_path.write_text(json.dumps(record, indent=1) + "\n")
        write_report(record_path)
    progress.close()


def model() -> dict[str, str]:
    """What is served: its id and the SHA-256 of its file."""
    settings = Settings()
    card = FaceEmbedder(settings.weights_dir / f"{settings.model}.onnx").card
    return {"id": card.id, "sha256": card.sha256}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = Plan()
    parser.add_argument("--only", nargs="+", default=list(SECTIONS), choices=list(SECTIONS))
    parser.add_argument("--sizes", nargs="+", default=default.sizes, choices=list(SIZES))
    parser.add_argument("--peer-sizes", nargs="+", default=default.peer_sizes, choices=list(SIZES))
    parser.add_argument("--galleries", type=int, nargs="+", default=default.galleries)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON", help="with the peer's packages")
    parser.add_argument("--seconds", type=float, default=default.seconds, help="of each row under load")
    parser.add_argument("--repeats", type=int, default=default.repeats, help="of each stage and search")
    parser.add_argument("--device", choices=["cpu", "cuda"], default=default.device, help="of the section batches")
    parser.add_argument("--out", type=Path, default=RECORD)
    parser.add_argument("--note", default="nothing else ran", help="what else the machine did meanwhile")
    options = parser.parse_args()
    peers = dict.fromkeys(("face_recognition", "facenet_pytorch"), sys.executable)
    plan = Plan(
        sizes=options.sizes,
        peer_sizes=options.peer_sizes,
        galleries=options.galleries,
        peers=peers | dict(one.split("=", 1) for one in options.peer),
        seconds=options.seconds,
        repeats=options.repeats,
        device=options.device,
    )
    run(plan, options.only, options.out, options.note)
    print(options.out)


if __name__ == "__main__":
    main()
