"""The tables of the gallery. The log is the table: each row of `galleries` and `faces` carries its last revision.

A revision comes from the one row of `gallery_state`, taken by the first statement of every write transaction. Its row
lock is held until commit, so revisions become visible in order and without gaps, which a sequence does not promise.

A removed face stays as a tombstone: identifiers and a revision, nothing of the person. A dropped gallery stays as one
too, which stands for all its faces; their rows are deleted.
"""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

DEFAULT_GALLERY = "default"
CANARY_MODEL = "erasure-canary"  # of rows that app.gallery.erasure writes to erase them; nobody's face

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


class UtcDateTime(sa.TypeDecorator[datetime]):
    """An aware datetime, kept in UTC; SQLite forgets time zones, so they are put back."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        aware: datetime = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC)


# SQLite makes only INTEGER a row id.
_Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _identifier(length: int) -> sa.String:
    # Ordered by code point on both databases, so that pages, prefixes and indexes agree.
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


gallery_state = sa.Table(
    "gallery_state",
    metadata,
    sa.Column("id", sa.Integer, sa.CheckConstraint("id = 1", name="one_row"), primary_key=True),
    sa.Column("revision", sa.BigInteger, nullable=False),
)

galleries = sa.Table(
    "galleries",
    metadata,
    sa.Column("id", _Key, primary_key=True),
    sa.Column("name", _identifier(64), unique=True),  # NULL once dropped
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sqlite_autoincrement=True,  # never gives a number twice
)

subjects = sa.Table(
    "subjects",
    metadata,
    sa.Column("id", _Key, primary_key=True),
    sa.Column("gallery_id", _Key, sa.ForeignKey("galleries.id"), nullable=False),
    sa.Column("subject_id", _identifier(128), nullable=False),
    sa.Column("name", sa.String(256)),
    sa.Column("metadata", sa.JSON, nullable=False),
    sa.Column("expires_at", UtcDateTime, index=True),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("gallery_id", "subject_id"),
    sqlite_autoincrement=True,
)

faces = sa.Table(
    "faces",
    metadata,
    sa.Column("id", _Key, primary_key=True),
    sa.Column("face_id", sa.Uuid(as_uuid=False), nullable=False),
    sa.Column("model_id", sa.String(128), nullable=False),
    sa.Column("gallery_id", _Key, sa.ForeignKey("galleries.id"), nullable=False, index=True),
    sa.Column("subject_key", _Key, sa.ForeignKey("subjects.id"), index=True),
    sa.Column("vector", sa.LargeBinary),  # little-endian float32, one after the other; or app.gallery.sealing's
    sa.Column("content_sha256", sa.String(64)),  # of the uploaded file, in hexadecimal; keyed where key_id is set
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("key_id", sa.String(16)),  # of the key that `vector` is encrypted with, if it is
    sa.UniqueConstraint("face_id", "model_id"),
    sa.Index(None, "model_id", "revision"),  # an index follows the revisions of one model
    sa.CheckConstraint(
        "(vector IS NULL) = (subject_key IS NULL) AND (content_sha256 IS NULL) = (subject_key IS NULL)",
        name="tombstone_is_blank",
    ),
    sqlite_autoincrement=True,
)
_sealed = faces.c.key_id.is_not(None)
sa.Index("ix_faces_key_id", faces.c.key_id, sqlite_where=_sealed, postgresql_where=_sealed)

# Only where `store_crops` is on. The subject's key keeps it from being deleted before its crops are.
face_crops = sa.Table(
    "face_crops",
    metadata,
    sa.Column("face_id", sa.Uuid(as_uuid=False), primary_key=True),  # of its rows in `faces`, one for each model
    sa.Column("subject_key", _Key, sa.ForeignKey("subjects.id"), nullable=False, index=True),
    sa.Column("crop", sa.LargeBinary, nullable=False),  # lossless WebP; or app.gallery.sealing's
    sa.Column("template", sa.JSON, nullable=False),  # where the five landmarks lie in it
    sa.Column("key_id", sa.String(16)),  # of the key that `crop` is encrypted with, if it is
    sa.Column("created_at", UtcDateTime, nullable=False),
)
_sealed_crop = face_crops.c.key_id.is_not(None)
sa.Index("ix_face_crops_key_id", face_crops.c.key_id, sqlite_where=_sealed_crop, postgresql_where=_sealed_crop)

# Rows chained by their hashes; see app.gallery.audit.
audit_entries = sa.Table(
    "audit_entries",
    metadata,
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", UtcDateTime, nullable=False, index=True),
    sa.Column("entry", sa.Text, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)

# See app.gallery.answers. The subject's key keeps it from being deleted before its answers are blank.
enrolment_answers = sa.Table(
    "enrolment_answers",
    metadata,
    sa.Column("caller", sa.String(12), primary_key=True),
    sa.Column("idempotency_key", sa.String(255), primary_key=True),
    sa.Column("subject_key", _Key, sa.ForeignKey("subjects.id"), index=True),
    sa.Column("request_sha256", sa.String(64)),
    sa.Column("status", sa.Integer),
    sa.Column("answer", sa.Text),
    sa.Column("created_at", UtcDateTime, nullable=False, index=True),
    sa.CheckConstraint(
        "(answer IS NULL) = (subject_key IS NULL) AND (request_sha256 IS NULL) = (subject_key IS NULL)",
        name="erased_is_blank",
    ),
)

audit_state = sa.Table(
    "audit_state",
    metadata,
    sa.Column("id", sa.Integer, sa.CheckConstraint("id = 1", name="one_row"), primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("pruned_position", sa.BigInteger, nullable=False),
    sa.Column("pruned_hash", sa.String(64), nullable=False),
)
