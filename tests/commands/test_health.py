"""The health check of a container: exit status 0 where requests should be sent, 1 where not."""

import subprocess
import sys
from pathlib import Path

from tests.answering import answering
from tests.processes import environment, run, serving


def test_a_service_that_is_ready_is_healthy(tmp_path: Path) -> None:
    with serving(tmp_path / "sameface.db") as server:
        asked = run("health", env=environment(tmp_path / "sameface.db", SAMEFACE_PORT=str(server.port)))
    assert asked.returncode == 0
    assert '"status":"ready"' in asked.stdout


def test_a_service_that_is_not_ready_is_unhealthy(tmp_path: Path) -> None:
    with answering(lambda *_: (503, b'{"status": "not_ready"}')) as port:
        asked = run("health", env=environment(tmp_path / "sameface.db", SAMEFACE_PORT=str(port)))
    assert asked.returncode == 1
    assert asked.stderr == '{"status": "not_ready"}\n'


def test_a_service_that_listens_on_every_address_is_asked_on_this_machine(tmp_path: Path) -> None:
    with answering(lambda *_: (200, b"{}")) as port:
        env = environment(tmp_path / "sameface.db", SAMEFACE_PORT=str(port), SAMEFACE_HOST="0.0.0.0")
        assert run("health", env=env).returncode == 0
        assert subprocess.run([sys.executable, "-m", "app.probe"], env=env, timeout=60).returncode == 0


def test_no_service_is_unhealthy(tmp_path: Path) -> None:
    with answering(lambda *_: (200, b"{}")) as port:
        pass
    asked = run("health", env=environment(tmp_path / "sameface.db", SAMEFACE_PORT=str(port)))
    assert asked.returncode == 1
    assert f"no answer from 127.0.0.1, port {port}" in asked.stderr


def test_the_health_check_of_the_image_imports_little() -> None:
    script = "import sys, app.probe; print(sorted({'pydantic', 'typer', 'rich', 'fastapi'} & set(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert printed.stdout.strip() == "[]"
