"""The elected writer's part: which collections it feeds, and when one takes the place of another."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from math import inf
from time import monotonic

from app.errors import NotReady, for_operator
from app.gallery.changes import AuditEnd, Changes
from app.gallery.election import Election
from app.gallery.index import ChangeSink
from app.gallery.milvus.catalogue import Catalogue
from app.gallery.milvus.connection import MilvusConnection
from app.gallery.milvus.progress import Report
from app.gallery.milvus.writer import CollectionWriter

logger = logging.getLogger(__name__)

GRACE_CALLS = 2  # a call is tried again until its time is over, so that two times that may pass
RETIRE_SECONDS = 60.0  # for searches of other replicas that have not heard of another collection yet


class Feeding:
    """What this process does while it is elected. One thread uses this.

    A writer that was unfinished may have a call on its way that Milvus takes up late. Whoever comes after it waits as
    long as a call can take before it reads what is there.
    """

    def __init__(
        self,
        connection: MilvusConnection,
        catalogue: Catalogue,
        election: Election,
        embedding_size: int,
        fed: Callable[[str, Report], None],
    ) -> None:
        """`fed` is told what the collection that serves says of itself whenever that changes."""
        self.elected = False
        self.serving: CollectionWriter | None = None
        self.building: CollectionWriter | None = None
        self._connection, self._catalogue = connection, catalogue
        self._election, self._embedding_size, self._fed = election, embedding_size, fed
        self._waits_until: float | None = None
        self._left_since: dict[str, float] = {}
        self._compacted_at = -inf  # not by this process

    def sinks(self) -> Sequence[ChangeSink]:
        """What is to be fed: nothing where this process is not elected, or not long enough."""
        if not (self._election.holds() if self.elected else self._election.stand()):
            self.begin_again()
            return []
        if not self.elected and not self._take_over():
            return []
        self._look_for_collections()
        self._tidy()
        if self.serving is None or self.serving.report.progress.abandoned:
            if self.building is None:
                self.building = self._writer(self._catalogue.create())
            return [_BuildingSink(self)]
        self.tell()
        return [_ServingSink(self)] if self.building is None else [_ServingSink(self), _BuildingSink(self)]

    def begin_again(self) -> None:
        """Know nothing any more; what is there is read before anything else is written."""
        self.elected, self.serving, self.building = False, None, None

    def replace_building(self) -> CollectionWriter:
        """Another collection to be built, in place of what was built so far."""
        if self.building is not None:
            self._catalogue.drop(self.building.collection)
        self.building = self._writer(self._catalogue.create())
        return self.building

    def promote(self, built: CollectionWriter) -> None:
        """Have a collection serve."""
        built.check_elected()
        self._catalogue.promote(built.collection)
        self.serving, self.building = built, None
        self.tell()

    def tell(self) -> None:
        """Say how far the collection is that serves."""
        if self.serving is not None:
            self._fed(self.serving.collection, self.serving.report)

    def _take_over(self) -> bool:
        found = self._catalogue.find()
        self.serving = None if found.serving is None else self._writer(found.serving)
        self.building = None if found.building is None else self._writer(found.building)
        unfinished = any(one and one.report.progress.unfinished for one in (self.serving, self.building))
        if unfinished and self._waits_until is None:
            self._waits_until = monotonic() + GRACE_CALLS * self._connection.options.timeout_seconds
        if self._waits_until is not None and monotonic() < self._waits_until:
            return False
        self._waits_until = None
        self.elected = True
        logger.info("this process feeds the gallery index")
        return True

    def _look_for_collections(self) -> None:
        """Somebody may have asked for another one to be built; those that nobody uses go."""
        found = self._catalogue.find()
        serving = None if self.serving is None else self.serving.collection
        building = None if self.building is None else self.building.collection
        if found.serving != serving:
            raise NotReady("somebody else has changed the alias of the index")
        if found.building != building:
            self.building = None if found.building is None else self._writer(found.building)
        now = monotonic()
        self._left_since = {name: self._left_since.get(name, now) for name in found.left}
        for name, since in self._left_since.items():
            if now - since > RETIRE_SECONDS:
                self._catalogue.drop(name)

    def _tidy(self) -> None:
        """Have Milvus write anew what holds erased faces."""
        serving = self.serving
        if serving is None or not serving.erased:
            return
        if monotonic() - self._compacted_at >= self._connection.options.compact_interval_seconds:
            self._compacted_at = monotonic()
            try:
                self._connection.call("flush", serving.collection)
                self._connection.call("compact", serving.collection)
            except NotReady as error:  # it goes on being searched and fed
                logger.warning("%s was not compacted, and will be later: %s", serving.collection, for_operator(error))
            else:
                serving.erased = False

    def _writer(self, collection: str) -> CollectionWriter:
        return CollectionWriter(self._connection, collection, self._embedding_size, self._election.holds)


class _Sink(ABC):
    """One of the two collections, a ChangeSink. After any failure what is known of both is forgotten."""

    def __init__(self, feeding: Feeding) -> None:
        self._feeding = feeding

    @property
    def position(self) -> int:
        return self._writer.position

    @property
    def audit_end(self) -> AuditEnd | None:
        return self._writer.audit_end

    def apply(self, changes: Changes, *, anew: bool = False) -> None:
        """As ChangeSink has it."""
        try:
            self._take(changes, anew)
        except BaseException:
            self._feeding.begin_again()
            raise

    @property
    def _writer(self) -> CollectionWriter:
        writer = self._fed()
        if writer is None:
            raise NotReady("this process feeds the gallery index no more")
        return writer

    @abstractmethod
    def _fed(self) -> CollectionWriter | None:
        """The collection's writer, while this process is elected."""

    @abstractmethod
    def _take(self, changes: Changes, anew: bool) -> None:
        """Take changes in."""


class _ServingSink(_Sink):
    """The collection that is searched. Begun anew, it is left as it is and claims nothing, until another is built."""

    def _fed(self) -> CollectionWriter | None:
        return self._feeding.serving

    def _take(self, changes: Changes, anew: bool) -> None:
        if anew:
            self._writer.abandon()
            self._feeding.replace_building()
            _BuildingSink(self._feeding).apply(changes)
        else:
            self._writer.apply(changes)
        self._feeding.tell()


class _BuildingSink(_Sink):
    """The collection that will be searched as soon as it is whole: when it holds all that was committed."""

    def _fed(self) -> CollectionWriter | None:
        return self._feeding.building

    def _take(self, changes: Changes, anew: bool) -> None:
        writer = self._feeding.replace_building() if anew else self._writer
        writer.apply(changes)
        serving = self._feeding.serving
        if changes.is_newest and (serving is None or writer.position >= serving.position):
            self._feeding.promote(writer)
