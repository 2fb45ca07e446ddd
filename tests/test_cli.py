"""The command as an operator runs it: starting, stopping, crashing, and being told what is wrong."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from app.gallery.migration import known_revisions
from app.settings import Settings, variable
from tests.processes import environment, run, serving


def test_enrolled_people_survive_kill_9(tmp_path: Path, portrait: bytes, portrait_again: bytes) -> None:
    database = tmp_path / "sameface.db"
    with serving(database) as server:
        form = {"subject_id": "collins", "name": "Eileen Collins"}
        enrolled = server.http.post("/gallery/enroll", files={"image": portrait}, data=form)
        assert enrolled.status_code == 201
        server.kill()
    with serving(database) as server:
        answer = server.http.post("/identify", files={"image": portrait_again}).json()
    assert answer["gallery"]["revision"] == enrolled.json()["revision"]
    (candidate,) = answer["faces"][0]["candidates"]
    assert (candidate["subject_id"], candidate["name"]) == ("collins", "Eileen Collins")
    assert candidate["face_id"] == enrolled.json()["faces"][0]["face_id"]


def test_a_service_that_is_told_to_stop_answers_what_it_has_accepted(tmp_path: Path, portrait: bytes) -> None:
    answers: list[int] = []

    def verify(http: httpx.Client) -> None:
        answers.append(http.post("/verify", files={"image1": portrait, "image2": portrait}).status_code)

    with serving(tmp_path / "sameface.db") as server:
        requests = [threading.Thread(target=verify, args=(server.http,)) for _ in range(4)]
        for request in requests:
            request.start()
        while '"/verify"' not in server.log.read_text():  # the first is answered, the others are on their way
            threading.Event().wait(0.01)
        server.stop()
        for request in requests:
            request.join()
        assert "Application shutdown complete" in server.log.read_text()
    assert answers == [200] * 4


def test_the_log_is_json_lines_that_name_no_one(tmp_path: Path, portrait: bytes) -> None:
    with serving(tmp_path / "sameface.db") as server:
        form = {"subject_id": "secret-subject", "name": "Secret Name"}
        headers = {"X-Request-ID": "request-1"}
        server.http.post("/gallery/enroll", files={"image": portrait}, data=form, headers=headers)
        server.http.post("/identify", files={"image": portrait})
        server.stop()
        lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert any(line.get("request_id") == "request-1" and line["status"] == 201 for line in lines)
    assert "secret" not in json.dumps(lines).lower()


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"SAMEFACE_WEIGHTS_DIR": "/nowhere"}, "no model file at /nowhere/"),
        ({"SAMEFACE_DATABASE_URL": "postgresql+psycopg://127.0.0.1:1/faces"}, "onnection refused"),
        ({"SAMEFACE_HOST": "0.0.0.0"}, "SAMEFACE_ALLOW_UNAUTHENTICATED_PUBLIC"),
    ],
    ids=["weights", "database", "host"],
)
def test_a_configuration_error_ends_the_start_with_a_sentence(
    tmp_path: Path, settings: dict[str, str], fault: str
) -> None:
    ended = run("serve", env=environment(tmp_path / "sameface.db", SAMEFACE_LOG_FORMAT="text") | settings)
    assert ended.returncode == 3
    assert fault in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_misspelt_setting_is_pointed_out(tmp_path: Path) -> None:
    ended = run("migrate", env=environment(tmp_path / "sameface.db", SAMEFACE_THREHOLD="1"))
    assert ended.returncode == 0
    assert "did you mean SAMEFACE_THRESHOLD?" in ended.stderr


def test_migrate_makes_the_database_and_may_be_repeated(tmp_path: Path) -> None:
    database = tmp_path / "new" / "sameface.db"
    for _ in range(2):
        assert run("migrate", env=environment(database)).returncode == 0
    assert database.stat().st_size > 0


def test_what_was_done_is_told_as_json(tmp_path: Path) -> None:
    env = environment(tmp_path / "sameface.db")
    assert json.loads(run("migrate", "--json", env=env).stdout) == {"schema": known_revisions()[-1]}
    rows = {row["variable"]: row for row in json.loads(run("settings", "--json", env=env).stdout)}
    assert rows.keys() == {variable(name) for name in Settings.model_fields}
    assert rows["SAMEFACE_PORT"]["default"] == "8000"
    assert rows["SAMEFACE_COMPREFACE"]["default"] == "false"
    assert rows["SAMEFACE_THRESHOLD"]["default"] is None
    assert rows["SAMEFACE_FPIR"]["description"] == Settings.model_fields["fpir"].description


def test_the_command_begins_without_what_is_slow_to_import() -> None:
    slow = ("pydantic", "httpx", "numpy", "sqlalchemy", "fastapi", "onnxruntime", "PIL")
    script = f"import sys, app.cli; print(*(name for name in {slow} if name in sys.modules))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""


def test_the_settings_are_printed_as_a_table(tmp_path: Path) -> None:
    printed = run("settings", env=environment(tmp_path / "sameface.db")).stdout
    assert all(f"`{variable(name)}`" in printed for name in Settings.model_fields)
