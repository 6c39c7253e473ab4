"""Estimators against a long-double oracle computed from every single value."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embellie.stats.estimators import (
    adjusted_difference,
    critical_value,
    difference,
    ratio_of_means,
    relative_difference,
    two_sided_p,
)
from embellie.stats.moments import Moments


def moments(**columns):
    """Centred sums of columns, in double precision."""
    names = list(columns)
    covariances = {
        (a, b): float(np.cov(columns[a], columns[b])[0, 1])
        for place, a in enumerate(names)
        for b in names[place:]
    }  # fmt: skip
    return Moments(len(columns[names[0]]), {name: float(np.mean(columns[name])) for name in names}, covariances)


def oracle(control, treatment, *, covariate=False):
    """Difference of ratios and its standard error from the values themselves, in long double."""
    arms = []
    for columns in (control, treatment):
        y, z, *before = (np.asarray(column, dtype=np.longdouble) for column in columns)
        ratio = y.mean() / z.mean()
        phi = (y - ratio * z) / z.mean()
        arms.append([ratio, phi, *_before(before)])
    theta = np.longdouble(0)
    if covariate:
        shared = sum(((phi - phi.mean()) * (psi - psi.mean())).sum() / (len(phi) - 1) for _, phi, _, psi in arms)
        theta = shared / sum(psi.var(ddof=1) for *_, psi in arms)
    value, variance = arms[1][0] - arms[0][0], np.longdouble(0)
    if covariate:
        value -= theta * (arms[1][2] - arms[0][2])
    for arm in arms:
        left = arm[1] - theta * arm[3] if covariate else arm[1]
        variance += left.var(ddof=1) / len(left)
    return float(value), float(np.sqrt(variance))


def _before(columns):
    if not columns:
        return []
    y, z = columns
    ratio = y.mean() / z.mean()
    return [ratio, (y - ratio * z) / z.mean()]


def sides(seed, n=4000):
    """Skewed, dependent columns: metric, denominator, and the same from before."""
    rng = np.random.default_rng(seed)
    for lift in (0.0, 0.05):
        z0 = 1.0 + rng.poisson(2.0, n)
        y0 = rng.binomial(z0.astype(int), 0.3) * rng.lognormal(0, 1, n)
        z = 1.0 + rng.poisson(3.0, n)
        y = 0.5 * y0 + rng.binomial(z.astype(int), 0.3) * rng.lognormal(lift, 1, n)
        yield y, z, y0, z0


@pytest.mark.parametrize("seed", [1, 2])
def test_a_ratio_of_means_agrees_with_the_oracle(seed):
    """Estimate and standard error to 1e-9."""
    (control, treatment) = ((y, z) for y, z, *_ in sides(seed))
    arms = []
    for y, z in (control, treatment):
        sample = moments(y=y, z=z)
        arms.append((sample, ratio_of_means(sample, "y", "z")))
    found = difference(*arms)
    value, se = oracle(control, treatment)
    assert found.value == pytest.approx(value, rel=1e-9)
    assert found.se == pytest.approx(se, rel=1e-9)


@pytest.mark.parametrize("seed", [1, 2])
def test_an_adjusted_ratio_agrees_with_the_oracle(seed):
    """Estimate and standard error to 1e-9, with a ratio as the covariate."""
    arms, raw = [], list(sides(seed))
    for y, z, y0, z0 in raw:
        sample = moments(y=y, z=z, y0=y0, z0=z0)
        arms.append((sample, ratio_of_means(sample, "y", "z"), ratio_of_means(sample, "y0", "z0")))
    found = adjusted_difference(*arms)
    value, se = oracle(*raw, covariate=True)
    assert found.value == pytest.approx(value, rel=1e-9)
    assert found.se == pytest.approx(se, rel=1e-9)
    assert found.se < oracle(*[columns[:2] for columns in raw])[1], "adjusting must help here"


def test_a_covariate_that_does_not_vary_changes_nothing():
    """The slope is 0."""
    rng = np.random.default_rng(1)
    arms = []
    for _ in range(2):
        sample = moments(y=rng.normal(size=50), x=np.full(50, 3.0))
        arms.append((sample, ratio_of_means(sample, "y"), ratio_of_means(sample, "x")))
    found = adjusted_difference(*arms)
    assert (found.theta, found.value) == (0.0, difference(arms[0][:2], arms[1][:2]).value)


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_a_ratio_follows_the_units_of_its_parts(a, b):
    """Scaling numerator and denominator scales the ratio and its standard error alike."""
    y, z, *_ = next(iter(sides(3, n=50)))
    one, other = moments(y=y, z=z), moments(y=a * y, z=b * z)
    plain, scaled = ratio_of_means(one, "y", "z"), ratio_of_means(other, "y", "z")
    assert scaled.value == pytest.approx(plain.value * a / b, rel=1e-9)
    assert other.form_variance(scaled.form) == pytest.approx(one.form_variance(plain.form) * (a / b) ** 2, rel=1e-6)


def test_the_relative_effect_is_that_of_the_log_ratio():
    """Unadjusted, the standard error is R_T/R_C · sqrt(v_T/R_T² + v_C/R_C²), the interval that of log R_T − log R_C."""
    base, treated, v_c, v_t = 2.0, 2.2, 0.01, 0.02
    found = relative_difference((base, v_c), treated - base, cross=v_c, treatment_part=v_c + v_t, reach=1.96)
    log_se = math.sqrt(v_t / treated**2 + v_c / base**2)
    assert found.value == pytest.approx(0.1)
    assert found.se == pytest.approx(1.1 * log_se)
    assert math.log1p(found.high) == pytest.approx(math.log(1.1) + 1.96 * log_se)
    assert math.log1p(found.low) == pytest.approx(math.log(1.1) - 1.96 * log_se)


def test_a_control_near_zero_has_no_relative_effect():
    """Within 3 standard errors of zero nothing is divided."""
    assert relative_difference((0.29, 0.01), 1.0, cross=0.01, treatment_part=0.02, reach=1.96) is None
    assert relative_difference((0.31, 0.01), 1.0, cross=0.01, treatment_part=0.02, reach=1.96) is not None
    assert relative_difference((0.0, 0.0), 1.0, cross=0.0, treatment_part=0.02, reach=1.96) is None


@given(st.floats(-3, 3), st.floats(0.01, 1.0))
def test_a_relative_interval_is_never_upside_down(treated, v_t):
    """Also when the variant's value is near zero or of the other sign (Fieller): low ≤ effect ≤ high."""
    found = relative_difference((1.0, 0.01), treated - 1.0, cross=0.01, treatment_part=0.01 + v_t, reach=1.96)
    assert found.low <= found.value <= found.high


@pytest.mark.parametrize("df", [1.0, 3.5, 30.0, math.inf])
def test_p_value_and_critical_value_agree(df):
    """At the critical value of 95 % the p-value is 5 %."""
    assert two_sided_p(critical_value(0.95, df), df) == pytest.approx(0.05)
