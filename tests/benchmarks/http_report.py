"""The tables and the plot of an http_load record."""

import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot


def write_report(record_path: Path) -> None:
    """Write `.md` and `.png` beside the record."""
    record = json.loads(record_path.read_text())
    record_path.with_suffix(".md").write_text(tables(record))
    if record["verify"]:
        plot(record, record_path.with_suffix(".png"))


def tables(record: dict[str, Any]) -> str:
    machine = record["machine"]
    parts = [
        "# Over HTTP, under load",
        f"Model {record['model']}, commit {record['commit']}, {record['measured_at']}; {machine['processor']}, "
        f"{machine['cores']} cores, {machine['memory_gib']} GiB; {record['note']}. The load generator runs on the "
        "same cores.",
        *(_verify(row) for row in record["verify"]),
        _identify(record["identify"]),
        _peers(record),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _verify(row: dict[str, Any]) -> str:
    bare, ours = row["stages_cpu_ms"]["bare"], row["stages_cpu_ms"]["ours"]
    stages = ", ".join(f"{name} {ours[name]:.2f} ({bare[name]:.2f})" for name in ours)
    closed = _table("callers", row["closed_loop"], "callers")
    opened = _table("arrivals a second", row["open_loop"], "offered_per_second")
    return "\n\n".join(
        [
            f"## POST /verify, two photographs of {row['size']}",
            f"One photograph, ms of one core, ours (bare): {stages}. Limit of the cores by the bare stages: "
            f"{row['bare_limit_per_second']} pairs a second; reached: {row['saturation_of_limit']:.0%}. A lone request "
            f"takes {row['lone_p50_of_bare_sum']:.2f} of the bare stages of its two photographs one after the other.",
            f"Closed loop:\n\n{closed}",
            f"Open loop (a time counts from the arrival):\n\n{opened}",
        ]
    )


def _table(head: str, rows: list[dict[str, Any]], key: str) -> str:
    heads = [head, "answered a second", "p50 ms", "p95 ms", "p99 ms"]
    heads += ["cores, service", "cores, client", "RSS, MiB", "not 200"]
    lines = [f"| {' | '.join(heads)} |", f"|{'---:|' * len(heads)}"]
    for row in rows:
        others = {status: count for status, count in row["statuses"].items() if status != "200"}
        cells = [row[key], row["per_second"], row["p50_ms"], row["p95_ms"], row["p99_ms"], row["server_cores"]]
        cells += [row["client_cores"], row["server_rss_mib"], others or "none"]
        lines.append(f"| {' | '.join(str(cell) for cell in cells)} |")
    return "\n".join(lines)


def _identify(rows: list[dict[str, Any]]) -> str:
    parts = [
        f"### {row['faces']:,} faces; ready {row['ready_seconds']} s after the start\n\n"
        + _table("callers", row["closed_loop"], "callers")
        for row in rows
    ]
    return "\n\n".join(["## POST /identify, one photograph of 250x250", *parts]) if parts else ""


def _peers(record: dict[str, Any]) -> str:
    if not record["peers"]:
        return ""
    ours = {row["size"]: _best(row) for row in record["verify"]}
    lines = [
        "## Beside other software, same machine, same run",
        "",
        "| | size | pairs a second | sameface |",
        "|---|---|---:|---:|",
    ]
    for row in record["peers"]:
        ratio = f"{ours[row['size']]} ({ours[row['size']] / _best(row):.1f} x)" if row["size"] in ours else ""
        lines.append(f"| {row['peer']} | {row['size']} | {_best(row)} | {ratio} |")
    return "\n".join(lines)


def _best(row: dict[str, Any]) -> float:
    return max(float(one["per_second"]) for one in row["closed_loop"])


def plot(record: dict[str, Any], out: Path) -> None:
    """Throughput over callers, and p50 and p99 over the offered load."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    for number, row in enumerate(record["verify"]):
        colour = f"C{number}"
        callers = [one["callers"] for one in row["closed_loop"]]
        left.semilogx(callers, [one["per_second"] for one in row["closed_loop"]], "o-", color=colour, label=row["size"])
        left.axhline(row["bare_limit_per_second"], color=colour, linestyle=":")
        offered = [one["offered_per_second"] for one in row["open_loop"]]
        right.semilogy(offered, [one["p50_ms"] for one in row["open_loop"]], "o-", color=colour, label=row["size"])
        right.semilogy(offered, [one["p99_ms"] for one in row["open_loop"]], "s--", color=colour)
    left.set(title="pairs a second (dotted: limit of bare stages)", xlabel="callers, closed loop", ylim=(0, None))
    right.set(title="ms, p50 (-) and p99 (--)", xlabel="arrivals a second, open loop")
    left.legend()
    right.legend()
    figure.savefig(out, dpi=110)
    pyplot.close(figure)
