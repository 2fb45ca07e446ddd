"""Groups of faces that are one person each: the third task of the FaceNet paper (Schroff et al. 2015, section 5.7)."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np
from numpy.typing import NDArray

from app.domain import ClusteredImage, ClusterMethod, EmbeddedFace, Embedding
from app.errors import BadInput, none_usable

if TYPE_CHECKING:
    from numpy import float64

    Distances = NDArray[float64]


@dataclass(frozen=True, slots=True)
class Unread:
    """A photograph that cannot be read, and why."""

    error: BadInput


# What became of one photograph.
Outcome = list[EmbeddedFace] | Unread


def faces(outcome: Outcome) -> list[EmbeddedFace]:
    """None where the photograph could not be read."""
    return [] if isinstance(outcome, Unread) else outcome


def image_rows(outcomes: Sequence[Outcome]) -> list[ClusteredImage]:
    """One row for each photograph, in order. Raises their error where none could be read."""
    rows = [_row(image, outcome) for image, outcome in enumerate(outcomes)]
    errors = [outcome.error for outcome in outcomes if isinstance(outcome, Unread)]
    if len(errors) < len(outcomes):
        return rows
    first = errors[0]
    if len(errors) == 1:
        first.field = first.field or "image"
        raise first
    images = [{"image": row.image, "reasons": row.reasons, "detail": row.detail, **row.measured} for row in rows]
    raise none_usable(f"none of the {len(errors)} images can be read", errors, images)


def _row(image: int, outcome: Outcome) -> ClusteredImage:
    if isinstance(outcome, Unread):
        error = outcome.error
        return ClusteredImage(image, reasons=(error.code,), detail=error.message, measured=error.facts)
    return ClusteredImage(image, faces=len(outcome))


def group_faces(embeddings: Sequence[Embedding], threshold: float, method: ClusterMethod) -> list[list[int]]:
    """Positions of the embeddings by person, the largest group first; a face like no other is a group of one.

    `embeddings`: unit vectors, float32 (embedding_size,) each. `threshold`: squared L2; two faces, or two groups by
    the mean distance of their faces (AGGLOMERATIVE), are joined strictly below it.
    """
    if len(embeddings) < 2:
        return [[position] for position in range(len(embeddings))]
    distances = _squared_l2_matrix(np.stack(embeddings))
    match method:
        case ClusterMethod.AGGLOMERATIVE:
            labels = _agglomerative(distances, threshold)
        case ClusterMethod.DBSCAN:
            labels = _dbscan(distances, threshold)
        case _:
            assert_never(method)
    return _groups(labels)


def _squared_l2_matrix(embeddings: NDArray[np.float32]) -> "Distances":
    # scikit-learn takes more than a second to import, and few services are ever asked for groups.
    from sklearn.metrics.pairwise import euclidean_distances

    distances: Distances = euclidean_distances(embeddings.astype(np.float64), squared=True)
    return distances


def _agglomerative(distances: "Distances", threshold: float) -> Iterable[int]:
    from sklearn.cluster import AgglomerativeClustering

    clustering = AgglomerativeClustering(
        n_clusters=None, metric="precomputed", linkage="average", distance_threshold=threshold
    )
    return _labels(clustering.fit(distances))


def _dbscan(distances: "Distances", threshold: float) -> Iterable[int]:
    from sklearn.cluster import DBSCAN

    if threshold == 0:  # nothing is strictly below it
        return range(len(distances))
    # The number below the threshold, because DBSCAN joins at eps as well. scikit-learn takes no 0.
    eps = max(float(np.nextafter(threshold, 0.0)), float(np.finfo(np.float64).tiny))
    # With groups from two faces on, every face with a neighbour is a core point, and noise is what has none.
    clustering = DBSCAN(eps=eps, min_samples=2, metric="precomputed")
    labels = _labels(clustering.fit(distances))
    return [label if label >= 0 else -1 - position for position, label in enumerate(labels)]


def _labels(fitted: Any) -> list[int]:
    labels: list[int] = fitted.labels_.tolist()
    return labels


def _groups(labels: Iterable[int]) -> list[list[int]]:
    members: dict[int, list[int]] = defaultdict(list)
    for position, label in enumerate(labels):
        members[label].append(position)
    return sorted(members.values(), key=lambda group: (-len(group), group[0]))
