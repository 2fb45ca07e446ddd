"""The table of API keys. A revoked key stays, so that its id in logs can still be explained, and so that revoking
the last key does not open the service to everyone."""

import sqlalchemy as sa

from app.gallery.tables import UtcDateTime, metadata

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("key_id", sa.String(12), primary_key=True),
    sa.Column("name", sa.String(128), nullable=False),
    sa.Column("secret_sha256", sa.String(64), nullable=False),  # in hexadecimal
    sa.Column("scopes", sa.JSON, nullable=False),
    sa.Column("galleries", sa.JSON(none_as_null=True)),  # NULL: all
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime),
    sa.Column("revoked_at", UtcDateTime),
    sa.Column("rate_limit", sa.String(128)),  # NULL: that of the service
)
