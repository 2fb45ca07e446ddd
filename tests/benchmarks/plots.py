"""The picture of a record of `python -m tests.benchmarks`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import LogLocator, NullFormatter

Row = dict[str, Any]
_PEER_COLOURS = {"sameface": "C0", "face_recognition": "C1", "facenet_pytorch": "C2"}


def draw(sections: Row, out: Path) -> None:
    """One panel for each section that has one."""
    drawn = [panel for name, panel in PANELS if name in sections and sections[name]["rows"]]
    if not drawn:
        return
    columns = min(len(drawn), 3)
    lines = -(-len(drawn) // columns)
    figure, grid = pyplot.subplots(
        lines, columns, figsize=(5.2 * columns, 4.2 * lines), layout="constrained", squeeze=False
    )
    for axes, panel in zip(grid.flat, drawn, strict=False):
        panel(axes, sections)
    for axes in grid.flat[len(drawn) :]:
        axes.axis("off")
    figure.savefig(out, dpi=100)
    pyplot.close(figure)


def _closed(axes: Axes, sections: Row) -> None:
    limits = {row["size"]: row["pairs_per_second"] for row in sections.get("limit", {"rows": []})["rows"]}
    for number, row in enumerate(sections["verify"]["rows"]):
        callers = [one["callers"] for one in row["closed_loop"]]
        rates = [one["per_second"] for one in row["closed_loop"]]
        axes.loglog(callers, rates, "o-", color=f"C{number}", label=row["size"], base=2)
        if row["size"] in limits:
            axes.axhline(limits[row["size"]], color=f"C{number}", linestyle=":")
    axes.set_yscale("log", base=10)
    axes.set(title="verify: pairs a second (dotted: bare stages)", xlabel="callers, closed loop")
    axes.set_ylim(bottom=axes.get_ylim()[0] / 2)
    _plain(axes.yaxis)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.legend(ncols=2, loc="lower right")


def _open(axes: Axes, sections: Row) -> None:
    for number, row in enumerate(sections["verify"]["rows"]):
        shares = [one["share"] for one in row["open_loop"]]
        axes.semilogy(shares, _times(row, "p50_ms"), "o-", color=f"C{number}", label=row["size"])
        axes.semilogy(shares, _times(row, "p99_ms"), "s--", color=f"C{number}")
    axes.set(title="verify: ms, p50 (-) and p99 (--)", xlabel="arrivals, share of the rate at saturation, open loop")
    axes.set_ylim(top=3 * axes.get_ylim()[1])
    _plain(axes.yaxis)
    axes.legend(ncols=2)


def _times(row: Row, name: str) -> list[float]:
    return [float("nan") if one[name] is None else one[name] for one in row["open_loop"]]


def _stages(axes: Axes, sections: Row) -> None:
    rows = sections["stages"]["rows"]
    places, width = range(len(rows)), 0.38
    for side, shift in (("ours_ms", -width / 2), ("bare_ms", width / 2)):
        below = [0.0] * len(rows)
        for number, stage in enumerate(rows[0][side]):
            heights = [row[side][stage] / sum(row["bare_ms"].values()) for row in rows]
            axes.bar([place + shift for place in places], heights, width * 0.95, below, color=f"C{number}",
                     label=stage if side == "ours_ms" else None, alpha=1.0 if side == "ours_ms" else 0.5)  # fmt: skip
            below = [low + height for low, height in zip(below, heights, strict=True)]
    axes.set_xticks(list(places), [row["size"] for row in rows])
    axes.set(title="a photograph, ours beside bare (pale) = 1")
    axes.set_ylim(top=1.3 * axes.get_ylim()[1])
    axes.legend(ncols=3)


def _peers(axes: Axes, sections: Row) -> None:
    measured = [row for row in sections["peers"]["rows"] if "size" in row]
    sizes = list(dict.fromkeys(row["size"] for row in measured))
    ours = [row for row in sections.get("verify", {"rows": []})["rows"] if row["size"] in sizes]
    named = {"sameface": ours} | {
        row["peer"]: [one for one in measured if one["peer"] == row["peer"]] for row in measured
    }
    for number, (name, rows) in enumerate(named.items()):
        places = [sizes.index(row["size"]) + (number - 1) * 0.27 for row in rows]
        heights = [max(one["per_second"] for one in row["closed_loop"]) for row in rows]
        bars = axes.bar(places, heights, 0.25, color=_PEER_COLOURS.get(name), label=name)
        axes.bar_label(bars, fmt="%.3g", fontsize=8)
    axes.set_yscale("log")
    axes.set_xticks(range(len(sizes)), sizes)
    axes.set(title="verify: pairs a second at saturation")
    axes.set_ylim(top=4 * axes.get_ylim()[1])
    _plain(axes.yaxis)
    axes.legend()


def _identify(axes: Axes, sections: Row) -> None:
    rows = sections["identify"]["rows"]
    names = [f"{row['faces']:,}" for row in rows]
    for number, callers in enumerate(one["callers"] for one in rows[0]["closed_loop"]):
        rates = [row["closed_loop"][number]["per_second"] for row in rows]
        axes.plot(names, rates, "o-", label=f"{callers} callers")
    axes.set(title="identify: photographs a second", xlabel="enrolled faces")
    axes.set_ylim(0)
    axes.legend()


def _batches(axes: Axes, sections: Row) -> None:
    rows = sections["batches"]["rows"]
    for threads in sorted({row["threads"] for row in rows}):
        of = [row for row in rows if row["threads"] == threads]
        axes.semilogx([row["batch"] for row in of], [row["faces_per_second"] for row in of], "o-", base=2,
                      label=f"{rows[0]['device']}, {threads} threads")  # fmt: skip
    axes.set(title="embedding: faces a second", xlabel="faces in a batch")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_ylim(0)
    axes.legend()


def _plain(*scales: Axis) -> None:
    """50 and not 5 times 10 to the 1st; 1, 2 and 5 of each decade."""
    for scale in scales:
        scale.set_major_locator(LogLocator(10, subs=(1, 2, 5)))
        scale.set_major_formatter("{x:g}")
        scale.set_minor_formatter(NullFormatter())


PANELS: tuple[tuple[str, Callable[[Axes, Row], None]], ...] = (
    ("verify", _closed),
    ("verify", _open),
    ("stages", _stages),
    ("peers", _peers),
    ("identify", _identify),
    ("batches", _batches),
)
