"""Sequential bounds against published values and simulation."""

import math

import numpy as np
import pytest
from scipy.integrate import quad

from embellie.stats.sequential import (
    always_valid_log_e,
    always_valid_p,
    always_valid_reach,
    approximate_rho,
    group_bounds,
    one_sided_bound,
    tuned_rho,
)


def test_reference_values_of_the_normal_mixture():
    """The four values of the authors' code at v = 100, tuned at 100, alpha 0.05."""
    rho = approximate_rho(100)
    assert rho**-2 == pytest.approx(12.60056, abs=1e-5)
    assert always_valid_reach(100, rho) * 10 == pytest.approx(30.35209, abs=1e-5)
    assert always_valid_log_e(1.0, 100, rho) == pytest.approx(-0.6510052, abs=1e-6)
    assert one_sided_bound(100, approximate_rho(100, alpha=0.1)) == pytest.approx(27.66071, abs=1e-5)


def test_the_exact_tuning_is_the_tightest():
    """No other rho gives a narrower interval at the planned size."""
    best = tuned_rho(5000)
    assert always_valid_reach(5000, best) < always_valid_reach(5000, approximate_rho(5000))
    for factor in (0.9, 1.1):
        assert always_valid_reach(5000, best) < always_valid_reach(5000, best * factor)


def test_p_value_and_interval_agree():
    """At the interval's edge the p-value is alpha."""
    rho = tuned_rho(1000)
    assert always_valid_p(always_valid_reach(700, rho), 700, rho) == pytest.approx(0.05)


def test_looking_at_every_step_keeps_the_error():
    """With no effect, few of 2,000 paths ever leave the bounds in 2,000 looks; a fixed 1.96 is left by most of them."""
    rng, rho = np.random.default_rng(5), tuned_rho(500)
    n = np.arange(1, 2001)
    z = np.abs(rng.standard_normal((2000, 2000)).cumsum(axis=1) / np.sqrt(n))
    bounds = np.array([always_valid_reach(int(size), rho) for size in n])
    assert (z > bounds).any(axis=1).mean() < 0.05
    assert (z > 1.96).any(axis=1).mean() > 0.4


def test_one_planned_look_is_the_fixed_test():
    """K = 1 spends everything at once."""
    assert group_bounds((1.0,))[0] == pytest.approx(1.959964, abs=1e-6)


def test_two_planned_looks_against_direct_integration():
    """The second bound solves the two-look equation, computed by quadrature."""
    first, second = group_bounds((0.5, 1.0))
    spent = 0.05 * 0.25
    assert 2 * (1 - _cdf(first)) == pytest.approx(spent, abs=1e-9)

    def crossing(z):
        edge, mean, sd = second, z * math.sqrt(0.5), math.sqrt(0.5)
        beyond = 1 - _cdf((edge - mean) / sd) + _cdf((-edge - mean) / sd)
        return beyond * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

    assert quad(crossing, -first, first)[0] == pytest.approx(0.05 - spent, abs=1e-7)


@pytest.mark.parametrize("looks", [5, 28])
def test_planned_looks_keep_the_error(looks):
    """Simulated size of the whole plan is 5 %."""
    rng = np.random.default_rng(looks)
    steps = rng.standard_normal((100_000, looks)).cumsum(axis=1) / np.sqrt(np.arange(1, looks + 1))
    bounds = np.array(group_bounds(tuple((k + 1) / looks for k in range(looks))))
    assert (np.abs(steps) > bounds).any(axis=1).mean() == pytest.approx(0.05, abs=0.0025)


def _cdf(x):
    return 0.5 * (1 + math.erf(x / math.sqrt(2)))
