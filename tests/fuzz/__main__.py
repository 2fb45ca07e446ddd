"""Post a corpus of broken, hostile and odd images to a real service; exit status 1 when anything did not hold."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tqdm import tqdm

from tests.benchmarks.record import write_record
from tests.fuzz.campaign import Campaign
from tests.processes import serving

# After warm-up; what is enrolled meanwhile is a few megabytes.
MAX_GROWTH = 0.10


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=7_200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--record", metavar="NOTE", help="keep the summary among the benchmarks' results, with a note")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sameface-fuzz-") as folder:
        workers = 2
        settings = {"SAMEFACE_IMAGE_WORKERS": str(workers), "SAMEFACE_LOG_LEVEL": "warning"}
        with serving(Path(folder) / "sameface.db", **settings) as server:
            campaign = Campaign(server, seed=given.seed, count=given.images, image_workers=workers)
            with tqdm(total=given.images, unit="image") as bar:
                for done in campaign.run():
                    bar.update(done - bar.n)
            log = server.log.read_text()
    if "Traceback" in log:
        campaign.faults.append("the log has a traceback: " + log[log.index("Traceback") :][:2_000])
    if campaign.growth > MAX_GROWTH:
        campaign.faults.append(f"memory grew by {campaign.growth:.0%} after warm-up")
    summary = campaign.summary()
    if given.record is not None:
        write_record("fuzz", given.record, **summary)
    sys.stdout.write(json.dumps(summary, indent=1) + "\n")
    return 1 if campaign.faults else 0


if __name__ == "__main__":
    sys.exit(main())
