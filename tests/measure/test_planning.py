"""Plans of experiments: by the formulas, and from a site's own log against figures computed by hand."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import duckdb
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from embellie.app.planning_experiments import (
    parse_cost,
    plan_from_log,
    site_plan_document,
    site_plan_sentences,
)
from embellie.cli.main import cli
from embellie.domain.errors import InputError, UnknownName
from embellie.domain.experiment import Experiment, Variant
from embellie.domain.metric import Metric
from embellie.domain.money import Money
from embellie.measure.planning import MONTHS_PER_WEEK, Seen, SitePlan, plan_on_site, seen_at
from embellie.store.analysis import fetch
from embellie.store.event_columns import DEFINED, EVENT_COLUMNS

NOW = datetime(2026, 3, 2, tzinfo=UTC)
DAYS, READERS = 56, 400
READS = Metric(metric="reads", numerator="reads", role="primary", worth=Money(0.01, "EUR"))
DEPTH = Metric(metric="depth", numerator="reads", denominator="visits", worth=Money(0.01, "EUR"))
VISITS = Metric(metric="visits", numerator="visits", role="guardrail", margin=0.05)
KEPT = replace(READS, metric="kept", role="guardrail", loss=Money(3.0, "EUR"))


class Site:
    """Eight weeks of a site: each reader comes with a chance of their own on each day, and reads of their own taste."""

    def __init__(self):
        rng = np.random.default_rng(8)
        often, taste = rng.beta(0.6, 3, READERS), rng.gamma(2.0, 1.0, READERS)
        self.came = rng.random((READERS, DAYS)) < often[:, None]
        self.read = rng.poisson(taste[:, None], (READERS, DAYS)) * self.came
        self.connection = duckdb.connect()
        self.connection.execute(f"CREATE TABLE events ({DEFINED})")
        rows = []
        for reader, day in zip(*np.nonzero(self.came), strict=True):
            at = NOW - timedelta(days=DAYS) + timedelta(days=int(day), hours=12)
            visit = f"v{reader}.{day}"
            rows.append(("served", at, f"r{reader}", visit, "page", 0.0))
            rows += [("read", at, f"r{reader}", visit, f"a{n}", 30.0) for n in range(self.read[reader, day])]
        columns = {name: [None] * len(rows) for name in EVENT_COLUMNS}
        texts = [name for name, kind in EVENT_COLUMNS.items() if kind == "VARCHAR"]
        columns |= {name: [""] * len(rows) for name in texts}
        for name, values in zip(
            ("kind", "at", "reader", "visit", "article", "engaged_seconds"), zip(*rows, strict=True), strict=True
        ):
            columns[name] = list(values)
        columns["at"] = columns["received_at"] = [at.replace(tzinfo=None) for at in columns["at"]]
        columns["seq"], columns["site"] = list(range(1, len(rows) + 1)), ["gazette"] * len(rows)
        batch = {name: np.array(values, dtype=object if name in texts else None) for name, values in columns.items()}
        batch["position"] = np.full(len(rows), 0)
        batch["amount"] = np.full(len(rows), np.nan)
        self.connection.register("batch", batch)
        names = ", ".join(f'"{name}"' for name in EVENT_COLUMNS)
        self.connection.execute(f"INSERT INTO events SELECT {names} FROM batch")

    ready, elsewhere = (), False

    def rows(self, sql, parameters=None):
        return fetch(self.connection, sql, parameters)


@pytest.fixture(scope="module")
def site():
    return Site()


def plan(site, **more):
    metrics = more.pop("metrics", [READS, DEPTH, VISITS, KEPT])
    return plan_from_log(site, metrics, read_seconds=10, now=NOW, **more)


def test_the_log_says_how_readers_differ_and_how_many_come(site):
    """For each span: units, mean and standard deviation as if an experiment had begun then, and the past's correlation."""
    made = plan(site, metric="reads")
    assert [round(one.weeks, 2) for one in made.history] == [1.0, 2.0, 4.0, pytest.approx(7.86, abs=0.01)]
    for one, days in zip(made.history[:3], (7, 14, 28), strict=True):
        # A span reaches back from the last event, at noon of the last day, both ends included.
        came, read = site.came[:, -days - 1 :], site.read[:, -days - 1 :]
        there = came.any(axis=1)
        values = read[there].sum(axis=1)
        assert one.units == there.sum()
        assert (one.value, one.sd) == pytest.approx((values.mean(), values.std(ddof=1)), rel=1e-9)
        assert one.volume == there.sum()
        before = np.zeros((READERS, 0))
        if days < 28:
            before = np.stack([
                site.read[reader, max(0, first - 14) : first].sum() if there[reader] else 0
                for reader, first in enumerate(site.came[:, -days - 1 :].argmax(axis=1) + DAYS - days - 1)
            ])[there]  # fmt: skip
            assert one.correlation == pytest.approx(np.corrcoef(values, before)[0, 1], rel=1e-9)
    assert made.history[3].correlation == made.history[2].correlation


def test_a_ratio_is_planned_by_the_delta_method(site):
    """Its standard deviation is that of `(Y − R·Z)/mean(Z)`."""
    one = plan(site, metric="depth").history[2]
    came, read = site.came[:, -29:].sum(axis=1), site.read[:, -29:].sum(axis=1)
    y, z = read[came > 0], came[came > 0]
    ratio = y.mean() / z.mean()
    assert one.value == pytest.approx(ratio, rel=1e-9)
    assert one.sd == pytest.approx(((y - ratio * z) / z.mean()).std(ddof=1), rel=1e-9)
    assert one.volume == pytest.approx(z.sum())


def test_readers_who_come_back_are_not_new(site):
    """Units grow slower than time, and go on as they did beyond the log; between spans they lie between."""
    history = plan(site, metric="reads").history
    units = [one.units for one in history]
    assert units == sorted(units)
    assert units[2] < 4 * units[0]
    later = seen_at(history, 16)
    assert history[-1].units <= later.units <= history[-1].units * 16 / history[-1].weeks
    assert history[1].units < seen_at(history, 3).units < history[2].units
    assert later.total == pytest.approx(history[-1].total * 16 / history[-1].weeks, rel=0.2)


SPANS = st.lists(st.tuples(st.floats(0.2, 5), st.floats(10, 1e6), st.floats(0.1, 10)), min_size=1, max_size=4)


@given(spans=SPANS, weeks=st.floats(0.1, 60))
def test_what_is_seen_in_so_many_weeks_agrees_with_what_was_seen(spans, weeks):
    """At a span of the history it is that span; elsewhere units rise with time, never faster than time."""
    history, at, units = [], 0.0, 0.0
    for gap, more, value in spans:
        at, units = at + gap, units + more
        history.append(Seen(weeks=at, units=units, value=value, sd=2 * value, correlation=0.3, volume=units))
    for one in history:
        found = seen_at(history, one.weeks)
        assert (found.units, found.sd) == pytest.approx((one.units, one.sd), rel=1e-9)
    now, later = seen_at(history, weeks), seen_at(history, 2 * weeks)
    assert now.units > 0
    assert later.units >= now.units * (1 - 1e-9)
    if weeks >= history[-1].weeks:
        assert later.units <= 2 * now.units * (1 + 1e-9)


def test_the_smallest_effect_is_that_of_the_formula(site):
    """`(1.96 + 0.84)·sd·√(1 − r²)·√(4/n)`, wider for unequal sides and for a part of the readers; and its money per month."""
    made = plan(site, metric="reads")
    four = plan_on_site(made).detectable[2]
    one = made.history[2]
    reach = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    expected = reach * one.sd * math.sqrt(1 - one.correlation**2) * math.sqrt(4 / one.units)
    assert four.effect == pytest.approx(expected, rel=1e-9)
    assert four.relative == pytest.approx(expected / one.value, rel=1e-9)
    assert four.money == pytest.approx(expected * one.units * 0.01 / (28 / (365.25 / 12)), rel=1e-9)
    assert four.units_per_variant == one.units // 2
    assert not four.beyond
    assert four.always > four.effect
    uneven = Experiment(
        experiment="e", placement="p", control="a", salt="s", share=0.5,
        variants=tuple(Variant(name=name, weight=weight, scenario=name, release=name) for name, weight in (("b", 1), ("a", 3))),
    )  # fmt: skip
    worse = plan_on_site(plan(site, metric="reads", experiment=uneven)).detectable[2]
    assert worse.effect == pytest.approx(expected * math.sqrt(2 * (4 + 4 / 3) / 4), rel=1e-9)


def test_an_effect_that_pays_for_a_cost_is_set_beside_what_can_be_seen(site):
    """A cost per month over what a whole month of the metric is worth; and when so small an effect can be seen."""
    made = plan(site, metric="reads", cost=parse_cost("120 EUR/year"))
    found = plan_on_site(made)
    longest = made.history[-1]
    monthly = longest.total / (longest.weeks * MONTHS_PER_WEEK) * 0.01
    assert found.pays.relative == pytest.approx(10 / monthly, rel=1e-9)
    assert found.pays.effect == pytest.approx(found.pays.relative * longest.value, rel=1e-9)
    at = [each for each in found.detectable if each.relative <= found.pays.relative]
    assert (found.pays.weeks is None) == (not at) or found.pays.weeks > 12 or found.pays.weeks <= at[0].weeks
    dear = plan_on_site(replace(made, cost=Money(1e-6, "EUR")))
    assert dear.pays.weeks is None


def test_an_effect_that_is_asked_for_has_its_weeks(site):
    """The first day from which the smallest effect is no larger."""
    made = plan(site, metric="reads", effect=0.4, relative=True)
    found = plan_on_site(made)
    assert found.weeks is not None
    smallest = [plan_on_site(made).detectable[place].relative for place in range(5)]
    weeks = [1, 2, 4, 8, 12]
    assert all((each <= 0.4) == (week >= found.weeks) for each, week in zip(smallest, weeks, strict=True))
    assert plan_on_site(replace(made, effect=1e-6)).weeks is None


def test_a_guardrail_with_a_margin_has_its_chance(site):
    """`Φ(margin/se − reach)`, reach that of an interval that holds at every look; a margin in money is one in the metric."""
    made = plan(site, metric="depth", weeks=4)
    found = {one.metric: one for one in plan_on_site(made).guardrails}
    assert set(found) == {"visits", "kept"}
    visits = {metric.metric: history for metric, history in made.guardrails}["visits"][2]
    assert found["visits"].margin == pytest.approx(0.05 * visits.value)
    assert 0 < found["visits"].chance < 0.8
    kept = found["kept"]
    one = {metric.metric: history for metric, history in made.guardrails}["kept"][2]
    assert kept.margin * one.units * 0.01 / (4 * MONTHS_PER_WEEK) == pytest.approx(3.0)
    wide = plan_on_site(replace(made, guardrails=((replace(VISITS, margin=50.0), (visits,)),)))
    assert wide.guardrails[0].chance == pytest.approx(1.0)


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_plan_is_told_and_drawn(site, language):
    """A line per duration, what pays, what guardrails can show, in both languages, without a placeholder left."""
    made = plan(site, metric="reads", cost=parse_cost("400 EUR/year"), effect=0.1, relative=True)
    said = site_plan_sentences(made, language)
    assert sum("█" in line for line in said) == 5
    assert any("┊" in line for line in said)
    assert any({"en": "Guardrail visits", "fr": "Garde-fou visits"}[language] in line for line in said)
    assert not any("{" in line or "}" in line for line in said)
    assert any({"en": "or more pays for 33.3 EUR a month", "fr": "ou plus paient"}[language] in line for line in said)


def test_the_document_holds_the_plan(site):
    """Schema, history, smallest effects with money, guardrails; what was not asked for is left out."""
    document = json.loads(json.dumps(site_plan_document(plan(site, metric="reads"))))
    assert document["schema"] == "embellie/plan/1"
    assert document["metric"] == "reads"
    assert [round(each["weeks"]) for each in document["history"]] == [1, 2, 4, 8]
    assert document["smallest_effects"][4]["beyond"] is True
    assert "pays" not in document
    assert "effect" not in document
    assert document["currency"] == "EUR"


def test_a_quantile_is_planned_by_its_order_statistics(site):
    """Its standard deviation is its standard error times √n; no covariate, no money."""
    metric = Metric(metric="median_reads", numerator="reads", form="quantile", quantile=0.5)
    made = plan(site, metrics=[metric])
    values = site.read[:, -29:].sum(axis=1)[site.came[:, -29:].any(axis=1)]
    n = len(values)
    low, high = np.quantile(values, [0.5 - 1.96 * math.sqrt(0.25 / n), 0.5 + 1.96 * math.sqrt(0.25 / n)])
    assert made.history[2].sd == pytest.approx((high - low) / (2 * 1.96) * math.sqrt(n), rel=1e-3)
    assert plan_on_site(made).detectable[0].money is None


def test_what_cannot_be_planned_says_why(site):
    """An empty log, an unknown metric, one without worth or value, two currencies."""
    empty = Site.__new__(Site)
    empty.connection = duckdb.connect()
    empty.connection.execute(f"CREATE TABLE events ({DEFINED})")
    with pytest.raises(InputError, match="Nobody is in the log yet"):
        plan(empty)
    with pytest.raises(UnknownName, match="Unknown metric `nothing`"):
        plan(site, metric="nothing")
    with pytest.raises(InputError, match="has no worth"):
        plan(site, metric="visits", cost=Money(10.0, "EUR"))
    with pytest.raises(InputError, match="two currencies"):
        plan(site, metric="reads", cost=Money(10.0, "USD"))
    with pytest.raises(InputError, match="has no value in the log yet"):
        plan(site, metrics=[Metric(metric="sales", numerator="amount")])
    with pytest.raises(InputError, match="above 0 and at most 1"):
        plan(site, metric="reads", share=0.0)
    with pytest.raises(InputError, match="no cost"):
        parse_cost("5 %")
    with pytest.raises(InputError, match="no history"):
        SitePlan(metric=READS, history=())


def run(*arguments):
    return CliRunner().invoke(cli, ["measure", "plan", *arguments], standalone_mode=False, catch_exceptions=False)


def test_the_command_takes_figures_or_a_log(tmp_path):
    """With a baseline it computes, in both languages; without, it opens the project; the two are not mixed."""
    said = run("--baseline", "0.05", "--effect", "5%", "--traffic", "20k/week", "--lang", "fr").stdout
    assert "119 303 unités par variante" in said.replace("\u202f", " ")
    with pytest.raises(InputError, match="without a baseline"):
        run("--sd", "3")
    with pytest.raises(InputError, match="reads the log"):
        run("--baseline", "0.05", "--cost", "20k EUR/year")
    (tmp_path / "embellie.toml").write_text('[sites.gazette]\nname = "Gazette"\n', encoding="utf-8")
    with pytest.raises(InputError, match="Nobody is in the log yet"):
        run("--project", str(tmp_path))
