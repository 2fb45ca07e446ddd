"""What a student of any embedding size imitates of a teacher."""

import numpy as np
from numpy.typing import NDArray

Embeddings = NDArray[np.float32]


def directions(teacher: Embeddings, embedding_size: int) -> Embeddings | None:
    """What maps a teacher's unit vectors, float32 (n, e), to another size: float32 (e, d); None where e is d.

    With more coordinates distances stay as they are: the space is turned into a larger one. With fewer, faces keep
    their directions in the d dimensions that hold most of the teacher, so that distances change as little as they
    can.
    """
    size = teacher.shape[1]
    if size in (0, embedding_size):
        return None
    if embedding_size > size:
        turned = np.random.default_rng(0).normal(size=(embedding_size, size))
        return np.linalg.qr(turned)[0].T.astype(np.float32)
    moments = teacher.T.astype(np.float64) @ teacher
    return np.linalg.eigh(moments)[1][:, -embedding_size:].astype(np.float32)


def targets(teacher: Embeddings, embedding_size: int) -> Embeddings:
    """A teacher's unit vectors, float32 (n, e), as unit vectors of another size, float32 (n, d).

    (0 coordinates, no teacher, stay 0.)
    """
    mapped = directions(teacher, embedding_size)
    if mapped is None:
        return teacher
    kept = teacher @ mapped
    return (kept / np.linalg.norm(kept, axis=1, keepdims=True).clip(1e-6)).astype(np.float32)
