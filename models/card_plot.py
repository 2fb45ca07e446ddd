"""What the thresholds of a model cost, as its card says: pictures and a table for docs/thresholds.md.

python -m models.card_plot models/weights/facenet-nn2-128.onnx

draws docs/pictures/thresholds.png and gallery-size.png, and writes the table between the markers in the page anew.
"""

import argparse
import hashlib
import re
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes

from app.faces.card import ModelCard, read_card
from app.faces.runtime import open_session
from models.refusals import refusals

DOCS = Path(__file__).resolve().parent.parent / "docs"
_TABLE = re.compile(r"(<!-- table of the card -->\n).*?(<!-- end of the table -->)", re.DOTALL)
_FPIRS = (0.1, 0.01, 0.001)


def load_card(path: Path) -> ModelCard:
    """The card inside an ONNX file."""
    return read_card(open_session(path), hashlib.sha256(path.read_bytes()).hexdigest())


def thresholds(card: ModelCard, out: Path) -> None:
    """FAR over the threshold with its interval, and the share of same-person pairs accepted, where the card has it."""
    curve = sorted(card.calibration.curve, key=lambda point: point.threshold)
    x = [point.threshold for point in curve]
    low, high = np.array([point.ci95 for point in curve]).T
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    left.fill_between(x, np.maximum(low, min(high) / 10), high, alpha=0.25, label="95 % interval")
    left.semilogy(x, [point.far for point in curve], label="FAR")
    left.set(title="Strangers that pass", ylabel="false-accept rate of one comparison", xlabel="threshold (squared L2)")
    measured = [point for point in card.calibration.operating_points if point.val is not None]
    finer = [point for point in curve if point.val is not None]
    right.plot([point.threshold for point in finer], [1 - (point.val or 0) for point in finer])
    right.plot([point.threshold for point in measured], [1 - (point.val or 0) for point in measured], "C0o")
    right.set(title="Same people that are refused", ylabel="false-reject rate", ylim=(0, 1))
    right.set_xlabel("threshold (squared L2)")
    for point in measured:
        right.annotate(
            f"FAR {point.far:g}", (point.threshold, 1 - (point.val or 0)), (4, 4), textcoords="offset points"
        )
    _finish(left, right)
    left.axvline(card.default_threshold, color="black", linestyle=":")
    right.axvline(card.default_threshold, color="black", linestyle=":")
    figure.suptitle(f"{card.id}; dotted: the default, {card.default_threshold:.3f}")
    figure.savefig(out, dpi=120)
    pyplot.close(figure)


def gallery_size(card: ModelCard, out: Path) -> None:
    """The threshold that holds an FPIR as a gallery grows, as far as the calibration goes, and what it refuses."""
    sizes = np.unique(np.logspace(0, 6, 61).astype(int))
    points = sorted((p for p in card.calibration.curve if p.val is not None), key=lambda p: p.threshold)
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for fpir in _FPIRS:
        ends = card.calibration.curve[-1].far, card.calibration.curve[0].far
        held = [size for size in sizes if ends[0] <= fpir / size <= ends[1]]
        limits = [card.threshold_at_far(fpir / size) for size in held]
        left.semilogx(held, limits, label=f"FPIR {fpir:g}")
        accepted = np.interp(limits, [p.threshold for p in points], [p.val or 0.0 for p in points], np.nan, np.nan)
        right.semilogx(held, 1 - accepted, label=f"FPIR {fpir:g}")
    left.set(title="The threshold follows the gallery", xlabel="faces in the gallery", ylabel="threshold (squared L2)")
    right.set(title="What that costs", xlabel="faces in the gallery", ylabel="same-person pairs refused", ylim=(0, 1))
    _finish(left, right)
    figure.suptitle(f"{card.id}; lines end where the calibration does")
    figure.savefig(out, dpi=120)
    pyplot.close(figure)


def table(card: ModelCard) -> str:
    """The operating points, as Markdown."""
    rows = [
        f"| {point.far:.0e} | {point.threshold:.3f} | {point.ci95[0]:.3g} to {point.ci95[1]:.3g} | "
        f"{'' if point.val is None else f'{point.val:.3f}'} |"
        for point in card.calibration.operating_points
    ]
    calibration = card.calibration
    return "\n".join(
        [
            f"Model {card.id}, sha-256 `{card.sha256[:12]}`; {calibration.data}: {calibration.people} people, "
            f"{calibration.impostor_pairs:,} pairs of strangers, {calibration.genuine_pairs:,} of the same person.",
            "",
            "| FAR | threshold (squared L2) | 95 % interval of the FAR | same-person pairs accepted (VAL) |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def write_table(card: ModelCard, page: Path) -> None:
    """Write the table between the markers of a page anew. Raises ValueError for a page without them."""
    text = page.read_text("utf-8")
    if not _TABLE.search(text):
        raise ValueError(f"{page} has no <!-- table of the card --> to fill")
    page.write_text(_TABLE.sub(lambda found: found[1] + table(card) + found[2], text), "utf-8")


def _finish(*axes: Axes) -> None:
    for axis in axes:
        axis.grid(alpha=0.3, which="both")
        if axis.get_legend_handles_labels()[0]:
            axis.legend()


@refusals()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="an ONNX file with a card")
    parser.add_argument("--docs", type=Path, default=DOCS, help="the folder with thresholds.md and pictures/")
    given = parser.parse_args()
    card = load_card(given.model)
    thresholds(card, given.docs / "pictures" / "thresholds.png")
    gallery_size(card, given.docs / "pictures" / "gallery-size.png")
    write_table(card, given.docs / "thresholds.md")


if __name__ == "__main__":
    main()
