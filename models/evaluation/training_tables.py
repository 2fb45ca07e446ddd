"""The tables of `models.evaluation.tables` for people: Markdown and pictures."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes

from models.evaluation.markdown import table
from models.evaluation.plan import EMBEDDING_SIZE, MULTIPLY_ADDS, TRAINING_SET

Row = dict[str, Any]

_INTRODUCTION = (
    "The paper's tables 5 and 6 and its figure 4, made again from networks trained for them for a minute to ten "
    "each on one core, where the paper had 1,000 to 2,000 hours: compare rows within a table only. Nothing here is the "
    "served model, nor what these networks can reach. Accuracy is of Labeled Faces in the Wild, View 1 with the "
    "threshold chosen on its own pairs, View 2 in ten folds; VAL is at FAR 1e-3, on View 2's 3,000 pairs of different "
    "people, and on all pairs of LFW's photographs with 95 % by bootstrap over people. Made by "
    "`python -m models.evaluation.tables`."
)
_RESULTS = ["View 1", "View 2", "VAL, View 2", "VAL, all pairs", "95 %"]


def markdown(section: dict[str, list[Row]]) -> list[str]:
    """Title, introduction and a table for each that has rows."""
    parts = ["## Embedding size, training set and arithmetic", _INTRODUCTION]
    for name, (title, text, columns, _) in TABLES.items():
        if rows := section.get(name):
            cells = [[*(show(row) for show in columns.values()), *_results(row)] for row in rows]
            head = [*columns, *_RESULTS]
            parts += [f"### {title}", f"{text} {_training(rows)}", table(head, cells)]
    return parts


def draw(section: dict[str, list[Row]], out: Path) -> None:
    """Accuracy on View 2 with its standard error, and VAL on all pairs with its interval, a column for each table."""
    shown = {name: rows for name in TABLES if (rows := section.get(name))}
    size = (4.2 * len(shown), 6.5)
    figure, grid = pyplot.subplots(2, len(shown), figsize=size, layout="constrained", squeeze=False)
    for (name, rows), (upper, lower) in zip(shown.items(), grid.T, strict=True):
        x = np.array([TABLES[name][3](row) for row in rows], float)
        accuracy, error = (
            np.array([row[key] for row in rows]) for key in ("lfw_accuracy", "lfw_accuracy_standard_error")
        )
        val = np.array([row["all_pairs_val_at_far_0.001"] for row in rows])
        low, high = np.array([row["all_pairs_val_ci95"] for row in rows]).T
        _points(upper, rows, x, accuracy, np.array([error, error]), joined=name != MULTIPLY_ADDS)
        _points(lower, rows, x, val, np.maximum([val - low, high - val], 0), joined=name != MULTIPLY_ADDS)
        upper.set(title=TABLES[name][0], ylabel="LFW View 2, accuracy")
        lower.set(xlabel=_AXES[name], ylabel="LFW, all pairs: VAL at FAR 1e-3")
    figure.savefig(out, dpi=110)
    pyplot.close(figure)


def _points(
    axes: Axes, rows: list[Row], x: np.ndarray[Any, Any], y: np.ndarray[Any, Any], spread: np.ndarray[Any, Any], *,
    joined: bool,
) -> None:  # fmt: skip
    order = np.argsort(x)
    axes.errorbar(x[order], y[order], spread[:, order], fmt="o-" if joined else "o", capsize=3)
    if joined:
        axes.set_xscale("log", base=2)
        axes.set_xticks(x, [f"{value:,.0f}" for value in x])
        axes.minorticks_off()
    else:
        axes.set_xscale("log")
        for row, at, value in zip(rows, x, y, strict=True):
            label = f"{row['network']}, {row['side']} px"
            axes.annotate(label, (at, value), xytext=(4, -10), textcoords="offset points", fontsize=7)
        axes.margins(x=0.15)
    axes.grid(alpha=0.3, which="both")


def _results(row: Row) -> list[str]:
    low, high = row["all_pairs_val_ci95"]
    return [
        f"{row['view1_accuracy']:.3f}",
        f"{row['lfw_accuracy']:.4f} ± {row['lfw_accuracy_standard_error']:.4f}",
        f"{row['lfw_val_at_far_0.001']:.3f}",
        f"{row['all_pairs_val_at_far_0.001']:.3f}",
        f"{low:.3f} to {high:.3f}",
    ]


def _training(rows: list[Row]) -> str:
    """How the rows of a table were trained, as far as they were trained alike."""
    said = {f"{row['steps']} steps of {row['batch_size']} faces, rate {row['learning_rate']:g}" for row in rows}
    return f"Each: {said.pop()}." if len(said) == 1 else ""


_Columns = dict[str, Callable[[Row], str]]
_NETWORK: _Columns = {"network": lambda row: f"{row['network']}, {row['side']} px"}

# Title, text, columns, and what lies on the x axis.
TABLES: dict[str, tuple[str, str, _Columns, Callable[[Row], float]]] = {
    EMBEDDING_SIZE: (
        "Embedding size",
        "A fresh head of each size on one frozen trunk of NN2 at 112 px, which had been distilled at 128-D before. The "
        "teacher is 128-D: 64 coordinates imitate its 64 principal directions; 256 and 512 imitate it turned into a "
        "larger space, and so can bring no more than it knows.",
        {"embedding size": lambda row: str(row["embedding_size"])},
        lambda row: row["embedding_size"],
    ),
    TRAINING_SET: (
        "Training-set size",
        "A share of the people, from scratch with a teacher, for the same number of steps: fewer people are seen more "
        "often. Smaller sets lie in larger ones. People are those with a name; the photographs of the sets without "
        "names are drawn in the same share.",
        _NETWORK
        | {
            "people": lambda row: f"{row['training_people']:,}",
            "photographs": lambda row: f"{row['training_photographs']:,}",
            "seen each": lambda row: f"{row['faces'] / row['training_photographs']:.1f} times",
        },
        lambda row: row["training_photographs"],
    ),
    MULTIPLY_ADDS: (
        "Multiply-adds and accuracy",
        "From scratch with a teacher, on the same faces in the same order.",
        _NETWORK
        | {
            "multiply-adds": lambda row: f"{row['multiply_adds'] / 1e6:.1f} M",
            "parameters": lambda row: f"{row['parameters'] / 1e6:.2f} M",
        },
        lambda row: row["multiply_adds"] / 1e6,
    ),
}
_AXES = {
    EMBEDDING_SIZE: "coordinates of an embedding",
    TRAINING_SET: "photographs trained on",
    MULTIPLY_ADDS: "million multiply-adds a face",
}
