"""The index on Milvus: searches of the collection that serves, and the sinks of whoever is elected to feed it."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from app.domain import Candidate, Embedding, GalleryState, squared_l2
from app.errors import NotReady, for_operator
from app.gallery.absent import no_face
from app.gallery.checks import canonical_face_id
from app.gallery.election import Election
from app.gallery.index import ChangeSink, checked_probes, no_subject
from app.gallery.milvus import snapshot as snapshots
from app.gallery.milvus.catalogue import Catalogue
from app.gallery.milvus.connection import MilvusConnection, MilvusOptions
from app.gallery.milvus.faces import FIELDS, VECTOR, candidate, face_numbers, ranked, subject_hash, vector_of
from app.gallery.milvus.feeding import Feeding
from app.gallery.milvus.progress import Report, read_progress
from app.gallery.milvus.schema import ensure_loaded, search_params
from app.gallery.milvus.snapshot import Snapshot

logger = logging.getLogger(__name__)

MAX_ROWS = 16_384  # of one probe, in one search of Milvus


class MilvusIndex:
    """Nearest-neighbour search over every gallery, a GalleryIndex. Thread-safe; `sinks` is for one thread.

    With the index type FLAT it is exact. A search may see a part of a batch of changes that is being written; it sees
    all of those up to `revision`.
    """

    def __init__(self, options: MilvusOptions, model_id: str, embedding_size: int, election: Election) -> None:
        self.embedding_size = embedding_size
        self._options = options
        self._connection = MilvusConnection(options)
        self._catalogue = Catalogue(self._connection, model_id, embedding_size)
        self._election = election
        self._snapshot: Snapshot | None = None
        self._away: str | None = None
        self._feeding = Feeding(self._connection, self._catalogue, election, embedding_size, self._fed)

    @property
    def revision(self) -> int:
        """The revision of the database that searches see."""
        return 0 if self._snapshot is None else self._snapshot.progress.revision

    @property
    def sizes(self) -> tuple[int, int, int]:
        """How many galleries, subjects and faces there are in all, as far as this process has heard."""
        return (0, 0, 0) if self._snapshot is None else self._snapshot.sizes

    @property
    def away(self) -> str | None:
        """What Milvus said when it last failed; None where it did not."""
        return self._away

    @property
    def facts(self) -> Mapping[str, float]:
        """`available` and `writer`, 0 or 1, and `building_revision`, how far the collection is that is being built."""
        feeding = self._feeding
        facts = {"available": float(self._away is None), "writer": float(feeding.elected)}
        return facts if feeding.building is None else facts | {"building_revision": feeding.building.position}

    def state(self, gallery: str) -> GalleryState:
        """What a search of the gallery is made against now. Raises GalleryNotFound, and NotReady."""
        return self._ready().state(gallery)

    def search(self, gallery: str, probes: Embedding, top_k: int) -> list[list[Candidate]]:
        """As GalleryIndex has it.

        Many faces of one person crowd the nearest rows, so more rows are asked for until enough subjects are found.
        """
        probes = checked_probes(probes, self.embedding_size, top_k)
        seen = self._ready()
        key, contents = seen.gallery(gallery)
        found: list[list[Candidate]] = [[] for _ in probes]
        pending, most = list(range(len(probes))), min(contents.faces, MAX_ROWS)
        rows = min(2 * top_k + 16, most)
        while pending and rows:
            wanted = min(top_k, contents.subjects)
            for number, hits in zip(pending, self._hits(seen, key, probes[pending], rows), strict=True):
                found[number] = ranked(probes[number], hits, top_k)
            pending = [number for number in pending if len(found[number]) < wanted]
            if rows == most:
                break
            rows = min(4 * rows, most)
        if pending and contents.faces > most:
            grouped = {"group_by_field": "subject_key"}
            for number, hits in zip(pending, self._hits(seen, key, probes[pending], top_k, **grouped), strict=True):
                found[number] = ranked(probes[number], hits, top_k)
        return found

    def nearest_of(self, gallery: str, subject_id: str, probe: Embedding) -> Candidate:
        """As GalleryIndex has it."""
        seen = self._ready()
        key, _ = seen.gallery(gallery)
        rows = self._rows(seen, f"gallery_key == {key} and subject_hash == {subject_hash(subject_id)}")
        best = ranked(probe, (row for row in rows if row["subject_id"] == subject_id), top_k=1)
        if not best:
            raise no_subject(subject_id)
        return best[0]

    def distances_to(self, gallery: str, face_id: str, probes: Embedding) -> list[Candidate]:
        """As GalleryIndex has it."""
        seen = self._ready()
        key, _ = seen.gallery(gallery)
        high, low = face_numbers(UUID(canonical_face_id(face_id)))
        rows = self._rows(seen, f"gallery_key == {key} and face_high == {high}")
        for row in rows:
            if row["face_low"] == low:
                return [candidate(row, squared_l2(probe, vector_of(row)), rank=1) for probe in probes]
        raise no_face(face_id)

    def sinks(self) -> Sequence[ChangeSink]:
        """As GalleryIndex has it: none where another process is the writer."""
        try:
            found = self._feeding.sinks()
            if not found:
                self._look()
        except NotReady as error:
            self._feeding.begin_again()
            self._connection.close()  # a new one is there as soon as Milvus is; the old one may wait for minutes
            self._lost(error)
            raise
        if self._away is not None:
            logger.info("the gallery index answers again")
        self._away = None
        return found

    def request_rebuild(self) -> str:
        """Have the elected writer build another collection, and return its name; the one that serves goes on."""
        return self._catalogue.create()

    @property
    def serving(self) -> str | None:
        """The name of the collection that is searched."""
        return None if self._snapshot is None else self._snapshot.collection

    def built_revision(self, collection: str) -> int | None:
        """How far a collection is; None where there is none of that name."""
        if not self._connection.call("has_collection", collection):
            return None
        return read_progress(self._connection, collection).revision

    def close(self) -> None:
        """Step down as the writer and let go of the client."""
        self._election.close()
        self._connection.close()

    def _look(self) -> None:
        """Learn how far another process has got."""
        serving = self._catalogue.serving()
        if serving is not None:
            if self._away is not None or self.serving != serving:
                ensure_loaded(self._connection, serving)
            self._snapshot = snapshots.read(self._connection, serving, self._snapshot)

    def _fed(self, collection: str, report: Report) -> None:
        """This process has written this to the collection that serves."""
        known = self._snapshot
        if known is None or (known.collection, known.progress) != (collection, report.progress):
            self._snapshot = Snapshot.of(collection, report)

    def _ready(self) -> Snapshot:
        if self._away is not None:
            raise NotReady("the gallery index cannot answer now")
        if self._snapshot is None:
            raise NotReady("the gallery index is being built")
        return self._snapshot

    def _hits(
        self, seen: Snapshot, gallery_key: int, probes: Embedding, rows: int, **options: Any
    ) -> list[list[dict[str, Any]]]:
        """The nearest rows of each probe."""
        found = self._asked(
            "search",
            seen.collection,
            data=list(probes),
            anns_field=VECTOR,
            filter=f"gallery_key == {gallery_key}",
            limit=rows,
            output_fields=FIELDS,
            search_params=search_params(self._options.index_type, dict(self._options.search_params), rows),
            consistency_level=seen.consistency(self._options.consistency),
            **options,
        )
        return [[{"id": hit["id"], **hit["entity"]} for hit in hits] for hits in found]

    def _rows(self, seen: Snapshot, condition: str) -> list[dict[str, Any]]:
        """All rows that a number leads to, of which there are few."""
        level = seen.consistency(self._options.consistency)
        fields = ["id", *FIELDS]
        found: list[dict[str, Any]] = self._asked(
            "query", seen.collection, filter=condition, output_fields=fields, limit=MAX_ROWS, consistency_level=level
        )
        return found

    def _asked(self, method: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return self._connection.call(method, *args, **kwargs)
        except NotReady as error:
            self._lost(error)
            raise

    def _lost(self, error: NotReady) -> None:
        """Searches are refused at once from now on, until the follower has seen Milvus answer."""
        if self._away is None:
            logger.warning("the gallery index is away: %s", for_operator(error))
        self._away = for_operator(error)
