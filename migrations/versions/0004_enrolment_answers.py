"""What enrolments were answered, by Idempotency-Key

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "enrolment_answers",
        sa.Column("caller", sa.String(12), nullable=False),
        sa.Column("idempotency_key", sa.String(255), nullable=False),
        sa.Column("subject_key", KEY),
        sa.Column("request_sha256", sa.String(64)),
        sa.Column("status", sa.Integer),
        sa.Column("answer", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("caller", "idempotency_key", name="pk_enrolment_answers"),
        sa.ForeignKeyConstraint(["subject_key"], ["subjects.id"], name="fk_enrolment_answers_subject_key"),
        sa.CheckConstraint(
            "(answer IS NULL) = (subject_key IS NULL) AND (request_sha256 IS NULL) = (subject_key IS NULL)",
            name=op.f("ck_enrolment_answers_erased_is_blank"),
        ),
    )
    op.create_index("ix_enrolment_answers_subject_key", "enrolment_answers", ["subject_key"])
    op.create_index("ix_enrolment_answers_created_at", "enrolment_answers", ["created_at"])


def downgrade() -> None:
    op.drop_table("enrolment_answers")
