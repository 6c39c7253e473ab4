"""Covariance of effects: the true slope comes back from estimates whose noise is shared."""

import numpy as np
import pytest

from embellie.stats.covariance_of_effects import (
    agreement_by_noise,
    effects_together,
    total_covariance,
    wilson_interval,
)

SLOPE = 0.25


def past(seed, n, *, true, shared, correlation=0.6):
    """Estimates of n experiments whose true slope is 0.25; the proxy's noise has variance 1, `shared` its covariance."""
    rng = np.random.default_rng(seed)
    effects = np.array([[true, SLOPE * true], [SLOPE * true, (SLOPE / correlation) ** 2 * true]])
    noise = np.array([[1.0, shared], [shared, 1.0]])
    zero = np.zeros(2)
    estimates = rng.multivariate_normal(zero, effects, size=n) + rng.multivariate_normal(zero, noise, size=n)
    return estimates, np.tile(noise, (n, 1, 1))


def together(seed, n, *, draws=400, **how):
    estimates, noise = past(seed, n, **how)
    return effects_together(estimates, noise, experiments=[str(k) for k in range(n)], seed=seed, draws=draws)


def test_the_corrected_slope_is_the_true_one_where_the_naive_one_is_bent():
    """1,000 experiments: regressing estimates on estimates gives 0.43, the correction the true 0.25."""
    found = [together(seed, 1000, true=0.7, shared=0.549) for seed in range(25)]
    assert np.median([one.naive_slope for one in found]) == pytest.approx(0.426, abs=0.02)
    assert np.median([one.slope.value for one in found]) == pytest.approx(SLOPE, abs=0.03)


@pytest.mark.slow
def test_intervals_cover_the_truth():
    """Slope and correlation lie in their intervals about as often as promised, from 30 experiments on."""
    for n, least in ((30, 0.90), (100, 0.92)):
        found = [together(seed, n, true=4.0, shared=0.5) for seed in range(400)]
        told = [one for one in found if one.slope]
        assert len(told) > 300
        assert np.mean([one.slope.low <= SLOPE <= one.slope.high for one in told]) > least
        both = [one.correlation for one in told if one.correlation]
        assert np.mean([one.low <= 0.6 <= one.high for one in both]) > least - 0.02


def test_no_slope_where_the_noise_drowns_the_proxy():
    """400 experiments with a fifth of signal are refused mostly; without any signal, nearly always."""
    weak = [together(seed, 400, true=0.2, shared=0.5, draws=200) for seed in range(40)]
    assert sum(one.slope is None for one in weak) > 25
    none = [together(seed, 200, true=1e-9, shared=0.5, draws=200) for seed in range(100)]
    assert sum(one.slope is None for one in none) == 100
    assert all(one.correlation is None for one in none)


def test_no_correlation_where_the_rest_is_noise():
    """A second effect that is nothing but the first has a covariance of true effects at the edge: correlation is then not told."""
    found = [together(seed, 100, true=4.0, shared=0.5, correlation=1.0, draws=200) for seed in range(40)]
    silent = [one for one in found if one.slope and not one.correlation]
    assert silent
    assert all(one.eigenvalues[0] <= 0 for one in silent)


def test_the_same_seed_gives_the_same_limits():
    """Resampling is seeded; another seed moves the limits, not the estimate."""
    one, again, other = (together(seed, 100, true=4.0, shared=0.5) for seed in (3, 3, 3))
    estimates, noise = past(3, 100, true=4.0, shared=0.5)
    other = effects_together(estimates, noise, experiments=[str(k) for k in range(100)], seed=9, draws=400)
    assert one == again
    assert one.slope.value == other.slope.value
    assert one.slope.low != other.slope.low


def test_comparisons_of_one_experiment_are_drawn_together():
    """Writing each experiment down three times adds no knowledge: the interval stays as wide."""
    estimates, noise = past(5, 100, true=4.0, shared=0.5)
    names = [str(k) for k in range(100)]
    alone = effects_together(estimates, noise, experiments=names, seed=1)
    thrice = effects_together(np.tile(estimates, (3, 1)), np.tile(noise, (3, 1, 1)), experiments=names * 3, seed=1)
    widths = [one.slope.high - one.slope.low for one in (alone, thrice)]
    assert widths[1] == pytest.approx(widths[0], rel=0.05)


def test_without_noise_nothing_is_taken_out():
    """With exact effects, the true covariance is that of the estimates."""
    estimates, _ = past(1, 50, true=1.0, shared=0.0)
    np.testing.assert_allclose(
        total_covariance(estimates, np.zeros((50, 2, 2))), np.cov(estimates, rowvar=False), rtol=1e-12
    )


def test_signs_agree_by_noise_alone():
    """Pairs without any effect, noise correlated by r, agree in sign as often as is said."""
    draws = np.random.default_rng(2).multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], size=100_000)
    assert agreement_by_noise([0.5]) == pytest.approx(np.mean(draws[:, 0] * draws[:, 1] > 0), abs=0.005)


def test_a_share_of_all_or_none_has_an_interval_within_bounds():
    """Wilson's interval stays between 0 and 1, and is open towards the inside."""
    assert wilson_interval(0, 10)[0] == 0.0
    assert wilson_interval(10, 10)[1] == pytest.approx(1.0)
    assert 0 < wilson_interval(0, 10)[1] < 0.35
