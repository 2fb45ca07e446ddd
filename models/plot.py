"""Curves for people to look at: `learning` from a training log, `roc` and `distances` from measured pairs.

python -m models.plot runs/first/log.jsonl --out learning.png
"""

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot
from numpy.typing import NDArray

from models.metrics import roc
from models.refusals import refusals

_REPORTS_PER_POINT = 20


def learning(log: Path, out: Path) -> None:
    """Each part of the loss over steps, averaged over some reports."""
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    for name in sorted(rows[-1].keys() - {"step", "seconds"}):
        steps, values = np.array([(row["step"], row[name]) for row in rows if name in row]).T
        window = max(min(_REPORTS_PER_POINT, len(values) // 4), 1)
        axes.plot(steps[window - 1 :], np.convolve(values, np.ones(window) / window, "valid"), label=name)
    axes.set(xlabel="step", ylabel="loss", title="Learning curve")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(out, dpi=120)
    pyplot.close(figure)


def pairs(squared_l2: NDArray[np.float64], same: NDArray[np.bool_], title: str, out: Path) -> None:
    """The ROC (VAL over FAR, logarithmic) beside the distances of same and different pairs."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    far, val = roc(squared_l2, same)
    left.semilogx(far, val)
    left.set(xlabel="FAR", ylabel="VAL", title=f"ROC, {title}", ylim=(0, 1.005))
    left.grid(alpha=0.3, which="both")
    bins = np.linspace(0, max(3.0, float(squared_l2[squared_l2 < 4].max())), 80)
    right.hist(squared_l2[same], bins, alpha=0.6, label="same person")
    right.hist(squared_l2[~same], bins, alpha=0.6, label="different people")
    right.axvline(1.1, color="black", linestyle=":", label="1.1, the paper's threshold")
    right.set(xlabel="squared L2 distance", ylabel="pairs", title="Distances")
    right.legend()
    figure.savefig(out, dpi=120)
    pyplot.close(figure)


def openset(rows: list[dict[str, Any]], out: Path) -> None:
    """Measured FPIR over the one asked for, and FNIR at it, a line for each data set and gallery size."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for data, size in dict.fromkeys((row["data"], row["enrolled"]) for row in rows):
        own = [row for row in rows if (row["data"], row["enrolled"]) == (data, size)]
        asked = [row["asked_fpir"] for row in own]
        for axis, rate in ((left, "fpir"), (right, "fnir")):
            values = np.array([row[rate]["rate"] for row in own])
            low, high = np.array([row[rate]["ci95"] for row in own]).T
            spread = np.maximum([values - low, high - values], 0)
            axis.errorbar(asked, values, spread, fmt="o-", capsize=3, label=f"{data}, N = {size}")
    ends = [min(row["asked_fpir"] for row in rows), max(row["asked_fpir"] for row in rows)]
    left.plot(ends, ends, "k:", label="as asked")
    left.set(xlabel="FPIR asked for", ylabel="FPIR measured", xscale="log", title="Strangers named")
    left.set_yscale("log", nonpositive="clip")
    right.set(xlabel="FPIR asked for", ylabel="FNIR", xscale="log", title="Known people missed")
    for axis in (left, right):
        axis.grid(alpha=0.3, which="both")
        axis.legend()
    figure.savefig(out, dpi=120)
    pyplot.close(figure)


def quality(result: dict[str, Any], out: Path) -> None:
    """Error versus discard for every measure, then the false-reject rate around each value, limits dotted."""
    figure, grid = pyplot.subplots(3, 4, figsize=(15, 10), layout="constrained")
    axes = grid.ravel()
    for axis, key, title in (
        (axes[0], "discard_untouched", "as taken"),
        (axes[1], "discard_spoilt", "with those made worse"),
    ):
        for name, measured in result["measures"].items():
            axis.plot(result["discarded"], measured[key], label=name)
        axis.set(xlabel="worst share discarded", ylabel=f"FRR at FAR {result['far']:g}", title=f"Photographs {title}")
    axes[0].legend(fontsize=7)
    for axis, (name, measured) in zip(axes[2:], result["measures"].items(), strict=True):
        rows = measured["by_value"]
        axis.plot([row["value"] for row in rows], [row["frr"] for row in rows], "o-", markersize=3)
        axis.axhline(result["frr_untouched"], color="grey", linewidth=0.8)
        for bound in ("min", "max"):
            if f"{bound}_{name}" in result["requirements"]:
                axis.axvline(result["requirements"][f"{bound}_{name}"], color="black", linestyle=":")
        axis.set(xlabel=name, ylabel="FRR", ylim=(0, 1))
    for axis in axes:
        axis.grid(alpha=0.3)
    figure.savefig(out, dpi=100)
    pyplot.close(figure)


def calibration(found: dict[str, Any], out: Path) -> None:
    """The distance-to-FAR curve with its 95 % interval, and the operating points on it."""
    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    far, distance = np.array([(point["far"], point["threshold"]) for point in found["curve"]]).T
    low, high = np.array([point["ci95"] for point in found["curve"]]).T
    axes.fill_betweenx(distance, low, high, alpha=0.25, label="95 %, by bootstrap over people")
    axes.semilogx(far, distance)
    points = np.array([(point["far"], point["threshold"]) for point in found["operating_points"]])
    axes.plot(*points.T, "o", label="operating points")
    title = f"{found['impostor_pairs']:,} impostor pairs of {found['people']:,} people"
    axes.set(xlabel="FAR", ylabel="squared L2 distance", title=title)
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    figure.savefig(out, dpi=120)
    pyplot.close(figure)


@refusals()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    learning(options.log, options.out)
    print(options.out)


if __name__ == "__main__":
    main()
