"""Embeddings by the million, made in blocks, with the spread that the embeddings of a real model have.

The spread is that of 2,248 embeddings of 450 people of CelebA's validation split by the model
`facenet-nn2-128-2026.11` (sha-256 5ab8c576322f): the variance between people falls along the principal axes from 0.0182
to 0.0005 at the 96th of 128, that between photographs of one person from 0.0128 to 0.0014, as exponentials here; the
squared L2 distance of two photographs of one person has the median 1.0 (1 % below 0.30, 99 % below 2.1), of two people
the mean 1.99 and the standard deviation 0.22.
"""

import numpy as np
from numpy.typing import NDArray

EMBEDDING_SIZE = 128
FACES_PER_SUBJECT = 4
BLOCK_FACES = 100_000

_AXES = np.arange(EMBEDDING_SIZE)
_BETWEEN = np.sqrt(0.0182 * np.exp(-_AXES / 30.0)).astype(np.float32)
_WITHIN = np.sqrt(0.0128 * np.exp(-_AXES / 48.0)).astype(np.float32)


def block(number: int, faces: int = BLOCK_FACES, seed: int = 1) -> NDArray[np.float32]:
    """float32 (faces, 128) unit vectors, FACES_PER_SUBJECT consecutive rows a subject; the same for a number."""
    rng = np.random.default_rng([seed, number])
    centres = rng.standard_normal((-(-faces // FACES_PER_SUBJECT), EMBEDDING_SIZE), np.float32) * _BETWEEN
    return _photographs(np.repeat(centres, FACES_PER_SUBJECT, axis=0)[:faces], rng)


def strangers(count: int, seed: int = 2) -> NDArray[np.float32]:
    """One photograph each of people who are in no block; float32 (count, 128)."""
    return block(0, count * FACES_PER_SUBJECT, seed + 10_000)[::FACES_PER_SUBJECT]


def more_of(number: int, count: int, seed: int = 1) -> NDArray[np.float32]:
    """A further photograph each of the first `count` subjects of a block; float32 (count, 128)."""
    rng = np.random.default_rng([seed, number])
    subjects = -(-BLOCK_FACES // FACES_PER_SUBJECT)
    centres = rng.standard_normal((subjects, EMBEDDING_SIZE), np.float32) * _BETWEEN
    return _photographs(centres[:count], np.random.default_rng([seed, number, 1]))


def _photographs(centres: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    # Some photographs are much worse than others.
    spread = rng.gamma(6.0, 1 / 6.0, (len(centres), 1)).astype(np.float32)
    vectors = centres + rng.standard_normal(centres.shape, np.float32) * _WITHIN * spread
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors
