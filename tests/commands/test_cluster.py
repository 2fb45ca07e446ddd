"""`sameface cluster`: people of a folder on one page."""

import io
import json
import os
import struct
from html.parser import HTMLParser
from pathlib import Path

from PIL import Image

from tests.commands.conftest import Command
from tests.processes import Server


class Pictures(HTMLParser):
    """Counts pictures and collects captions."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.sources.append(dict(attrs)["src"] or "")


def test_people_are_grouped_and_shown(sameface: Command, photographs: Path, server: Server, tmp_path: Path) -> None:
    (photographs / "<b>.jpg").write_bytes(b"no photograph")
    page, sheets = tmp_path / "page.html", tmp_path / "sheets"
    where = f"http://127.0.0.1:{server.port}"
    ended = sameface("cluster", photographs, "--html", page, "--sheets", sheets, "--server", where, "--json")
    assert ended.exit_code == 1
    facts = json.loads(ended.stdout)
    [group] = facts["groups"]
    assert sorted(Path(face["path"]).name for face in group["faces"]) == [
        "again.jpg",
        "portrait.jpg",
        "two_faces.jpg",
        "two_faces.jpg",
    ]
    assert [(Path(row["path"]).name, row["reason"]) for row in facts["unread"]] == [("<b>.jpg", "unsupported_format")]
    assert page.stat().st_mode & 0o077 == sheets.stat().st_mode & 0o077 == 0
    text = page.read_text("utf-8")
    pictures = Pictures(text).sources
    assert len(pictures) == 4
    assert all(source.startswith("data:image/jpeg;base64,") for source in pictures)
    assert "&lt;b&gt;.jpg" in text
    assert "<b>" not in text
    with Image.open(io.BytesIO((sheets / "person-0001.jpg").read_bytes())) as sheet:
        assert sheet.size == (4 * 112, 112)


def test_odd_exif_and_odd_file_names_cost_nothing(
    sameface: Command, astronaut: Image.Image, server: Server, tmp_path: Path
) -> None:
    folder = tmp_path / "photographs"
    folder.mkdir()
    # Orientation 6, and a width (0x0100) that is a byte: Pillow reads this and cannot write it again.
    entries = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0) + struct.pack("<HHII", 0x0100, 1, 1, 0)
    broken = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + entries + b"\0\0\0\0"
    astronaut.transpose(Image.Transpose.ROTATE_90).save(folder / "turned.jpg", exif=broken)
    astronaut.save(os.fsencode(folder) + b"/M\xfcller.jpg", "JPEG")
    page = tmp_path / "page.html"
    where = f"http://127.0.0.1:{server.port}"
    ended = sameface("cluster", folder, "--html", page, "--server", where, "--json")
    assert ended.exit_code == 0, ended.stderr
    [group] = json.loads(ended.stdout)["groups"]
    assert len(group["faces"]) == 2
    assert "\\udcfcller.jpg" in page.read_text("utf-8")


def test_strangers_stay_apart_and_an_empty_folder_is_status_2(
    sameface: Command, photographs: Path, server: Server, tmp_path: Path
) -> None:
    options = ("--html", tmp_path / "page.html", "--server", f"http://127.0.0.1:{server.port}")
    facts = json.loads(sameface("cluster", photographs, "--threshold", 0, "--json", *options).stdout)
    assert [len(group["faces"]) for group in facts["groups"]] == [1, 1, 1, 1]
    assert sameface("cluster", photographs, "--far", 0, *options).exit_code == 2  # no rate, and not the default one
    (tmp_path / "empty").mkdir()
    assert sameface("cluster", tmp_path / "empty", *options).exit_code == 2
    assert sameface("cluster", photographs, "--threshold", 1, "--far", 0.1, *options).exit_code == 2
