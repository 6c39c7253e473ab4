"""One shape of range, one family."""

import pytest

from embellie.domain.errors import QuestionError
from embellie.frame.priors import read_prior
from embellie.stats.distributions import spread


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
