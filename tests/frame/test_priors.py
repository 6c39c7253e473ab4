"""One shape of range, one family."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embellie.domain.errors import QuestionError
from embellie.domain.question import Distribution
from embellie.frame.priors import read_prior
from embellie.stats.distributions import quantile, spread


@pytest.mark.parametrize(
    ("text", "tails", "family"),
    [
        ("250k to 450k visit/week", "", "lognormal"), ("5% to 20%", "", "lognormal"), ("0 % to 3 %", "", "normal"),
        ("-2 % to 15 %", "", "normal"), ("-5 to -1", "", "normal"), ("-2 % to 15 %", "fat", "t"),
        ("50k / 80k / 140k €", "", "metalog"), ("60 % to 95 % (logitnormal)", "", "logitnormal"),
        ("3 to 7 (uniform)", "", "uniform"), ("beta(2, 5)", "", "beta"), ("t(4, 0, 1)", "", "t"),
        ("normal(mean=0, sd=1) EUR", "", "normal"), ("lognormal(100k, 400k) EUR", "", "lognormal"),
    ],
)  # fmt: skip
def test_the_shape_of_a_range_says_its_family(text, tails, family):
    """Above 0 log-normal, touching 0 normal, three points metalog, fat tails Student's t, or as named."""
    prior = read_prior(text, currency="EUR", tails=tails)
    assert prior is not None
    assert prior.distribution.family == family


@pytest.mark.parametrize(
    ("text", "tails", "p05", "p95"),
    [("5% to 20%", "", 0.05, 0.2), ("-1 to 4", "", -1, 4), ("-1 to 4", "fat", -1, 4), ("1 / 2 / 5", "", 1, 5)],
)
def test_the_ends_of_a_range_are_its_5th_and_95th_percentiles(text, tails, p05, p95):
    """Whatever the family."""
    prior = read_prior(text, currency="EUR", tails=tails)
    assert prior is not None
    _, low, _, high = spread(prior.distribution.family, prior.distribution.parameters)
    assert (low, high) == pytest.approx((p05, p95))


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("60 % / 80 % / 95 % (0 to 100 %)", (0.6, 0.8, 0.95, 0, 1)),
        ("60 % / 80 % / 95 % (0 à 100 %)", (0.6, 0.8, 0.95, 0, 1)),
        ("60k / 110k / 220k EUR (above 50k)", (60e3, 110e3, 220e3, 50e3)),
        ("60k / 110k / 220k € (au-dessus de 50k €)", (60e3, 110e3, 220e3, 50e3)),
        ("5 / 10 / 20 (unbounded)", (5, 10, 20)),
        ("5 / 10 / 20 (sans borne)", (5, 10, 20)),
        ("5 / 10 / 20", (5, 10, 20, 0)),
        ("-1 / 1 / 4", (-1, 1, 4)),
    ],
)
def test_three_points_may_have_bounds(text, parameters):
    """Bounded at 0 when all are above it, unless bounds are written; none, a lower one, or both."""
    prior = read_prior(text, currency="EUR")
    assert prior is not None
    assert prior.distribution == Distribution("metalog", parameters)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("5 / 6 / 20 (unbounded)", "too close to one end"),
        ("5 / 10 / 20 (above 6)", "below the first point"),
        ("5 / 10 / 20 (0 to 15)", "above the last point"),
        ("5 / 10 / 20 (0)", "neither a family nor bounds"),
        ("5 / 10 / 20 (0 to 15 to 30)", "neither a family nor bounds"),
        ("5 % / 10 % / 20 % (0 to 1)", "has no %"),
        ("5 / 10 / 20 EUR (0 to 30 week)", "mixes the units"),
        ("5 to 20 (0 to 30)", "Bounds go with three points"),
        ("5 / 10 / 20 (uniform)", "make a metalog"),
        ("1 / 2 / 100", "mean is not finite"),
        ("metalog(1, 2, 3, -inf, 5)", "upper bound needs a lower one"),
    ],
)
def test_three_points_that_make_no_distribution_are_refused(text, says):
    """With the reason."""
    with pytest.raises(QuestionError) as error:
        read_prior(text, currency="EUR")
    assert says in error.value.message
    assert error.value.hint


@pytest.mark.parametrize("bounds", ["", " (above 1)", " (1 to 40)", " (unbounded)"])
@pytest.mark.parametrize(("level", "scores"), [("80", 1.2815515655446004), ("50", 0.6744897501960817)])
def test_three_points_of_another_level_stay_where_they_are(level, scores, bounds):
    """The metalog through them passes through them, whatever points it is kept by."""
    prior = read_prior(f"{level}%: 5 / 10 / 20{bounds}", currency="EUR")
    assert prior is not None
    found = quantile("metalog", prior.distribution.parameters, np.array([-scores, 0.0, scores]))
    assert found == pytest.approx([5, 10, 20])


@given(middle=st.floats(0.01, 0.5), high=st.floats(0.01, 0.5), start=st.floats(-5, 5))
def test_three_points_are_passed_through_or_refused(middle, high, start):
    """Whatever they are: a distribution with these very percentiles, its quantiles rising; never another one."""
    points = (start, start + middle, start + middle + high)
    try:
        prior = read_prior(" / ".join(f"{point:.6f}" for point in points), currency="EUR")
    except QuestionError:
        return
    assert prior is not None
    parameters = prior.distribution.parameters
    assert spread("metalog", parameters)[1:] == pytest.approx(points, abs=2e-6)
    assert np.all(np.diff(quantile("metalog", parameters, np.linspace(-6, 6, 241))) > 0)


def test_a_uniform_range_has_no_outside():
    """Its ends are its ends, so another level is refused rather than ignored."""
    with pytest.raises(QuestionError, match="holds everything between its ends"):
        read_prior("80%: 3 to 7 (uniform)", currency="EUR")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1 to 10 (normal)", "negative with a chance"),
        ("1 to 10 (fat)", "negative with a chance"),
        ("0.001 to 1000000", "above its own 95 % point"),
    ],
)
def test_what_its_writer_may_not_have_meant_is_told(text, told):
    """It is taken as written, with a word about it."""
    prior = read_prior(text, currency="EUR")
    assert prior is not None
    assert told in prior.warnings[0]


@pytest.mark.parametrize(
    ("text", "tails", "family"),
    [
        ("normal(0, 1)", "fat", ""), ("chance(30 %)", "", "normal"), ("1 / 2 / 3", "fat", ""), ("1 to 2", "fat", "normal"),
        ("1 to 2 (uniform)", "", "normal"), ("1 to 2", "thin", ""),
    ],
)  # fmt: skip
def test_what_would_be_ignored_is_refused(text, tails, family):
    """Two ways of saying the shape are one too many."""
    with pytest.raises(QuestionError):
        read_prior(text, currency="EUR", tails=tails, family=family)


def test_a_range_of_another_level_is_widened():
    """An 80 % range is narrower than the 90 % range it stands for."""
    prior = read_prior("80%: -1 to 1", currency="EUR")
    assert prior is not None
    assert prior.distribution.parameters[1] == pytest.approx(1 / 1.2815515655)


def test_a_share_above_one_is_warned_of():
    """A log-normal percentage that reaches past 100 % says so."""
    prior = read_prior("60 % to 95 %", currency="EUR")
    assert prior is not None
    assert "logitnormal" in prior.warnings[0]


@pytest.mark.parametrize(
    "text",
    [
        "normal(0, -1)", "normal(0)", "norm(3, 1)", "uniform(2, 1)", "beta(0, 1)", "t(1, 0, 1)", "logitnormal(0.2, 1.2)",
        "metalog(5, 6, 20)", "metalog(5, 5.5, 20)", "lognormal(-1, 2)", "3 to 7 (t)", "normal(sd=1, mean=0)",
    ],
)  # fmt: skip
def test_impossible_distributions_are_refused(text):
    """At load, with the reason; never a NaN later."""
    with pytest.raises(QuestionError):
        read_prior(text, currency="EUR")
