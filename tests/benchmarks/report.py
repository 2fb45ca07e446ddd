"""The tables of a record of `python -m tests.benchmarks`."""

import json
from pathlib import Path
from typing import Any

from tests.benchmarks import plots
from tests.benchmarks.stages import pairs_per_second

Row = dict[str, Any]


def write_report(record_path: Path) -> None:
    """Write `.md` and `.png` beside the record."""
    record = json.loads(record_path.read_text())
    record_path.with_suffix(".md").write_text(tables(record))
    plots.draw(record["sections"], record_path.with_suffix(".png"))


def tables(record: Row) -> str:
    """The whole document; a section that was not measured is left out."""
    machine, sections = record["machine"], record["sections"]
    head = [
        "# Performance",
        f"Model {record['model']['id']} (sha-256 {record['model']['sha256'][:12]}); {machine['processor']}, "
        f"{machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}; {record['note']}. "
        f"{', '.join(f'{name} {number}' for name, number in record['versions'].items())}. The load generator runs on "
        "the same cores.",
        "![The figures as curves](performance.png)",
    ]
    parts = [
        f"## {TITLES[name]}\n\nCommit {sections[name]['commit']}, {sections[name]['measured_at']}.\n\n{text}"
        for name, write in WRITERS.items()
        if name in sections and (text := write(sections[name]["rows"], sections))
    ]
    return "\n\n".join(head + parts) + "\n"


def table(heads: list[str], rows: list[list[Any]]) -> str:
    """A Markdown table, the first column to the left."""
    lines = [heads, ["---"] + ["---:"] * (len(heads) - 1), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def best(row: Row) -> float:
    """Answers a second at saturation."""
    return max((float(one["per_second"]) for one in row["closed_loop"]), default=0.0)


def by_size(sections: Row, name: str) -> dict[str, Row]:
    return {row["size"]: row for row in sections.get(name, {"rows": []})["rows"] if "size" in row}


def _start(rows: list[Row], sections: Row) -> str:
    return table(["", "median, s", "slowest, s"], [[row["what"], row["seconds"], row["slowest"]] for row in rows])


def _stages(rows: list[Row], sections: Row) -> str:
    names = list(rows[0]["ours_ms"])
    lines = [
        [row["size"]]
        + [f"{row['ours_ms'][name]:.2f} ({row['bare_ms'][name]:.2f})" for name in names]
        + [f"{sum(row['ours_ms'].values()):.2f} ({sum(row['bare_ms'].values()):.2f})"]
        + [row["pipeline"]["lone_p50_ms"], row["pipeline"]["photographs_per_second"]]
        for row in rows
    ]
    heads = ["photograph", *names, "sum", "pipeline, lone p50 ms", "pipeline, photographs a second"]
    return "Ms of one core for one photograph, ours (bare).\n\n" + table(heads, lines)


def _limit(rows: list[Row], sections: Row) -> str:
    stages, lines = by_size(sections, "stages"), []
    for row in rows:
        summed = pairs_per_second(stages[row["size"]]["bare_ms"], row["cores"]) if row["size"] in stages else None
        ways = ", ".join(
            f"{way['processes']}x{way['threads']}x{way['network_threads']}/{way['batch']} "
            f"{way['photographs_per_second'] / 2:.1f}"
            for way in row["ways"]
        )
        lines.append([row["size"], summed and f"{summed:.1f}", row["pairs_per_second"], row["of_one_core"], ways])
    heads = ["photograph", "from the stages", "measured", "cores do x one core", "ways"]
    return (
        "Pairs a second of bare stages: computed from their times on one core, and measured with every core busy. Ways "
        "are processes x threads x threads of a network / faces in a batch.\n\n" + table(heads, lines)
    )


def _search(rows: list[Row], sections: Row) -> str:
    lines = []
    for row in rows:
        for kind in ("single", "batch"):
            one = row[kind]
            both = one["sameface_ms"], one["faiss_flat_ms"]
            lines.append([f"{row['faces']:,}", one["probes"], *(ms["p50"] for ms in both), one["ratio_p50"]])
    return table(["faces", "probes", "ours, p50 ms", "FAISS flat, p50 ms", "ratio"], lines)


def _batches(rows: list[Row], sections: Row) -> str:
    lines = [[f"{row['device']}, {row['threads']}", row["batch"], row["faces_per_second"]] for row in rows]
    return f"{rows[0]['provider']}.\n\n" + table(["device, threads", "faces in a batch", "faces a second"], lines)


def _verify(rows: list[Row], sections: Row) -> str:
    stages, limits = by_size(sections, "stages"), by_size(sections, "limit")
    return "\n\n".join(_verified(row, stages.get(row["size"]), limits.get(row["size"])) for row in rows)


def _verified(row: Row, stages: Row | None, limit: Row | None) -> str:
    facts = [f"{best(row)} pairs a second at saturation"]
    if limit:
        facts.append(f"{best(row) / limit['pairs_per_second']:.0%} of what bare stages reach on all cores")
    if stages:
        facts.append(f"{best(row) / pairs_per_second(stages['bare_ms'], limit and limit['cores']):.0%} of the limit "
                     "computed from them")  # fmt: skip
        lone = (row["closed_loop"][0]["p50_ms"] or float("nan")) / (2 * sum(stages["bare_ms"].values()))
        facts.append(f"a lone request takes {lone:.2f} of the bare stages of its two photographs")
    return f"### Two photographs of {row['size']}\n\n{', '.join(facts)}.\n\n{loads(row)}"


def loads(row: Row) -> str:
    """Both loops in one table."""
    heads = ["load", "answered a second", "p50 ms", "p95 ms", "p99 ms", "cores, server", "cores, client", "RSS, MiB"]
    named = [(f"{one['callers']} callers", one) for one in row["closed_loop"]]
    named += [(f"{one['offered_per_second']} a second ({one['share']:.0%})", one) for one in row["open_loop"]]
    lines = []
    for name, one in named:
        figures = [one[key] for key in ("per_second", "p50_ms", "p95_ms", "p99_ms", "server_cores", "client_cores")]
        others = {status: count for status, count in one["statuses"].items() if status != "200"}
        lines.append([name, *figures, one["server_rss_mib"], others or ""])
    return table([*heads, "not 200"], lines)


def _identify(rows: list[Row], sections: Row) -> str:
    limits, parts = by_size(sections, "limit"), []
    for row in rows:
        facts = [f"Ready {row['ready_seconds']} s after the start", f"{best(row)} photographs a second at saturation"]
        if limit := limits.get(row["size"]):
            share = best(row) / (2 * limit["pairs_per_second"])
            facts.append(f"{share:.0%} of what bare stages without any search reach on all cores")
        title = f"### {row['faces']:,} faces, one photograph of {row['size']}"
        parts.append(f"{title}\n\n{', '.join(facts)}.\n\n{loads(row)}")
    return "\n\n".join(parts)


def _peers(rows: list[Row], sections: Row) -> str:
    ours, lines = by_size(sections, "verify"), []
    for row in rows:
        if "skipped" in row:
            lines.append([row["peer"], f"not measured: {row['skipped']}", "", "", "", ""])
            continue
        own = ours.get(row["size"])
        ratio = f"{best(own)} ({best(own) / best(row):.1f} x)" if own and best(row) else ""
        lone = [one["closed_loop"][0]["p50_ms"] for one in (row, own) if one]
        lines.append([row["peer"], row["size"], best(row), ratio, *lone])
    heads = ["", "photographs", "pairs a second", "sameface", "lone p50 ms", "sameface, lone p50 ms"]
    versions = {f"{row['peer']}: {_listed(row['versions'])}" for row in rows if "versions" in row}
    details = [f"### {row['peer']}, two photographs of {row['size']}\n\n{loads(row)}" for row in rows if "size" in row]
    return "\n\n".join([table(heads, lines), *(f"{line}." for line in sorted(versions)), *details])


def _listed(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items())


TITLES = {
    "start": "Start",
    "stages": "Stages",
    "limit": "The limit of the machine",
    "search": "Search in memory",
    "batches": "The embedding network by batch",
    "verify": "POST /verify",
    "peers": "Other software, same photographs, same load",
    "identify": "POST /identify",
}
WRITERS = {"start": _start, "stages": _stages, "limit": _limit, "search": _search, "batches": _batches,
           "verify": _verify, "peers": _peers, "identify": _identify}  # fmt: skip
