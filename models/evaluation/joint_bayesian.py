"""Joint Bayesian (Chen, Cao, Wen, Sun 2012), the verification metric of DeepID2, beside squared L2.

A centred embedding is its person plus its photograph: x = mu + eps, both normal with zero mean, covariances S_mu and
S_eps (equation 3). The score of a pair is the log likelihood ratio of "one person" against "two people" (equation 4).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

Floats = NDArray[np.float64]


class Covariances(NamedTuple):
    """`between` is S_mu and `within` S_eps, float64 (d, d)."""

    between: Floats
    within: Floats


@dataclass(frozen=True, slots=True, eq=False)
class JointBayesian:
    """`mean` float64 (d,); `transform` float64 (d, d) takes S_eps to the identity and S_mu to the diagonal `spread`."""

    mean: Floats
    transform: Floats
    spread: Floats

    def log_ratio(self, first: NDArray[np.floating], second: NDArray[np.floating]) -> Floats:
        """The log likelihood ratio of n pairs of embeddings (n, d), float64 (n,); higher is more alike.

        In the transformed space coordinates are independent. Sum and difference of the two, over root two, are too:
        their variances are 1 + 2 s and 1 for one person, 1 + s and 1 + s for two.
        """
        a, b = ((np.asarray(x, np.float64) - self.mean) @ self.transform.T for x in (first, second))
        s = self.spread
        total, apart = np.square(a + b) / 2, np.square(a - b) / 2
        alike = total / (1 + 2 * s) + apart + np.log1p(2 * s)
        unlike = (total + apart) / (1 + s) + 2 * np.log1p(s)
        ratio: Floats = 0.5 * (unlike - alike).sum(1)
        return ratio


def distances(log_ratio: Floats) -> Floats:
    """Log ratios to 0..4, falling, so that metrics of squared L2 serve them too; 2 is a ratio of one."""
    return 2 - 2 * log_ratio / (1 + np.abs(log_ratio))


def fit(embeddings: NDArray[np.floating], people: NDArray[np.int64], iterations: int = 30) -> JointBayesian:
    """The model of labelled embeddings (n, d), by EM from the covariances of and around each person's mean."""
    mean = embeddings.astype(np.float64).mean(0)
    x = embeddings.astype(np.float64) - mean
    found = initial(x, people)
    for _ in tqdm(range(iterations), desc="joint Bayesian", unit="iteration"):
        found = em_step(x, people, found)
    return model(mean, found)


def model(mean: Floats, covariances: Covariances) -> JointBayesian:
    """Both covariances made diagonal at once."""
    inverse = np.linalg.inv(np.linalg.cholesky(covariances.within))
    spread, directions = np.linalg.eigh(inverse @ covariances.between @ inverse.T)
    return JointBayesian(mean, directions.T @ inverse, np.maximum(spread, 0.0))


def initial(x: Floats, people: NDArray[np.int64]) -> Covariances:
    """Where EM begins: covariance of the people's means, and of what is left around them."""
    sums, counts, person = _sums(x, people)
    means = sums / counts[:, None]
    apart = x - means[person]
    tiny = 1e-6 * np.trace(np.cov(x.T)) / x.shape[1] * np.eye(x.shape[1])
    return Covariances(means.T @ means / len(means) + tiny, apart.T @ apart / len(x) + tiny)


def em_step(x: Floats, people: NDArray[np.int64], now: Covariances) -> Covariances:
    """One iteration on centred x (n, d).

    E: the posterior of each person's mu given all m photographs (the paper's equation 7). M: the paper takes the plain
    covariances of the posterior means, which shrink; with the posterior's own covariance added, as here, each
    iteration raises the likelihood and covariances of generated people are recovered.
    """
    sums, counts, person = _sums(x, people)
    mu = np.zeros_like(sums)
    between, within = np.zeros_like(now.between), np.zeros_like(now.within)
    for m in np.unique(counts):
        own = counts == m
        gain = np.linalg.solve(now.between + now.within / m, now.between).T
        mu[own] = (sums[own] / m) @ gain.T
        uncertain = now.between - gain @ now.between
        between += own.sum() * uncertain
        within += own.sum() * m * uncertain
    eps = x - mu[person]
    between, within = (between + mu.T @ mu) / len(mu), (within + eps.T @ eps) / len(x)
    return Covariances((between + between.T) / 2, (within + within.T) / 2)


def _sums(x: Floats, people: NDArray[np.int64]) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
    """The sum of each person's rows, how many they are, and the number of each row's person."""
    labels, person, counts = np.unique(people, return_inverse=True, return_counts=True)
    sums = np.zeros((len(labels), x.shape[1]))
    np.add.at(sums, person, x)
    return sums, counts, person
