"""Proof that erasing leaves nothing behind, by looking for the bytes.

Nothing biometric is kept for it: a canary, a subject made of random numbers in a gallery of its own, is enrolled,
found on the disk, erased, and looked for again. With SQLite all files of the database are searched. The files of a
PostgreSQL are not ours to read: it keeps what was erased in its table files until a vacuum (measured on 18: gone from
there after `VACUUM`, which closes the gap in a page; `VACUUM FULL` writes the table anew), and in its write-ahead log
until the segment is recycled, and in whatever archives and standbys copied it. Of that, its own statistics are told.
"""

import hashlib
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from app.domain import FaceCrop, NewFace
from app.errors import GalleryNotFound, SubjectNotFound
from app.gallery import crops
from app.gallery.engine import database_errors
from app.gallery.store import GalleryStore
from app.gallery.tables import CANARY_MODEL, face_crops, faces, galleries, gallery_state, subjects

_CANARY = "canary"
_CANARY_PREFIX = "erasure-canary-"
_CANARY_GALLERY = re.compile(rf"{_CANARY_PREFIX}[0-9a-f]{{16}}")
_CANARY_LIFE = timedelta(hours=1)
_CANARY_CROP_BYTES = 10_000  # more than a page of SQLite, as a crop is
_CROP_STRIDE = 64  # one piece in so many is looked for: each search reads the whole file
_BLOCK_BYTES = 2**24  # of a file at a time
_LEAST_FOUND = 0.95  # of the canary's pieces, before it is erased
# Of a vector or crop: long enough never to occur by chance, short enough to find what was cut by a page.
CHUNK_BYTES = 16


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `ok` None where it cannot be proven from here."""

    check: str
    ok: bool | None
    detail: str


def verify_erasure(
    engine: sa.Engine,
    *,
    embedding_size: int = 128,
    wanted: Sequence[bytes] = (),
    texts: Sequence[bytes] = (),
    receipt_revision: int | None = None,
) -> list[Finding]:
    """Look at tombstones, the erasure of `receipt_revision`, a canary, and the `wanted` bytes and `texts`.

    A piece of what is wanted is enough to fail, since nobody else's vector has it. Texts may share theirs: a piece
    alone proves nothing either way.

    Writes the canary only, and erases it, and those of proofs that were killed.

    Raises NotReady where the database does not answer.
    """
    findings = [_tombstones(engine), _crops(engine)]
    if receipt_revision is not None:
        findings.append(_receipt(engine, receipt_revision))
    store = GalleryStore(engine, CANARY_MODEL)
    _erase_leftovers(engine, store)
    if engine.dialect.name == "sqlite":
        findings.append(_canary(engine, store, embedding_size))
        findings.append(_log(engine, store))
        if wanted:
            findings.append(_wanted(engine, wanted))
        if texts:
            findings.append(_texts(engine, texts))
    else:
        findings.append(_canary_rows(engine, store, embedding_size))
        findings.append(_dead_rows(engine))
        if wanted or texts:
            findings.append(Finding("given bytes", None, "the files of PostgreSQL cannot be searched from here"))
    return findings


def database_files(engine: sa.Engine) -> list[Path]:
    """The files of a SQLite database that hold rows: itself, its write-ahead log and its rollback journal."""
    file = Path(str(engine.url.database))
    return [path for suffix in ("", "-wal", "-journal") if (path := file.with_name(file.name + suffix)).exists()]


def chunks(secret: bytes) -> list[bytes]:
    """A secret in the pieces that are looked for, its end among them."""
    if len(secret) <= CHUNK_BYTES:
        return [secret]
    starts = [*range(0, len(secret) - CHUNK_BYTES, CHUNK_BYTES), len(secret) - CHUNK_BYTES]
    return [secret[start : start + CHUNK_BYTES] for start in starts]


def found_in(files: Sequence[Path], wanted: Sequence[bytes]) -> list[tuple[Path, bytes]]:
    """Which of the byte strings lie in which file."""
    return [(path, secret) for path in files for secret in _present(path, wanted)]


def _present(path: Path, wanted: Sequence[bytes]) -> set[bytes]:
    """Read, not mapped into memory: SQLite may empty its log meanwhile, and a page that is gone ends the process."""
    found: set[bytes] = set()
    overlap = max(map(len, wanted), default=1) - 1
    end = b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            content = end + block
            found |= {secret for secret in wanted if secret not in found and secret in content}
            end = content[len(content) - overlap :]
    return found


def _tombstones(engine: sa.Engine) -> Finding:
    rest = sa.or_(faces.c.vector.is_not(None), faces.c.content_sha256.is_not(None), faces.c.key_id.is_not(None))
    removed = sa.select(sa.func.count()).select_from(faces).where(faces.c.subject_key.is_(None))
    with database_errors(), engine.connect() as connection:
        total = connection.execute(removed).scalar_one()
        full = connection.execute(removed.where(rest)).scalar_one()
    return Finding("tombstones", full == 0, f"{total} removed faces, {full} of them not blank")


def _crops(engine: sa.Engine) -> Finding:
    with database_errors(), engine.connect() as connection:
        total = connection.execute(sa.select(sa.func.count()).select_from(face_crops)).scalar_one()
        left = crops.without_face(connection)
    return Finding("crops", left == 0, f"{total} crops of faces are kept, {left} of them of removed faces")


def _receipt(engine: sa.Engine, revision: int) -> Finding:
    """What is older than the erasure has never heard of it; what has no face of it proves nothing."""
    rows = sa.select(faces.c.subject_key.is_(None)).where(faces.c.revision == revision)
    with database_errors(), engine.connect() as connection:
        blank = list(connection.execute(rows).scalars())
        newest = connection.execute(sa.select(gallery_state.c.revision)).scalar_one()
    if revision > newest:
        return Finding("receipt", False, f"the database is at revision {newest}, from before revision {revision}")
    if not blank:
        return Finding("receipt", None, f"no face is of revision {revision}; `sameface audit export` says what it did")
    detail = f"{len(blank)} faces at revision {revision}, {blank.count(False)} of them not removed"
    return Finding("receipt", False not in blank, detail)


def _canary(engine: sa.Engine, store: GalleryStore, embedding_size: int) -> Finding:
    with _canary_gallery(store) as gallery:
        wanted = _enroll_canary(engine, store, gallery, embedding_size)
        before = {secret for _, secret in found_in(database_files(engine), wanted)}
    left = found_in(database_files(engine), wanted)
    detail = f"{len(before)} of {len(wanted)} pieces were on the disk before the erasure, {len(left)} after it"
    if left:
        detail += f" in {_places(left)}"
    # A piece of a crop that lies on the edge of a page is not found, and proves nothing.
    return Finding("canary", not left and len(before) >= _LEAST_FOUND * len(set(wanted)), detail)


def _canary_rows(engine: sa.Engine, store: GalleryStore, embedding_size: int) -> Finding:
    with _canary_gallery(store) as gallery:
        _enroll_canary(engine, store, gallery, embedding_size)
        with database_errors(), engine.connect() as connection:
            own = sa.select(galleries.c.id).where(galleries.c.name == gallery)
            key = connection.execute(own).scalar_one()
    with database_errors(), engine.connect() as connection:
        left = connection.execute(sa.select(sa.func.count()).where(faces.c.gallery_id == key)).scalar_one()
        left += crops.without_face(connection)
    return Finding("canary", left == 0, f"{left} rows of the erased canary can be selected")


def _erase_leftovers(engine: sa.Engine, store: GalleryStore) -> None:
    """Erase what runs left that were killed: canaries of more than an hour, for others may be running."""
    canaries = galleries.c.name.startswith(_CANARY_PREFIX)
    is_old = galleries.c.created_at < datetime.now(UTC) - _CANARY_LIFE
    face = sa.exists().where(faces.c.gallery_id == galleries.c.id, faces.c.model_id != CANARY_MODEL)
    subject = sa.exists().where(subjects.c.gallery_id == galleries.c.id, subjects.c.subject_id != _CANARY)
    query = sa.select(galleries.c.name).where(canaries, is_old, ~face, ~subject)
    with database_errors(), engine.connect() as connection:
        names = [name for name in connection.execute(query).scalars() if _CANARY_GALLERY.fullmatch(name)]
    for name in names:
        with suppress(GalleryNotFound):  # another proof was faster
            store.drop_gallery(name)


@contextmanager
def _canary_gallery(store: GalleryStore) -> Iterator[str]:
    """A gallery for the canary, which is erased with it at the end, whatever happens."""
    gallery = f"{_CANARY_PREFIX}{secrets.token_hex(8)}"
    store.create_gallery(gallery)
    try:
        yield gallery
        _erase_canary(store, gallery)
    finally:
        with suppress(GalleryNotFound):
            store.drop_gallery(gallery)


def _enroll_canary(engine: sa.Engine, store: GalleryStore, gallery: str, embedding_size: int) -> list[bytes]:
    """What lies on the disk of a subject of random numbers; a sweep erases it where nobody else comes to it."""
    name, note = secrets.token_hex(16), secrets.token_hex(16)
    vectors = np.frombuffer(secrets.token_bytes(4 * 3 * embedding_size), np.uint32).reshape(3, embedding_size)
    photographs = [hashlib.sha256(secrets.token_bytes(32)).hexdigest() for _ in vectors]
    pictures = [FaceCrop(secrets.token_bytes(_CANARY_CROP_BYTES), ()) for _ in vectors]
    given = zip(vectors, photographs, pictures, strict=True)
    new = [NewFace((row / 2**32).astype(np.float32), photo, picture) for row, photo, picture in given]
    expires_at = datetime.now(UTC) + _CANARY_LIFE
    store.add(gallery, _CANARY, new, name=name, metadata={"note": note}, expires_at=expires_at)
    rows = sa.select(faces.c.vector, faces.c.content_sha256).join(subjects).where(subjects.c.name == name)
    wanted = [
        name.encode(),
        note.encode(),
        *(piece for picture in pictures for piece in chunks(picture.webp)[::_CROP_STRIDE]),
    ]
    with database_errors(), engine.connect() as connection:
        for row in connection.execute(rows):
            wanted += [*chunks(row.vector), row.content_sha256.encode()]
    return wanted


def _erase_canary(store: GalleryStore, gallery: str) -> None:
    try:
        store.remove_subject(gallery, _CANARY)
    except SubjectNotFound as error:
        raise RuntimeError("somebody else has erased the canary") from error


def _log(engine: sa.Engine, store: GalleryStore) -> Finding:
    if not store.purge():
        return Finding("write-ahead log", False, "it is in use and could not be emptied; run this again")
    log = Path(f"{engine.url.database}-wal")
    size = log.stat().st_size if log.exists() else 0
    # A service that writes meanwhile fills it again, with rows that are there now.
    return Finding("write-ahead log", True, f"emptied; {size} bytes were written to it since")


def _wanted(engine: sa.Engine, wanted: Sequence[bytes]) -> Finding:
    pieces = [piece for secret in wanted for piece in chunks(secret)]
    found = found_in(database_files(engine), pieces)
    return Finding("given bytes", not found, f"{len(found)} of {len(pieces)} pieces found, in {_places(found)}")


def _texts(engine: sa.Engine, texts: Sequence[bytes]) -> Finding:
    pieces = {piece for text in texts for piece in chunks(text)}
    found = found_in(database_files(engine), [*{*texts, *pieces}])
    whole = [(path, text) for path, text in found if text in texts]
    if whole:
        count = len({text for _, text in whole})
        return Finding("given text", False, f"{count} of {len(texts)} found, in {_places(whole)}")
    parts = len({piece for _, piece in found})
    if parts:
        detail = f"no text is there as a whole; {parts} of {len(pieces)} pieces of one are, which may be of other texts"
        return Finding("given text", None, detail)
    return Finding("given text", True, f"0 of {len(pieces)} pieces found")


def _places(found: Sequence[tuple[Path, bytes]]) -> str:
    return ", ".join(sorted({path.name for path, _ in found})) or "no file"


def _dead_rows(engine: sa.Engine) -> Finding:
    query = "SELECT sum(n_dead_tup) FROM pg_stat_user_tables WHERE relname IN "
    query += "('faces', 'face_crops', 'subjects', 'galleries')"
    with database_errors(), engine.connect() as connection:
        dead = connection.exec_driver_sql(query).scalar_one()
    return Finding(
        "files of PostgreSQL",
        None,
        f"about {dead or 0} removed or replaced rows lie in its files until VACUUM; its write-ahead log, archives and "
        "standbys keep copies for as long as they are set to. With template keys, what lies there is encrypted.",
    )
