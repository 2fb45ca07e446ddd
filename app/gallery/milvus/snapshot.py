"""What a process knows of the collection that serves: enough to answer what is in a gallery without asking Milvus."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from app.domain import GalleryState
from app.gallery.absent import no_gallery
from app.gallery.milvus import progress
from app.gallery.milvus.connection import MilvusConnection
from app.gallery.milvus.progress import Contents, Progress, Report

# Milvus answers searches of bounded staleness from at most 5 s ago (its `common.gracefulTime`).
_STALENESS_SECONDS = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """One collection at one revision. `moved_at`: when this process learnt of that revision, by time.monotonic()."""

    collection: str
    progress: Progress
    galleries: Mapping[int, Contents]
    keys: Mapping[str, int] = field(default_factory=dict)
    moved_at: float = 0.0

    @classmethod
    def of(cls, collection: str, report: Report) -> "Snapshot":
        """What a collection says of itself."""
        keys = {str(one.name): key for key, one in progress.live(report.galleries)}
        return cls(collection, report.progress, report.galleries, keys, time.monotonic())

    @property
    def sizes(self) -> tuple[int, int, int]:
        """How many galleries, subjects and faces there are in all."""
        live = [one for _, one in progress.live(self.galleries)]
        return len(live), sum(one.subjects for one in live), sum(one.faces for one in live)

    def gallery(self, name: str) -> tuple[int, Contents]:
        """A gallery's key and what is in it. Raises GalleryNotFound."""
        key = self.keys.get(name)
        if key is None:
            raise no_gallery(name)
        return key, self.galleries[key]

    def state(self, name: str) -> GalleryState:
        """What a search of the gallery is made against. Raises GalleryNotFound."""
        _, contents = self.gallery(name)
        return GalleryState(name, self.progress.revision, contents.subjects, contents.faces)

    def consistency(self, wanted: str) -> str:
        """How a search is made that must see this revision."""
        return "Strong" if time.monotonic() - self.moved_at < _STALENESS_SECONDS else wanted


def read(connection: MilvusConnection, collection: str, known: Snapshot | None) -> Snapshot:
    """The newest snapshot of a collection; `known` itself where nothing has changed."""
    found = progress.read_progress(connection, collection)
    if known is None or known.collection != collection or found.abandoned != known.progress.abandoned:
        return Snapshot.of(collection, Report(found, progress.read_galleries(connection, collection)))
    if found.revision == known.progress.revision:
        return known
    changed = progress.read_galleries(connection, collection, known.progress.revision)
    # What was written between the two looks is newer than `found` says, which does no harm.
    return Snapshot.of(collection, Report(found, {**known.galleries, **changed}))
