"""How many cores may be used."""

from pathlib import Path

import pytest

from app import cores


@pytest.mark.parametrize(
    ("quota", "allowed"),
    [("max 100000", 64), ("250000 100000", 2), ("50000 100000", 1), ("9900000 100000", 64), ("nonsense", 64)],
)
def test_a_quota_of_the_control_group_counts_in_whole_cores(
    quota: str, allowed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(cores, "_CGROUP_CPU", tmp_path / "cpu.max")
    monkeypatch.setattr(cores, "affinity_cores", lambda: 64)
    assert cores.available_cores() == allowed


def test_without_a_control_group_the_affinity_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "_CGROUP_CPU", tmp_path / "missing")
    assert cores.available_cores() == cores.affinity_cores() >= 1
