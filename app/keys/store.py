"""API keys in the database."""

from collections.abc import Iterable
from datetime import UTC, datetime

import sqlalchemy as sa

from app.errors import BadRequest
from app.gallery.audit import append, entry
from app.gallery.engine import WRITING, WriteTurn, database_errors
from app.keys.key import ApiKey, Scope, Token, new_key
from app.keys.table import api_keys


class KeyStore:
    """Makes, lists and revokes keys. Synchronous; raises NotReady where the database does not answer."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._writing = engine.execution_options(**WRITING)
        self._turn = WriteTurn(engine)

    def create(
        self,
        name: str,
        scopes: Iterable[Scope],
        *,
        galleries: Iterable[str] | None = None,
        expires_at: datetime | None = None,
        rate_limit: str | None = None,
    ) -> tuple[ApiKey, Token]:
        """A new key and its token, which is nowhere kept. Raises BadRequest for a key of no use."""
        key, token = new_key(name, scopes, galleries=galleries, expires_at=expires_at, rate_limit=rate_limit)
        row = {
            "key_id": key.key_id,
            "name": key.name,
            "secret_sha256": key.secret_sha256,
            "scopes": sorted(key.scopes),
            "galleries": None if key.galleries is None else sorted(key.galleries),
            "created_at": key.created_at,
            "expires_at": key.expires_at,
            "rate_limit": key.rate_limit,
        }
        with database_errors(), self._turn.taken(), self._writing.begin() as connection:
            connection.execute(api_keys.insert(), row)
            facts = {name: row[name] for name in ("name", "scopes", "galleries", "rate_limit")}
            until = key.expires_at and key.expires_at.isoformat()
            append(connection, [entry("create_key", of_key=key.key_id, expires_at=until, **facts)])
        return key, token

    def revoke(self, key_id: str) -> ApiKey:
        """End a key for good; one that is revoked already keeps its time. Raises BadRequest for an unknown id."""
        now = datetime.now(UTC)
        with database_errors(), self._turn.taken(), self._writing.begin() as connection:
            ended = connection.execute(
                api_keys.update()
                .where(api_keys.c.key_id == key_id, api_keys.c.revoked_at.is_(None))
                .values(revoked_at=now)
            )
            if ended.rowcount:
                append(connection, [entry("revoke_key", of_key=key_id)])
            row = connection.execute(api_keys.select().where(api_keys.c.key_id == key_id)).one_or_none()
        if row is None:
            raise BadRequest(f"there is no key {key_id!r}; `sameface keys list` shows them", field="key_id")
        return _key(row)

    def all(self) -> list[ApiKey]:
        """All keys, the expired and revoked ones too, oldest first."""
        with database_errors(), self._engine.begin() as connection:
            rows = connection.execute(api_keys.select().order_by(api_keys.c.created_at, api_keys.c.key_id)).all()
        return [_key(row) for row in rows]


def _key(row: "sa.Row[tuple[object, ...]]") -> ApiKey:
    stored = row._mapping
    return ApiKey(
        key_id=stored["key_id"],
        name=stored["name"],
        secret_sha256=stored["secret_sha256"],
        # A scope that a later version made up permits nothing here.
        scopes=frozenset(Scope(scope) for scope in stored["scopes"] if scope in set(Scope)),
        galleries=None if stored["galleries"] is None else frozenset(stored["galleries"]),
        created_at=stored["created_at"],
        expires_at=stored["expires_at"],
        revoked_at=stored["revoked_at"],
        rate_limit=stored["rate_limit"],
    )
