"""Groups of faces: what each method joins, on points whose distances are known."""

import itertools
import subprocess
import sys

import numpy as np
import pytest

from app.clustering import Unread, group_faces, image_rows
from app.domain import ClusterMethod, Embedding
from app.errors import LowQuality, UnreadableImage, UnsupportedFormat

METHODS = list(ClusterMethod)


def at_angle(degrees: float) -> Embedding:
    """A unit vector in a plane; two of them are 2 - 2 cos(difference) apart."""
    radians = np.deg2rad(degrees)
    return np.array([np.cos(radians), np.sin(radians), 0.0], np.float32)


def connected(embeddings: list[Embedding], threshold: float) -> list[list[int]]:
    """Connected components of "strictly below the threshold", by a plain loop."""
    groups = [{i} for i in range(len(embeddings))]
    for i, j in itertools.combinations(range(len(embeddings)), 2):
        if float(np.sum((embeddings[i].astype(float) - embeddings[j]) ** 2)) < threshold:
            a, b = (next(group for group in groups if k in group) for k in (i, j))
            if a is not b:
                groups.remove(b)
                a |= b
    return sorted((sorted(group) for group in groups), key=lambda group: (-len(group), group[0]))


@pytest.mark.parametrize("method", METHODS)
def test_faces_that_are_close_are_one_group_and_the_largest_comes_first(method: ClusterMethod) -> None:
    embeddings = [at_angle(degrees) for degrees in (180, 0, 5, 90, 95, 2)]
    assert group_faces(embeddings, 0.1, method) == [[1, 2, 5], [3, 4], [0]]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("count", [0, 1])
def test_nobody_and_somebody_alone(method: ClusterMethod, count: int) -> None:
    assert group_faces([at_angle(0)] * count, 1.0, method) == [[0]] * count


@pytest.mark.parametrize("method", METHODS)
def test_a_distance_at_the_threshold_does_not_join(method: ClusterMethod) -> None:
    apart = [np.array([1, 0], np.float32), np.array([0, 1], np.float32)]  # 2 exactly
    assert group_faces(apart, 2.0, method) == [[0], [1]]
    assert group_faces(apart, np.nextafter(2.0, 3.0), method) == [[0, 1]]
    assert group_faces([apart[0], apart[0]], 0.0, method) == [[0], [1]]
    for least in (5e-324, 1e-323):  # there is no number, or hardly one, below them
        assert group_faces([apart[0], apart[0], apart[1]], least, method) == [[0, 1], [2]]


def test_a_chain_is_one_group_to_dbscan_and_several_to_agglomeration() -> None:
    chain = [at_angle(20 * step) for step in range(8)]
    threshold = 2 - 2 * np.cos(np.deg2rad(25))
    assert group_faces(chain, threshold, ClusterMethod.DBSCAN) == [list(range(8))]
    assert len(group_faces(chain, threshold, ClusterMethod.AGGLOMERATIVE)) > 1


@pytest.mark.parametrize("seed", range(20))
def test_dbscan_is_what_a_loop_over_pairs_gives(seed: int) -> None:
    random = np.random.default_rng(seed)
    points = random.standard_normal((40, 4)).astype(np.float32)
    embeddings = list(points / np.linalg.norm(points, axis=1, keepdims=True))
    for threshold in (0.05, 0.2, 0.5, 3.9):
        assert group_faces(embeddings, threshold, ClusterMethod.DBSCAN) == connected(embeddings, threshold)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("threshold", [0.0, 0.3, 4.0])
def test_every_face_is_in_one_group(method: ClusterMethod, threshold: float) -> None:
    points = np.random.default_rng(1).standard_normal((30, 8)).astype(np.float32)
    embeddings = list(points / np.linalg.norm(points, axis=1, keepdims=True))
    assert sorted(itertools.chain(*group_faces(embeddings, threshold, method))) == list(range(30))


def test_photographs_are_answered_for_one_by_one_unless_none_can_be_read() -> None:
    rows = image_rows([Unread(UnreadableImage("damaged", format="JPEG")), []])
    assert [(row.status, row.reasons, row.measured) for row in rows] == [
        ("rejected", ("unreadable_image",), {"format": "JPEG"}),
        ("read", (), {}),
    ]
    with pytest.raises(UnreadableImage, match="damaged"):
        image_rows([Unread(UnreadableImage("damaged"))])
    with pytest.raises(UnreadableImage, match="none of the 2"):
        image_rows([Unread(UnreadableImage("damaged"))] * 2)
    with pytest.raises(LowQuality):
        image_rows([Unread(UnreadableImage("damaged")), Unread(UnsupportedFormat("a PDF"))])


def test_scikit_learn_is_not_imported_before_it_is_needed() -> None:
    loaded = "import sys, app.main; print([name for name in ('sklearn', 'scipy') if name in sys.modules])"
    out = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"
