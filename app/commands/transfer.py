"""`sameface export` and `import`: a gallery to a file and back, on the database that SAMEFACE_DATABASE_URL names.

There is no such thing over HTTP: templates leave only with whoever has the database.
"""

import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, TextIO

import typer

from app.commands.connection import AsJson, GalleryOption
from app.commands.database import opened_database, snapshot_of
from app.commands.model import open_embedder
from app.commands.progress import counted
from app.errors import BadRequest, ConfigurationError, SamefaceError
from app.terminal import ExitStatus

if TYPE_CHECKING:
    import sqlalchemy as sa

    from app.domain import EnrolledSubject
    from app.gallery.portable import PortableModel, PortableSubject
    from app.gallery.sealing import TemplateKeys
    from app.gallery.store import GalleryStore
    from app.settings import Settings

_STANDARD = Path("-")
_PAGE_ROWS = 2_000


def export_gallery(
    file: Annotated[Path, typer.Argument(help="A new file, or - for standard output.")],
    gallery: GalleryOption = "default",
    as_json: AsJson = False,
) -> None:
    """Write a gallery as lines of JSON: subjects, metadata and embeddings of the served model, in clear."""
    from app.gallery.audit import entry
    from app.gallery.model_change import coverage
    from app.gallery.portable import read_lines

    with opened_database(as_json=as_json) as (settings, engine):
        model, keys = _model(settings), _keys(settings)
        counts = {"subjects": 0, "faces": 0}
        with snapshot_of(engine) as connection, _created(file) as out:
            total = _count_subjects(connection, gallery)
            left_out = coverage(connection, model.id, gallery).missing
            # Before the first line: whoever reads may stop at any.
            _store(settings, engine, model, keys).record([entry("export", gallery=gallery, subjects=total)])
            with counted("subjects", total) as advance:
                for line in read_lines(connection, gallery, model, keys):
                    out.write(json.dumps(line, ensure_ascii=False) + "\n")
                    if "subject_id" in line:
                        advance()
                    counts = line.get("end", counts)
    sentence = f"{counts['subjects']} subjects with {counts['faces']} faces are exported"
    typer.echo(json.dumps(counts) if as_json else sentence, err=file == _STANDARD)
    typer.echo("the file holds biometric templates in clear; keep it as you keep the database", err=True)
    if left_out:
        typer.echo(
            f"{left_out} faces are not in it: only other models than {model.id} have embedded them. `sameface reembed` "
            "makes up for those whose crop is kept; SAMEFACE_MODEL chooses another model",
            err=True,
        )
        raise typer.Exit(ExitStatus.NO)


def import_gallery(
    file: Annotated[Path, typer.Argument(help="A file that `sameface export` wrote, or - for standard input.")],
    gallery: Annotated[
        str | None, typer.Option("--gallery", help="Import into this gallery instead of one of the file's name.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read a gallery that was exported, beside running services; the same file may be imported again."""
    from app.gallery.portable import check_header

    with opened_database(as_json=as_json) as (settings, engine):
        model = _model(settings)
        with _opened(file) as stream, counted("subjects", None) as advance:
            lines = _lines(file, stream)
            number, header = next(lines, (1, {}))
            with _at_line(file, number):
                named = check_header(header, model)
            store = _store(settings, engine, model, _keys(settings))
            store.create_gallery(gallery or named)
            coming = _Import(store, gallery or named, model.embedding_size, settings)
            coming.read(file, lines, advance)
    counts = coming.counts
    sentence = f"{counts['subjects']} subjects with {counts['faces']} faces are in gallery {gallery or named}"
    typer.echo(json.dumps(counts) if as_json else f"{sentence}; {counts['existed']} faces were there already")
    if counts["expired"]:
        typer.echo(f"{counts['expired']} subjects were left out, because their time is over", err=True)


class _Import:
    """The lines of a file on their way into a gallery, counted.

    Subjects are stored by the page. Where a page cannot be stored, its subjects are stored one by one up to the line
    that is at fault, as where a subject is there already.
    """

    def __init__(self, store: "GalleryStore", gallery: str, embedding_size: int, settings: "Settings") -> None:
        self._store = store
        self._gallery = gallery
        self._embedding_size = embedding_size
        self._settings = settings
        self._page: list[tuple[int, PortableSubject]] = []
        self._page_rows = 0
        self._faces_read = 0
        self.counts = dict.fromkeys(("subjects", "faces", "existed", "expired"), 0)

    def read(self, file: Path, lines: Iterator[tuple[int, dict[str, Any]]], advance: Callable[[], None]) -> None:
        """Store every subject. Raises BadRequest at a line that is none, and where the last line is missing."""
        try:
            end = self._read(file, lines, advance)
        finally:
            self._flush(file)  # also what stands before a line that is at fault
        self._check_end(file, end)

    def _read(self, file: Path, lines: Iterator[tuple[int, dict[str, Any]]], advance: Callable[[], None]) -> Any:
        for number, line in lines:
            if "end" in line:
                return line["end"]
            with _at_line(file, number):
                self._take(number, line)
            if self._page_rows >= _PAGE_ROWS:
                self._flush(file)
            advance()
        return None

    def _take(self, number: int, line: dict[str, Any]) -> None:
        from app.gallery.checks import check_metadata_size
        from app.gallery.portable import read_subject

        subject = read_subject(line, self._embedding_size)
        self._faces_read += len(subject.faces)
        if subject.expires_at is not None and subject.expires_at <= datetime.now(UTC):
            self.counts["expired"] += 1
            return
        check_metadata_size(subject.metadata, self._settings.max_metadata_bytes)
        self._page.append((number, subject))
        self._page_rows += 1 + len(subject.faces)

    def _flush(self, file: Path) -> None:
        page, self._page, self._page_rows = self._page, [], 0
        if not page:
            return
        added = self._added([subject for _, subject in page])
        for number, subject in page:
            if (enrolled := added.pop(subject.subject_id, None)) is not None:
                self._count(enrolled)
            else:  # it was there, or stands in the page twice
                with _at_line(file, number):
                    self._count(self._add(subject))

    def _added(self, subjects: "list[PortableSubject]") -> "dict[str, EnrolledSubject]":
        """What became of those that are new, by subject_id; nothing where one of them cannot be stored."""
        from app.gallery.many import NewSubject

        new = [NewSubject(subject.subject_id, subject.faces, subject.values()) for subject in subjects]
        try:
            stored = self._store.add_new(self._gallery, new, max_faces=self._settings.max_faces_per_subject)
        except BadRequest:
            return {}
        return {enrolled.subject_id: enrolled for enrolled in stored}

    def _add(self, subject: "PortableSubject") -> "EnrolledSubject":
        limit = self._settings.max_faces_per_subject
        return self._store.add(self._gallery, subject.subject_id, subject.faces, **subject.values(), max_faces=limit)

    def _count(self, stored: "EnrolledSubject") -> None:
        self.counts["subjects"] += 1
        self.counts["faces"] += len(stored.faces)
        self.counts["existed"] += sum(face.existed for face in stored.faces)

    def _check_end(self, file: Path, end: Any) -> None:
        read = self.counts["subjects"] + self.counts["expired"]
        if not isinstance(end, dict) or (end.get("subjects"), end.get("faces")) != (read, self._faces_read):
            raise BadRequest(
                f"{file} is not whole: {read} subjects with {self._faces_read} faces were read, and the last line, "
                "which counts them, is missing or counts others; importing the whole file later does no harm"
            )


def _model(settings: "Settings") -> "PortableModel":
    from app.gallery.portable import PortableModel

    card = open_embedder(settings).card
    return PortableModel(card.id, card.sha256, card.embedding_size)


def _keys(settings: "Settings") -> "TemplateKeys":
    from app.gallery.sealing import read_keys

    return read_keys(settings.template_keys, settings.template_keys_file)


def _store(settings: "Settings", engine: "sa.Engine", model: "PortableModel", keys: "TemplateKeys") -> "GalleryStore":
    from app.gallery.store import GalleryStore

    return GalleryStore(engine, model.id, keys)


def _count_subjects(connection: "sa.Connection", gallery: str) -> int:
    import sqlalchemy as sa

    from app.gallery.statements import gallery_id
    from app.gallery.tables import subjects

    own = subjects.c.gallery_id == gallery_id(connection, gallery)
    return int(connection.execute(sa.select(sa.func.count()).select_from(subjects).where(own)).scalar_one())


@contextmanager
def _created(file: Path) -> Iterator[TextIO]:
    """A new file that only its owner can read, and that is there only when it is whole."""
    if file == _STANDARD:
        yield from _utf8(sys.stdout.buffer)
        return
    if file.exists():
        raise BadRequest(f"{file} exists already; name another file")
    part = file.with_name(f"{file.name}.part")
    try:
        part.unlink(missing_ok=True)
        part.touch(mode=0o600)
        with part.open("w", encoding="utf-8") as out:
            yield out
        part.rename(file)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _opened(file: Path) -> Iterator[TextIO]:
    if file == _STANDARD:
        yield from _utf8(sys.stdin.buffer)
        return
    try:
        stream = file.open(encoding="utf-8")
    except OSError as error:
        raise BadRequest(f"{file} cannot be read: {error.strerror}") from None
    with stream:
        yield stream


def _utf8(stream: BinaryIO) -> Iterator[TextIO]:
    """A standard stream as text in UTF-8, whatever the terminal has; it stays open."""
    text = io.TextIOWrapper(stream, "utf-8", newline="\n")
    try:
        yield text
        text.flush()
    finally:
        text.detach()


def _lines(file: Path, stream: TextIO) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, text in enumerate(_text(file, stream), start=1):
        with _at_line(file, number):
            try:
                line = json.loads(text)
            except ValueError as error:
                raise BadRequest(f"this is not JSON: {error}") from None
            if not isinstance(line, dict):
                raise BadRequest("this is no JSON object")
        yield number, line


def _text(file: Path, stream: TextIO) -> Iterator[str]:
    try:
        for line in stream:  # noqa: UP028 - `yield from` would close the stream, which may be detached by then
            yield line
    except UnicodeDecodeError as error:
        raise BadRequest(f"{file} is no text in UTF-8, as an export is: {error}; is it compressed?") from None


@contextmanager
def _at_line(file: Path, number: int) -> Iterator[None]:
    try:
        yield
    except SamefaceError as error:
        error.message = f"{file}, line {number}: {error.message}"
        raise
