"""The keys in memory, so that no request waits for the database to be authenticated."""

import logging
import threading
from collections.abc import Mapping
from datetime import UTC, datetime

from app.errors import Unauthenticated
from app.keys.key import ApiKey, Token
from app.keys.store import KeyStore

logger = logging.getLogger(__name__)


class Keyring:
    """All keys of the database, read again every `refresh_seconds` by a thread of its own.

    A key that is made or revoked anywhere is so here within that time; an expiry counts at once. While the database is
    away the keys that were read last stay valid.
    """

    def __init__(self, store: KeyStore, *, refresh_seconds: float) -> None:
        self._store = store
        self._refresh_seconds = refresh_seconds
        self._keys: Mapping[str, ApiKey] = {}
        self._failing = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keyring", daemon=True)

    def start(self) -> None:
        """Read the keys, then keep reading them. Raises NotReady where the database does not answer."""
        self.refresh()
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def refresh(self) -> None:
        """Read the keys now."""
        self._keys = {key.key_id: key for key in self._store.all()}

    @property
    def required(self) -> bool:
        """Whether callers must present a key: once one was made, even if it has been revoked since."""
        return bool(self._keys)

    def authenticate(self, text: str) -> ApiKey:
        """The key that the presented text is the token of. Raises Unauthenticated, which does not say what is wrong
        with a token that has never been valid."""
        token = Token.parse(text)
        key = self._keys.get(token.key_id) if token else None
        if token is None or key is None or not key.has_secret(token.secret):
            raise Unauthenticated("the API key is not known here", reason="invalid")
        if not key.usable(datetime.now(UTC)):
            reason = "expired" if key.revoked_at is None else "revoked"
            raise Unauthenticated(f"the API key {key.key_id} is {reason}", reason=reason)
        return key

    def _run(self) -> None:
        while not self._stopping.wait(self._refresh_seconds):
            try:
                self.refresh()
            except Exception as error:
                self._failed(error)
            else:
                self._failing = False

    def _failed(self, error: Exception) -> None:
        if not self._failing:  # once, not every few seconds
            logger.warning("API keys stay as they were read last until the database answers", exc_info=error)
        self._failing = True
