"""Which collections there are of a model: the one that serves, which an alias names, and one that is being built.

Their names begin with the alias and end in a number that grows, so that a later one is known as such. Only the elected
writer and `request_rebuild` make collections; only the writer names and drops them.
"""

import hashlib
import logging
import re
import time
from dataclasses import dataclass

from app.gallery.milvus.connection import MilvusConnection
from app.gallery.milvus.schema import STATE_SUFFIX, create_collection

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """Names of collections, None where there is none. `left` are of earlier times and can be dropped."""

    serving: str | None
    building: str | None
    left: tuple[str, ...] = ()


def alias_of(prefix: str, model_id: str) -> str:
    """The alias of a model's collections: letters, digits and underscores, and never that of another model."""
    readable = re.sub(r"\W", "_", model_id, flags=re.ASCII)[:64]
    return f"{prefix}_{readable}_{hashlib.blake2b(model_id.encode(), digest_size=4).hexdigest()}"


class Catalogue:
    """The collections of one model."""

    def __init__(self, connection: MilvusConnection, model_id: str, embedding_size: int) -> None:
        self.alias = alias_of(connection.options.collection, model_id)
        self._connection = connection
        self._embedding_size = embedding_size

    def serving(self) -> str | None:
        """The collection that the alias names."""
        return self._serving_of(self._builds())

    def find(self) -> Found:
        """All collections of the model."""
        builds = self._builds()
        serving = self._serving_of(builds)
        newer = [name for name in builds if serving is None or name > serving]
        building = newer[-1] if newer else None
        return Found(serving, building, tuple(name for name in builds if name not in (serving, building)))

    def create(self) -> str:
        """Make a collection that is to be built; it is a later one than all others."""
        name = f"{self.alias}_{time.time_ns():020d}"
        logger.info("building the collection %s", name)
        create_collection(self._connection, name, self._embedding_size)
        return name

    def promote(self, name: str) -> None:
        """Have the alias name it, from one moment to the next."""
        method = "create_alias" if self.serving() is None else "alter_alias"
        self._connection.call(method, name, self.alias)
        logger.info("the collection %s serves", name)

    def drop_all(self) -> int:
        """Delete every collection of the model, and say how many there were."""
        builds = self._builds()
        for name in builds:
            self.drop(name)
        return len(builds)

    def drop(self, name: str) -> None:
        """Delete a collection, its alias and what it says of itself."""
        if self.alias in self._connection.call("list_aliases", name)["aliases"]:
            self._connection.call("drop_alias", self.alias)
        for collection in (name + STATE_SUFFIX, name):
            self._connection.call("drop_collection", collection)
        logger.info("the collection %s is dropped", name)

    def _serving_of(self, builds: list[str]) -> str | None:
        # Asked of all aliases, for a missing one is an error like any other.
        for name in builds:
            if self.alias in self._connection.call("list_aliases", name)["aliases"]:
                return name
        return None

    def _builds(self) -> list[str]:
        own = re.compile(rf"{re.escape(self.alias)}_\d{{20}}")
        return sorted(name for name in self._connection.call("list_collections") if own.fullmatch(name))
