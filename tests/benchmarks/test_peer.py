"""Peers that cannot run are left out with their reason; those that can answer as the service does."""

import sys
from pathlib import Path

import httpx
import pytest

from tests.benchmarks.peer import look, measure
from tests.benchmarks.pictures import pair
from tests.benchmarks.plan import Plan, Progress
from tests.benchmarks.server import several


def test_a_peer_without_its_packages_is_left_out_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "python").write_text("#!/bin/sh\necho \"ModuleNotFoundError: No module named 'dlib'\" >&2\nexit 1\n")
    (tmp_path / "python").chmod(0o755)
    peers = {"face_recognition": str(tmp_path / "python"), "facenet_pytorch": str(tmp_path / "nowhere")}
    rows = measure(Plan(peers=peers), Progress(0))
    assert rows == [
        {"peer": "face_recognition", "skipped": "ModuleNotFoundError: No module named 'dlib'"},
        {"peer": "facenet_pytorch", "skipped": f"{tmp_path}/nowhere cannot be run: No such file or directory"},
    ]


def test_facenet_pytorch_compares_two_photographs() -> None:
    versions, reason = look("facenet_pytorch", sys.executable)
    if reason:
        pytest.skip(f"facenet-pytorch cannot run here: {reason}")
    assert versions["facenet-pytorch"]
    command = [sys.executable, "-m", "uvicorn", "tests.benchmarks.peers.facenet_pytorch_app:app"]
    one, other = pair("250x250")
    with several([*command, "--log-level", "error"], 1, OMP_NUM_THREADS="1") as server:
        files = {"image1": ("one.jpg", one), "image2": ("other.jpg", other)}
        answer = httpx.post(f"http://127.0.0.1:{server.ports[0]}/verify", files=files, timeout=60)
    assert answer.status_code == 200
    assert set(answer.json()) == {"verified", "distance"}
