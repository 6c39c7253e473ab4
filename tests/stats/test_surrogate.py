"""Surrogate index: unbiased and covering when the effect goes through the surrogates, and flagged when it does not."""

import numpy as np
import pytest

from embellie.stats.surrogate import fit_index, index_effect, left_over_effect, with_squares

WEIGHTS = np.array([1.0, 0.5])
TRUTH = 0.3 - 0.05


def drawn(seed, *, history=400, units=2000, beside=0.0):
    """A history, a control and a treatment that moves both surrogates, and the outcome by `beside` past them."""
    rng = np.random.default_rng(seed)

    def side(n, moved, more):
        surrogates = rng.gamma(2, 1, (n, 2)) + moved
        return surrogates, 1 + surrogates @ WEIGHTS + more + rng.normal(0, 2, n)

    return side(history, 0, 0), side(units, 0, 0), side(units, np.array([0.3, -0.1]), beside)


def found(seed, **how):
    past, control, treatment = drawn(seed, **how)
    index = fit_index(*past)
    return index_effect(index, treatment[0], control[0]), left_over_effect(index, treatment, control)


@pytest.mark.parametrize("history", [100, 400])
def test_unbiased_and_covering_when_surrogacy_holds(history):
    """Over 400 experiments the mean is the truth, and 95 % intervals cover it; without the index's error they would not."""
    effects = [found(seed, history=history)[0] for seed in range(400)]
    assert np.mean([one.effect for one in effects]) == pytest.approx(TRUTH, abs=0.015)
    assert np.mean([one.low <= TRUTH <= one.high for one in effects]) == pytest.approx(0.95, abs=0.03)
    naive = np.mean([abs(one.effect - TRUTH) <= 1.96 * one.se_units for one in effects])
    assert naive < (0.88 if history == 100 else 0.94)


def test_what_goes_another_way_is_flagged():
    """An effect past the surrogates is seen in known outcomes; without one, at most one in twenty is."""
    through = [found(seed)[1] for seed in range(300)]
    assert np.mean([one.low > 0 or one.high < 0 for one in through]) == pytest.approx(0.05, abs=0.03)
    past = [found(seed, beside=0.25)[1] for seed in range(100)]
    assert np.mean([one.low > 0 for one in past]) > 0.85


def test_the_index_is_least_squares():
    """The coefficients are those of least squares, and its explained share is that on units left out."""
    (features, outcome), *_ = drawn(1, history=500)
    index = fit_index(features, outcome)
    table = np.column_stack([np.ones(500), features])
    np.testing.assert_allclose(index.coefficients, np.linalg.lstsq(table, outcome, rcond=None)[0], rtol=1e-9)
    residuals = outcome - index.of(features)
    assert index.r_squared < 1 - residuals.var() / outcome.var()


def test_noise_explains_nothing():
    """Features that have nothing to do with the outcome explain less than its mean, on units left out."""
    rng = np.random.default_rng(2)
    assert np.mean([fit_index(rng.normal(size=(60, 5)), rng.normal(size=60)).r_squared for _ in range(50)]) < 0


def test_features_that_follow_from_others_are_refused():
    """A feature that is a sum of others has no coefficient of its own."""
    one = np.random.default_rng(3).normal(size=(50, 2))
    with pytest.raises(ValueError, match="independently"):
        fit_index(np.column_stack([one, one.sum(axis=1)]), one[:, 0])


def test_squares_follow_a_curve():
    """With squares, an outcome that is one is told exactly."""
    values = np.linspace(-2, 2, 40)[:, None]
    assert fit_index(values, values[:, 0] ** 2).r_squared < 0.1
    assert fit_index(with_squares(values), values[:, 0] ** 2).r_squared == pytest.approx(1.0)
