"""A teacher's embeddings as targets of another size."""

import numpy as np
import pytest

from models.targets import Embeddings, centred, mapping, rotation, targets


def unit_rows(rows: Embeddings) -> Embeddings:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def mapped(teacher: Embeddings, size: int) -> Embeddings:
    return targets(teacher, mapping(teacher, size))


@pytest.fixture
def teacher() -> Embeddings:
    """Unit vectors of 12 coordinates that hardly leave five directions."""
    rng = np.random.default_rng(1)
    spread = np.linalg.qr(rng.normal(size=(12, 12)))[0] * np.array([1.0] * 5 + [0.02] * 7)[:, None]
    return unit_rows((rng.normal(size=(200, 12)) @ spread).astype(np.float32))


def test_a_teacher_of_the_same_size_and_none_at_all_stay_as_they_are(teacher: Embeddings) -> None:
    np.testing.assert_allclose(mapped(teacher, 12), teacher, atol=1e-6)
    assert mapped(teacher[:, :0], 64).shape == (200, 0)


def test_more_coordinates_leave_all_distances_as_they_are(teacher: Embeddings) -> None:
    found = mapped(teacher, 40)
    assert found.shape == (200, 40)
    np.testing.assert_allclose(found @ found.T, teacher @ teacher.T, atol=1e-6)


def test_fewer_coordinates_keep_what_the_teacher_consists_of(teacher: Embeddings) -> None:
    found = mapped(teacher, 5)
    assert found.shape == (200, 5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(found @ found.T, teacher @ teacher.T, atol=0.02)
    first_five = unit_rows(teacher[:, :5])
    assert np.abs(first_five @ first_five.T - teacher @ teacher.T).max() > 0.3  # any five would not do


def test_centred_targets_lean_to_no_side(teacher: Embeddings) -> None:
    leaning = unit_rows(teacher + 0.5)
    found = centred(leaning)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    assert np.linalg.norm(found.mean(0)) < 0.1 * np.linalg.norm(leaning.mean(0))
    expected = leaning[3].astype(float) - leaning.astype(float).mean(0)
    np.testing.assert_allclose(found[3], expected / np.sqrt((expected**2).sum()), atol=1e-5)


def test_targets_are_turned_to_where_a_student_has_them(teacher: Embeddings) -> None:
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(12, 12)))[0].astype(np.float32)
    student = unit_rows(teacher @ turn + 0.02 * np.random.default_rng(3).normal(size=(200, 12)).astype(np.float32))
    found = rotation(teacher, student)
    np.testing.assert_allclose(found @ found.T, np.eye(12), atol=1e-5)
    assert np.square(targets(teacher, found) - student).sum(1).mean() < 0.01
    assert np.square(teacher - student).sum(1).mean() > 0.5
