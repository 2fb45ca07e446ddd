"""What Prometheus is told: how much, how fast and how it was decided, in numbers about no one.

No label names a gallery, a subject, a key or a path: there would be no end of them. Distances are counted in buckets.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from app.domain import Candidate, Enrolment, Identification, SubjectVerification, Verification

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SQUARED_L2 = tuple(round(0.1 * tenth, 1) for tenth in range(1, 41))
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """One process's counters. Safe to call from any thread."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._build = Info("sameface_build", "Version and model that are served", registry=self.registry)
        self._requests = self._counter("requests", "Answered requests", "method", "route", "status")
        self._problems = self._counter("problems", "Answered problem documents by their code", "code")
        self._in_progress = Gauge("sameface_requests_in_progress", "Requests in progress", registry=self.registry)
        self._request_seconds = self._histogram("request_seconds", "Time to answer", _SECONDS, "route")
        self._stage_seconds = self._histogram("stage_seconds", "Time of a photograph in a stage", _SECONDS, "stage")
        self._decisions = self._counter("decisions", "Decisions on faces", "operation", "decision")
        self._images = self._counter("enrolled_images", "Photographs of enrolments, by what became of them", "outcome")
        self._rejections = self._counter("enrolment_rejections", "Why photographs were not enrolled", "reason")
        self._distance = self._histogram("distance_squared_l2", "Nearest distance found", _SQUARED_L2, "operation")

    def serving(self, *, version: str, model: str, sha256: str) -> None:
        """What is served, told once."""
        self._build.info({"version": version, "model": model, "sha256": sha256})

    def watch(self, collector: Collector) -> None:
        """Ask this at every scrape."""
        self.registry.register(collector)

    def began(self) -> None:
        """A request came."""
        self._in_progress.inc()

    def answered(self, method: str, route: str | None, status: int, seconds: float, code: str | None) -> None:
        """A request was answered; `route` is its template, None where there is none, `code` that of its problem."""
        self._in_progress.dec()
        known = route or "unmatched"
        self._requests.labels(method if method in _METHODS else "other", known, str(status)).inc()
        self._request_seconds.labels(known).observe(seconds)
        if code is not None:
            self._problems.labels(code).inc()

    def verified(self, answer: Verification | SubjectVerification) -> None:
        """A comparison of two photographs, or of one with an enrolled subject."""
        self._decisions.labels("verify", "match" if answer.verified else "no_match").inc()
        self._distance.labels("verify").observe(answer.distance)
        self._took(answer.took_ms)

    def identified(self, answer: Identification, nearest: Sequence[Sequence[Candidate]]) -> None:
        """A search; `nearest` are each face's candidates whether or not they are below the threshold."""
        for face, candidates in zip(answer.faces, nearest, strict=True):
            self._decisions.labels("identify", face.status).inc()
            if candidates:
                self._distance.labels("identify").observe(candidates[0].distance)
        if not answer.faces:
            self._decisions.labels("identify", "no_face").inc()
        self._took(answer.took_ms)

    def enrolled(self, answer: Enrolment) -> None:
        """An enrolment of which at least one photograph was stored."""
        for image in answer.images:
            outcome = "enrolled" if image.face_id is not None else image.reasons[0]
            self._images.labels(outcome).inc()
        self._took(answer.took_ms)

    def rejected(self, reasons: Iterable[str]) -> None:
        """A photograph that was not enrolled, whether or not others of its request were."""
        for reason in reasons:
            self._rejections.labels(reason).inc()

    def _took(self, took_ms: Mapping[str, float]) -> None:
        for stage, took in took_ms.items():
            if stage != "total":  # which is the request's
                self._stage_seconds.labels(stage).observe(took / 1000)

    def _counter(self, name: str, documentation: str, *labels: str) -> Counter:
        return Counter(f"sameface_{name}", documentation, labels, registry=self.registry)

    def _histogram(self, name: str, documentation: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(f"sameface_{name}", documentation, labels, buckets=buckets, registry=self.registry)


class BatcherMetrics(Collector):
    """Queues in front of the networks and the index, read when they are asked for."""

    def __init__(self, **queues: "tuple[Callable[[], int], Callable[[], Sequence[int]]]") -> None:
        """By name: items waiting, and how many batches there were of each size, from 0."""
        self._queues = queues

    def collect(self) -> Iterator[Metric]:
        depth = GaugeMetricFamily("sameface_queue_depth", "Items waiting for a batch", labels=["queue"])
        sizes = HistogramMetricFamily("sameface_batch_size", "Items that ran together", labels=["queue"])
        for name, (waiting, batches) in self._queues.items():
            depth.add_metric([name], waiting())
            counts = list(batches())
            sizes.add_metric([name], list(_buckets(counts)), sum(size * count for size, count in enumerate(counts)))
        yield depth
        yield sizes


class ProcessMetrics(Collector):
    """The processes that read photographs, where there are some."""

    def __init__(self, deaths: Callable[[], int]) -> None:
        """`deaths`: how many have ended that should not have."""
        self._deaths = deaths

    def collect(self) -> Iterable[Metric]:
        name = "sameface_reading_process_deaths"
        return [CounterMetricFamily(name, "Processes that read photographs and ended", value=self._deaths())]


class IndexMetrics(Collector):
    """The index and how far it is behind the database."""

    def __init__(self, facts: Callable[[], Mapping[str, float | None]]) -> None:
        """`facts`: name to number at this moment; None is left out."""
        self._facts = facts

    def collect(self) -> Iterable[Metric]:
        return [
            GaugeMetricFamily(f"sameface_index_{name}", f"Index: {name.replace('_', ' ')}", value=value)
            for name, value in self._facts().items()
            if value is not None
        ]


def _buckets(counts: Sequence[int]) -> Iterator[tuple[str, float]]:
    """Cumulative counts at powers of two."""
    upto = list(accumulate(counts))
    bound = 1
    while bound < len(counts) - 1:
        yield str(bound), upto[bound]
        bound *= 2
    yield str(len(counts) - 1), upto[-1]
    yield "+Inf", upto[-1]
