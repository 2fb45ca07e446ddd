"""Embeddings and the one distance between them, squared L2 of unit vectors: 0 same, 4 opposite."""

import numpy as np
from numpy.typing import NDArray

Embedding = NDArray[np.float32]  # (128,) for the shipped model; several are (n, 128)


def squared_l2(a: Embedding, b: Embedding) -> float:
    """Squared L2 distance of two unit vectors, in [0, 4] (FaceNet, section 3.1)."""
    difference = a.astype(np.float64) - b.astype(np.float64)
    return min(float(difference @ difference), 4.0)


def is_match(squared_l2: float, threshold: float) -> bool:
    """The decision, in one place: calibration and service accept strictly below the threshold."""
    return squared_l2 < threshold


def similarity(squared_l2: float) -> float:
    """Plain cosine similarity of two unit vectors at this distance."""
    return 1.0 - squared_l2 / 2.0
