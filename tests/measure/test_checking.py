"""Checks: what must hold for the figures to be believed."""

from dataclasses import replace
from datetime import date

import pytest

from embellie.domain.metric import Metric
from embellie.domain.scorecard import Effect, Interval, RelativeEffect, Slice
from embellie.measure.aggregates import Aggregates
from embellie.measure.checking import Days, check, slope_of
from embellie.measure.looking import Looking
from embellie.measure.scoring import Design, score
from embellie.stats.moments import Moments

READS = Metric(metric="reads", numerator="reads", role="primary")
DESIGN = Design(control="a", weights={"a": 1, "b": 1}, metrics=(READS,), looking=Looking(kind="always"), watched=True)


def sample(n, mean=1.0):
    return Moments(n, {"reads": mean}, {("reads", "reads"): 1.0})


def split(a, b):
    return {"a": sample(a), "b": sample(b)}


def checked(slices=None, *, excluded=None, days=None, counts=(5000, 5000), card_slices=()):
    aggregates = Aggregates(moments=split(*counts), excluded=excluded or {}, slices=slices or {})
    card = replace(score(DESIGN, aggregates), slices=tuple(card_slices))
    return {each.check: each for each in check(DESIGN, aggregates, card, days=days)}


def effect(value, se, variant="b"):
    return Effect(
        metric="reads",
        variant=variant,
        control_value=1.0,
        variant_value=1.0 + value,
        effect=value,
        se=se,
        p_value=0.5,
        interval=Interval(kind="always", level=0.95, low=value - 2 * se, high=value + 2 * se),
        relative=RelativeEffect(effect=value, low=value - 2 * se, high=value + 2 * se, se=se),
    )


def test_a_healthy_experiment_has_only_fine_checks():
    """Nothing cries wolf."""
    days = Days(first=date(2026, 3, 2), last=date(2026, 3, 5))
    slices = {("day", f"2026-03-0{day}"): split(500, 510) for day in range(2, 6)}
    slices |= {("consent", "profiling"): split(4000, 4050), ("consent", "measurement"): split(1000, 950)}
    found = checked(slices, days=days)
    assert {each.state for each in found.values()} == {"fine"}
    assert set(found) == {"split", "split_by", "two_variants", "completeness"}


def test_readers_lost_in_one_part_are_found_though_the_whole_looks_fine():
    """Two losses in opposite directions cancel in the whole, not in the parts."""
    found = checked({("consent", "profiling"): split(2000, 2400), ("consent", "measurement"): split(2400, 2000)})
    assert found["split"].state == "fine"
    assert found["split_by"].state == "alarm"
    assert found["split_by"].values["dimension"] == "consent"


def test_days_since_exposure_are_no_part_of_the_split():
    """What comes after exposure the variant may have changed: it is no check of assignment."""
    found = checked({("since", "3"): split(900, 100), ("bot", "everyone"): split(900, 100)})
    assert "split_by" not in found


def test_no_false_alarm_in_many_small_parts():
    """Forty parts are looked at, and none is out of line: e-BH keeps them quiet."""
    parts = {("day", f"2026-03-{day:02d}"): split(200 + day % 7, 205 - day % 5) for day in range(1, 31)}
    assert checked(parts)["split_by"].state == "fine"


@pytest.mark.parametrize(("twice", "state"), [(0, "fine"), (5, "watch"), (500, "alarm")])
def test_readers_in_two_variants_are_judged_by_their_share(twice, state):
    """A few are left out; many mean that assignment is broken."""
    assert checked(excluded={"two_variants": twice})["two_variants"].state == state


def test_a_day_without_readers_is_missing_data():
    """The day is named."""
    days = Days(first=date(2026, 3, 2), last=date(2026, 3, 6))
    slices = {("day", f"2026-03-0{day}"): split(500, 500) for day in (2, 3, 5, 6)}
    found = checked(slices, days=days)["completeness"]
    assert (found.state, found.code, found.values["day"]) == ("alarm", "incomplete", "2026-03-04")


def test_fewer_new_readers_every_day_are_no_missing_data():
    """New readers run out as regulars have all come once."""
    days = Days(first=date(2026, 3, 2), last=date(2026, 3, 6))
    slices = {("day", f"2026-03-0{day}"): split(4000 // 3 ** (day - 2), 4000 // 3 ** (day - 2)) for day in range(2, 7)}
    assert checked(slices, days=days)["completeness"].state == "fine"


def test_bots_are_told_and_it_is_said_when_they_matter():
    """With and without them the same is found, or it is not."""
    everyone = Slice(dimension="bot", value="everyone", units={"a": 1, "b": 1}, effects=(effect(0.5, 0.01),))
    assert (
        checked(excluded={"bots": 50}, card_slices=[replace(everyone, effects=(effect(0.0, 1.0),))])["bots"].code
        == "bots"
    )
    found = checked(excluded={"bots": 50}, card_slices=[everyone])["bots"]
    assert (found.state, found.code) == ("watch", "bots_matter")


def since(values, se=0.02):
    return [
        Slice(dimension="since", value=str(day), units={"a": 1, "b": 1}, effects=(effect(value, se),))
        for day, value in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ([0.3, 0.24, 0.19, 0.1, 0.06, 0.02], "novelty"),
        ([0.1] * 6, "no_novelty"),
        ([0.0, 0.06, 0.1, 0.15, 0.2, 0.26], "primacy"),
    ],
)
def test_an_effect_that_fades_or_grows_with_the_days_is_told(values, code):
    """A first curiosity is not what stays."""
    assert checked(card_slices=since(values))["novelty"].code == code


def test_few_days_show_no_trend():
    """Of four days nothing is said."""
    assert "novelty" not in checked(card_slices=since([0.3, 0.2, 0.1, 0.0]))


def test_a_weighted_slope_is_that_of_the_line():
    """Whatever the weights, points on a line give its slope and its first value."""
    slope, _, first = slope_of([(1.0, 5.0, 2.0), (2.0, 7.0, 0.1), (4.0, 11.0, 9.0)])
    assert slope == pytest.approx(2.0)
    assert first == pytest.approx(5.0)
