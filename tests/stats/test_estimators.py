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
    yes_no_counts,
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


# Several covariates, unequal arms


def arms_of(seed, sizes, *, columns=("x1", "x2", "x3")):
    """Two arms whose metric hangs on covariates, more strongly in the treated one."""
    rng = np.random.default_rng(seed)
    raw = []
    for n, slope in zip(sizes, (1.0, 2.5), strict=True):
        x1, x2 = rng.normal(5, 1, n), rng.exponential(1, n)
        x3 = 0.5 * x1 + rng.normal(0, 1, n)
        y = 1 + slope * x1 - 0.7 * x2 + rng.normal(0, 1, n)
        raw.append({"y": y, "x1": x1, "x2": x2, "x3": x3})
    arms = []
    for values in raw:
        sample = moments(**values)
        arms.append((sample, ratio_of_means(sample, "y"), [ratio_of_means(sample, name) for name in columns]))
    return raw, arms


@pytest.mark.parametrize("weights", [(1.0, 1.0), (9.0, 1.0)])
def test_several_covariates_agree_with_least_squares(weights):
    """Slopes are those of a regression on values centred by arm, each arm weighted 1/((n − 1) w); the rest follows by hand."""
    raw, arms = arms_of(1, (900, 100))
    left, right, scales = [], [], []
    for values, weight in zip(raw, weights, strict=True):
        x = np.column_stack([values[name] for name in ("x1", "x2", "x3")])
        left.append(x - x.mean(axis=0))
        right.append(values["y"] - values["y"].mean())
        scales.append(np.full(len(x), 1 / math.sqrt((len(x) - 1) * weight)))
    scale = np.concatenate(scales)
    slopes = np.linalg.lstsq(np.vstack(left) * scale[:, None], np.concatenate(right) * scale, rcond=None)[0]
    found = adjusted_difference(*arms, weights=weights)
    assert found.slopes == pytest.approx(slopes, rel=1e-9)
    rest = [values["y"] - np.column_stack([values[name] for name in ("x1", "x2", "x3")]) @ slopes for values in raw]
    assert found.value == pytest.approx(rest[1].mean() - rest[0].mean(), rel=1e-9)
    assert found.se == pytest.approx(math.sqrt(sum(each.var(ddof=1) / len(each) for each in rest)), rel=1e-9)


def test_the_weighted_slope_is_the_best_where_arms_are_unequal():
    """Weighted by the design, the variance is the least any common slope gives; with equal weights it is larger."""
    _, arms = arms_of(2, (9000, 1000), columns=("x1",))
    best = adjusted_difference(*arms, weights=(9.0, 1.0)).se
    assert best < 0.99 * adjusted_difference(*arms).se
    others = [adjusted_difference(*arms, weights=(9.0 * factor, 1.0)).se for factor in (0.5, 2.0)]
    assert best < min(others)


def test_one_covariate_in_a_list_is_the_same_as_alone():
    """The same digits."""
    _, arms = arms_of(3, (200, 200), columns=("x1",))
    assert adjusted_difference(*arms) == adjusted_difference(*[(sample, y, x[0]) for sample, y, x in arms])


def test_covariates_that_say_the_same_or_nothing_do_no_harm():
    """A copy in another unit and a constant change neither estimate nor standard error."""
    raw, arms = arms_of(4, (300, 300), columns=("x1",))
    alone = adjusted_difference(*arms)
    many = []
    for values in raw:
        sample = moments(**values, copy=1000 * values["x1"] + 3, fixed=np.full(300, 2.0))
        names = ("x1", "copy", "fixed")
        many.append((sample, ratio_of_means(sample, "y"), [ratio_of_means(sample, name) for name in names]))
    found = adjusted_difference(*many)
    assert found.value == pytest.approx(alone.value, rel=1e-7)
    assert found.se == pytest.approx(alone.se, rel=1e-7)
    assert found.slopes[2] == 0.0


@pytest.mark.slow
def test_many_covariates_keep_the_size():
    """No effect, three covariates, 60 units a side, 4,000 times: about 5 % are found, no more than 6.5 %."""
    rng, wrong = np.random.default_rng(12), 0
    for _ in range(4000):
        arms = []
        for _ in range(2):
            x = rng.lognormal(0, 0.5, (3, 60))
            sample = moments(y=x.sum(axis=0) + rng.normal(0, 1, 60), a=x[0], b=x[1], c=x[2])
            arms.append((sample, ratio_of_means(sample, "y"), [ratio_of_means(sample, name) for name in "abc"]))
        found = adjusted_difference(*arms)
        wrong += two_sided_p(found.value / found.se, found.df) < 0.05
    assert 0.04 < wrong / 4000 < 0.065


# Digits


@pytest.mark.parametrize("shift", [1e5, 1e7, 1e8])
def test_far_from_zero_the_variance_stays(shift):
    """Shifted by so many standard deviations, centred sums give the same standard error."""
    rng = np.random.default_rng(5)
    values = [np.round(rng.normal(size=500), 6) for _ in range(2)]
    found = []
    for moved in (0.0, shift):
        arms = []
        for each in values:
            exact = np.cov(each.astype(np.longdouble))
            sample = Moments(500, {"y": float(each.mean()) + moved}, {("y", "y"): float(exact)})
            arms.append((sample, ratio_of_means(sample, "y")))
        found.append(difference(*arms))
    assert found[1].se == found[0].se
    assert found[1].value == pytest.approx(found[0].value, abs=1e-7)


def test_a_small_variance_beside_large_terms_is_kept_and_rounding_is_not():
    """Revenue per unit at a price of a million, noise of a hundred-thousandth or a millionth: it survives, to 1e-3 and 2e-2; none is 0."""
    rng = np.random.default_rng(6)
    z = rng.integers(1, 9, 4000).astype(float)
    for noise, tolerance in ((10.0, 1e-3), (1.0, 2e-2), (0.0, 0.0)):
        y = 1e6 * z + noise * rng.normal(size=4000)
        sample = moments(y=y, z=z)
        estimate = ratio_of_means(sample, "y", "z")
        influence = (y.astype(np.longdouble) - np.longdouble(estimate.value) * z) / z.mean()
        expected = float(influence.var(ddof=1)) if noise else 0.0
        assert sample.form_variance(estimate.form) == pytest.approx(expected, rel=tolerance)


def test_units_of_measure_do_not_matter():
    """Numerator and denominator in units a million times smaller or larger: the same t."""
    rng = np.random.default_rng(7)
    z = rng.integers(1, 9, (2, 300)).astype(float)
    y = z * rng.gamma(2.0, size=(2, 300))
    seen = []
    for a, b in ((1.0, 1.0), (1e6, 1e-6), (1e-9, 1e9)):
        arms = []
        for side in range(2):
            sample = moments(y=a * y[side], z=b * z[side])
            arms.append((sample, ratio_of_means(sample, "y", "z")))
        found = difference(*arms)
        seen.append(found.value / found.se)
    assert seen[1:] == pytest.approx([seen[0]] * 2, rel=1e-9)


@given(n=st.integers(2, 10**7), share=st.floats(0, 1))
def test_yes_and_no_are_known_by_their_variance(n, share):
    """A column of zeros and ones is found out, and counted; a little more spread or less is none."""
    yes = round(share * n)
    mean = yes / n
    spread = mean * (1 - mean) * n / (n - 1)
    counts = yes_no_counts(Moments(n, {"x": mean}, {("x", "x"): spread}), "x")
    assert counts == pytest.approx((yes, n - yes), abs=1e-6 * n)
    if 0 < yes < n:
        assert yes_no_counts(Moments(n, {"x": mean}, {("x", "x"): 0.99 * spread}), "x") is None
    assert yes_no_counts(Moments(n, {"x": mean + 1.5}, {("x", "x"): spread}), "x") is None
