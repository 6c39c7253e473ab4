"""Reference values: published ones, and ones found here by other means than the code's own."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, special, stats

from embellie.stats.estimators import quantile_difference, two_sided_p
from embellie.stats.moments import QuantileSample
from embellie.stats.multiplicity import benjamini_hochberg, e_benjamini_hochberg, holm
from embellie.stats.regression_adjusted import (
    regression_f_log_e,
    regression_log_e,
    regression_p,
    regression_reach,
    tuned_g,
)
from embellie.stats.sample_ratio import chi_square_p, log_e_value
from embellie.stats.sample_size import rule_of_thumb
from embellie.stats.sequential import (
    always_valid_log_e,
    always_valid_p,
    always_valid_reach,
    approximate_rho,
    group_bound,
    group_bounds,
    group_p_value,
    one_sided_bound,
    one_sided_reach,
    tuned_rho,
)
from embellie.stats.shrinkage import Prior, believed, log_marginal

BH1995 = (
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
    0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0,
)  # fmt: skip


# Published


@pytest.mark.parametrize(
    ("obtained", "expected", "tolerance"),
    [
        (lambda: approximate_rho(100) ** -2, 12.60056, 1e-5),
        (lambda: always_valid_reach(100, approximate_rho(100)) * 10.0, 30.35209, 1e-5),
        (lambda: always_valid_log_e(1.0, 100, approximate_rho(100)), -0.6510052, 1e-6),
        (lambda: one_sided_bound(100, approximate_rho(100, alpha=0.1)), 27.66071, 1e-5),
        (lambda: chi_square_p([821_588, 815_482], [1, 1]), 1.82179e-6, 1e-11),
        (lambda: log_e_value([821_588, 815_482], [1, 1]), 8.765972283203155, 1e-8),
        (lambda: rule_of_thumb(math.sqrt(0.05 * 0.95), 0.05 * 0.05), 121_600.0, 1e-6),
    ],
    ids=["acs-rho", "acs-bound", "acs-logmix", "acs-bound-1s", "srm-kohavi", "srm-ssrm", "ss-kohavi"],
)
def test_published_values(obtained, expected, tolerance):
    """The authors' figures, to their digits."""
    assert obtained() == pytest.approx(expected, abs=tolerance)


def test_the_fifteen_p_values_of_benjamini_and_hochberg():
    """At 5 % their procedure finds four, Bonferroni's three; Holm's lies between."""
    assert sum(p <= 0.05 for p in benjamini_hochberg(BH1995)) == 4
    assert sum(15 * p <= 0.05 for p in BH1995) == 3
    assert sum(p <= 0.05 for p in holm(BH1995)) == 3
    assert benjamini_hochberg(BH1995)[3] == pytest.approx(15 * 0.0095 / 4)


def test_a_second_split_by_hand():
    """912 and 1,088 of a designed 45 to 55: chi-square from its formula, the e-value from factorials in whole numbers."""
    counts, weights = (912, 1088), (45, 55)
    statistic = (912 - 900) ** 2 / 900 + (1088 - 1100) ** 2 / 1100
    assert chi_square_p(counts, weights) == pytest.approx(math.erfc(math.sqrt(statistic / 2)), rel=1e-10)
    # With c = 100 all gamma functions are factorials: a = (45, 55).
    log_e = math.log(math.factorial(99)) - math.log(math.factorial(44)) - math.log(math.factorial(54))
    log_e += math.log(math.factorial(44 + 912)) + math.log(math.factorial(54 + 1088)) - math.log(math.factorial(2099))
    log_e -= 912 * math.log(0.45) + 1088 * math.log(0.55)
    assert log_e_value(counts, weights, concentration=100.0) == pytest.approx(log_e, abs=1e-9)


# Regression adjusted


def mixed_t(t, n, df, g):
    """The Bayes factor of a t statistic, by integrating the noncentral t over effects of variance σ²/g: delta ~ N(0, n/g)."""
    sd = math.sqrt(n / g)

    def weighed(delta):
        return stats.nct.pdf(t, df, delta) * stats.norm.pdf(delta, 0.0, sd)

    centre = t * n / (n + g)
    return integrate.quad(weighed, centre - 8, centre + 8, epsabs=0, epsrel=1e-7, limit=400)[0] / stats.t.pdf(t, df)


@pytest.mark.parametrize(("t", "n", "df", "g"), [(0.0, 40, 37, 5.0), (2.5, 40, 37, 5.0), (3.3, 90, 86, 12.0)])
def test_the_regression_adjusted_e_value_is_the_mixture_it_says(t, n, df, g):
    """Quadrature of the noncentral t over the prior gives the same; so does the F form with one coefficient."""
    found = regression_log_e(t, n, df, g)
    assert found == pytest.approx(math.log(mixed_t(t, n, df, g)), abs=1e-6)
    assert regression_f_log_e(t**2, n, (1.0, df), g) == found
    assert regression_p(t, n, df, g) == min(1.0, math.exp(-found))


def test_the_regression_adjusted_radius():
    """At its edge p is alpha; it is infinite where no t would do; with many units it is the confidence sequence."""
    for n, df, g in ((50, 45, 7.0), (300, 290, 40.0)):
        reach = regression_reach(n, df, g, alpha=0.1)
        assert regression_p(reach, n, df, g) == pytest.approx(0.1, rel=1e-12)
    assert math.isinf(regression_reach(20, 18, 1000.0))
    rho = tuned_rho(5e6)
    assert regression_reach(4e6, 4e6, rho**-2) == pytest.approx(always_valid_reach(4e6, rho), rel=1e-5)
    best = tuned_g(100, 97)
    assert all(regression_reach(100, 97, best) < regression_reach(100, 97, best * factor) for factor in (0.9, 1.1))


# Group sequential


def simpson_bounds(fractions, alpha):
    """The same bounds by another scheme: Simpson's rule on the whole line, and bisection."""
    bounds, spent, grid, density, before = [], 0.0, np.zeros(1), np.ones(1), 0.0
    for fraction in fractions:
        spend, step = alpha * min(fraction, 1.0) ** 2, math.sqrt(fraction - before)

        def excess(bound, *, spend=spend - spent, step=step, fraction=fraction, grid=grid, density=density):
            edge = bound * math.sqrt(fraction)
            beyond = special.ndtr((-edge - grid) / step) + special.ndtr((grid - edge) / step)
            return float((beyond * density).sum()) - spend

        low, high = 0.0, 20.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if excess(middle) > 0 else (low, middle)
        bounds.append(low)
        points = np.linspace(-low * math.sqrt(fraction), low * math.sqrt(fraction), 1201)
        weights = np.where(np.arange(1201) % 2 == 1, 4.0, 2.0)
        weights[[0, -1]] = 1.0
        kernel = np.exp(-0.5 * ((points[:, None] - grid[None, :]) / step) ** 2) / (step * math.sqrt(2 * math.pi))
        grid, density = points, (kernel @ density) * weights * (points[1] - points[0]) / 3.0
        spent, before = spend, fraction
    return bounds


@pytest.mark.parametrize(
    "fractions",
    [
        (0.5, 1.0),
        (0.2, 0.4, 0.6, 0.8, 1.0),
        (0.1, 0.15, 0.9, 1.0),
        (0.3, 0.6, 1.1),
        tuple(k / 14 for k in range(1, 15)),
    ],
    ids=["2", "5", "uneven", "overrun", "14"],
)
def test_group_bounds_by_another_scheme(fractions):
    """Bounds of planned, uneven and late looks agree to 1e-7, at two levels."""
    for alpha in (0.05, 0.002):
        assert group_bounds(fractions, alpha=alpha) == pytest.approx(simpson_bounds(fractions, alpha), abs=1e-7)


def test_the_first_of_many_bounds_is_in_closed_form():
    """The first look of five spends 0.2 % of errors: z = 3.0902, that of 0.002 in two tails."""
    assert group_bounds((0.2, 1.0))[0] == pytest.approx(-float(special.ndtri(0.05 * 0.04 / 2)), rel=1e-12)


def test_nothing_is_left_to_spend_after_the_end():
    """A look after the last one can reject nothing."""
    assert math.isinf(group_bounds((0.5, 1.0, 1.2))[-1])


def test_the_repeated_p_value_solves_its_equation():
    """At the p-value, the bound is the statistic; and it is below 5 % exactly where the bound at 5 % is passed."""
    fractions = (0.25, 0.5, 0.77)
    for z in (0.7, 1.0, 2.0, 2.4, 3.5, 5.5):
        p = group_p_value(z, fractions)
        assert group_bound(fractions, alpha=p) == pytest.approx(z, abs=2e-4)
        assert (p < 0.05) == (z > group_bound(fractions))
    assert group_p_value(0.5, fractions) == 1.0, "not all is spent yet at 77 %: no error would find this"
    assert group_p_value(12.0, fractions) < 1e-11


def test_one_look_is_the_fixed_test():
    """With a single look the repeated p-value is the ordinary one."""
    for z in (0.5, 1.7, 3.0):
        assert group_p_value(z, (1.0,)) == pytest.approx(two_sided_p(z), rel=1e-6)


# One side


def test_the_one_sided_bound_is_the_mixture_it_says():
    """The half-normal mixture of likelihood ratios, integrated, is 1/alpha at the bound; and it is tighter than two sides."""
    rho, n = tuned_rho(400, alpha=0.1), 250.0
    score = one_sided_reach(n, rho) * math.sqrt(n)

    def weighed(effect):
        return math.exp(effect * score - 0.5 * n * effect**2) * 2.0 * stats.norm.pdf(effect, 0.0, rho)

    mixture = integrate.quad(weighed, 0.0, 1.0, epsabs=0, epsrel=1e-10, limit=200)[0]
    assert mixture == pytest.approx(20.0, rel=1e-6)
    planned = one_sided_reach(400, tuned_rho(400, alpha=0.1)) / always_valid_reach(400, tuned_rho(400))
    assert planned == pytest.approx(0.912, abs=0.002)


@pytest.mark.slow
def test_the_one_sided_bound_keeps_its_error_on_the_edge():
    """Watched at 3,000 steps with the effect just at the bound's edge, fewer than 5 % of paths ever cross."""
    rng, rho = np.random.default_rng(2), tuned_rho(1000, alpha=0.1)
    n = np.arange(1, 3001)
    bounds = np.array([one_sided_reach(int(size), rho) for size in n[9::10]])
    ever = 0
    for _ in range(20):
        z = (rng.standard_normal((200, 3000)).cumsum(axis=1) / np.sqrt(n))[:, 9::10]
        ever += int((z > bounds).any(axis=1).sum())
    assert 0.02 < ever / 4000 < 0.052


# Shrinkage


@pytest.mark.parametrize("df", [1.3, 2.0, 4.0, 30.0])
@pytest.mark.parametrize(("x", "s"), [(0.4, 1.0), (6.0, 1.0), (3.0, 0.05)])
def test_fat_tailed_posteriors_by_quadrature(df, x, s):
    """Mean, sd and density of the estimate against direct integration of t times normal; and Tweedie's formula."""
    prior = Prior(df=df, location=0.1, scale=0.3)

    def weighed(power):
        def integrand(effect):
            density = stats.t.pdf((effect - 0.1) / 0.3, df) / 0.3 * stats.norm.pdf(x, effect, s)
            return effect**power * density

        points = [each for each in (x, 0.1) if abs(each - x) < 39 * s]
        return integrate.quad(integrand, x - 40 * s, x + 40 * s, points=points, epsabs=0, epsrel=1e-11, limit=500)[0]

    whole, first, second = (weighed(power) for power in (0, 1, 2))
    belief = believed(x, s, prior)
    assert belief.mean == pytest.approx(first / whole, rel=1e-8)
    assert belief.sd == pytest.approx(math.sqrt(second / whole - (first / whole) ** 2), rel=1e-6)
    marginal = [
        float(log_marginal(np.array([each]), np.array([s]), prior)[0]) for each in (x - 1e-4 * s, x, x + 1e-4 * s)
    ]
    assert marginal[1] == pytest.approx(math.log(whole), abs=1e-8)
    assert x + s**2 * (marginal[2] - marginal[0]) / (2e-4 * s) == pytest.approx(belief.mean, abs=1e-5 * (s + abs(x)))


@given(x=st.floats(-5, 5), s=st.floats(0.05, 3), scale=st.floats(0.05, 3), centre=st.floats(-1, 1))
def test_a_normal_prior_has_its_closed_form(x, s, scale, centre):
    """With many degrees of freedom the posterior is the textbook's, and its quantiles are a normal's."""
    belief = believed(x, s, Prior(df=5000.0, location=centre, scale=scale))
    kept = scale**2 / (scale**2 + s**2)
    assert belief.mean == pytest.approx(centre + kept * (x - centre), abs=1e-9)
    assert belief.sd == pytest.approx(s * math.sqrt(kept), rel=1e-9)
    assert belief.quantile(0.05) == pytest.approx(belief.mean - 1.6448536269514722 * belief.sd, abs=1e-7)


# Quantiles


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_the_standard_error_of_a_quantile(share):
    """Of exponential values the order statistics give √(q(1 − q)/n)/f(x_q), which is known."""
    rng, n, z = np.random.default_rng(4), 20_000, 1.959963984540054
    reach = z * math.sqrt(share * (1 - share) / n)
    found = []
    for _ in range(60):
        low, value, high = np.quantile(rng.exponential(size=n), [share - reach, share, share + reach])
        found.append(QuantileSample(n=n, value=float(value), low=float(low), high=float(high), z=z))
    density = 1 - share
    assert np.mean([each.se for each in found]) == pytest.approx(math.sqrt(share * (1 - share) / n) / density, rel=0.02)
    spread = np.std([each.value for each in found], ddof=1)
    assert spread == pytest.approx(found[0].se, rel=0.3)
    assert quantile_difference(found[0], found[1]).se == pytest.approx(math.hypot(found[0].se, found[1].se))


# Many comparisons


def by_definition(p_values, level, *, step):
    """The procedures as they are defined: which are found at a level."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    m = len(order)
    if step == "up":
        kept = max((k for k, place in enumerate(order, 1) if p_values[place] <= level * k / m), default=0)
    else:
        kept = next((k for k, place in enumerate(order) if p_values[place] > level / (m - k)), m)
    return set(order[:kept])


chances = st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=12)


@given(p_values=chances, level=st.floats(0.001, 0.5))
def test_corrected_p_values_find_what_the_procedures_find(p_values, level):
    """Holm steps down, Benjamini and Hochberg up; and Holm never finds more."""
    for correct, step in ((holm, "down"), (benjamini_hochberg, "up")):
        corrected = correct(p_values)
        clear = all(abs(each - level) > 1e-9 for each in corrected)
        if clear:
            assert {place for place, each in enumerate(corrected) if each <= level} == by_definition(
                p_values, level, step=step
            )
        assert all(own <= each <= 1.0 for own, each in zip(p_values, corrected, strict=True))
    assert all(one >= other - 1e-12 for one, other in zip(holm(p_values), benjamini_hochberg(p_values), strict=True))


@given(logs=st.lists(st.floats(-3.0, 12.0), min_size=1, max_size=9), level=st.floats(0.005, 0.3))
def test_corrected_e_values_find_what_e_bh_finds(logs, level):
    """The k largest are found where the k-th is at least m over alpha k, for the largest such k."""
    order = sorted(range(len(logs)), key=lambda place: -logs[place])
    m = len(logs)
    kept = max((k for k, place in enumerate(order, 1) if logs[place] >= math.log(m / (level * k))), default=0)
    corrected = e_benjamini_hochberg(logs)
    if all(abs(each - level) > 1e-9 for each in corrected):
        assert {place for place, each in enumerate(corrected) if each <= level} == set(order[:kept])


def test_the_e_value_and_p_value_of_a_confidence_sequence_agree():
    """The p-value is 1/E, so Benjamini and Hochberg on these p-values is e-BH."""
    rho = tuned_rho(1000)
    zs = [0.5, 2.9, 3.4, 4.5]
    from_p = benjamini_hochberg([always_valid_p(z, 800, rho) for z in zs])
    from_e = e_benjamini_hochberg([always_valid_log_e(z, 800, rho) for z in zs])
    assert all(one == pytest.approx(other) for one, other in itertools.zip_longest(from_p, from_e))
