"""Crops of enrolled faces, and faces found by model

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "face_crops",
        sa.Column("face_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("subject_key", KEY, nullable=False),
        sa.Column("crop", sa.LargeBinary, nullable=False),
        sa.Column("template", sa.JSON, nullable=False),
        sa.Column("key_id", sa.String(16)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("face_id", name="pk_face_crops"),
        sa.ForeignKeyConstraint(["subject_key"], ["subjects.id"], name="fk_face_crops_subject_key"),
    )
    op.create_index("ix_face_crops_subject_key", "face_crops", ["subject_key"])
    sealed = sa.text("key_id IS NOT NULL")
    op.create_index("ix_face_crops_key_id", "face_crops", ["key_id"], sqlite_where=sealed, postgresql_where=sealed)
    op.drop_index("ix_faces_revision", "faces")
    op.create_index("ix_faces_model_id_revision", "faces", ["model_id", "revision"])


def downgrade() -> None:
    op.drop_index("ix_faces_model_id_revision", "faces")
    op.create_index("ix_faces_revision", "faces", ["revision"])
    op.drop_table("face_crops")
