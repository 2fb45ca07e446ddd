"""Galleries, subjects, faces and the revision they share

Revision ID: 0001
Revises:
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def identifier(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    state = op.create_table(
        "gallery_state",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_gallery_state"),
        sa.CheckConstraint("id = 1", name=op.f("ck_gallery_state_one_row")),
    )
    galleries = op.create_table(
        "galleries",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", identifier(64)),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_galleries"),
        sa.UniqueConstraint("name", name="uq_galleries_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "subjects",
        sa.Column("id", KEY, nullable=False),
        sa.Column("gallery_id", KEY, nullable=False),
        sa.Column("subject_id", identifier(128), nullable=False),
        sa.Column("name", sa.String(256)),
        sa.Column("metadata", sa.JSON, nullable=False),
        sa.Column("expires_at", TIME),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_subjects"),
        sa.ForeignKeyConstraint(["gallery_id"], ["galleries.id"], name="fk_subjects_gallery_id"),
        sa.UniqueConstraint("gallery_id", "subject_id", name="uq_subjects_gallery_id_subject_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_subjects_expires_at", "subjects", ["expires_at"])
    op.create_table(
        "faces",
        sa.Column("id", KEY, nullable=False),
        sa.Column("face_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("model_id", sa.String(128), nullable=False),
        sa.Column("gallery_id", KEY, nullable=False),
        sa.Column("subject_key", KEY),
        sa.Column("vector", sa.LargeBinary),
        sa.Column("content_sha256", sa.String(64)),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_faces"),
        sa.ForeignKeyConstraint(["gallery_id"], ["galleries.id"], name="fk_faces_gallery_id"),
        sa.ForeignKeyConstraint(["subject_key"], ["subjects.id"], name="fk_faces_subject_key"),
        sa.UniqueConstraint("face_id", "model_id", name="uq_faces_face_id_model_id"),
        sa.CheckConstraint(
            "(vector IS NULL) = (subject_key IS NULL) AND (content_sha256 IS NULL) = (subject_key IS NULL)",
            name=op.f("ck_faces_tombstone_is_blank"),
        ),
        sqlite_autoincrement=True,
    )
    for column in ("gallery_id", "subject_key", "revision"):
        op.create_index(f"ix_faces_{column}", "faces", [column])
    op.bulk_insert(state, [{"id": 1, "revision": 1}])
    op.bulk_insert(galleries, [{"name": "default", "revision": 1, "created_at": datetime.now(UTC)}])


def downgrade() -> None:
    for table in ("faces", "subjects", "galleries", "gallery_state"):
        op.drop_table(table)
