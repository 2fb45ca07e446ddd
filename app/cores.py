"""How many cores this process may use: by its affinity, and by the quota of its control group."""

import math
import os
from pathlib import Path

_CGROUP_CPU = Path("/sys/fs/cgroup/cpu.max")


def available_cores() -> int:
    """Whole cores, at least 1; a container's share of a large machine is what it may use, not the machine."""
    cores, quota = affinity_cores(), cpu_quota()
    return cores if quota is None else min(cores, max(1, math.floor(quota)))


def affinity_cores() -> int:
    """Cores that this process may be scheduled on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_quota() -> float | None:
    """Cores that the control group allows (cgroup v2), which the number of cores does not tell."""
    try:
        quota, _, period = _CGROUP_CPU.read_text("ascii").partition(" ")
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        return None
