"""Searching a gallery in memory by its size, beside `faiss.IndexFlatL2` over the same vectors; both on one thread."""

import multiprocessing
import uuid
from concurrent.futures import ProcessPoolExecutor

import faiss

from app.gallery.changes import Changes, FaceChange, GalleryChange
from app.gallery.faiss_index import FaissIndex
from app.settings import Settings
from tests.benchmarks.gallery_scale import measure_searches
from tests.benchmarks.people import EMBEDDING_SIZE, FACES_PER_SUBJECT, gallery_embeddings
from tests.benchmarks.plan import Plan, Progress, Row


def steps(plan: Plan) -> int:
    return len([faces for faces in plan.galleries if faces])


def measure(plan: Plan, progress: Progress) -> list[Row]:
    """A row for each gallery that has faces, each in a process of its own, whose memory ends with it."""
    rows = []
    for faces in filter(None, plan.galleries):
        with (
            progress.step(f"search among {faces:,}"),
            ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process,
        ):
            rows.append(process.submit(_searches, faces, plan.repeats).result())
    return rows


def _searches(faces: int, repeats: int) -> Row:
    faiss.omp_set_num_threads(1)
    embeddings = gallery_embeddings(faces)
    index = FaissIndex(EMBEDDING_SIZE, compress_above_faces=Settings().compress_above_faces)
    rows = [
        FaceChange(row, 1, 1, subject, f"emp-{subject:07}", None, str(uuid.UUID(int=row)), vector.tobytes())
        for row, vector in enumerate(embeddings, 1)
        for subject in (row // FACES_PER_SUBJECT,)
    ]
    index.apply(Changes(1, 1, [GalleryChange(1, 1, "default")], rows))
    return {"faces": faces, **measure_searches(index, embeddings, repeats)}
