"""Templates at rest: embeddings encrypted in the database with AES-256-GCM (NIST SP 800-38D).

A sealed vector is nonce (12 bytes), ciphertext and tag (16 bytes). It is bound to its face and model, so that a row
cannot be passed off as another's. The hash of the photograph travels inside, because the column beside it then holds
only a keyed hash: without the key nobody can ask whether a photograph is enrolled. A face's crop is sealed likewise,
with another key derived from the same secret.
"""

import base64
import binascii
import hashlib
import hmac
import os
import re
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from app.errors import ConfigurationError

KEY_BYTES = 32
_NONCE_BYTES = 12
_CONTENT_BYTES = 32


class SealBroken(ValueError):
    """A sealed vector that was altered, or belongs to another face or model."""


@dataclass(frozen=True, slots=True)
class Template:
    """What is kept of a face: the vector's bytes, and the sha-256 of its photograph in hexadecimal."""

    vector: bytes
    content_sha256: str


@dataclass(frozen=True, slots=True)
class StoredTemplate:
    """The columns of `faces`: `key_id` is None where they are not encrypted."""

    vector: bytes
    content_sha256: str
    key_id: str | None


class TemplateKey:
    """One key, from which those for vectors, crops and hashes are derived (HKDF, RFC 5869)."""

    def __init__(self, secret: bytes) -> None:
        self.key_id = _derive(secret, "key id")[:8].hex()
        self._cipher = AESGCM(_derive(secret, "vectors"))
        self._crop_cipher = AESGCM(_derive(secret, "crops"))
        self._hash_key = _derive(secret, "content hashes")

    def seal(self, template: Template, face_id: str, model_id: str) -> StoredTemplate:
        """The columns for a face."""
        nonce = os.urandom(_NONCE_BYTES)
        plain = bytes.fromhex(template.content_sha256) + template.vector
        sealed = nonce + self._cipher.encrypt(nonce, plain, _binding(face_id, model_id))
        return StoredTemplate(sealed, self.content_hash(template.content_sha256), self.key_id)

    def open(self, sealed: bytes, face_id: str, model_id: str) -> Template:
        """Raises SealBroken."""
        plain = self._decrypted(sealed, face_id, model_id)
        return Template(plain[_CONTENT_BYTES:], plain[:_CONTENT_BYTES].hex())

    def open_vector(self, sealed: bytes, face_id: str, model_id: str) -> bytes:
        """The vector alone, for an index that reads millions. Raises SealBroken."""
        return self._decrypted(sealed, face_id, model_id)[_CONTENT_BYTES:]

    def seal_crop(self, crop: bytes, face_id: str) -> bytes:
        """Nonce, ciphertext and tag of a face's crop, bound to the face."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._crop_cipher.encrypt(nonce, crop, _plain_id(face_id).encode())

    def open_crop(self, sealed: bytes, face_id: str) -> bytes:
        """Raises SealBroken."""
        try:
            nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
            return self._crop_cipher.decrypt(nonce, rest, _plain_id(face_id).encode())
        except (InvalidTag, ValueError):
            raise SealBroken(f"the crop of face {face_id} was altered or belongs to another face") from None

    def content_hash(self, content_sha256: str) -> str:
        """The keyed hash of a photograph's hash, in hexadecimal."""
        return hmac.new(self._hash_key, bytes.fromhex(content_sha256), hashlib.sha256).hexdigest()

    def _decrypted(self, sealed: bytes, face_id: str, model_id: str) -> bytes:
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _binding(face_id, model_id))
        except (InvalidTag, ValueError):
            raise SealBroken(f"the vector of face {face_id} was altered or belongs to another face") from None


class TemplateKeys:
    """The keys at hand: the first seals, all of them open. Without any, templates are kept as they are."""

    def __init__(self, secrets: tuple[bytes, ...] = ()) -> None:
        keys = [TemplateKey(secret) for secret in secrets]
        self.primary = keys[0] if keys else None
        self._by_id = {key.key_id: key for key in keys}

    @property
    def primary_id(self) -> str | None:
        """What `key_id` is of a row that is written now."""
        return self.primary.key_id if self.primary else None

    def key(self, key_id: str) -> TemplateKey:
        """Raises ConfigurationError for a key that is not at hand."""
        found = self._by_id.get(key_id)
        if found is None:
            raise ConfigurationError(
                f"templates are encrypted with key {key_id}, which is not among the template keys given; a key may be "
                "taken away only after `sameface rotate-key` has finished"
            )
        return found

    def seal(self, template: Template, face_id: str, model_id: str) -> StoredTemplate:
        """The columns of a new row."""
        if self.primary is None:
            return StoredTemplate(template.vector, template.content_sha256, None)
        return self.primary.seal(template, face_id, model_id)

    def open(self, stored: StoredTemplate, face_id: str, model_id: str) -> Template:
        """Raises SealBroken, and ConfigurationError for a key that is not at hand."""
        if stored.key_id is None:
            return Template(stored.vector, stored.content_sha256)
        return self.key(stored.key_id).open(stored.vector, face_id, model_id)

    def seal_crop(self, crop: bytes, face_id: str) -> tuple[bytes, str | None]:
        """What is stored of a face's crop, and the key_id that goes with it."""
        if self.primary is None:
            return crop, None
        return self.primary.seal_crop(crop, face_id), self.primary.key_id

    def open_crop(self, stored: bytes, key_id: str | None, face_id: str) -> bytes:
        """Raises SealBroken, and ConfigurationError for a key that is not at hand."""
        return stored if key_id is None else self.key(key_id).open_crop(stored, face_id)

    def content_hash(self, content_sha256: str, key_id: str | None) -> str:
        """What the column `content_sha256` holds of a photograph in a row that was written with `key_id`."""
        return content_sha256 if key_id is None else self.key(key_id).content_hash(content_sha256)


def read_keys(setting: SecretStr | None, file: Path | None) -> TemplateKeys:
    """Keys in base64, separated by commas or white space, from a setting or a file. Raises ConfigurationError."""
    text = None if setting is None else setting.get_secret_value()
    if text is not None and file:
        raise ConfigurationError("template keys are given both as a setting and as a file; give one of the two")
    try:
        given = file.read_text("ascii") if file else text or ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the file of template keys {file} cannot be read: {error}") from None
    keys = tuple(_decoded(key) for key in re.split(r"[,\s]+", given) if key)
    if not keys and (file or text is not None):  # never in clear where somebody meant to encrypt
        place = f"the file of template keys {file}" if file else "the setting of template keys is there, but"
        raise ConfigurationError(f"{place} holds no key; leave it out to keep templates as they are")
    return TemplateKeys(keys)


def _decoded(key: str) -> bytes:
    try:
        secret = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if len(secret) != KEY_BYTES:
        raise ConfigurationError(
            f"a template key must be {KEY_BYTES} random bytes in base64; `openssl rand -base64 {KEY_BYTES}` makes one"
        )
    return secret


def _derive(secret: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"sameface {purpose}".encode()).derive(secret)


def _binding(face_id: str, model_id: str) -> bytes:
    return f"{_plain_id(face_id)}\n{model_id}".encode()


def _plain_id(face_id: str) -> str:
    # Databases write the same UUID with hyphens or without.
    return face_id.replace("-", "")
