"""The service works in a network namespace that has nothing but its loopback: nothing is fetched at run time."""

import base64
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import environment

SCRIPT = Path(__file__).with_name("isolated.py")


def isolated(*command: str) -> list[str]:
    """The command in a network namespace of its own; skips where none may be made."""
    unshare = shutil.which("unshare")
    for arguments in (["--net"], ["--net", "--map-root-user"]):
        if unshare and subprocess.run([unshare, *arguments, "true"], capture_output=True).returncode == 0:
            return [unshare, *arguments, *command]
    pytest.skip("no network namespace may be made here")


def test_everything_is_answered_without_a_network(tmp_path: Path, portrait: bytes, portrait_again: bytes) -> None:
    one, again = base64.b64encode(portrait).decode(), base64.b64encode(portrait_again).decode()
    requests = {
        "/verify": {"image1": one, "image2": again},
        "/detect": {"image": one},
        "/embed": {"image": one},
        "/cluster": {"image": [one, again]},
        "/gallery/enroll": {"subject_id": "astronaut", "image": one},
        "/identify": {"image": again},
        "/docs": None,
        "/openapi.json": None,
        "/model": None,
        "/metrics": None,
    }
    (tmp_path / "requests.json").write_text(json.dumps(requests))
    ran = subprocess.run(
        isolated(sys.executable, str(SCRIPT), str(tmp_path / "requests.json")),
        env=environment(tmp_path / "sameface.db", SAMEFACE_PORT="8000"),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    answered = json.loads(ran.stdout)
    assert {path: status for path, (status, _) in answered.items()} == {
        path: 201 if path == "/gallery/enroll" else 200 for path in requests
    }
    assert json.loads(answered["/verify"][1])["verified"]
    assert json.loads(answered["/identify"][1])["faces"][0]["candidates"][0]["subject_id"] == "astronaut"
    assert "http" not in ran.stderr.replace("http://127.0.0.1:8000", "").replace('"uvicorn', "")
