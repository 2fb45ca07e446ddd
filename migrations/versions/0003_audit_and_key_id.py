"""The audit log, and the key that a face is encrypted with

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

GENESIS = "0" * 64


def upgrade() -> None:
    op.add_column("faces", sa.Column("key_id", sa.String(16)))
    sealed = sa.text("key_id IS NOT NULL")
    op.create_index("ix_faces_key_id", "faces", ["key_id"], sqlite_where=sealed, postgresql_where=sealed)
    op.create_table(
        "audit_entries",
        sa.Column("position", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entry", sa.Text, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_audit_entries"),
    )
    op.create_index("ix_audit_entries_at", "audit_entries", ["at"])
    state = op.create_table(
        "audit_state",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("pruned_position", sa.BigInteger, nullable=False),
        sa.Column("pruned_hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_state"),
        sa.CheckConstraint("id = 1", name=op.f("ck_audit_state_one_row")),
    )
    op.bulk_insert(state, [{"id": 1, "position": 0, "hash": GENESIS, "pruned_position": 0, "pruned_hash": GENESIS}])


def downgrade() -> None:
    sealed = op.get_bind().execute(sa.text("SELECT 1 FROM faces WHERE key_id IS NOT NULL LIMIT 1")).first()
    if sealed:
        raise RuntimeError("faces are encrypted, and the older schema cannot say with which key")
    op.drop_table("audit_state")
    op.drop_table("audit_entries")
    op.drop_index("ix_faces_key_id", "faces")
    op.drop_column("faces", "key_id")
