"""Embeddings as a gallery holds them: several faces a subject, near each other on the unit sphere."""

import numpy as np
from numpy.typing import NDArray

EMBEDDING_SIZE = 128
FACES_PER_SUBJECT = 4


def gallery_embeddings(faces: int, seed: int = 1, size: int = EMBEDDING_SIZE) -> NDArray[np.float32]:
    """float32 (faces, size) unit vectors, FACES_PER_SUBJECT consecutive rows a subject."""
    subjects = -(-faces // FACES_PER_SUBJECT)
    centres = _centres(subjects, seed, size)
    return faces_of(np.repeat(centres, FACES_PER_SUBJECT, axis=0)[:faces], seed + 1)


def faces_of(centres: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """One more face of each subject; two faces of one are about 0.6 apart in squared L2, of two people about 2."""
    rng = np.random.default_rng(seed)
    size = centres.shape[1]
    # Some photographs are much worse than others: the spread differs from face to face.
    spread = rng.gamma(4.0, 0.15, (len(centres), 1)).astype(np.float32)
    noise = rng.standard_normal(centres.shape, np.float32) * (spread / np.sqrt(size)).astype(np.float32)
    return _unit(centres + noise)


def probes_of(gallery: NDArray[np.float32], count: int, seed: int = 7) -> NDArray[np.float32]:
    """Half of them further photographs of subjects in the gallery, half strangers; float32 (count, size)."""
    rng = np.random.default_rng(seed)
    known = gallery[rng.integers(0, len(gallery), count - count // 2)]
    strangers = _centres(count // 2, seed + 1, gallery.shape[1])
    return np.concatenate([faces_of(known, seed + 2), strangers])[rng.permutation(count)]


def _centres(count: int, seed: int, size: int) -> NDArray[np.float32]:
    # People resemble each other in some directions more than in others, as the spectra of face embeddings show.
    scale = (np.arange(1, size + 1, dtype=np.float32) ** -0.25).astype(np.float32)
    return _unit(np.random.default_rng(seed).standard_normal((count, size), np.float32) * scale)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors
