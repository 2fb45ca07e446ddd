"""Groups of faces to look at: one HTML page that needs nothing else, or a picture for each group."""

import base64
import io
import math
from html import escape
from pathlib import Path

from PIL import Image

from app.bulk.grouping import Groups, SeenFace
from app.errors import ConfigurationError

_COLUMNS = 10

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; font: 15px/1.4 system-ui, sans-serif }}
body {{ margin: 2rem auto; max-width: 80rem; padding: 0 1rem }}
ul {{ display: flex; flex-wrap: wrap; gap: .5rem; padding: 0; list-style: none }}
figure {{ margin: 0; width: 112px }}
figcaption {{ font-size: 11px; overflow-wrap: anywhere }}
img {{ display: block; border-radius: 6px }}
</style>
<h1>{title}</h1>
<p>{summary}</p>
{sections}
</html>
"""


def write_page(file: Path, groups: Groups, folder: Path) -> None:
    """One page with every face; the thumbnails are inside it. Raises ConfigurationError."""
    people = [group for group in groups.groups if len(group) > 1]
    alone = [face for group in groups.groups if len(group) == 1 for face in group]
    sections = [_section(f"Person {number}", group, folder) for number, group in enumerate(people, start=1)]
    if alone:
        sections.append(_section("Seen once", alone, folder))
    if groups.unread:
        rows = "".join(f"<li>{escape(_name(u.path, folder))}: {escape(u.detail)}</li>" for u in groups.unread)
        sections.append(f"<h2>Not read ({len(groups.unread)})</h2>\n<ol>{rows}</ol>")
    page = _PAGE.format(
        title=escape(f"Faces in {folder.resolve().name}"), summary=escape(summary(groups)), sections="\n".join(sections)
    )
    try:
        file.touch(mode=0o600)  # it shows people
        file.write_text(page, "utf-8", errors="backslashreplace")  # file names need not be UTF-8
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}") from None


def write_sheets(folder: Path, groups: Groups) -> int:
    """person-0001.jpg and so on, one for each who is seen more than once; how many. Raises ConfigurationError."""
    people = [group for group in groups.groups if len(group) > 1]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number, group in enumerate(people, start=1):
            _sheet(group).save(folder / f"person-{number:04}.jpg", quality=90)
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be written: {error.strerror}") from None
    return len(people)


def summary(groups: Groups) -> str:
    """In a sentence."""
    faces = sum(map(len, groups.groups))
    often = sum(len(group) > 1 for group in groups.groups)
    rate = "" if groups.far is None else f", false-accept rate {groups.far:.2g}"
    return (
        f"{faces} faces in {groups.photographs} photographs: {often} people seen more than once, "
        f"{len(groups.groups) - often} seen once; threshold {groups.threshold:.4f}{rate}, model {groups.model.id}"
    )


def _section(title: str, faces: list[SeenFace], folder: Path) -> str:
    figures = "".join(
        f'<li><figure><img alt="" width="112" height="112" src="data:image/jpeg;base64,'
        f'{base64.b64encode(face.thumbnail).decode()}"><figcaption>{escape(_name(face.path, folder))}</figcaption>'
        "</figure></li>"
        for face in faces
    )
    return f"<h2>{escape(title)} ({len(faces)})</h2>\n<ul>{figures}</ul>"


def _sheet(group: list[SeenFace]) -> Image.Image:
    tiles = [Image.open(io.BytesIO(face.thumbnail)) for face in group]
    side = tiles[0].width
    columns = min(_COLUMNS, len(tiles))
    sheet = Image.new("RGB", (columns * side, math.ceil(len(tiles) / columns) * side))
    for position, tile in enumerate(tiles):
        sheet.paste(tile, (position % columns * side, position // columns * side))
    return sheet


def _name(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder))
