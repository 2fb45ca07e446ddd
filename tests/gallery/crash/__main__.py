"""Kill a real service many times; exit status 1 when anything was lost, half-written or found though erased."""

import argparse
import base64
import json
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from tqdm import tqdm

from tests.benchmarks.record import write_record
from tests.gallery.crash.campaign import Campaign


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--encrypted", action="store_true", help="encrypt templates with a key made for the run")
    parser.add_argument("--record", metavar="NOTE", help="keep the summary among the benchmarks' results, with a note")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sameface-crash-") as folder:
        keys = {"template_keys": base64.b64encode(os.urandom(32)).decode()} if given.encrypted else {}
        campaign = Campaign(Path(folder), seed=given.seed, settings=keys)
        with tqdm(total=given.kills, unit="kill") as bar, suppress(KeyboardInterrupt):  # sums up what it has
            while campaign.kills.total() < given.kills and not campaign.faults:
                campaign.kill_once()
                bar.update()
        summary = campaign.finish() | {"encrypted": given.encrypted}
    if given.record is not None:
        write_record("crash", given.record, **summary)
    sys.stdout.write(json.dumps(summary, indent=1) + "\n")
    return 1 if summary["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
