"""Distributions by name."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embellie.stats.distributions import (
    chance_below,
    fat_tailed,
    fattened,
    mean,
    metalog_increases,
    quantile,
    spread,
    widened,
)

QUARTILES = np.array([-0.6744897501960817, 0.6744897501960817])


@pytest.mark.parametrize(
    ("parameters", "quartiles", "expected"),
    [
        ((5, 10, 20), (7.71986, 13.31657), 10.9434),
        ((5, 10, 20, 0), (7.72114, 12.95146), 10.9733),
        ((0.05, 0.1, 0.2, 0, 1), (0.0771793, 0.1301155), 0.1094107),
    ],
)
def test_three_points_make_the_published_metalog(parameters, quartiles, expected):
    """Reference quartiles and means, unbounded and bounded."""
    assert quantile("metalog", parameters, QUARTILES) == pytest.approx(quartiles, rel=1e-5)
    assert mean("metalog", parameters) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("parameters", [(5, 6, 20), (5, 5.5, 20)])
def test_three_points_too_lopsided_make_none(parameters):
    """Their quantile function would fall."""
    assert not metalog_increases(parameters)


def test_a_log_normal_from_its_range():
    """5 % to 20 %: mean 10.93 %, median 10 %."""
    found = spread("lognormal", (0.05, 0.2))
    assert found == pytest.approx((0.1092852, 0.05, 0.1, 0.2), rel=1e-6)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.floats(1.5, 30))
@settings(max_examples=60, deadline=None)
def test_fat_tails_keep_the_range(low, width, df):
    """Whatever the degrees of freedom, the ends stay the 5th and 95th percentiles."""
    _, p05, _, p95 = spread("t", fat_tailed(low, low + width, df=df))
    assert (p05, p95) == pytest.approx((low, low + width), rel=1e-6, abs=1e-6 * width)


@pytest.mark.parametrize(
    ("family", "parameters"),
    [
        ("normal", (0.0, 1.0)), ("lognormal", (1.0, 9.0)), ("uniform", (0.0, 2.0)), ("beta", (2.0, 5.0)),
        ("t", (4.0, 0.0, 1.0)), ("logitnormal", (0.1, 0.4)), ("metalog", (5.0, 10.0, 20.0, 0.0)),
    ],
)  # fmt: skip
def test_every_quantile_function_rises_and_has_its_mean(family, parameters):
    """The mean agrees with the average of the quantile function."""
    scores = np.linspace(-8, 8, 40_001)
    values = quantile(family, parameters, scores)
    weights = np.exp(-0.5 * scores**2)
    assert np.all(np.diff(values) >= 0)
    assert mean(family, parameters) == pytest.approx(float(values @ weights / weights.sum()), rel=1e-4, abs=1e-6)


def test_the_chance_of_being_negative():
    """Φ(-1) for a normal one sd above 0, and 0 for what cannot be."""
    assert chance_below("normal", (1.0, 1.0), 0.0) == pytest.approx(0.158655, abs=1e-6)
    assert chance_below("lognormal", (1.0, 2.0), 0.0) == 0.0


def test_a_discrete_unknown_takes_its_values_with_their_chances():
    """Three states: the value changes where the probability is used up; mean and quantiles follow."""
    states = (-70.0, 50.0, 200.0, 0.5, 0.3, 0.2)
    assert quantile("discrete", states, np.array([-3.0, -0.01, 0.01, 0.8, 0.9, 3.0])).tolist() == [
        -70,
        -70,
        50,
        50,
        200,
        200,
    ]
    assert mean("discrete", states) == pytest.approx(20.0)
    assert chance_below("discrete", states, 0.0) == pytest.approx(0.5, abs=1e-6)


_SPACES = {
    ("normal", (3.0, 2.0)): lambda x: x,
    ("t", (4.0, 1.0, 2.0)): lambda x: x,
    ("lognormal", (2.0, 30.0)): np.log,
    ("logitnormal", (0.02, 0.4)): lambda x: np.log(x / (1 - x)),
    ("uniform", (-1.0, 3.0)): lambda x: np.log((x + 1) / (3 - x)),
    ("metalog", (5.0, 10.0, 20.0)): lambda x: x,
    ("metalog", (5.0, 10.0, 20.0, 0.0)): np.log,
    ("metalog", (0.05, 0.1, 0.3, 0.0, 1.0)): lambda x: np.log(x / (1 - x)),
}


@pytest.mark.parametrize("prior", _SPACES)
@pytest.mark.parametrize("factor", [1.0, 1.5, 5.0])
def test_widening_stretches_every_value_around_the_median(prior, factor):
    """At each score, in the space the family lives in."""
    scores = np.array([-2.5, -1.0, 0.0, 0.3, 2.0])
    space = _SPACES[prior]
    before, median = (space(quantile(*prior, at)) for at in (scores, np.zeros(1)))
    after = space(quantile(*widened(*prior, factor), scores))
    assert after - median == pytest.approx(factor * (before - median), rel=1e-8, abs=1e-9)


def test_widening_a_share_keeps_its_mean():
    """The sd of a beta is `factor` times as large, as far as a share can."""
    family, (a, b) = widened("beta", (6.0, 14.0), 2.0)
    sd = np.sqrt(0.3 * 0.7 / 21)
    assert (family, mean(family, (a, b))) == ("beta", pytest.approx(0.3))
    assert np.sqrt(0.3 * 0.7 / (a + b + 1)) == pytest.approx(2 * sd)
    assert mean(*widened("beta", (6.0, 14.0), 50.0)) == pytest.approx(0.3)


def test_widening_states_moves_chance_outwards():
    """Values stay; in the limit only the outer ones are left."""
    family, found = widened("discrete", (-1.0, 0.0, 1.0, 0.2, 0.5, 0.3), 2.0)
    assert family == "discrete"
    assert found[:3] == (-1.0, 0.0, 1.0)
    assert sum(found[3:]) == pytest.approx(1.0)
    assert found[3] > 0.2
    assert found[4] < 0.5
    assert widened("discrete", (0.0, 1.0, 0.5, 0.5), 4.0)[1] == pytest.approx((0.0, 1.0, 0.5, 0.5))


@pytest.mark.parametrize(
    ("family", "parameters"),
    [("normal", (3.0, 2.0)), ("lognormal", (2.0, 30.0)), ("lognormal", (1.0, 5000.0)), ("logitnormal", (0.02, 0.4))],
)
def test_fattening_keeps_the_range_and_the_median_and_lengthens_the_tails(family, parameters):
    """Beyond the range there is more, and the mean stays finite."""
    before, after = (family, parameters), fattened(family, parameters)
    assert spread(*after)[1:] == pytest.approx(spread(*before)[1:], rel=1e-6)
    out = np.array([-3.5, 3.5])
    (low, high), (lower, higher) = quantile(*before, out), quantile(*after, out)
    assert lower < low
    assert higher > high
    assert np.isfinite(mean(*after))
    if after[0] == "metalog":
        assert metalog_increases(after[1])
