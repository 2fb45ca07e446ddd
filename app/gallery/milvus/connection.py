"""The client of Milvus, opened when it is first asked, and the one boundary where its errors become ours."""

import importlib.util
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.errors import ConfigurationError, NotReady

logger = logging.getLogger(__name__)

# An iterator's pages; Milvus answers no more rows than 16,384 at a time.
PAGE_ROWS = 10_000
_CONSISTENT = {"consistency_level": "Strong"}
_TAKES_CONSISTENCY = {"query", "query_iterator"}


@dataclass(frozen=True, slots=True)
class MilvusOptions:
    """Where Milvus is, and how collections are made there; app.settings says what each is for."""

    uri: str
    token: str = ""
    ca_file: Path | None = None
    server_name: str | None = None
    timeout_seconds: float = 10.0
    collection: str = "sameface"
    shards: int = 1
    replicas: int = 1
    index_type: str = "FLAT"
    index_params: Mapping[str, Any] = field(default_factory=dict)
    search_params: Mapping[str, Any] = field(default_factory=dict)
    consistency: str = "Strong"
    compact_interval_seconds: float = 3600.0


def check_installed(options: MilvusOptions) -> None:
    """Raise ConfigurationError where a package is missing that the URI needs."""
    needed = {"pymilvus": "pip install '.[milvus]' in the folder of sameface"}
    if options.uri.endswith(".db"):
        needed["milvus_lite"] = "pip install milvus-lite, which opens files; it is for development and tests"
    for package, advice in needed.items():
        if importlib.util.find_spec(package) is None:
            raise ConfigurationError(f"the index milvus at {options.uri} needs the package {package}: {advice}")


class MilvusConnection:
    """A client that is made anew after each failure. Thread-safe.

    Every call is over within about twice `timeout_seconds`, and raises NotReady where Milvus did not do what was asked.
    """

    def __init__(self, options: MilvusOptions) -> None:
        self.options = options
        self._client: Any = None
        self._turn = threading.Lock()

    def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """A method of pymilvus.MilvusClient. Queries see all that was written before, unless told otherwise."""
        if method in _TAKES_CONSISTENCY:
            kwargs = _CONSISTENT | kwargs
        return self._bounded(lambda client: getattr(client, method), *args, **kwargs)

    def rows(self, collection: str, condition: str, fields: list[str]) -> Iterator[list[dict[str, Any]]]:
        """All rows of a collection for which a condition holds, some thousands at a time."""
        pages = self.call(
            "query_iterator", collection, batch_size=PAGE_ROWS, filter=condition, output_fields=fields, limit=-1
        )
        try:
            while page := self._translated(pages.next):
                yield list(page)
        finally:
            pages.close()

    def close(self) -> None:
        """Let go of the client; the next call makes another one."""
        with self._turn:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _bounded(self, method: Callable[[Any], Any], *args: Any, **kwargs: Any) -> Any:
        def ask() -> Any:
            return method(self._opened())(*args, timeout=self.options.timeout_seconds, **kwargs)

        return self._translated(ask)

    def _translated(self, ask: Callable[[], Any]) -> Any:
        import grpc
        from pymilvus.exceptions import MilvusException

        try:
            return ask()
        except (MilvusException, grpc.RpcError, grpc.FutureTimeoutError, OSError) as error:
            raise NotReady("the gallery index cannot answer now") from error

    def _opened(self) -> Any:
        with self._turn:
            if self._client is None:
                self._client = _open(self.options)
            return self._client


def _open(options: MilvusOptions) -> Any:
    from pymilvus import MilvusClient

    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # what it would say is said by us, and once
    if options.uri.endswith(".db"):  # milvus-lite serves in this process, and logs what it does not know
        logging.getLogger("grpc._server").setLevel(logging.CRITICAL)
    secure: dict[str, Any] = {}
    if options.uri.startswith("https://") or options.ca_file is not None:
        secure["secure"] = True
    if options.ca_file is not None:
        secure["server_pem_path"] = str(options.ca_file)
    if options.server_name is not None:
        secure["server_name"] = options.server_name
    # A client of one's own: closing it after a failure must not disturb another index of this process.
    return MilvusClient(options.uri, token=options.token, timeout=options.timeout_seconds, dedicated=True, **secure)
