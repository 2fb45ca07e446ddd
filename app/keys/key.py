"""An API key and what it permits. The secret leaves the process once, when the key is made; its SHA-256 is kept."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Self

from app.errors import BadRequest

# `sameface_<key id>_<secret>`: the prefix lets scanners of leaked secrets recognise one, the id is for look-up.
_TOKEN = re.compile(r"sameface_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_SECRET_BYTES = 32
UNLIMITED = "unlimited"
_MAX_RATE_CHARACTERS = 128
_GALLERY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Scope(StrEnum):
    """What a key may do; `admin` includes the others."""

    VERIFY = "verify"  # compare, detect, embed and cluster photographs
    IDENTIFY = "identify"  # search a gallery
    ENROLL = "enroll"  # read, add, change and erase subjects and faces
    METRICS = "metrics"  # read /metrics, and nothing else
    ADMIN = "admin"  # everything, making and dropping galleries included


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret. `galleries` None: all of them; times are aware.

    `rate_limit` as in SAMEFACE_RATE_LIMIT, or `unlimited`; None: that of the service.
    """

    key_id: str
    name: str
    secret_sha256: str
    scopes: frozenset[Scope]
    galleries: frozenset[str] | None
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    rate_limit: str | None = None

    def permits(self, scopes: Iterable[Scope]) -> bool:
        """Whether the key has any of these scopes, or `admin`."""
        return Scope.ADMIN in self.scopes or not self.scopes.isdisjoint(scopes)

    def reaches(self, gallery: str) -> bool:
        """Whether the key may touch this gallery."""
        return self.galleries is None or gallery in self.galleries

    def usable(self, now: datetime) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def has_secret(self, secret: str) -> bool:
        """Compares in a time that does not tell how much of the secret is right."""
        return hmac.compare_digest(_sha256(secret), self.secret_sha256)


@dataclass(frozen=True, slots=True)
class Token:
    """What a caller presents."""

    key_id: str
    secret: str

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """None where the text is no token of ours."""
        found = _TOKEN.fullmatch(text)
        return cls(*found.groups()) if found else None

    def __str__(self) -> str:
        return f"sameface_{self.key_id}_{self.secret}"

    def __repr__(self) -> str:
        return f"Token(key_id={self.key_id!r})"


def new_key(
    name: str,
    scopes: Iterable[Scope],
    *,
    galleries: Iterable[str] | None = None,
    expires_at: datetime | None = None,
    rate_limit: str | None = None,
) -> tuple[ApiKey, Token]:
    """A key with a new random secret of 256 bits, and the token that holds it.

    A secret that long needs no slow hash: there is nothing to guess. Raises BadRequest for a key of no use.
    """
    now = datetime.now(UTC)
    scopes = frozenset(scopes)
    bound = None if galleries is None else frozenset(galleries)
    _check(name, scopes, bound, expires_at, now)
    _check_rate(rate_limit)
    token = Token(secrets.token_hex(6), secrets.token_urlsafe(_SECRET_BYTES))
    return ApiKey(
        token.key_id, name, _sha256(token.secret), scopes, bound, now, expires_at, rate_limit=rate_limit
    ), token


def _check(
    name: str, scopes: frozenset[Scope], galleries: frozenset[str] | None, expires_at: datetime | None, now: datetime
) -> None:
    if not (1 <= len(name) <= 128 and name.isprintable()):
        raise BadRequest("a key's name has 1 to 128 printable characters", field="name")
    if not scopes:
        raise BadRequest(f"a key needs a scope: {', '.join(Scope)}", field="scope")
    if galleries is not None and not galleries:
        raise BadRequest("a key bound to no gallery at all can do nothing; leave the binding out", field="gallery")
    for gallery in galleries or ():
        if not _GALLERY.fullmatch(gallery):
            raise BadRequest(f"{gallery!r} cannot be the name of a gallery", field="gallery")
    if expires_at is not None and expires_at <= now:
        raise BadRequest(f"the key would have expired already at {expires_at.isoformat()}", field="expires")


def _check_rate(rate_limit: str | None) -> None:
    from app.settings import check_rate  # slow to import, and the command line begins with this module

    if rate_limit is None or rate_limit == UNLIMITED:
        return
    try:
        check_rate(rate_limit)
    except ValueError as error:
        raise BadRequest(f"{rate_limit!r}: {error}, or {UNLIMITED}", field="rate_limit") from None
    if len(rate_limit) > _MAX_RATE_CHARACTERS:
        raise BadRequest(f"a rate has at most {_MAX_RATE_CHARACTERS} characters", field="rate_limit")


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
