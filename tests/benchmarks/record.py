"""A measurement as JSON, with what it was measured on and with."""

import json
import os
import platform
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
_REPOSITORY = Path(__file__).parents[2]
_PACKAGES = ("faiss-cpu", "numpy", "pillow", "sqlalchemy", "psycopg", "fastapi", "uvicorn")


def write_record(name: str, note: str, **content: Any) -> Path:
    """results/<name>.json: machine, commit and versions before the content; `note` says what else ran meanwhile."""
    record = {**facts(name, note), **content}
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(record, indent=1) + "\n")
    return path


def facts(name: str, note: str) -> dict[str, Any]:
    """What stands before the content of every record."""
    return {
        "benchmark": name,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in _PACKAGES}
        | _onnxruntime(),
        "note": note,
    }


def _onnxruntime() -> dict[str, str]:
    """The package for GPUs has the same modules and another name."""
    for name in ("onnxruntime-gpu", "onnxruntime"):
        with suppress(PackageNotFoundError):
            return {name: version(name)}
    return {}


def commit(checkout: Path = _REPOSITORY) -> str:
    """The commit in short, with `-dirty` where the package itself differs from it."""

    def git(*arguments: str) -> str:
        run = subprocess.run(["git", *arguments], cwd=checkout, capture_output=True, text=True, check=True)
        return run.stdout.strip()

    return git("rev-parse", "--short", "HEAD") + ("-dirty" if git("status", "--porcelain", "--", "app") else "")


def machine() -> dict[str, Any]:
    """Processor, cores, memory and how busy it is; no host name."""
    processor = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    memory_kib = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return {
        "processor": processor,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory_kib / 2**20, 1),
        "system": f"{platform.system()} {platform.release()}",
        "load_average": [round(load, 1) for load in os.getloadavg()],
    }


def resident_bytes(field: str = "VmRSS") -> int:
    """Memory of this process: VmRSS now, VmHWM at its highest."""
    return next(int(line.split()[1]) * 1024 for line in _lines("/proc/self/status") if line.startswith(field))


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
