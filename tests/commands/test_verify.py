"""`sameface verify`, with a service and without one."""

import json
from pathlib import Path

import pytest

from tests.commands.conftest import Command
from tests.processes import Server, environment, run, serving


@pytest.fixture(params=["local", "server"])
def where(request: pytest.FixtureRequest) -> list[str]:
    """The options that send the question to a running service, or none."""
    if request.param == "local":
        return []
    server: Server = request.getfixturevalue("server")
    return ["--server", f"http://127.0.0.1:{server.port}"]


def test_the_same_face_is_status_0_and_another_1(sameface: Command, photographs: Path, where: list[str]) -> None:
    pair = (photographs / "portrait.jpg", photographs / "again.jpg")
    same = sameface("verify", *pair, "--far", "0.001", *where)
    assert (same.exit_code, same.stdout.partition(":")[0]) == (0, "the same face")
    other = sameface("verify", *pair, "--threshold", "0", "--json", *where)
    assert other.exit_code == 1
    assert json.loads(other.stdout)["verified"] is False


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["portrait.jpg", "no_face.jpg"], 4, "no_face.jpg: no face was found"),
        (["portrait.jpg", "two_faces.jpg", "--only"], 4, "two_faces.jpg: 2 faces"),
        (["portrait.jpg", "again.jpg", "--far", "1e-12"], 2, "outside what the calibration supports"),
        (["portrait.jpg", "again.jpg", "--far", "0.1", "--threshold", "1"], 2, "threshold"),
    ],
    ids=["no face", "several faces", "far", "far and threshold"],
)
def test_what_cannot_be_answered_has_a_status_of_its_own(
    sameface: Command, photographs: Path, arguments: list[str], status: int, told: str
) -> None:
    paths = [str(photographs / argument) if argument.endswith(".jpg") else argument for argument in arguments]
    ended = sameface("verify", *paths, "--json")
    assert ended.exit_code == status
    assert told in ended.stderr
    assert json.loads(ended.stdout)["error"]["code"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere.jpg", "nowhere.jpg"], "does not exist"),
        (["portrait.jpg", "again.jpg", "--threshold", "5"], "'--threshold'"),
    ],
)
def test_a_wrong_option_is_status_2(sameface: Command, photographs: Path, arguments: list[str], told: str) -> None:
    paths = [str(photographs / argument) if argument.endswith(".jpg") else argument for argument in arguments]
    ended = sameface("verify", *paths)
    assert ended.exit_code == 2
    assert told in ended.stderr


def test_a_server_that_is_no_url_is_status_2(sameface: Command, photographs: Path) -> None:
    pair = (photographs / "portrait.jpg", photographs / "again.jpg")
    ended = sameface("verify", *pair, "--server", "localhost:8000")
    assert ended.exit_code == 2
    assert "--server" in ended.stderr


def test_a_key_that_is_not_known_is_status_6_and_the_database_needs_none(
    sameface: Command, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = (photographs / "portrait.jpg", photographs / "again.jpg")
    run("keys", "create", "x", "--scope", "verify", env=environment(tmp_path / "own.db"))
    assert sameface("verify", *pair).exit_code == 0
    with serving(tmp_path / "own.db") as server:
        monkeypatch.setenv("SAMEFACE_SERVER", f"http://127.0.0.1:{server.port}")
        assert sameface("verify", *pair).exit_code == 6
