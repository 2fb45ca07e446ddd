"""Histograms of batches by hand, and nothing that grows without end."""

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from app.batcher import MicroBatcher
from app.metrics import BatcherMetrics, IndexMetrics, Metrics


def samples(registry: CollectorRegistry) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def test_sizes_of_batches_become_a_cumulative_histogram() -> None:
    registry = CollectorRegistry()
    registry.register(BatcherMetrics(embed=(lambda: 3, lambda: [0, 5, 2, 1, 0, 0, 1])))
    found = samples(registry)
    assert found["sameface_queue_depth", (("queue", "embed"),)] == 3
    buckets = {dict(labels)["le"]: value for (name, labels), value in found.items() if name.endswith("_bucket")}
    assert buckets == {"1": 5, "2": 7, "4": 8, "6": 9, "+Inf": 9}
    assert found["sameface_batch_size_sum", (("queue", "embed"),)] == 5 * 1 + 2 * 2 + 3 + 6
    assert found["sameface_batch_size_count", (("queue", "embed"),)] == 9


def test_a_batcher_counts_its_batches_by_size() -> None:
    batcher: MicroBatcher[int, int] = MicroBatcher(list, name="test", max_batch=4, max_queue=10)
    for number in range(3):
        batcher.submit(number).result()
    batcher.close()
    assert batcher.batch_sizes == [0, 3, 0, 0, 0]


def test_an_index_that_never_caught_up_has_no_lag_in_seconds() -> None:
    registry = CollectorRegistry()
    registry.register(IndexMetrics(lambda: {"faces": 7, "seconds_since_success": None}))
    assert samples(registry) == {("sameface_index_faces", ()): 7}


def test_what_callers_make_up_becomes_no_label() -> None:
    metrics = Metrics()
    for number in range(100):
        metrics.began()
        metrics.answered(f"METHOD{number}", None, 405, 0.001, "method_not_allowed")
    names = [key for key in samples(metrics.registry) if key[0] == "sameface_requests_total"]
    assert names == [("sameface_requests_total", (("method", "other"), ("route", "unmatched"), ("status", "405")))]
