"""The truth: known effects, and intervals that cover them."""

from datetime import UTC, datetime

import numpy as np
import pytest

from embellie.domain.metric import Metric
from embellie.measure.aggregates import Aggregates
from embellie.measure.scoring import Design, score
from embellie.sandbox.newspaper import Calendar
from embellie.sandbox.readers import Readership, Temperament
from embellie.sandbox.truth import Twins, articles_with, articles_without, freshest_of_section, true_effect, visits
from embellie.stats.moments import Moments

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
SLATES = freshest_of_section()
METRIC = Metric(metric="articles_per_visit", numerator="reads", denominator="visits")


def calendar() -> Calendar:
    return Calendar(START, np.random.default_rng(1))


def readers(count: int, seed: int, **temperament: float) -> Readership:
    return Readership(count, np.random.default_rng(seed), seed=seed, temperament=Temperament(**temperament))


def test_slates_that_nobody_needed_have_no_effect_at_all():
    """With `added` at 0, slates are clicked and exactly nothing changes: an A/A with a click-through rate."""
    effect = true_effect(readers(300, 2, added=0.0, curiosity=0.3), calendar(), days=1, slate_of=SLATES)
    assert effect.visits > 200
    assert (effect.relative, effect.se) == (0.0, 0.0)


def test_the_planted_effect_is_where_it_was_planted():
    """The simple rule's effect on the default temperament, to its own precision."""
    effect = true_effect(readers(2500, 3), calendar(), days=2, slate_of=SLATES)
    assert 0.05 < effect.relative < 0.16
    assert effect.se < 0.008


def test_more_curiosity_is_more_effect():
    """The effect grows with what drives it."""
    small, large = (
        true_effect(readers(600, 3, curiosity=curiosity), calendar(), days=1, slate_of=SLATES).relative
        for curiosity in (0.02, 0.2)
    )
    assert small < large


def test_playing_twice_is_more_precise_than_comparing_two_halves():
    """What would have happened anyway cancels."""
    twins = Twins()
    with_slates = []
    for stand, reader, number in visits(everyone := readers(800, 4), calendar(), days=1):
        with_slates.append(articles_with(everyone, stand, reader=reader, number=number, slate_of=SLATES))
        twins.add(with_slates[-1], articles_without(everyone, stand, reader=reader, number=number))
    halves = np.std(with_slates) * 2 / np.sqrt(len(with_slates)) / np.mean(with_slates)
    assert twins.effect().se < halves / 2


def test_nothing_seen_is_no_precision():
    """Before two visits, the standard error is infinite, not zero."""
    assert Twins().effect().se == np.inf


def experiment(seed: int, *, count: int, days: float, **temperament: float) -> tuple[float, float]:
    """Run one small experiment, half the readers with slates; returns the 95 % interval of the relative effect."""
    everyone = readers(count, seed, **temperament)
    articles, comings = np.zeros(count), np.zeros(count)
    for stand, reader, number in visits(everyone, calendar(), days=days):
        comings[reader] += 1
        if reader % 2:
            articles[reader] += articles_with(everyone, stand, reader=reader, number=number, slate_of=SLATES)
        else:
            articles[reader] += articles_without(everyone, stand, reader=reader, number=number)
    moments = {}
    for side, variant in enumerate(("without", "with")):
        own = [values[side::2][comings[side::2] > 0] for values in (articles, comings)]
        ((yy, yz), (_, zz)) = np.cov(own)
        means = {"reads": float(own[0].mean()), "visits": float(own[1].mean())}
        covariances = {("reads", "reads"): yy, ("reads", "visits"): yz, ("visits", "visits"): zz}
        moments[variant] = Moments(len(own[0]), means, covariances)
    design = Design(control="without", weights={"without": 1, "with": 1}, metrics=(METRIC,))
    (effect,) = score(design, Aggregates(moments=moments)).effects
    return effect.relative.low, effect.relative.high


def covered(truth: float, intervals: list[tuple[float, float]]) -> int:
    return sum(low <= truth <= high for low, high in intervals)


@pytest.mark.parametrize("temperament", [{}, {"added": 0.0}], ids=["planted", "no effect"])
def test_intervals_cover_the_truth(temperament):
    """Of 24 small experiments, a 95 % interval misses in at most 5 (more has a chance of 1 in 1000)."""
    truth = true_effect(readers(2500, 99, **temperament), calendar(), days=1, slate_of=SLATES).relative
    intervals = [experiment(seed, count=300, days=1, **temperament) for seed in range(100, 124)]
    assert covered(truth, intervals) >= 19


@pytest.mark.slow
@pytest.mark.parametrize("temperament", [{}, {"added": 0.0}], ids=["planted", "no effect"])
def test_intervals_cover_the_truth_as_often_as_they_say(temperament):
    """Of 120 experiments, 95 % intervals cover 107 to 119 times (binomial, 1 in 1000 on each side)."""
    truth = true_effect(readers(6000, 98, **temperament), calendar(), days=2, slate_of=SLATES).relative
    intervals = [experiment(seed, count=400, days=2, **temperament) for seed in range(200, 320)]
    assert 106 <= covered(truth, intervals) <= 120
