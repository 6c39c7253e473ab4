"""Scoring: roles, guardrails, money, covariates, quantiles, slices, many comparisons, two clocks."""

import math
from dataclasses import replace

import numpy as np
import pytest

from embellie.domain.metric import Metric
from embellie.domain.money import Money
from embellie.domain.scorecard import Effect, UnavailableEffect
from embellie.measure.aggregates import Aggregates
from embellie.measure.columns import Column, Quotient, metric_before
from embellie.measure.counted import yes_no_moments
from embellie.measure.looking import Looking, looks_so_far, reach_at
from embellie.measure.scoring import Design, score
from embellie.stats.estimators import Difference
from embellie.stats.moments import Moments, QuantileSample
from embellie.stats.sequential import always_valid_reach, group_bound, tuned_rho
from embellie.stats.shrinkage import Prior, believed

READS = Metric(metric="reads", numerator="reads", role="primary")
PER_VISIT = Metric(metric="articles_per_visit", numerator="reads", denominator="visits", role="primary")
ALWAYS = Looking(kind="always", planned=20_000)


def moments(**columns):
    """Centred sums of columns."""
    names = list(columns)
    spread = np.atleast_2d(np.cov(np.array(list(columns.values()), dtype=float)))
    covariances = {
        (a, b): float(spread[i, j]) for i, a in enumerate(names) for j, b in enumerate(names) if j >= i
    }  # fmt: skip
    return Moments(len(columns[names[0]]), {name: float(np.mean(columns[name])) for name in names}, covariances)


def side(mean, *, n=5000, variance=1.0):
    return Moments(n, {"reads": mean}, {("reads", "reads"): variance})


def design(*metrics, **changes):
    return Design(**{"control": "a", "weights": {"a": 1, "b": 1}, "metrics": metrics or (READS,)} | changes)


def scored(given, control, treatment, **more):
    return score(given, Aggregates(moments={"a": control, "b": treatment}, **more)).effects


# Money


def test_money_per_month_is_the_effect_times_what_it_is_multiplied_by():
    """2 months, a tenth of readers, 30,000 visits seen: 150,000 visits a month; +0.01 articles each at 0.02 EUR."""
    worth = replace(PER_VISIT, worth=Money(0.02, "EUR"))
    sides = [
        Moments(
            5000,
            {"reads": 6.0 + lift, "visits": 3.0},
            {("reads", "reads"): 1.0, ("reads", "visits"): 0.0, ("visits", "visits"): 1.0},
        )
        for lift in (0.0, 0.03)
    ]
    (row,) = scored(design(worth, months=2.0, share=0.1), *sides)
    assert row.effect == pytest.approx(0.01)
    assert row.money.effect == pytest.approx(0.01 * 30_000 / 0.1 / 2 * 0.02)
    assert row.money.low == pytest.approx(row.interval.low * 150_000 * 0.02)
    assert row.money.currency == "EUR"


def test_money_per_month_of_a_metric_per_reader():
    """What it is multiplied by is readers: 10,000 in half a month, all taking part."""
    (row,) = scored(design(replace(READS, worth=Money(0.5, "EUR")), months=0.5), side(1.0), side(1.1))
    assert row.money.effect == pytest.approx(0.1 * 20_000 * 0.5)


def test_money_is_left_out_where_it_cannot_be_said():
    """Without a worth or a duration; nothing is invented."""
    for given in (design(months=1.0), design(replace(READS, worth=Money(1.0, "EUR")))):
        (row,) = scored(given, side(1.0), side(1.1))
        assert row.money is None


# Guardrails


@pytest.mark.parametrize(("lift", "state"), [(0.0, "holds"), (-0.05, "open"), (-0.2, "harmed"), (0.3, "holds")])
def test_a_guardrail_holds_is_harmed_or_stays_open(lift, state):
    """A margin of 5 % of the control's value, bounds valid at every look."""
    guardrail = replace(READS, role="guardrail", margin=0.05)
    (row,) = scored(design(guardrail, looking=Looking()), side(2.0), side(2.0 + lift))
    assert row.guardrail.state == state
    assert row.guardrail.margin == pytest.approx(0.1)
    assert row.interval.kind == "always", "guardrails keep their own clock"
    assert row.guardrail.low > row.interval.low, "one side is tighter than two"
    assert row.role == "guardrail"


def test_a_margin_in_money_is_turned_into_the_metrics_unit():
    """300 EUR a month, 20,000 readers a month at 0.5 EUR: 0.03 per reader; a fixed number."""
    guardrail = replace(READS, role="guardrail", worth=Money(0.5, "EUR"), loss=Money(300.0, "EUR"))
    (row,) = scored(design(guardrail, months=0.5), side(1.0), side(1.0))
    assert row.guardrail.margin == pytest.approx(0.03)
    assert row.guardrail.money == 300.0


def test_a_guardrail_in_burn_in_has_no_state():
    """Below 100 units there is a reason, with its role: no state is invented."""
    (row,) = scored(design(replace(READS, role="guardrail")), side(1.0, n=99), side(1.0, n=99))
    assert isinstance(row, UnavailableEffect)
    assert row.role == "guardrail"


def test_a_margin_as_a_share_moves_with_the_control():
    """Its bound is that of T − (1 − m)·C, computed directly."""
    guardrail = replace(READS, role="guardrail", margin=0.3)
    (row,) = scored(design(guardrail), side(2.0, variance=3.0), side(1.9, variance=2.0))
    se = math.sqrt(2.0 / 5000 + 0.7**2 * 3.0 / 5000)
    half = (row.guardrail.high - row.guardrail.low) / 2
    whole = (row.interval.high - row.interval.low) / 2
    assert half / se < whole / row.se
    assert row.guardrail.low + row.guardrail.margin == pytest.approx(1.9 - 0.7 * 2.0 - half)
    assert half / se == pytest.approx(3.5, abs=1.5)


@pytest.mark.slow
def test_a_guardrail_is_rarely_ever_said_to_hold_when_it_does_not():
    """True loss exactly at the margin, heavy tails, 40 looks: at most 5 % of 400 experiments ever say `holds`, or `harmed`."""
    rng, wrong = np.random.default_rng(9), {"holds": 0, "harmed": 0}
    guardrail = design(replace(READS, role="guardrail", margin=0.1), looking=Looking(kind="always", planned=8000))
    for _ in range(400):
        control, treatment = rng.lognormal(0, 1, 4000), 0.9 * rng.lognormal(0, 1, 4000)
        seen = set()
        for n in range(100, 4001, 100):
            (row,) = scored(
                guardrail, moments(reads=control[:n], x=control[:n]), moments(reads=treatment[:n], x=treatment[:n])
            )
            seen.add(row.guardrail.state)
        for state in wrong:
            wrong[state] += state in seen
    assert max(wrong.values()) / 400 <= 0.07


# Covariates


def past_sides(seed=3, n=3000):
    rng = np.random.default_rng(seed)
    for lift in (0.0, 0.1):
        habit = rng.lognormal(0, 0.7, n)
        visits, before = 1 + rng.poisson(habit), 1 + rng.poisson(habit)
        yield moments(
            **{
                "reads": rng.poisson(visits * habit * (1 + lift)),
                "visits": visits,
                "reads@before": rng.poisson(before * habit),
                "visits@before": before,
                "age": habit + rng.normal(0, 1, n),
            }
        )


def test_the_adjusted_row_follows_with_what_it_saved():
    """A ratio's own past as a quotient: slope, share of the variance taken away, the same control value."""
    raw, adjusted = scored(
        design(PER_VISIT, covariates={"articles_per_visit": metric_before(PER_VISIT)}), *past_sides()
    )
    assert (raw.adjusted, adjusted.adjusted) == (False, True)
    assert adjusted.saved == pytest.approx(1 - (adjusted.se / raw.se) ** 2)
    assert 0.1 < adjusted.saved < 0.9
    assert adjusted.theta > 0
    assert adjusted.control_value == raw.control_value


def test_several_covariates_save_at_least_as_much_as_one():
    """A list of two; no single slope then."""
    past = metric_before(PER_VISIT)
    for_one = design(PER_VISIT, covariates={"articles_per_visit": past})
    for_two = design(PER_VISIT, covariates={"articles_per_visit": [past, Column(counted="age")]})
    one, two = (scored(each, *past_sides())[-1] for each in (for_one, for_two))
    assert two.saved >= one.saved - 1e-9
    assert two.theta is None


def test_without_a_past_in_the_sums_there_is_no_adjusted_row():
    """Columns that are absent, or in which nobody has a past, adjust nothing."""
    given = design(READS, covariates={"reads": metric_before(READS)})
    assert len(scored(given, side(1.0), side(1.1))) == 1
    nobody = [
        Moments(
            500, {"reads": mean, "reads@before": 0.0},
            {("reads", "reads"): 1.0, ("reads", "reads@before"): 0.0, ("reads@before", "reads@before"): 0.0},
        )
        for mean in (1.0, 1.1)
    ]  # fmt: skip
    assert len(scored(given, *nobody)) == 1
    rare = Quotient(numerator=Column(counted="reads", window="before"), denominator=Column(counted="gone"))
    assert len(scored(design(READS, covariates={"reads": rare}), *nobody)) == 1


def test_several_covariates_need_units():
    """Twenty in the smaller arm for each; one covariate asks for none."""
    given = design(PER_VISIT, covariates={"articles_per_visit": [metric_before(PER_VISIT), Column(counted="age")]})
    row = scored(given, *past_sides(n=39))[-1]
    assert isinstance(row, UnavailableEffect)
    assert (row.adjusted, row.because.code) == (True, "few_for_covariates")


# Quantiles, shares, retention

SLOW = Metric(metric="slow", numerator="seconds", form="quantile", quantile=0.9)


def quantiles(*, n=1000, low=9.0, high=11.0):
    sample = QuantileSample(n=n, value=10.0, low=low, high=high, z=2.0)
    return {
        ("a", "seconds", 0.9): sample,
        ("b", "seconds", 0.9): replace(sample, value=13.0, low=low + 3, high=high + 3),
    }


def seconds(n=1000):
    return Moments(n, {"seconds": 3.0}, {("seconds", "seconds"): 4.0})


def test_a_quantile_is_compared_by_its_order_statistics():
    """Effect, standard error, relative effect."""
    (row,) = scored(design(SLOW), seconds(), seconds(), quantiles=quantiles())
    assert (row.control_value, row.effect) == (10.0, 3.0)
    assert row.se == pytest.approx(math.hypot(0.5, 0.5))
    assert row.relative.effect == pytest.approx(0.3)
    assert row.money is None


@pytest.mark.parametrize(
    ("given", "n", "code"),
    [
        ({}, 1000, "no_quantile"),
        (quantiles(n=240), 240, "few_for_quantile"),
        (quantiles(low=11.0), 1000, "quantile_tied"),
    ],
    ids=["not summed", "few", "tied"],
)
def test_a_quantile_that_cannot_be_compared_says_why(given, n, code):
    """Not summed up, too few beyond it, or a value that too many share."""
    (row,) = scored(design(SLOW), seconds(n), seconds(n), quantiles=given)
    assert isinstance(row, UnavailableEffect)
    assert row.because.code == code


def test_a_share_waits_for_its_events():
    """24 of 5,000 did it: no interval that holds at every look; 25 are enough; a fixed interval does not wait."""
    clicked = Metric(metric="clicked", numerator="clicks", form="share")
    name = "clicks>0"
    few, enough = (yes_no_moments(5000, {name: events}) for events in (24, 25))
    (row,) = scored(design(clicked, looking=ALWAYS), few, enough)
    assert row.because.code == "few_events"
    assert isinstance(scored(design(clicked, looking=ALWAYS), enough, enough)[0], Effect)
    assert isinstance(scored(design(clicked), few, enough)[0], Effect)


def test_retention_is_a_share_of_those_who_are_due():
    """Back on day 7 to 14, over readers exposed so long ago; before anybody is due it says when."""
    back = Metric(metric="back", numerator="visits", form="retention", days=(7, 14))
    rng = np.random.default_rng(1)
    sides = []
    for rate in (0.3, 0.4):
        due = rng.binomial(1, 0.5, 4000)
        sides.append(moments(**{"visits@7-14>0": due * rng.binomial(1, rate, 4000), "due@7-14": due}))
    (row,) = scored(design(back, looking=ALWAYS), *sides)
    assert row.control_value == pytest.approx(0.3, abs=0.05)
    assert row.effect == pytest.approx(0.1, abs=0.05)
    nobody = moments(**{"visits@7-14>0": np.zeros(200), "due@7-14": np.zeros(200)})
    (row,) = scored(design(back), nobody, nobody)
    assert row.because.code == "nobody_due"
    assert "14 days" in row.because.remedy


# Many comparisons


def test_primaries_are_corrected_by_holm_and_the_others_by_benjamini_and_hochberg():
    """Three variants of one primary; two diagnostics; guardrails are left alone; a single comparison too."""
    others = [Metric(metric=name, numerator="reads") for name in ("one", "two")]
    guardrail = replace(READS, metric="guard", role="guardrail", margin=0.01)
    given = design(READS, *others, guardrail, weights={"a": 1, "b": 1, "c": 1})
    card = score(given, Aggregates(moments={"a": side(1.0), "b": side(1.03), "c": side(1.06)}))
    rows = {(row.metric, row.variant): row for row in card.effects}
    first, second = rows["reads", "c"], rows["reads", "b"]
    assert first.p_many == pytest.approx(2 * first.p_value)
    assert second.p_many == pytest.approx(max(second.p_value, first.p_many))
    found = sorted(row.p_value for row in card.effects if row.role == "diagnostic")
    assert rows["one", "b"].p_many == pytest.approx(found[3])
    assert rows["one", "c"].p_many == pytest.approx(min(found[0] * 4 / 2, found[3]))
    assert rows["guard", "b"].p_many is None
    (alone,) = scored(design(), side(1.0), side(1.03))
    assert alone.p_many is None


# Two clocks


def test_primaries_follow_the_plan_and_guardrails_do_not():
    """Group-sequential for what decides, always for what guards, in one scorecard."""
    guardrail = replace(READS, metric="guard", role="guardrail", margin=0.01)
    looking = Looking(kind="group_sequential", looks=5, planned=20_000)
    rows = scored(design(READS, guardrail, looking=looking), side(1.0), side(1.02))
    assert [row.interval.kind for row in rows] == ["group_sequential", "always"]
    assert rows[0].log_e is None
    assert rows[1].log_e is not None


@pytest.mark.parametrize(
    ("fraction", "watched", "expected"),
    [
        (0.19, True, (0.19,)), (0.21, True, (0.21,)), (0.3, True, None), (0.05, True, None),
        (0.985, True, (0.2, 0.4, 0.6, 0.8, 0.985)), (1.2, True, (0.2, 0.4, 0.6, 0.8, 1.2)), (1.3, True, None),
        (0.05, False, (0.05,)), (0.3, False, (0.2, 0.3)), (3.0, False, (0.2, 0.4, 0.6, 0.8, 3.0)),
    ],
)  # fmt: skip
def test_which_look_it_is(fraction, watched, expected):
    """A little early or late is that look; between looks, or long after the last, a watched plan has none."""
    found = looks_so_far(fraction, looks=5, watched=watched)
    assert found == (None if expected is None else pytest.approx(expected))


def found_at(n, z=2.0):
    return Difference(value=z, se=1.0, df=math.inf, n=n)


def test_between_planned_looks_a_watched_interval_holds_at_every_look():
    """Its kind says so; at a planned look it is narrower."""
    looking = Looking(kind="group_sequential", looks=4, planned=10_000)
    at_look = reach_at(looking, found_at(5000), smaller_arm=2500, watched=True)
    between = reach_at(looking, found_at(6200), smaller_arm=3100, watched=True)
    assert (at_look.kind, between.kind) == ("group_sequential", "always")
    assert at_look.standard_errors == pytest.approx(group_bound((0.25, 0.5)))
    assert between.standard_errors == pytest.approx(always_valid_reach(6200, tuned_rho(10_000)))
    assert between.standard_errors > at_look.standard_errors


@pytest.mark.slow
def test_a_planned_calendar_watched_daily_keeps_its_error():
    """28 daily looks at five planned ones, the last one included: about 5 % of 20,000 paths ever cross, at most 6 %."""
    rng, days, planned = np.random.default_rng(7), 28, 28_000
    looking = Looking(kind="group_sequential", looks=5, planned=planned)
    z = rng.standard_normal((20_000, days)).cumsum(axis=1) / np.sqrt(np.arange(1, days + 1))
    bounds = []
    for day in range(1, days + 1):
        n = planned * day // days
        bounds.append(reach_at(looking, found_at(n), smaller_arm=n // 2, watched=True).standard_errors)
    ever = (np.abs(z) > np.array(bounds)).any(axis=1).mean()
    assert 0.035 < ever < 0.06


# Slices


def sliced(effects, *, n=1000, dimension="returning", **changes):
    slices = {
        (dimension, f"{place:02d}"): {"a": side(1.0, n=n), "b": side(1.0 + lift, n=n)}
        for place, lift in enumerate(effects)
    }
    given = design(looking=Looking(kind="always", planned=len(effects) * 2 * n), **changes)
    whole = {"a": side(1.0, n=n * len(effects)), "b": side(1.0 + float(np.mean(effects)), n=n * len(effects))}
    return score(given, Aggregates(moments=whole, slices=slices)).slices


def test_slices_are_scored_and_drawn_together():
    """Each part keeps its estimate, beside it what is left after the others; corrected over all parts."""
    parts = sliced([0.0, 0.05, 0.1, 0.3])
    assert [part.value for part in parts] == ["00", "01", "02", "03"]
    rows = [part.effects[0] for part in parts]
    raw = [row.relative.effect for row in rows]
    shrunk = [row.shrunk.effect for row in rows]
    assert max(shrunk) < max(raw)
    assert min(shrunk) > min(raw)
    assert sorted(shrunk) == shrunk
    assert all(row.p_many >= row.p_value for row in rows)
    assert parts[0].units == {"a": 1000, "b": 1000}
    assert all(row.money is None for row in rows)


def test_days_since_exposure_are_not_drawn_together():
    """They stand in an order and share units."""
    assert all(part.effects[0].shrunk is None for part in sliced([0.3, 0.2, 0.1], dimension="since"))


def test_an_empty_part_says_so():
    """A part that one variant has no unit in is unavailable, and does not stop the others."""
    slices = {("returning", "new"): {"a": side(1.0)}, ("returning", "returning"): {"a": side(1.0), "b": side(1.1)}}
    card = score(design(), Aggregates(moments={"a": side(1.0), "b": side(1.1)}, slices=slices))
    assert card.slices[0].effects[0].because.code == "few_units"
    assert isinstance(card.slices[1].effects[0], Effect)


def test_no_part_wins_by_chance():
    """Ten parts with no effect, 200 times: the rule (both p_many and the shrunk range) is met in at most 5 %."""
    rng, wins = np.random.default_rng(5), 0
    for _ in range(200):
        rows = [part.effects[0] for part in sliced(rng.normal(0, math.sqrt(2 / 1000), 10))]
        wins += any(row.p_many < 0.05 and not row.shrunk.low <= 0 <= row.shrunk.high for row in rows)
    assert wins / 200 <= 0.05


# Learnt priors


def test_a_learnt_prior_shrinks_and_gives_chances():
    """Only then: mean, range and chances of what is believed; without a prior, none."""
    prior = Prior(df=4.0, location=0.0, scale=0.01)
    guardrail = replace(READS, role="guardrail", margin=0.02)
    (row,) = scored(design(guardrail, priors={"reads": prior}), side(1.0), side(1.05))
    belief = believed(row.relative.effect, row.relative.se, prior)
    assert row.shrunk.effect == pytest.approx(belief.mean)
    assert 0 < row.shrunk.effect < row.relative.effect
    assert row.shrunk.above_zero == pytest.approx(belief.chance_above(0.0))
    assert row.shrunk.above_margin == pytest.approx(belief.chance_above(-0.02))
    (row,) = scored(design(), side(1.0), side(1.05))
    assert row.shrunk is None


# Unequal arms


def test_few_heavy_units_of_a_small_arm_wait():
    """A tenth in one arm, sd five times the mean: 2,600 of its units weigh as much as 100; equal arms need not wait."""
    heavy = [side(1.0, n=n, variance=25.0) for n in (2500, 2700, 27_000)]
    given = design(looking=ALWAYS)
    (row,) = scored(given, heavy[2], heavy[0])
    assert (row.because.code, row.because.values["units"]) == ("heavy_units", "96")
    assert isinstance(scored(given, heavy[2], heavy[1])[0], Effect)
    assert isinstance(scored(given, heavy[0], heavy[0])[0], Effect)
    assert isinstance(scored(design(), heavy[2], heavy[0])[0], Effect), "a fixed interval does not wait"


@pytest.mark.slow
def test_a_small_arm_of_heavy_spenders_is_rarely_called_harmed():
    """No effect, 3 % of readers spend, a tenth in the new arm, 40 looks: a guardrail is wrongly `harmed` in at most 5 %."""
    rng, harmed, shown = np.random.default_rng(14), 0, 0
    given = design(replace(READS, role="guardrail"), looking=Looking(kind="always", planned=20_000))
    for _ in range(150):
        control, treatment = (rng.binomial(1, 0.03, n) * rng.lognormal(0, 0.7, n) for n in (81_000, 9000))
        seen = set()
        for n in np.geomspace(100, 9000, 40).astype(int):
            own = [
                Moments(len(x), {"reads": float(x.mean())}, {("reads", "reads"): float(x.var(ddof=1))})
                for x in (control[: 9 * n], treatment[:n])
            ]
            (row,) = scored(given, *own)
            seen.add(row.guardrail.state if isinstance(row, Effect) else "none")
        harmed += "harmed" in seen
        shown += seen != {"none"}
    assert shown > 100
    assert harmed / 150 <= 0.05
