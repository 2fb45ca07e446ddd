"""Exact search by FAISS, and how many of the cores it takes."""

from uuid import UUID

import faiss
import numpy as np
import pytest

from app.gallery.blocks import FaceBlock
from app.gallery.changes import FaceChange
from app.gallery.rows import ExactRows
from tests.gallery.faces import embedding


@pytest.fixture
def rows() -> ExactRows:
    changes = [
        FaceChange(number, number, 1, number, f"s{number}", None, str(UUID(int=number)), embedding(number).tobytes())
        for number in range(1, 51)
    ]
    return ExactRows().appended(FaceBlock.from_changes(changes))


@pytest.mark.parametrize("probes", [1, 2, 40])
def test_no_more_threads_than_probes_are_woken_and_all_find_their_own_face(rows: ExactRows, probes: int) -> None:
    own = np.stack([embedding(number) for number in range(1, probes + 1)])
    faiss.omp_set_num_threads(64)
    positions = rows.nearest(own, 1)
    assert faiss.omp_get_max_threads() <= probes
    assert positions[:, 0].tolist() == list(range(probes))
