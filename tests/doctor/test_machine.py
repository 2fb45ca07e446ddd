"""What the doctor finds on this machine."""

import os
import socket
from pathlib import Path

import pytest

from app import cores
from app.doctor.finding import Finding, Verdict
from app.doctor.machine import examine_machine
from app.settings import Settings
from tests.processes import Server


def findings(settings: Settings) -> dict[str, Finding]:
    return {finding.check: finding for finding in examine_machine(settings)}


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    """Few threads, a database of its own that is not there, and a port that the system chooses."""
    return Settings(database_url=f"sqlite:///{tmp_path / 'x' / 'own.db'}", port=0, image_workers=1, embedder_threads=1)


def test_a_sound_installation_has_nothing_wrong_and_nothing_is_made(own: Settings, tmp_path: Path) -> None:
    found = findings(own)
    assert {name: finding.verdict for name, finding in found.items() if name != "encryption"} == dict.fromkeys(
        ("python", "onnxruntime", "model", "threads", "disk", "port"), Verdict.OK
    )
    assert found["encryption"].verdict is Verdict.WARNING
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_is_told_with_what_to_do(own: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMEFACE_THREHOLD", "1")
    key_file = tmp_path / "template.keys"
    key_file.write_text("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
    key_file.chmod(0o644)
    found = findings(
        own.model_copy(
            update={
                "weights_dir": tmp_path,
                "device": "cuda",
                "image_workers": 256,
                "min_free_disk_bytes": 10**18,
                "template_keys_file": key_file,
            }
        )
    )
    assert {name: finding.verdict.value for name, finding in found.items() if finding.verdict != "ok"} == {
        "settings": "warning",
        "onnxruntime": "wrong",
        "model": "wrong",
        "threads": "warning",
        "disk": "wrong",
        "encryption": "warning",
    }
    assert all(finding.advice for finding in found.values() if finding.verdict is not Verdict.OK)
    assert "did you mean SAMEFACE_THRESHOLD" in found["settings"].detail


def test_a_quota_of_the_control_group_counts(own: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cpu.max").write_text("50000 100000")
    monkeypatch.setattr(cores, "_CGROUP_CPU", tmp_path / "cpu.max")
    assert "a quota allows 0.5" in findings(own)["threads"].detail
    assert findings(own)["threads"].verdict is Verdict.OK
    found = findings(own.model_copy(update={"image_workers": 2}))["threads"]
    assert found.verdict is Verdict.WARNING
    assert " to 1:" in (found.advice or "")


def test_a_port_is_free_ours_or_somebody_elses(own: Settings, server: Server) -> None:
    assert "is ready" in findings(own.model_copy(update={"port": server.port}))["port"].detail
    with socket.create_server(("127.0.0.1", 0)) as other:
        found = findings(own.model_copy(update={"port": other.getsockname()[1]}))["port"]
    assert found.verdict is Verdict.WRONG


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_wrong(own: Settings) -> None:
    found = findings(own.model_copy(update={"database_url": "sqlite:////proc/own.db"}))
    assert found["disk"].verdict is Verdict.WRONG
