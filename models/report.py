"""Everything that is measured of a model file, as `report.json`, `report.md` and pictures.

    python -m models.report --model models/weights/NAME.onnx --lfw LFW_FOLDER --held-out held-out.tsv \
        [--training-crops crops/] [--cohorts crops/] [--youtube YTF_FOLDER] [--compare OTHER.onnx ...] \
        --work runs/report --out docs/evaluation

`--held-out` is a manifest of people whom the network never saw (see `models.manifest`). What is not given is left
out. Crops do not depend on the network: they are kept in `--work` and serve the next model file too, as long as it
wants the same crop. Each section is kept there as well, for the network, its thresholds and what is asked for, so a
stopped run goes on where it was.
"""

import argparse
import json
import os
from pathlib import Path

from app.faces.embed import FaceEmbedder
from models.evaluation.bench import Bench
from models.evaluation.sections import SECTIONS, Section
from models.refusals import refusals
from models.whole import written_whole


def measured(bench: Bench, name: str) -> Section | None:
    """A section, from `--work` if it was made before; None where what it needs was not given."""
    make, needs = SECTIONS[name]
    if not all(getattr(bench.options, need) for need in needs):
        return None
    kept = bench.section(name)
    if not kept.exists():
        print(f"{name} ...", flush=True)
        found = make(bench)
        kept.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(kept) as unfinished:
            unfinished.write_text(json.dumps(found))
    section: Section = json.loads(kept.read_text())
    return section


@refusals()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--lfw", type=Path)
    parser.add_argument("--held-out", type=Path, help="manifest of people whom the network never saw")
    parser.add_argument("--lfw-crops", type=Path, help="crops of LFW's folder by models.prepare, if there are any")
    parser.add_argument("--held-out-crops", type=Path, help="crops of the manifest by models.prepare, if there are any")
    parser.add_argument("--training-crops", type=Path, help="for joint Bayesian")
    parser.add_argument("--cohorts", type=Path, help="crops of UTKFace and All-Age-Faces")
    parser.add_argument("--joint-bayesian-crops", type=int, default=15_000, help="of the training crops, at most")
    parser.add_argument("--cohort-crops", type=int, default=8_000, help="of each set, at most")
    parser.add_argument("--youtube", type=Path)
    parser.add_argument("--compare", type=Path, nargs="*", default=[], help="other model files or checkpoints")
    parser.add_argument("--quality-people", type=int, default=200)
    parser.add_argument("--sections", nargs="+", choices=list(SECTIONS), default=list(SECTIONS))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    bench = Bench(FaceEmbedder(options.model, threads=options.threads), options)
    found = {name: section for name in options.sections if (section := measured(bench, name)) is not None}
    from models.evaluation.document import write_report

    write_report(bench.embedder.card, found, options.out)


if __name__ == "__main__":
    main()
