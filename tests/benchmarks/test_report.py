"""The tables and the picture of a record, from a record made up by hand."""

import json
from pathlib import Path
from typing import Any

from PIL import Image

from tests.benchmarks.report import tables, write_report

Row = dict[str, Any]


def load(per_second: float, p50_ms: float, **named: object) -> Row:
    times = {"p50_ms": p50_ms, "p95_ms": p50_ms + 1, "p99_ms": p50_ms + 2, "statuses": {"200": 9, "503": 2}}
    cost = {"server_cores": 1.9, "client_cores": 0.1, "server_rss_mib": 300.0, "server_processes": 3}
    return {**named, "per_second": per_second, **times, **cost}


def loaded(best: float) -> Row:
    closed = [load(best / 2, 20.0, callers=1), load(best, 40.0, callers=8)]
    return {"closed_loop": closed, "open_loop": [load(best / 2, 30.0, share=0.5, offered_per_second=best / 2)]}


def record() -> Row:
    ours = {"decode": 1.0, "detect": 4.0, "crop": 0.5, "quality": 0.5, "embed": 4.0}
    bare = {"decode": 0.5, "detect": 2.0, "crop": 0.25, "quality": 0.25, "embed": 2.0}
    whole = {"lone_p50_ms": 11.0, "photographs_per_second": 150.0}
    way = {"processes": 2, "threads": 1, "network_threads": 1, "batch": 4, "photographs_per_second": 320.0}
    search = {"probes": 1, "sameface_ms": {"p50": 2.0}, "faiss_flat_ms": {"p50": 1.6}, "ratio_p50": 1.25}
    rows = {
        "start": [{"what": "import of app.main", "seconds": 0.5, "slowest": 0.6}],
        "stages": [{"size": "250x250", "ours_ms": ours, "bare_ms": bare, "pipeline": whole}],
        "limit": [{"size": "250x250", "cores": 2, "ways": [way], "pairs_per_second": 160.0, "of_one_core": 1.9}],
        "search": [{"faces": 10_000, "single": search, "batch": search | {"probes": 16}}],
        "batches": [
            {"device": "cpu", "provider": "CPUExecutionProvider", "threads": 1, "batch": 4, "faces_per_second": 280.0}
        ],
        "verify": [{"size": "250x250", **loaded(120.0)}],
        "peers": [
            {"peer": "face_recognition", "versions": {"dlib": "20.0.1 with BLAS"}, "size": "250x250", **loaded(12.0)},
            {"peer": "facenet_pytorch", "skipped": "ModuleNotFoundError: No module named 'torch'"},
        ],
        "identify": [{"faces": 0, "size": "250x250", "ready_seconds": 1.5, **loaded(200.0)}],
    }
    measured = {"commit": "abc1234", "measured_at": "2026-11-22T18:40:00+00:00"}
    return {
        "machine": {"processor": "AMD EPYC", "cores": 2, "memory_gib": 23.5, "system": "Linux 6"},
        "model": {"id": "tiny", "sha256": "0123456789abcdef"},
        "versions": {"python": "3.11"},
        "note": "nothing else ran",
        "sections": {name: measured | {"rows": one} for name, one in rows.items()},
    }


def test_the_tables_set_the_service_beside_the_limit_and_the_peers() -> None:
    text = tables(record())
    assert "120.0 pairs a second at saturation" in text
    assert "75% of what bare stages reach on all cores" in text
    assert "60% of the limit computed from them" in text  # 2 cores * 1000 / (2 * 5 ms) = 200
    assert "a lone request takes 2.00 of the bare stages" in text  # 20 ms of 2 * 5 ms
    assert "| face_recognition | 250x250 | 12.0 | 120.0 (10.0 x) | 20.0 | 20.0 |" in text
    assert "62% of what bare stages without any search reach" in text  # 200 of 2 * 160 photographs
    assert "not measured: ModuleNotFoundError: No module named 'torch'" in text
    assert "{'503': 2}" in text


def test_sections_that_were_not_measured_are_left_out(tmp_path: Path) -> None:
    partial = record()
    partial["sections"] = {name: partial["sections"][name] for name in ("verify", "peers")}
    path = tmp_path / "performance.json"
    path.write_text(json.dumps(partial))
    write_report(path)
    text = path.with_suffix(".md").read_text()
    assert text.count("\n## ") == 2
    assert "of what bare stages reach" not in text


def test_the_picture_has_a_panel_for_each_section_that_can_be_drawn(tmp_path: Path) -> None:
    path = tmp_path / "performance.json"
    path.write_text(json.dumps(record()))
    write_report(path)
    with Image.open(path.with_suffix(".png")) as picture:
        assert picture.width > 1000
        assert len(picture.convert("L").getcolors() or []) > 20
