"""Draws are moved to where the evidence says they are, against quadrature in two dimensions."""

import numpy as np
import pytest

from embellie.decide.tempering import LEAST, effective_share, temper
from embellie.domain.errors import InputError
from embellie.stats.sampling import SCRAMBLES, normal_scores


def by_quadrature(fit, points=1601):
    """Mean and variance of N(0, I) × likelihood on a fine grid."""
    grid = np.linspace(-8, 8, points)
    both = np.stack([axis.ravel() for axis in np.meshgrid(grid, grid, indexing="ij")], axis=1)
    log = fit(both) - 0.5 * np.sum(both**2, axis=1)
    weights = np.exp(log - log.max())
    weights /= weights.sum()
    mean = weights @ both
    return mean, weights @ (both - mean) ** 2


CASES = {
    "a plain sum": lambda z: -0.5 * (z[:, 0] + z[:, 1] - 1.0) ** 2,
    "a surprising sum": lambda z: -0.5 * ((z[:, 0] + z[:, 1] - 6.0) / 0.2) ** 2,
    "a product": lambda z: -0.5 * ((np.exp(0.5 * z[:, 0] + 0.8 * z[:, 1]) - 2.0) / 0.5) ** 2,
    "a surprising product": lambda z: -0.5 * ((np.exp(0.5 * z[:, 0] + 0.8 * z[:, 1]) - 20.0) / 0.3) ** 2,
    "a cliff": lambda z: np.where(z[:, 0] + z[:, 1] > 3.0, -0.5 * (z[:, 0] - 1.0) ** 2, -np.inf),
}


@pytest.mark.parametrize("case", CASES)
def test_mean_and_variance_are_those_of_the_posterior(case):
    """Within four standard errors told from the scrambles, and a hundredth of a prior sd."""
    fit = CASES[case]
    mean, variance = by_quadrature(fit)
    found = temper(normal_scores(8192, 2, seed=11), fit, seed=11)
    blocks = found.scores.reshape(SCRAMBLES, -1, 2)
    errors = blocks.mean(axis=1).std(axis=0, ddof=1) / np.sqrt(SCRAMBLES)
    assert np.all(np.abs(found.scores.mean(axis=0) - mean) < 4 * errors + 0.01)
    assert found.scores.var(axis=0) == pytest.approx(variance, rel=0.06)


def test_a_surprise_leaves_too_few_draws_and_they_are_moved():
    """What weights alone would leave is told."""
    found = temper(normal_scores(4096, 2, seed=2), CASES["a surprising sum"], seed=2)
    assert found.share < LEAST
    assert found.steps > 1


def test_both_of_two_peaks_are_kept():
    """A square cannot tell a sign: half of the draws on either side."""
    found = temper(normal_scores(8192, 2, seed=4), lambda z: -0.5 * ((z[:, 0] ** 2 - 4.0) / 0.3) ** 2, seed=4)
    assert np.mean(found.scores[:, 0] > 0) == pytest.approx(0.5, abs=0.12)
    assert np.mean(np.abs(found.scores[:, 0])) == pytest.approx(1.974, abs=0.02)
    assert found.scores[:, 1].var() == pytest.approx(1.0, abs=0.06)


def test_what_says_nothing_moves_nothing():
    """The very same draws."""
    start = normal_scores(512, 2, seed=1)
    found = temper(start, lambda z: np.full(len(z), -3.0), seed=1)
    assert found.unmoved
    assert found.scores is start


def test_the_same_seed_gives_the_same_bytes():
    """Though draws are moved at random."""
    twice = [temper(normal_scores(2048, 2, seed=5), CASES["a cliff"], seed=5).scores.tobytes() for _ in range(2)]
    assert twice[0] == twice[1]


def test_a_normal_sum_keeps_the_evenness_of_the_draws():
    """Where a normal law fits, the error stays far below that of draws at random."""
    found = temper(normal_scores(8192, 2, seed=8), CASES["a surprising sum"], seed=8)
    assert np.abs(found.scores.mean(axis=0) - 6 / 2.04).max() < 1e-4


def test_impossible_evidence_is_refused():
    """No draw explains it."""
    with pytest.raises(InputError, match="impossible"):
        temper(normal_scores(64, 1, seed=1), lambda z: np.full(len(z), -np.inf), seed=1)


def test_the_effective_share_is_that_of_equal_draws():
    """Half of the draws, equally: one half."""
    assert effective_share(np.where(np.arange(64) % 2, 0.0, -np.inf)) == pytest.approx(0.5)
