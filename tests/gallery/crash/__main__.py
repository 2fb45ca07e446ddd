"""Kill a real service many times; exit status 1 when anything was lost, half-written or found though erased."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tqdm import tqdm

from tests.gallery.crash.campaign import Campaign


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--summary", type=Path, help="file to write the summary to, as JSON")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sameface-crash-") as folder:
        campaign = Campaign(Path(folder), seed=given.seed)
        with tqdm(total=given.kills, unit="kill") as bar:
            while campaign.kills.total() < given.kills and not campaign.faults:
                campaign.kill_once()
                bar.update()
        summary = campaign.finish()
    text = json.dumps(summary, indent=2) + "\n"
    if given.summary:
        given.summary.write_text(text)
    sys.stdout.write(text)
    return 1 if summary["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
