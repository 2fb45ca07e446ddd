"""What a gallery needs, by hand and in what has to hold for every size."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sizing.index_types import INDEX_TYPES, IndexType
from app.sizing.plan import DATABASE_BYTES, MAX_SHARDS, Load, Node, in_process, plan, plans, shards
from tests.benchmarks.record import RESULTS

BY_NAME = {index_type.name: index_type for index_type in INDEX_TYPES}
LOADS = st.builds(
    Load,
    faces=st.integers(1, 10**10),
    searches_per_second=st.floats(0.01, 1e4),
    enrolments_per_second=st.floats(0, 1e5),
    replicas=st.integers(1, 8),
)
NODES = st.builds(Node, memory_bytes=st.floats(1e9, 1e12), cores=st.integers(1, 128))


def test_a_hundred_million_faces_compared_one_by_one_by_hand() -> None:
    found = plan(BY_NAME["FLAT"], Load(100_000_000, searches_per_second=50.0, replicas=2), Node(64e9, 16))
    # 512 bytes of vector and twice 110 of the rest; 70 % of 64 GB are 44.8.
    assert found.memory_bytes_per_replica == 73.2e9
    assert found.nodes_per_replica == 2
    # A segment of 1 GiB has 1,726,272 rows of 622 bytes.
    assert found.segments == 58
    assert found.core_ms_per_search == pytest.approx(100e6 * 18e-6)
    # Two nodes of 16 cores, used to 60 %, have 19.2 core seconds a second for searches of 1.80 each.
    assert found.replicas == 5
    assert found.searches_per_second == pytest.approx(5 * 19.2 / 1.8, rel=0.001)
    # 29 segments on a node of 16 cores are two rounds.
    assert found.lone_search_ms == pytest.approx(2 * 100e6 / 58 * 18e-6)
    assert found.object_storage_bytes == 100e6 * 622 * 2
    assert found.database_bytes == 100e6 * DATABASE_BYTES
    assert found.shards == 1


def test_what_waits_for_a_disk_is_bounded_by_the_disk() -> None:
    found = plan(BY_NAME["DISKANN"], Load(10**9, searches_per_second=1.0), Node(64e9, 16, disk_reads_per_second=100e3))
    reads = found.segments * 100
    assert found.searches_per_second == pytest.approx(found.nodes * 100e3 * 0.6 / reads)


def test_the_service_itself_holds_what_a_machine_holds() -> None:
    assert in_process(Load(10_000_000), Node(64e9)).fits
    assert not in_process(Load(100_000_000), Node(64e9)).fits
    assert in_process(Load(10_000_000), Node()).core_ms_per_search == pytest.approx(31.0)


@pytest.mark.parametrize("index_type", INDEX_TYPES, ids=lambda index_type: index_type.name)
@given(load=LOADS, node=NODES)
def test_a_plan_holds_the_faces_and_answers_the_searches(index_type: IndexType, load: Load, node: Node) -> None:
    load = Load(load.faces, load.searches_per_second, 0.0, load.replicas)
    found = plan(index_type, load, node)
    assert found.memory_bytes_per_replica <= found.nodes_per_replica * node.memory_bytes
    assert found.replicas >= load.replicas
    assert found.searches_per_second >= load.searches_per_second * 0.999
    assert math.isfinite(found.lone_search_ms)


@given(faces=st.integers(1, 10**9), more=st.integers(0, 10**9))
def test_more_faces_never_need_less(faces: int, more: int) -> None:
    for smaller, larger in zip(plans(Load(faces), Node()), plans(Load(faces + more), Node()), strict=True):
        assert larger.memory_bytes_per_replica >= smaller.memory_bytes_per_replica
        assert larger.nodes_per_replica >= smaller.nodes_per_replica
        assert larger.object_storage_bytes >= smaller.object_storage_bytes


def test_shards_follow_what_is_written() -> None:
    assert [shards(rate) for rate in (0, 1_000, 16_077, 16_078, 100_000)] == [1, 1, 1, 2, 7]
    with pytest.raises(ValueError, match=f"Milvus has {MAX_SHARDS}"):
        shards(1e6)


@pytest.mark.parametrize(
    ("load", "node"),
    [
        (Load(0), Node()),
        (Load(-5), Node()),
        (Load(1, searches_per_second=0), Node()),
        (Load(1, searches_per_second=float("nan")), Node()),
        (Load(1, enrolments_per_second=-1), Node()),
        (Load(1, replicas=0), Node()),
        (Load(1), Node(memory_bytes=0)),
        (Load(1), Node(cores=0)),
    ],
)
def test_what_is_not_more_than_nothing_is_named(load: Load, node: Node) -> None:
    with pytest.raises(ValueError, match=r"is (0|-5|nan|-1); it (has to be more than 0|cannot be less than 0)"):
        plans(load, node)


@pytest.mark.parametrize("index_type", [each for each in INDEX_TYPES if each.measured], ids=lambda each: each.name)
def test_constants_are_those_of_the_record(index_type: IndexType) -> None:
    rows = json.loads((RESULTS / "index_types.json").read_text())["rows"]
    row = max((row for row in rows if row["type"] == index_type.name), key=lambda row: row["faces"])
    assert index_type.memory_bytes == pytest.approx(row["bytes_per_face"], rel=0.01)
    assert index_type.build_core_seconds == pytest.approx(row["build_seconds_per_million"], rel=0.25, abs=1)
    told = row["searches"][len(row["searches"]) // 2]  # the middle one of three
    assert index_type.core_ms(row["faces"]) == pytest.approx(told["ms"], rel=0.25)
    assert index_type.recall == told["recall_at_1"]


def test_one_face_more_makes_no_search_much_dearer() -> None:
    """A segment more is one that is nearly empty, and the faces of all are looked at, not of full segments."""
    full, more = (plan(BY_NAME["FLAT"], Load(faces), Node()) for faces in (1_726_272, 1_726_273 + 2))
    assert (full.segments, more.segments) == (1, 2)
    assert more.core_ms_per_search == pytest.approx(full.core_ms_per_search, rel=1e-5)
