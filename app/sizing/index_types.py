"""The constants: what an index type costs a face and a search, for embeddings of 128 float32.

Those marked as measured are of FAISS, which the index types of Milvus are made of, with one thread on a core of an AMD
EPYC (Zen 5); tests/benchmarks/results/index_types.json has them, and a test holds this file to it. DISKANN is not in
FAISS: its figures are the defaults of Milvus's configuration, and its searches wait for a disk.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import log2

VECTOR_BYTES = 512
"""An embedding of 128 float32."""

_MS_PER_FACE = 18e-6

_MEASURED_FACES = 100_000
_GRAPH_MS_PER_DOUBLING = 0.055  # of the faces, between 25,000 and 100,000


@dataclass(frozen=True, slots=True)
class IndexType:
    """What a face costs in an index of a type, and what a search of one segment costs."""

    name: str
    search: str
    """What a search is told, in Milvus's terms."""
    memory_bytes: float
    """Of a query node, a face; the vector included where the index holds it."""
    local_disk_bytes: float
    """Of a query node's own fast disk, a face."""
    stored_bytes: float
    """Of the index in object storage, a face, besides the vectors that are always there."""
    build_core_seconds: float
    """To build it, for a million faces."""
    core_ms: Callable[[int], float]
    """Processor time of a search of one segment, by its number of faces."""
    recall: float
    """Share of probes whose nearest face is found."""
    disk_reads: Callable[[int], int] = lambda _: 0
    """Random reads of 4 KiB of a search of one segment."""
    measured: bool = True


def _scan(faces: int) -> float:
    return _MS_PER_FACE * faces


def _lists(at_measured: float) -> Callable[[int], float]:
    """An eighth of the lists: proportional to the faces."""
    return lambda faces: at_measured * faces / _MEASURED_FACES


def _graph(at_measured: float, faces_measured: int = _MEASURED_FACES) -> Callable[[int], float]:
    """A walk through a graph grows with the logarithm of the faces, the faster the less of it a cache holds."""
    return lambda faces: max(at_measured + _GRAPH_MS_PER_DOUBLING * log2(faces / faces_measured), 0.01)


INDEX_TYPES: tuple[IndexType, ...] = (
    IndexType("FLAT", "every face", 512.0, 0, 0, 0, _scan, 1.0),
    IndexType("IVF_FLAT", "nprobe = nlist / 8", 526.6, 0, 526.6, 37.3, _lists(0.4263), 0.955),
    IndexType("IVF_SQ8", "nprobe = nlist / 8", 142.6, 0, 142.6, 41.5, _lists(0.2409), 0.955),
    IndexType("HNSW", "M = 16, ef = 128", 656.3, 0, 656.3, 461.8, _graph(0.2663), 0.99),
    IndexType("HNSW_SQ", "M = 16, ef = 128", 272.3, 0, 272.3, 217.8, _graph(0.1392, 50_000), 0.97),
    # pq_code_budget_gb_ratio 0.125 and search_cache_budget_gb_ratio 0.1 of the vectors in memory; on disk a vector and
    # max_degree 56 neighbours of 4 bytes, five faces to a block of 4 KiB; about search_list 100 reads a segment.
    IndexType(
        "DISKANN", "search_list = 100", 115.2, 819.2, 819.2, 0, lambda _: 0.0, 0.0, lambda _: 100, measured=False
    ),
)
