"""What a student of any embedding size imitates of a teacher."""

import numpy as np
from numpy.typing import NDArray

Embeddings = NDArray[np.float32]


def mapping(teacher: Embeddings, embedding_size: int) -> Embeddings:
    """What takes a teacher's unit vectors, float32 (n, e), to another size: float32 (e, d).

    With more coordinates distances stay as they are: the space is turned into a larger one. With fewer, faces keep
    their directions in the d dimensions that hold most of the teacher, so that distances change as little as they
    can. With as many, nothing changes. (0 coordinates, no teacher, stay 0.)
    """
    size = teacher.shape[1]
    if size in (0, embedding_size):
        return np.eye(size, dtype=np.float32)
    if embedding_size > size:
        turned = np.random.default_rng(0).normal(size=(embedding_size, size))
        return np.linalg.qr(turned)[0].T.astype(np.float32)
    moments = teacher.T.astype(np.float64) @ teacher
    return np.linalg.eigh(moments)[1][:, -embedding_size:].astype(np.float32)


def centred(embeddings: Embeddings) -> Embeddings:
    """Unit vectors less their mean, unit vectors again: faces of all kinds lie all around the sphere."""
    moved = embeddings - embeddings.mean(0)
    return (moved / np.linalg.norm(moved, axis=1, keepdims=True).clip(1e-6)).astype(np.float32)


def rotation(vectors: Embeddings, towards: Embeddings) -> Embeddings:
    """float32 (d, d): what turns `vectors`, float32 (n, d), as near to others as turning can (Schoenemann 1966).

    Turned so, a teacher's targets are in the coordinates of a student that has learnt something already.
    """
    left, _, right = np.linalg.svd(vectors.T.astype(np.float64) @ towards)
    return (left @ right).astype(np.float32)


def targets(teacher: Embeddings, mapped: Embeddings) -> Embeddings:
    """A teacher's unit vectors, float32 (n, e), through a mapping (e, d): unit vectors, float32 (n, d)."""
    kept = teacher @ mapped
    return (kept / np.linalg.norm(kept, axis=1, keepdims=True).clip(1e-6)).astype(np.float32)
