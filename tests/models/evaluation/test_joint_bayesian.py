"""Joint Bayesian against the densities that define it, and on people drawn from the model itself."""

import numpy as np
import pytest

from models.evaluation.joint_bayesian import Covariances, distances, em_step, fit, initial, model

SIZE = 4


def gaussian_log_density(x: np.ndarray, covariance: np.ndarray) -> float:
    sign, log_determinant = np.linalg.slogdet(covariance)
    assert sign == 1
    return -0.5 * (x @ np.linalg.inv(covariance) @ x + log_determinant + len(x) * np.log(2 * np.pi))


def some_covariances(seed: int) -> Covariances:
    rng = np.random.default_rng(seed)
    one, two = rng.normal(size=(2, SIZE, SIZE))
    return Covariances(one @ one.T, 0.3 * two @ two.T + 0.1 * np.eye(SIZE))


def drawn(covariances: Covariances, people: int, most: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """People with 1 to `most` photographs each, from the model."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(people), rng.integers(1, most + 1, people))
    mu = rng.multivariate_normal(np.zeros(SIZE), covariances.between, people)
    return mu[labels] + rng.multivariate_normal(np.zeros(SIZE), covariances.within, len(labels)), labels


def test_the_ratio_is_that_of_the_joint_densities_of_one_and_of_two_people() -> None:
    covariances = some_covariances(1)
    mean = np.arange(SIZE) / 10
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=(2, 5, SIZE))
    total, zero = covariances.between + covariances.within, np.zeros((SIZE, SIZE))
    one = np.block([[total, covariances.between], [covariances.between, total]])
    two = np.block([[total, zero], [zero, total]])
    for a, b, ratio in zip(first, second, model(mean, covariances).log_ratio(first, second), strict=True):
        both = np.concatenate([a - mean, b - mean])
        assert ratio == pytest.approx(gaussian_log_density(both, one) - gaussian_log_density(both, two), rel=1e-6)


def test_a_step_is_that_of_the_posterior_of_each_person_written_out_in_full() -> None:
    covariances = some_covariances(3)
    x, people = drawn(covariances, 12, 3, seed=4)
    now = initial(x, people)
    between, within = np.zeros((SIZE, SIZE)), np.zeros((SIZE, SIZE))
    for person in range(12):
        own = x[people == person]
        m = len(own)
        # mu and all m photographs are jointly normal: condition on the photographs.
        photographs = np.kron(np.ones((m, m)), now.between) + np.kron(np.eye(m), now.within)
        cross = np.kron(np.ones((1, m)), now.between)
        mu = cross @ np.linalg.inv(photographs) @ own.ravel()
        uncertain = now.between - cross @ np.linalg.inv(photographs) @ cross.T
        between += (np.outer(mu, mu) + uncertain) / 12
        within += sum(np.outer(row - mu, row - mu) + uncertain for row in own) / len(x)
    stepped = em_step(x, people, now)
    np.testing.assert_allclose(stepped.between, between, atol=1e-9)
    np.testing.assert_allclose(stepped.within, within, atol=1e-9)


def test_each_step_raises_the_likelihood() -> None:
    x, people = drawn(some_covariances(5), 120, 4, seed=6)
    found, likelihoods = initial(x, people), []
    for _ in range(12):
        found = em_step(x, people, found)
        total = 0.0
        for own in (x[people == person] for person in range(120)):
            m = len(own)
            covariance = np.kron(np.ones((m, m)), found.between) + np.kron(np.eye(m), found.within)
            total += gaussian_log_density(own.ravel(), covariance)
        likelihoods.append(total)
    assert (np.diff(likelihoods) > -1e-6).all()
    assert likelihoods[-1] > likelihoods[0] + 0.1


def test_the_covariances_of_generated_people_come_back() -> None:
    true = some_covariances(5)
    x, people = drawn(true, 1500, 4, seed=6)
    found = initial(x, people)
    for _ in range(60):
        found = em_step(x, people, found)
    assert np.abs(found.between - true.between).max() < 0.12 * np.trace(true.between)
    assert np.abs(found.within - true.within).max() < 0.05 * np.trace(true.within)


def test_one_persons_pairs_score_above_two_peoples() -> None:
    x, people = drawn(some_covariances(7), 400, 2, seed=8)
    fitted = fit(x + 3.0, people, iterations=10)  # the mean is found too
    several = np.flatnonzero(np.bincount(people) == 2)
    first = np.array([np.flatnonzero(people == person)[0] for person in several])
    same = fitted.log_ratio(x[first] + 3.0, x[first + 1] + 3.0)
    different = fitted.log_ratio(x[first[:-1]] + 3.0, x[first[1:]] + 3.0)
    assert np.median(same) > 0 > np.median(different)


def test_distances_fall_as_ratios_rise_and_stay_between_0_and_4() -> None:
    ratios = np.array([-1e6, -3.0, 0.0, 3.0, 1e6])
    found = distances(ratios)
    assert (np.diff(found) < 0).all()
    assert found[2] == 2
    assert 0 < found.min() < found.max() < 4
