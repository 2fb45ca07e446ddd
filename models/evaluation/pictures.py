"""Pictures of a report: ROC over all pairs, image quality, cohorts, open-set identification, models side by side."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models import plot
from models.evaluation import training_tables

Sections = dict[str, Any]


def draw(sections: Sections, folder: Path) -> dict[str, str]:
    """The file name of each picture by the section that it belongs to."""
    drawn = {}
    for name, make in PICTURES.items():
        if sections.get(name):
            drawn[name] = f"{name.replace('_', '-')}.png"
            make(sections, folder / drawn[name])
    return drawn


def _roc(sections: Sections, out: Path) -> None:
    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    for name, label in (("lfw_all_pairs", "LFW"), ("held_out_all_pairs", "held-out people")):
        section = sections.get(name)
        if section:
            far, val = np.array(section["roc"]).T
            (line,) = axes.semilogx(far, val, label=f"{label}, {section['impostor_pairs']:,} impostor pairs")
            points = section["points"]
            val = np.array([row["val"] for row in points])
            low, high = np.array([row["val_ci95"] for row in points]).T
            spread = np.maximum([val - low, high - val], 0)
            axes.errorbar([row["asked_far"] for row in points], val, spread, fmt="o", capsize=3, color=line.get_color())
    axes.set(xlabel="FAR", ylabel="VAL", title="All pairs, with 95 % by bootstrap over people", ylim=(0, 1.005))
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    _save(figure, out)


def _quality(sections: Sections, out: Path) -> None:
    figure, panels = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained", sharey=True)
    rows = {row["change"]: row for row in sections["image_quality"]}
    for axes, kind, label in ((panels[0], "jpeg", "JPEG quality"), (panels[1], "pixels", "pixels of the face")):
        own = [(int(name.split("-")[1]), row) for name, row in rows.items() if name.startswith(kind)]
        x = [number for number, _ in own]
        val = np.array([row["val_at_far_0.001"] for _, row in own])
        low, high = np.array([row["ci95"] for _, row in own]).T
        axes.errorbar(x, val, np.maximum([val - low, high - val], 0), fmt="o-", capsize=3)
        axes.axhline(rows["original"]["val_at_far_0.001"], linestyle=":", color="black", label="as they are")
        axes.set(xlabel=label, ylabel="VAL at FAR 1e-3")
        axes.grid(alpha=0.3)
        axes.legend()
    panels[1].set_xscale("log")
    _save(figure, out)


def _cohorts(sections: Sections, out: Path) -> None:
    found = sections["cohorts"]
    kinds = [(name, kind) for name in found for kind in dict.fromkeys(row["kind"] for row in found[name]["rows"])]
    figure, panels = pyplot.subplots(
        1, len(kinds), figsize=(3.4 * len(kinds), 3.6), layout="constrained", squeeze=False
    )
    for axes, (name, kind) in zip(panels[0], kinds, strict=True):
        _matrix(axes, [r for r in found[name]["rows"] if r["kind"] == kind and r["threshold_at"] == "0.01"])
        axes.set_title(f"{name}, {kind}", fontsize=9)
    figure.suptitle("False-accept rate within and across cohorts at the threshold for FAR 1e-2")
    _save(figure, out)


def _matrix(axes: Axes, rows: list[Sections]) -> None:
    names = sorted({row["first"] for row in rows})
    rates = np.full((len(names), len(names)), np.nan)
    for row in rows:
        i, j = names.index(row["first"]), names.index(row["second"])
        rates[i, j] = rates[j, i] = row["far"]
    axes.imshow(rates, cmap="YlOrRd")
    for i, j in np.ndindex(*rates.shape):
        axes.text(j, i, f"{rates[i, j]:.1e}", ha="center", va="center", fontsize=6)
    axes.set_xticks(range(len(names)), names, rotation=45, fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)


def _open_set(sections: Sections, out: Path) -> None:
    plot.openset(sections["open_set"], out)


def _comparison(sections: Sections, out: Path) -> None:
    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    for row in sections["comparison"]:
        axes.errorbar(
            row["multiply_adds"] / 1e6, row["lfw_accuracy"], row["lfw_accuracy_standard_error"], fmt="o", capsize=3
        )
        axes.annotate(row["model"], (row["multiply_adds"] / 1e6, row["lfw_accuracy"]), fontsize=7)
    axes.set(xlabel="million multiply-adds a face", ylabel="LFW accuracy", xscale="log")
    axes.grid(alpha=0.3, which="both")
    _save(figure, out)


def _save(figure: Figure, out: Path) -> None:
    figure.savefig(out, dpi=110)
    pyplot.close(figure)


PICTURES: dict[str, Callable[[Sections, Path], None]] = {
    "lfw_all_pairs": _roc,
    "image_quality": _quality,
    "cohorts": _cohorts,
    "open_set": _open_set,
    "comparison": _comparison,
    "training_tables": lambda sections, out: training_tables.draw(sections["training_tables"], out),
}
