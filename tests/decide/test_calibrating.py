"""How ranges have held: scores, stretches, and what is advised from them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from embellie.decide.calibrating import calibrate, plain_reading, stretch, winkler
from embellie.decide.likelihood import Result
from embellie.domain.belief import Belief, Resolved
from embellie.domain.evidence import Evidence
from embellie.domain.question import Distribution
from embellie.stats.distributions import Z95, quantile

NORMAL = Distribution("normal", (0.0, 1.0))


def judged(truth, *, score=1.0):
    """A standard normal belief, and how it turned out."""
    belief = Belief(unknown="x", written="-1.6 to 1.6", prior=NORMAL, p05=-Z95, p50=0.0, p95=Z95)
    return Resolved(
        belief=belief,
        truth=truth,
        truth_low=truth,
        truth_high=truth,
        inside=abs(truth) <= Z95,
        stretch=stretch(NORMAL, truth),
        winkler=score,
    )


def seen(estimate, se, **more):
    return Result(evidence=Evidence(measures="x", estimate=estimate, se=se), **more)


def test_results_are_weighted_by_their_precision():
    """1 ± 1 and 3 ± 2 with a bias that makes the first 1 ± √2: Σ y/s² / Σ 1/s²."""
    low, middle, high = plain_reading([seen(1.0, 1.0, bias=1.0), seen(3.0, 2.0)])
    assert middle == pytest.approx((0.5 + 0.75) / 0.75)
    assert (high - low) / 2 == pytest.approx(Z95 / 0.75**0.5)


@pytest.mark.parametrize(("successes", "trials"), [(30, 100), (0, 20), (3, 3), (5_000, 1_000_000)])
def test_a_count_alone_is_read_with_a_flat_prior(successes, trials):
    """Beta(1 + successes, 1 + failures)."""
    found = plain_reading([Result(evidence=Evidence(measures="x", successes=successes, trials=trials))])
    expected = stats.beta.ppf([0.05, 0.5, 0.95], 1 + successes, 1 + trials - successes)
    assert found == pytest.approx(expected.tolist(), rel=5e-3)


def test_nothing_is_read_from_what_shows_something_else():
    """A transfer, or a signal."""
    signal = Result(evidence=Evidence(measures="x", signal="up"), values=(0.0, 1.0), chances=(0.2, 0.8))
    assert plain_reading([seen(1.0, 1.0, transfer="k"), signal]) is None


@given(st.floats(-5, 5), st.floats(0.1, 5))
def test_nobody_does_better_than_with_the_range_they_believe_in(mean, sd):
    """The interval score is proper: the mean score of any shifted or scaled range is no smaller."""
    truths = mean + sd * stats.norm.ppf((np.arange(200) + 0.5) / 200)

    def score(shift, scale):
        ends = mean + sd * (shift + scale * Z95 * np.array([-1, 1]))
        return np.mean([winkler(*ends, truth) for truth in truths])

    best = score(0.0, 1.0)
    assert all(score(*other) >= best * 0.999 for other in ((0.4, 1.0), (-0.4, 1.0), (0.0, 0.7), (0.0, 1.4)))


@pytest.mark.parametrize(
    ("prior", "scores"),
    [
        (Distribution("normal", (2.0, 3.0)), True),
        (Distribution("lognormal", (1.0, 9.0)), True),
        (Distribution("logitnormal", (0.2, 0.7)), True),
        (Distribution("t", (4.0, 0.0, 1.0)), False),
        (Distribution("metalog", (5.0, 10.0, 20.0, 0.0)), False),
        (Distribution("metalog", (0.05, 0.1, 0.2, 0.0, 1.0)), False),
        (Distribution("beta", (2.0, 6.0)), False),
        (Distribution("uniform", (2.0, 3.0)), False),
    ],
)
def test_the_stretch_is_one_at_the_ends_and_nothing_in_the_middle(prior, scores):
    """And |z| / 1.645 in families that are normal on a scale of theirs."""
    low, middle, high, far = quantile(prior.family, prior.parameters, np.array([-Z95, 0.0, Z95, 2 * Z95])).tolist()
    assert [stretch(prior, value) for value in (low, middle, high)] == pytest.approx([1.0, 0.0, 1.0])
    assert stretch(prior, far) > 1
    if scores:
        assert stretch(prior, far) == pytest.approx(2.0)


@pytest.mark.parametrize("truth", [0.0, -3.0])
def test_what_a_range_could_never_reach_is_far(truth):
    """A quantity above 0 that turns out to be none."""
    assert stretch(Distribution("lognormal", (1.0, 4.0)), truth) == 100.0


def test_one_who_holds_nine_in_ten_is_left_alone():
    """Ninety inside, ten just outside."""
    found = calibrate("desk", [judged(0.5)] * 90 + [judged(1.7)] * 10)
    assert (found.resolved, found.inside, found.share) == (100, 90, 0.9)
    assert found.low < 0.9 < found.high
    assert found.widen == 1.0


def test_the_overconfident_are_told_the_factor():
    """Truths drawn three times as wide as the ranges: with many cases, three."""
    truths = 3 * stats.norm.ppf((np.arange(400) + 0.5) / 400)
    found = calibrate("desk", [judged(truth) for truth in truths])
    assert found.high < 0.5
    assert found.widen == pytest.approx(3.0, rel=0.03)


def test_one_miss_says_little():
    """A single case is no habit: the factor is s^(1 / 5)."""
    found = calibrate("desk", [judged(2 * Z95)])
    assert found.widen == pytest.approx(2 ** (1 / 5))
    assert found.low < 0.02
    assert found.high > 0.7


def test_nobody_is_advised_to_be_surer():
    """However well the truths lay inside."""
    assert calibrate("desk", [judged(0.01)] * 50).widen == 1.0
