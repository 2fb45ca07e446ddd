"""The table and the plot of a gallery_scale record."""

import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

TARGET_SEARCH_RATIO = 1.2
TARGET_WRITE_MS = 50.0
TARGET_START_SECONDS = 10.0
TARGET_MEMORY_RATIO = 1.5

_HEADER = [
    "faces",
    "database",
    "search p50, ms [CPU] (x raw FAISS [CPU])",
    "batch of 16 p50, ms [CPU] (x raw FAISS [CPU])",
    "enrol p50 / p95, ms [CPU p50]",
    "remove p50 / p95, ms [CPU p50]",
    "start, s [CPU]",
    "memory, MB (x vectors)",
    "load, commit",
]


def write_report(record_path: Path) -> None:
    """Write `.md` and `.png` beside the record."""
    record = json.loads(record_path.read_text())
    record_path.with_suffix(".md").write_text(table(record))
    plot(record, record_path.with_suffix(".png"))


def table(record: dict[str, Any]) -> str:
    """The figures in Markdown, with machine and commit above."""
    machine = record["machine"]
    lines = [
        "# A gallery by its size",
        "",
        f"Commit {record['commit']}, {record['measured_at']}; {machine['processor']}, {machine['cores']} cores, "
        f"{machine['memory_gib']} GiB; {record['note']}.",
        "",
        f"| {' | '.join(_HEADER)} |",
        f"|{'---:|' * len(_HEADER)}",
        *(f"| {' | '.join(_cells(row))} |" for row in record["rows"]),
        "",
        f"Wanted at a million faces: search within {TARGET_SEARCH_RATIO} x raw FAISS, enrolment and removal under "
        f"{TARGET_WRITE_MS:g} ms, start under {TARGET_START_SECONDS:g} s, memory at most {TARGET_MEMORY_RATIO} x "
        "the vectors.",
        "",
    ]
    return "\n".join(lines)


def plot(record: dict[str, Any], out: Path) -> None:
    """Four panels over the number of faces."""
    figure, axes = pyplot.subplots(2, 2, figsize=(10, 7), layout="constrained")
    searched = [row for row in record["rows"] if "search" in row]
    faces = [row["faces"] for row in searched]
    for size, style in (("single", "-"), ("batch", "--")):
        for who, colour in (("sameface", "C0"), ("faiss_flat", "C1")):
            values = [row["search"][size][f"{who}_ms"]["p50"] for row in searched]
            axes[0, 0].loglog(faces, values, f"o{style}{colour}", label=f"{who}, {size}")
    axes[0, 0].set(title="search, p50 ms")
    panels = [
        (axes[0, 1], "enrol (-) and remove (--), p50 ms", TARGET_WRITE_MS),
        (axes[1, 0], "start, s", TARGET_START_SECONDS),
        (axes[1, 1], "memory over raw vectors", TARGET_MEMORY_RATIO),
    ]
    for axis, title, target in panels:
        axis.set(title=title, xscale="log")
        axis.axhline(target, color="grey", linestyle=":", label="wanted at a million")
    for kind in dict.fromkeys(row["database"] for row in record["rows"]):
        rows = [row for row in record["rows"] if row["database"] == kind]
        faces = [row["faces"] for row in rows]
        (line,) = axes[0, 1].plot(faces, [row["enrol_ms"]["p50"] for row in rows], "o-", label=kind)
        axes[0, 1].plot(faces, [row["remove_ms"]["p50"] for row in rows], "o--", color=line.get_color())
        axes[1, 0].plot(faces, [row["start_seconds"] for row in rows], "o-", label=kind)
        axes[1, 1].plot(faces, [row["memory_bytes"] / row["raw_vector_bytes"] for row in rows], "o-", label=kind)
    for axis in axes.flat:
        axis.set_xlabel("faces")
        axis.grid(alpha=0.3, which="both")
        axis.legend()
    figure.suptitle(f"A gallery by its size, commit {record['commit']}")
    figure.savefig(out, dpi=110)
    pyplot.close(figure)


def _cells(row: dict[str, Any]) -> list[str]:
    search = row.get("search")
    searched = ["", ""] if search is None else [_search_cell(search["single"]), _search_cell(search["batch"])]
    memory = f"{row['memory_bytes'] / 1e6:.0f} ({row['memory_bytes'] / row['raw_vector_bytes']:.2f})"
    start = f"{row['start_seconds']:.1f} [{row['start_cpu_seconds']:.1f}]"
    writes = [_write_cell(row[what]) for what in ("enrol_ms", "remove_ms")]
    when = f"{row['load_average'][0]}, {row['commit']}"
    return [f"{row['faces']:,}", row["database"], *searched, *writes, start, memory, when]


def _search_cell(search: dict[str, Any]) -> str:
    ours = search["sameface_ms"]
    return f"{ours['p50']:.2f} [{ours['cpu_p50']:.2f}] ({search['ratio_p50']:.2f} [{search['ratio_cpu_p50']:.2f}])"


def _write_cell(write: dict[str, float]) -> str:
    return f"{write['p50']:.1f} / {write['p95']:.1f} [{write['cpu_p50']:.1f}]"
