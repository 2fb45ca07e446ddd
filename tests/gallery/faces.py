"""Faces to store, and the simplest search there is to compare with."""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from app.domain import Candidate, Embedding, NewFace

MODEL_ID = "test-model"
EMBEDDING_SIZE = 128


def embedding(seed: int, size: int = EMBEDDING_SIZE) -> Embedding:
    """A unit vector, float32 (size,), always the same for a seed."""
    vector = np.random.default_rng(seed).standard_normal(size)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def new_face(seed: int) -> NewFace:
    """A face of the photograph `seed`."""
    return NewFace(embedding(seed), hashlib.sha256(str(seed).encode()).hexdigest())


class KnownFace(NamedTuple):
    """A face as the test remembers it."""

    face_id: str
    subject_id: str
    name: str | None
    vector: Embedding


def brute_force(faces: Iterable[KnownFace], probe: Embedding, top_k: int) -> list[Candidate]:
    """The best face of each subject by a loop over all."""
    best: dict[str, Candidate] = {}
    for face in faces:
        distance = float(((face.vector.astype(float) - probe.astype(float)) ** 2).sum())
        if face.subject_id not in best or distance < best[face.subject_id].distance:
            best[face.subject_id] = Candidate(face.subject_id, face.name, face.face_id, distance, 0)
    nearest = sorted(best.values(), key=lambda candidate: candidate.distance)[:top_k]
    return [
        Candidate(found.subject_id, found.name, found.face_id, found.distance, rank)
        for rank, found in enumerate(nearest, start=1)
    ]


def assert_same_candidates(found: list[Candidate], expected: list[Candidate]) -> None:
    """Equal but for the last digits of the distance."""
    assert [(c.subject_id, c.name, c.face_id, c.rank) for c in found] == [
        (c.subject_id, c.name, c.face_id, c.rank) for c in expected
    ]
    np.testing.assert_allclose([c.distance for c in found], [c.distance for c in expected], rtol=0, atol=1e-6)
