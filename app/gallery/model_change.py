"""A change of the embedding model: faces keep their rows of the old one until they are forgotten.

Each row of `faces` is of one model; a face that several models have embedded has one face_id and a row of each. An
index follows the rows of its own model, so replicas of the old and the new model can serve one database side by side.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from app.domain import Embedding, FaceCrop
from app.errors import ConfigurationError, NotReady
from app.gallery import crops, statements
from app.gallery.engine import database_errors
from app.gallery.new_faces import vector_bytes
from app.gallery.sealing import SealBroken, StoredTemplate, Template, TemplateKeys
from app.gallery.tables import CANARY_MODEL, face_crops, faces, galleries, subjects
from app.gallery.transactions import Transactions

logger = logging.getLogger(__name__)

REEMBED_BATCH = 64
FORGET_BATCH = 1_000

# Crops to unit vectors, float32 (embedding_size,) each, None where a crop cannot be read.
EmbedCrops = Callable[[Sequence[FaceCrop]], Sequence[Embedding | None]]

_LIVE = faces.c.subject_key.is_not(None)


@dataclass(frozen=True, slots=True)
class Coverage:
    """Faces without an embedding of a model: those whose crop is kept, and those that must be enrolled again."""

    with_crop: int
    without_crop: int

    @property
    def missing(self) -> int:
        return self.with_crop + self.without_crop


@dataclass(frozen=True, slots=True)
class MissingSubject:
    """A subject, and how many of its faces no crop is kept of that a model could embed."""

    gallery: str
    subject_id: str
    faces: int


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    """The row of another model, and what the new one is to hold."""

    row: sa.Row[Any]
    template: Template


def coverage(connection: sa.Connection, model_id: str, gallery: str | None = None) -> Coverage:
    """Count the faces that other models have embedded and this one has not, of one gallery or of all."""
    kept = face_crops.c.face_id.is_not(None)
    query = sa.select(kept, sa.func.count(faces.c.face_id.distinct())).join_from(
        faces, face_crops, face_crops.c.face_id == faces.c.face_id, isouter=True
    )
    query = query.where(_missing(model_id))
    if gallery is not None:
        query = query.where(faces.c.gallery_id == statements.gallery_id(connection, gallery))
    counts = {bool(row[0]): int(row[1]) for row in connection.execute(query.group_by(kept))}
    return Coverage(counts.get(True, 0), counts.get(False, 0))


def missing_subjects(connection: sa.Connection, model_id: str) -> Iterator[MissingSubject]:
    """Subjects with faces that have to be enrolled again, by gallery and subject_id."""
    query = (
        sa.select(galleries.c.name, subjects.c.subject_id, sa.func.count(faces.c.face_id.distinct()))
        .join_from(faces, subjects, faces.c.subject_key == subjects.c.id)
        .join(galleries, subjects.c.gallery_id == galleries.c.id)
        .join(face_crops, face_crops.c.face_id == faces.c.face_id, isouter=True)
        .where(_missing(model_id), face_crops.c.face_id.is_(None))
        .group_by(galleries.c.name, subjects.c.subject_id)
        .order_by(galleries.c.name, subjects.c.subject_id)
    )
    for row in connection.execution_options(yield_per=1_000).execute(query):
        yield MissingSubject(*row)


def check_model(connection: sa.Connection, model_id: str, *, start_without_faces: bool) -> None:
    """Refuse to serve a model that no face is embedded with while faces of others are there.

    Raises ConfigurationError, which names the command to run. Where only some are missing, the log says so.
    """
    others = [other for other in _models(connection) if other != model_id and _has_faces(connection, other)]
    if not others:
        return
    if _has_faces(connection, model_id):
        if connection.execute(sa.select(faces.c.id).where(_missing(model_id)).limit(1)).first():
            logger.warning("some faces have no embedding of the model %s; `sameface reembed` tells which", model_id)
        return
    found = coverage(connection, model_id)
    sentence = (
        f"no face has an embedding of the model {model_id}, and {found.missing} have one of {', '.join(others)}. "
        f"`sameface reembed` makes those of the {found.with_crop} faces whose crop is kept; the other "
        f"{found.without_crop} have to be enrolled again from their photographs"
    )
    if not start_without_faces:
        raise ConfigurationError(
            f"{sentence}. SAMEFACE_START_WITHOUT_FACES=true starts before that, and nobody is found until then"
        )
    logger.warning(sentence)


def reembed(
    engine: sa.Engine, model_id: str, keys: TemplateKeys, embed: EmbedCrops, *, batch: int = REEMBED_BATCH
) -> Iterator[int]:
    """Embed every kept crop that the model has not embedded yet; yields how many were looked at in each batch.

    Each batch is a transaction with a revision of its own, which running replicas follow. What was erased meanwhile
    stays erased, and what is done is not done again, so this can be stopped and begun at any time, also twice at once.
    A crop that cannot be read is left, and the log says so. Raises ConfigurationError where a template key is missing.
    """
    transactions = Transactions(engine)
    after = 0
    while rows := _next_rows(engine, model_id, after, batch):
        after = rows[-1].id
        made = _embedded(rows, keys, embed)
        with transactions.write() as write:
            new = _new_rows(write.connection, made, model_id, keys)
            statements.insert_faces(write.connection, [row | {"revision": write.revision} for row in new])
            if new:
                write.audit("reembed", model_id=model_id, faces=len(new))
            else:
                write.undo()
        yield len({row.face_id for row in rows})


def forget_model(engine: sa.Engine, model_id: str) -> Iterator[int]:
    """Erase all embeddings of a model, a batch at a time; crops of faces that no model has left go with them.

    Raises NotReady where all are erased but SQLite's write-ahead log, which holds them, is in use.
    """
    transactions = Transactions(engine)
    own = sa.select(faces.c.id, faces.c.face_id).where(faces.c.model_id == model_id, _LIVE).limit(FORGET_BATCH)
    while True:
        with transactions.write() as write:
            rows = write.connection.execute(own).all()
            if not rows:
                write.undo()
                break
            going = faces.c.id.in_([row.id for row in rows])
            statements.blank_answers_of_lost(write.connection, going, model_id)
            statements.blank_faces(write.connection, going, write.revision)
            crops.delete_faceless(write.connection, [row.face_id for row in rows])
            write.audit("forget_model", model_id=model_id, faces=len(rows))
        yield len(rows)
    if not transactions.purge():
        raise NotReady(
            f"all embeddings of the model {model_id} are erased, but SQLite's write-ahead log still holds them while "
            "somebody reads; run this again"
        )


def count_faces(connection: sa.Connection, model_id: str) -> int:
    """How many faces a model has embedded."""
    query = sa.select(sa.func.count()).select_from(faces).where(faces.c.model_id == model_id, _LIVE)
    return int(connection.execute(query).scalar_one())


def _models(connection: sa.Connection) -> list[str]:
    """All models that rows are of, one look into the index for each; the canary of a proof of erasure is of none."""
    found: list[str] = []
    while True:
        after = sa.true() if not found else faces.c.model_id > found[-1]
        model = connection.execute(sa.select(sa.func.min(faces.c.model_id)).where(after)).scalar_one()
        if model is None:
            return [model_id for model_id in found if model_id != CANARY_MODEL]
        found.append(model)


def _has_faces(connection: sa.Connection, model_id: str) -> bool:
    newest_first = sa.select(faces.c.id).where(faces.c.model_id == model_id, _LIVE).order_by(faces.c.revision.desc())
    return connection.execute(newest_first.limit(1)).first() is not None


def _missing(model_id: str) -> sa.ColumnElement[bool]:
    """Rows of other models whose face this one has not embedded."""
    own = faces.alias("own")
    embedded = sa.select(own.c.id).where(
        own.c.face_id == faces.c.face_id, own.c.model_id == model_id, own.c.subject_key.is_not(None)
    )
    return sa.and_(faces.c.model_id.not_in((model_id, CANARY_MODEL)), _LIVE, ~embedded.exists())


def _next_rows(engine: sa.Engine, model_id: str, after: int, batch: int) -> Sequence[sa.Row[Any]]:
    columns: list[Any] = [*faces.c, face_crops.c.crop, face_crops.c.template]
    query: sa.Select[Any] = sa.select(*columns, face_crops.c.key_id.label("crop_key_id")).join_from(
        faces, face_crops, face_crops.c.face_id == faces.c.face_id
    )
    due = query.where(faces.c.id > after, _missing(model_id)).order_by(faces.c.id).limit(batch)
    with database_errors(), engine.connect() as connection:
        return connection.execute(due).all()


def _embedded(rows: Sequence[sa.Row[Any]], keys: TemplateKeys, embed: EmbedCrops) -> list[_Made]:
    """Those of the rows, one for each face, whose crop can be embedded."""
    readable: list[tuple[sa.Row[Any], str, FaceCrop]] = []
    for row in {row.face_id: row for row in rows}.values():
        try:
            old = keys.open(StoredTemplate(row.vector, row.content_sha256, row.key_id), row.face_id, row.model_id)
            webp = keys.open_crop(row.crop, row.crop_key_id, row.face_id)
        except SealBroken as error:
            logger.error("%s; the face is left", error)
            continue
        template = tuple((float(x), float(y)) for x, y in row.template)
        readable.append((row, old.content_sha256, FaceCrop(webp, template)))
    vectors = embed([crop for *_, crop in readable]) if readable else []
    made = []
    for (row, content_sha256, _), vector in zip(readable, vectors, strict=True):
        if vector is None:
            logger.error("the crop of face %s cannot be read; the face is left", row.face_id)
        else:
            made.append(_Made(row, Template(vector_bytes(vector), content_sha256)))
    return made


def _new_rows(
    connection: sa.Connection, made: Sequence[_Made], model_id: str, keys: TemplateKeys
) -> list[dict[str, Any]]:
    """Rows of the new model for the faces that are still there, and that nobody has embedded meanwhile."""
    due = sa.select(faces.c.id, faces.c.subject_key).where(
        faces.c.id.in_([one.row.id for one in made]), _missing(model_id)
    )
    # Whose they are now: a subject may have been merged into another meanwhile.
    subjects = {row.id: row.subject_key for row in connection.execute(due)}
    return [_new_row(one, subjects[one.row.id], model_id, keys) for one in made if one.row.id in subjects]


def _new_row(made: _Made, subject_key: int, model_id: str, keys: TemplateKeys) -> dict[str, Any]:
    sealed = keys.seal(made.template, made.row.face_id, model_id)
    same = {name: getattr(made.row, name) for name in ("face_id", "gallery_id", "created_at")}
    return same | asdict(sealed) | {"subject_key": subject_key, "model_id": model_id}
