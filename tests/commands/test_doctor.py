"""`sameface doctor`, here and of a server."""

import json

import pytest

from tests.commands.conftest import Command
from tests.processes import Server


def test_a_sound_installation_is_status_0_and_one_without_weights_1(
    sameface: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAMEFACE_PORT", "0")
    sound = sameface("doctor")
    assert sound.exit_code == 0, sound.stdout
    assert "nothing is wrong" in sound.stdout
    monkeypatch.setenv("SAMEFACE_WEIGHTS_DIR", "/nowhere")
    ended = sameface("doctor", "--json")
    assert ended.exit_code == 1
    assert [row["check"] for row in json.loads(ended.stdout) if row["verdict"] == "wrong"] == ["model"]
    monkeypatch.setenv("SAMEFACE_PORT", "many")
    assert sameface("doctor").exit_code == 3


def test_a_server_is_examined_from_outside(sameface: Command, server: Server) -> None:
    ended = sameface("doctor", "--server", f"http://127.0.0.1:{server.port}", "--json")
    assert ended.exit_code == 0
    assert {row["check"]: row["verdict"] for row in json.loads(ended.stdout)} == dict.fromkeys(
        ("server", "transport", "clock", "ready", "model"), "ok"
    )
    assert sameface("doctor", "--server", "http://127.0.0.1:1").exit_code == 1
