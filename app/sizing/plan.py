"""What a gallery of so many faces needs, by index type: the formula of docs/sizing.md."""

from dataclasses import dataclass
from math import ceil, inf

from app.sizing.index_types import INDEX_TYPES, VECTOR_BYTES, IndexType

SEGMENT_BYTES = 1024 * 2**20
"""Milvus seals a segment at this size (dataCoord.segment.maxSize) and indexes each on its own."""
DISK_SEGMENT_BYTES = 2048 * 2**20
"""The same for DISKANN (dataCoord.segment.diskSegmentMaxSize)."""
SCALAR_BYTES = 110
"""Besides the vector: eight numbers, two of them Milvus's own, and a subject's id and name of 46 characters."""
SCALAR_MEMORY_FACTOR = 2.0
"""Milvus's authors: keep twice the raw bytes of scalar fields free, which are loaded beside the vectors."""
STORED_COPIES = 2.0
"""Compaction writes a segment anew before the old one goes."""
USABLE_MEMORY = 0.7
"""Of a query node; the rest is for growing segments, searches and moving segments between nodes."""
USABLE_CORES = 0.6
"""Above this share searches begin to wait for each other; docs/sizing.md shows how much."""
DATABASE_BYTES = 920
"""Of a face in PostgreSQL, indexes and its share of a subject included, without the audit log."""
SHARD_BYTES_PER_SECOND = 10e6
"""Milvus's authors: at most this much is written to a shard."""
MAX_SHARDS = 16
"""Of a collection (rootCoord.maxShardNum)."""

REPLICA_BYTES = 250e6
"""Of a replica of the service with an empty gallery."""
COMPRESS_ABOVE_FACES = 2_000_000
"""SAMEFACE_COMPRESS_ABOVE_FACES."""
EXACT_BYTES, COMPRESSED_BYTES = 620.0, 650.0
"""Of a face in the service's own index; tests/benchmarks/results/gallery_scale.json and large_gallery.json."""
EXACT_MS, COMPRESSED_MS = 19.6e-6, 3.1e-6
"""Processor time to look at one face, in the same records."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of the gallery."""

    faces: int
    searches_per_second: float = 50.0
    enrolments_per_second: float = 50.0
    replicas: int = 2
    """At least so many copies of each segment in memory; one may be lost with one fewer."""


@dataclass(frozen=True, slots=True)
class Node:
    """A machine that holds segments and searches them."""

    memory_bytes: float = 64e9
    cores: int = 16
    disk_reads_per_second: float = 400e3
    """Random reads of 4 KiB of its own disk; only DISKANN asks for them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer for one index type. Bytes are of all machines together unless the name says otherwise."""

    index_type: IndexType
    segments: int
    memory_bytes_per_replica: float
    nodes_per_replica: int
    replicas: int
    local_disk_bytes_per_replica: float
    object_storage_bytes: float
    database_bytes: float
    shards: int
    core_ms_per_search: float
    """Processor time of one search, over all nodes of a replica."""
    lone_search_ms: float
    """Its duration where nothing else runs: the busiest node's segments, spread over its cores."""
    searches_per_second: float
    """That all replicas together can answer with USABLE_CORES of their cores, or of their disks."""
    build_core_hours: float

    @property
    def nodes(self) -> int:
        """Query nodes in all."""
        return self.nodes_per_replica * self.replicas


def plan(index_type: IndexType, load: Load, node: Node) -> Plan:
    """What an index type needs. Raises ValueError where a load or a node is not more than nothing."""
    _check(load, node)
    segment_bytes = DISK_SEGMENT_BYTES if index_type.local_disk_bytes else SEGMENT_BYTES
    faces_per_segment = segment_bytes // (VECTOR_BYTES + SCALAR_BYTES)
    segments = ceil(load.faces / faces_per_segment)
    faces_searched = ceil(load.faces / segments)
    memory = load.faces * (index_type.memory_bytes + SCALAR_BYTES * SCALAR_MEMORY_FACTOR)
    nodes = ceil(memory / (node.memory_bytes * USABLE_MEMORY))
    core_ms = segments * index_type.core_ms(faces_searched)
    reads = segments * index_type.disk_reads(faces_searched)
    each = _searches_per_second(core_ms, reads, nodes, node)
    replicas = max(load.replicas, ceil(load.searches_per_second / each))
    stored = load.faces * ((VECTOR_BYTES + SCALAR_BYTES) * STORED_COPIES + index_type.stored_bytes)
    return Plan(
        index_type=index_type,
        segments=segments,
        memory_bytes_per_replica=memory,
        nodes_per_replica=nodes,
        replicas=replicas,
        local_disk_bytes_per_replica=load.faces * index_type.local_disk_bytes,
        object_storage_bytes=stored,
        database_bytes=load.faces * float(DATABASE_BYTES),
        shards=shards(load.enrolments_per_second),
        core_ms_per_search=core_ms,
        lone_search_ms=_lone_search_ms(index_type, segments, faces_searched, nodes, node),
        searches_per_second=each * replicas,
        build_core_hours=load.faces / 1e6 * index_type.build_core_seconds / 3600,
    )


def plans(load: Load, node: Node) -> list[Plan]:
    """The answers for all index types."""
    return [plan(index_type, load, node) for index_type in INDEX_TYPES]


def shards(enrolments_per_second: float) -> int:
    """Shards of a collection: writing is spread over them. Raises ValueError for more than Milvus has."""
    count = max(1, ceil(enrolments_per_second * (VECTOR_BYTES + SCALAR_BYTES) / SHARD_BYTES_PER_SECOND))
    if count > MAX_SHARDS:
        raise ValueError(f"{enrolments_per_second:g} enrolments a second need {count} shards; Milvus has {MAX_SHARDS}")
    return count


def _searches_per_second(core_ms: float, reads: float, nodes: int, node: Node) -> float:
    """Of one replica."""
    by_cores = nodes * node.cores * USABLE_CORES * 1000 / core_ms if core_ms else float("inf")
    by_disk = nodes * node.disk_reads_per_second * USABLE_CORES / reads if reads else float("inf")
    return min(by_cores, by_disk)


def _lone_search_ms(index_type: IndexType, segments: int, faces: int, nodes: int, node: Node) -> float:
    busiest = ceil(segments / nodes)
    rounds = ceil(busiest / node.cores)
    read_ms = busiest * index_type.disk_reads(faces) / node.disk_reads_per_second * 1000
    return rounds * index_type.core_ms(faces) + read_ms


def _check(load: Load, node: Node) -> None:
    given = {
        "faces": load.faces,
        "searches_per_second": load.searches_per_second,
        "replicas": load.replicas,
        "memory_bytes": node.memory_bytes,
        "cores": node.cores,
        "disk_reads_per_second": node.disk_reads_per_second,
    }
    for name, value in given.items():
        if not 0 < value < inf:
            raise ValueError(f"{name} is {value:g}; it has to be more than 0, and finite")
    if load.enrolments_per_second < 0:
        raise ValueError(f"enrolments_per_second is {load.enrolments_per_second:g}; it cannot be less than 0")


@dataclass(frozen=True, slots=True)
class InProcess:
    """The same gallery without Milvus: in the memory of every replica of the service (SAMEFACE_INDEX=faiss)."""

    memory_bytes: float
    """Of each replica."""
    fits: bool
    """Into a machine of that size."""
    core_ms_per_search: float
    searches_per_second: float
    """That all replicas together can answer."""


def in_process(load: Load, node: Node) -> InProcess:
    """What the gallery needs in the service itself; faces above a number are searched in compressed form."""
    _check(load, node)
    exact = load.faces <= COMPRESS_ABOVE_FACES
    memory = REPLICA_BYTES + load.faces * (EXACT_BYTES if exact else COMPRESSED_BYTES)
    core_ms = load.faces * (EXACT_MS if exact else COMPRESSED_MS)
    searches = load.replicas * node.cores * USABLE_CORES * 1000 / core_ms
    return InProcess(memory, memory <= node.memory_bytes * USABLE_MEMORY, core_ms, searches)
