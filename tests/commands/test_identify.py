"""`sameface identify` names who is known."""

import json
from pathlib import Path

from tests.commands.conftest import Command


def test_who_is_known_is_named_and_everybody_else_is_unknown(sameface: Command, photographs: Path) -> None:
    unknown = sameface("identify", photographs / "portrait.jpg")
    assert unknown.exit_code == 1
    assert "unknown" in unknown.stdout
    (photographs / "people" / "[b]collins").mkdir(parents=True)
    (photographs / "portrait.jpg").rename(photographs / "people" / "[b]collins" / "1.jpg")
    assert sameface("enroll", photographs / "people").exit_code == 0
    known = sameface("identify", photographs / "two_faces.jpg")
    assert known.exit_code == 0
    assert known.stdout.count("[b]collins") == 2
    answer = json.loads(sameface("identify", photographs / "two_faces.jpg", "--max-faces", 1, "--json").stdout)
    assert [face["status"] for face in answer["faces"]] == ["identified"]


def test_no_face_is_status_4_and_no_gallery_7(sameface: Command, photographs: Path) -> None:
    assert sameface("identify", photographs / "no_face.jpg").exit_code == 4
    assert sameface("identify", photographs / "portrait.jpg", "--gallery", "nobodys").exit_code == 7
