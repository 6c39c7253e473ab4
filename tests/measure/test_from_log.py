"""Scorecards computed from the log's events."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from fractions import Fraction
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embellie.app.measuring import scorecard
from embellie.app.scorecard_document import scorecard_document
from embellie.domain.errors import InputError, UnknownName
from embellie.domain.experiment import Experiment, Variant
from embellie.domain.metric import Metric
from embellie.domain.money import Money
from embellie.domain.scorecard import Effect, UnavailableEffect
from embellie.measure.from_log import read_aggregates
from embellie.measure.log_query import IDLE_PAGES, SINCE_DAYS, VISIT_PAGES
from embellie.store.analysis import Analysis

SECOND = 1_000_000
ARTICLES_PER_VISIT = Metric(metric="articles_per_visit", numerator="reads", denominator="visits", role="primary")
CLICK_THROUGH = Metric(metric="click_through", numerator="clicks", denominator="impressions", proxy=True)
EXPERIMENT = Experiment(
    experiment="first-light",
    placement="bottom",
    control="status_quo",
    variants=(
        Variant(name="status_quo", weight=1, scenario="status_quo", release="r1"),
        Variant(name="heuristic", weight=1, scenario="heuristic", release="r2"),
    ),
    salt="s",
)


@dataclass
class FakeLog:
    """A log in a list: has only what the analysis reads."""

    rows: list = field(default_factory=list)

    def add(self, kind, *, at, reader="", visit="", article="", **body):
        number = len(self.rows) + 1
        self.rows.append(
            (number, f"e{number}", "gazette", kind, at * SECOND, at * SECOND, "profiling", reader, visit, article,
             json.dumps(body))
        )  # fmt: skip

    def tail(self, after, limit):
        names = ("seq", "id", "site", "kind", "at", "received_at", "consent", "reader", "visit", "article", "body")
        chosen = [row for row in self.rows if row[0] > after][:limit]
        return SimpleNamespace(**{name: [row[place] for row in chosen] for place, name in enumerate(names)})

    def expose(self, reader, variant, *, at=10, experiment="first-light"):
        self.add("exposure", at=at, reader=reader, experiment=experiment, unit=reader, variant=variant)

    def read(self, reader, visit, article, *, at=20, seconds=30.0):
        self.add("read", at=at, reader=reader, visit=visit, article=article, engaged_seconds=seconds)


def filled():
    """Four readers a side; the control reads 1, 1, 2, 2 articles in a visit, the variant one more each."""
    log = FakeLog()
    for side, more in (("status_quo", 0), ("heuristic", 1)):
        for place in range(4):
            reader = f"{side}-{place}"
            log.expose(reader, side)
            log.add("served", at=10, reader=reader, visit=f"v-{reader}")
            for article in range(1 + place // 2 + more):
                log.read(reader, f"v-{reader}", f"a{article}")
    return log


def card_of(log, metrics=(ARTICLES_PER_VISIT,), **more):
    return scorecard(Analysis(log), EXPERIMENT, metrics, read_seconds=10, **more)


def only(card, metric="articles_per_visit"):
    (row,) = [row for row in card.effects if row.metric == metric]
    return row


def test_articles_per_visit_is_reads_over_visits_per_reader():
    """The ratio of the means of reads and visits, per side, and their difference."""
    row = only(card_of(filled()))
    assert isinstance(row, Effect)
    assert (row.control_value, row.variant_value) == (1.5, 2.5)
    assert row.effect == pytest.approx(1.0)
    assert row.se == pytest.approx((2 * (1 / 3) / 4) ** 0.5)


def test_what_happened_before_the_exposure_does_not_count():
    """A reader counts from their first exposure on; an event at that very moment counts."""
    log = filled()
    log.read("status_quo-0", "earlier", "a9", at=9)
    assert only(card_of(log)).control_value == 1.5
    log.read("status_quo-0", "v-status_quo-0", "a9", at=10)
    assert only(card_of(log)).control_value == 1.75


def test_a_short_look_is_not_a_read_and_a_read_reported_twice_is_one():
    """Reads are distinct (visit, article) of at least `read_seconds`."""
    log = filled()
    log.read("status_quo-0", "v-status_quo-0", "a7", seconds=9.9)
    log.read("status_quo-0", "v-status_quo-0", "a0")
    assert only(card_of(log)).control_value == 1.5
    log.read("status_quo-0", "another", "a0")
    assert only(card_of(log)).control_value == pytest.approx(7 / 5)


def test_a_reader_in_two_variants_is_left_out_and_counted():
    """Units seen on both sides belong to neither."""
    log = filled()
    log.expose("status_quo-0", "heuristic", at=12)
    card = card_of(log)
    assert card.units == {"status_quo": 3, "heuristic": 4}
    assert card.excluded == {"two_variants": 1, "bots": 0}


def test_the_exposures_of_another_experiment_do_not_matter():
    """Exposure is per experiment."""
    log = filled()
    log.expose("status_quo-0", "heuristic", experiment="other")
    assert card_of(log).excluded == {"two_variants": 0, "bots": 0}


def test_click_through_of_a_control_that_shows_nothing_is_unavailable():
    """No impressions: no rate; never zero. It says it is a proxy."""
    log = filled()
    for place in range(4):
        log.add("impression", at=11, reader=f"heuristic-{place}", visit="v", article="a1", position=1)
    row = only(card_of(log, [CLICK_THROUGH]), "click_through")
    assert isinstance(row, UnavailableEffect)
    assert row.proxy
    assert "no impressions" in row.because.reason


def test_clicks_over_impressions_when_both_sides_show():
    """Click-through per side is the ratio of means, a click counted per event."""
    log = filled()
    for side, clicked in (("status_quo", 1), ("heuristic", 3)):
        for place in range(4):
            for position in (1, 2):
                log.add("impression", at=11, reader=f"{side}-{place}", position=position)
            if place < clicked:
                log.add("click", at=12, reader=f"{side}-{place}", position=1)
    row = only(card_of(log, [CLICK_THROUGH]), "click_through")
    assert (row.control_value, row.variant_value) == (1 / 8, 3 / 8)


def test_money_and_engaged_time_are_summed_per_reader():
    """`amount` sums conversions, `engaged_seconds` sums reads, whatever their length."""
    log = filled()
    for side, amount in (("status_quo", 1.0), ("heuristic", 2.0)):
        for place in range(4):
            log.add(
                "conversion", at=30, reader=f"{side}-{place}", goal="subscription",
                amount={"amount": amount * (place + 1), "currency": "EUR"},
            )  # fmt: skip
    metrics = [Metric(metric=name, numerator=name) for name in ("amount", "conversions", "engaged_seconds")]
    card = card_of(log, metrics)
    assert only(card, "amount").effect == pytest.approx(2.5)
    assert isinstance(only(card, "conversions"), UnavailableEffect), "one each: nothing varies"
    assert only(card, "engaged_seconds").control_value == pytest.approx(45.0)


def test_a_reader_who_does_nothing_counts_as_zero():
    """Exposed readers without an event are part of the mean."""
    log = filled()
    log.expose("heuristic-9", "heuristic")
    per_reader = Metric(metric="reads_per_reader", numerator="reads")
    assert only(card_of(log, [per_reader]), "reads_per_reader").variant_value == pytest.approx(10 / 5)


def test_an_empty_log_gives_reasons():
    """No exposure yet: every figure is unavailable, with a remedy, and so is the split."""
    document = scorecard_document(card_of(FakeLog()))
    assert document["variants"] == {"status_quo": {"units": 0}, "heuristic": {"units": 0}}
    assert "unavailable" in document["srm"]
    assert all("remedy" in row for row in document["effects"])


def test_a_variant_the_design_does_not_know_is_left_out_and_counted():
    """Exposures to a variant that has been removed are not analysed."""
    log = filled()
    log.expose("r", "old")
    assert card_of(log).excluded == {"two_variants": 0, "bots": 0, "unknown_variant": 1}


def test_a_count_the_log_does_not_know_is_refused_with_its_place():
    """The error names the metric and the nearest name."""
    with pytest.raises(UnknownName, match=r"metrics\.m: Unknown count of the log `raeds`. Did you mean `reads`"):
        card_of(filled(), [Metric(metric="m", numerator="raeds")])


def test_new_events_are_seen_at_the_next_question():
    """The analysis reads on from where it stopped."""
    log = filled()
    analysis = Analysis(log)
    before = scorecard(analysis, EXPERIMENT, [ARTICLES_PER_VISIT], read_seconds=10)
    log.read("heuristic-0", "v-heuristic-0", "a8")
    after = scorecard(analysis, EXPERIMENT, [ARTICLES_PER_VISIT], read_seconds=10)
    assert only(after).variant_value == only(before).variant_value + 0.25


def test_an_erased_reader_is_gone_from_the_analysis():
    """What came before an erasure is dropped; what comes after counts again."""
    log = filled()
    analysis = Analysis(log)
    analysis.refresh()
    log.add("erasure", at=40, reader="status_quo-0")
    log.read("status_quo-0", "new", "a1", at=50)
    card = scorecard(analysis, EXPERIMENT, [ARTICLES_PER_VISIT], read_seconds=10)
    assert card.units["status_quo"] == 3
    kinds = analysis.rows("SELECT kind FROM events WHERE reader = 'status_quo-0' ORDER BY seq")
    assert [row["kind"] for row in kinds] == ["erasure", "read"]


def test_the_order_and_the_repetition_of_events_do_not_matter():
    """Any order of the same facts gives the same scorecard."""
    log, other = filled(), filled()
    other.rows = [(number, *row[1:]) for number, row in enumerate(reversed(other.rows), start=1)]
    assert card_of(log) == card_of(other)


def test_a_scorecard_of_the_past_knows_only_the_past():
    """With `until`, later events are as if they had not happened yet; the moment itself counts."""
    log = filled()
    log.read("heuristic-0", "v-heuristic-0", "a8", at=60)
    then, later = (datetime.fromtimestamp(second, UTC) for second in (59, 60))
    assert card_of(log, until=then) == card_of(filled())
    assert only(card_of(log, until=later)).variant_value == 2.75


def test_what_happens_after_the_experiment_stopped_does_not_count():
    """Once it stops, readers are no longer shown their variant: neither what they do nor who comes then is its doing."""
    log = filled()
    log.read("heuristic-0", "v-heuristic-0", "a8", at=60)
    log.expose("late", "heuristic", at=61)
    stopped = replace(EXPERIMENT, state="stopped", stopped_at=datetime.fromtimestamp(50, UTC))
    card = scorecard(Analysis(log), stopped, [ARTICLES_PER_VISIT], read_seconds=10)
    assert card == card_of(filled())
    assert only(card_of(log)).variant_value == 2.75


def test_another_site_does_not_matter_when_one_is_asked_for():
    """With `site`, only its events count."""
    assert card_of(filled(), site="gazette") == card_of(filled())
    assert card_of(filled(), site="courier").units == {"status_quo": 0, "heuristic": 0}


# columns, windows, slices


ALL = ("consent", "day", "bot", "returning", "since")
DAY = 86_400


def sums_of(log, *metrics, **more):
    options = {"now": datetime.fromtimestamp(40 * DAY, UTC), "dimensions": ALL, **more}
    return read_aggregates(Analysis(log), EXPERIMENT, metrics, read_seconds=10, site="gazette", **options)


def sold(log, reader, amount, *, at=30, goal="subscription", currency="EUR"):
    log.add("conversion", at=at, reader=reader, goal=goal, amount={"amount": amount, "currency": currency})


def test_money_of_two_currencies_is_never_added():
    """Refused with both, unless a goal keeps them apart; nor is it called another than the metric's worth is in."""
    log = filled()
    sold(log, "heuristic-1", 10.0)
    sold(log, "heuristic-2", 12.0, goal="ads", currency="USD")
    with pytest.raises(InputError, match=r"`income` would add `EUR` and `USD`"):
        sums_of(log, Metric(metric="income", numerator="amount"))
    own = Metric(metric="income", numerator="amount", goal="subscription")
    assert sums_of(log, own).moments["heuristic"].mean("amount:subscription") == 2.5
    with pytest.raises(InputError, match="its worth in `USD`"):
        sums_of(log, replace(own, worth=Money(amount=1.0, currency="USD")))


def test_a_heavy_reader_is_cut_at_the_quantile_of_those_above_zero():
    """The cap is one value for both variants, told with the sums; money keeps its cents."""
    log = filled()
    for place, amount in enumerate((1.25, 2.5, 3.75, 100.0)):
        sold(log, f"heuristic-{place}", amount)
    found = sums_of(log, Metric(metric="income", numerator="amount", cap=0.5))
    assert found.caps["amount^0.5"][1] == 3.125
    assert found.moments["heuristic"].mean("amount^0.5") == (1.25 + 2.5 + 3.125 + 3.125) / 4


def test_retention_counts_only_those_whose_time_has_come():
    """A reader exposed yesterday has not stayed away for a week: neither above nor below the line."""
    log = filled()
    log.expose("heuristic-late", "heuristic", at=38 * DAY)
    log.read("heuristic-late", "v", "a1", at=39 * DAY)
    log.read("heuristic-0", "back", "a1", at=2 * DAY)
    back = Metric(metric="back", numerator="visits", form="retention", days=(1, 7))
    side = sums_of(log, back).moments["heuristic"]
    assert (side.n, side.mean("visits@1-7>0"), side.mean("due@1-7")) == (5, 1 / 5, 4 / 5)


def test_what_was_before_is_counted_by_the_same_rules():
    """In the days before the exposure, and not a moment earlier: a read reported twice is one, a visit is one."""
    log = FakeLog()
    for reader in ("a", "b"):
        log.expose(reader, "heuristic", at=20 * DAY)
    for article in ("x", "y", "x"):
        log.read("a", "v1", article, at=19 * DAY)
    log.read("a", "v2", "z", at=20 * DAY - 14 * DAY - 1)
    side = sums_of(log, ARTICLES_PER_VISIT).moments["heuristic"]
    assert (side.mean("reads@before"), side.mean("visits@before"), side.mean("reads")) == (1.0, 0.5, 0.0)
    slices = sums_of(log, ARTICLES_PER_VISIT).slices
    assert {part: side["heuristic"].n for part, side in slices.items() if part[0] == "returning"} == {
        ("returning", "new"): 1,
        ("returning", "returning"): 1,
    }


@pytest.mark.parametrize(
    ("pages", "seconds", "visits", "is_bot"),
    [(IDLE_PAGES, 0.0, 50, True), (IDLE_PAGES, 1.0, 50, False), (VISIT_PAGES + 1, 5.0, 1, True)],
)
def test_who_behaves_as_no_person_does_is_left_out_and_counted(pages, seconds, visits, is_bot):
    """Very many pages without attention, or in one visit: out of the figures, and still in the slice of everyone."""
    log = filled()
    log.expose("robot", "heuristic")
    for page in range(pages):
        log.add("served", at=20 + page, reader="robot", visit=f"v{page % visits}", article="a")
    log.read("robot", "v0", "a", at=20, seconds=seconds)
    found = sums_of(log, ARTICLES_PER_VISIT)
    assert found.excluded["bots"] == is_bot
    assert found.moments["heuristic"].n == 5 - is_bot
    assert found.slices["bot", "everyone"]["heuristic"].n == 5


def test_a_tag_on_the_exposure_is_enough():
    """Whatever its sign was."""
    log = filled()
    log.add("exposure", at=10, reader="c", experiment="first-light", unit="c", variant="heuristic", bot="crawler")
    assert sums_of(log, ARTICLES_PER_VISIT).excluded["bots"] == 1


def test_the_same_name_on_another_site_is_another_experiment():
    """Neither its exposures nor its readers' acts are pooled."""
    log = filled()
    log.rows += [(100 + row[0], f"c{row[1]}", "courier", *row[3:]) for row in log.rows]
    assert card_of(log, site="gazette") == card_of(filled())


@st.composite
def logs(draw):
    """A log of a few readers over some weeks, with everything that can be counted."""
    log, reader = FakeLog(), st.sampled_from(["r1", "r2", "r3", "r4", "r5"])
    for name in ("r1", "r2", "r3", "r4", "r5"):
        log.expose(name, draw(st.sampled_from(["status_quo", "heuristic"])), at=draw(st.integers(10, 20)) * DAY)
    if draw(st.booleans()):
        log.expose(draw(reader), draw(st.sampled_from(["status_quo", "heuristic", "old"])), at=12 * DAY)
    for _ in range(draw(st.integers(0, 40))):
        kind = draw(st.sampled_from(["read", "read", "served", "click", "impression", "conversion"]))
        at, who = draw(st.integers(0, 45 * 2)) * DAY // 2, draw(reader)
        visit, article = draw(st.sampled_from(["v1", "v2", "v3"])), draw(st.sampled_from(["a", "b"]))
        if kind == "conversion":
            sold(log, who, draw(st.integers(-50, 5000)) / 100, at=at, goal=draw(st.sampled_from(["one", "two"])))
        elif kind == "read":
            log.read(who, visit, article, at=at, seconds=draw(st.sampled_from([0.0, 9.9, 10.0, 31.4])))
        else:
            log.add(kind, at=at, reader=who, visit=visit, article=article)
    return log


METRICS = (
    ARTICLES_PER_VISIT,
    CLICK_THROUGH,
    Metric(metric="attention", numerator="engaged_seconds"),
    Metric(metric="income", numerator="amount", goal="one"),
    Metric(metric="buyers", numerator="conversions", form="share"),
    Metric(metric="back", numerator="visits", form="retention", days=(2, 9)),
)


@settings(max_examples=20, deadline=None)
@given(log=logs())
def test_every_sum_is_that_of_counting_by_hand(log):
    """Means, variances and covariances, whole and by slice, against exact fractions over readers counted one by one."""
    found = sums_of(log, *METRICS)
    persons, twice, unknown = by_hand(log)
    assert found.excluded.get("two_variants") == twice
    assert found.excluded.get("unknown_variant", 0) == unknown
    for variant in ("status_quo", "heuristic"):
        own = [person for person in persons if person["variant"] == variant]
        assert (found.moments[variant].n if variant in found.moments else 0) == len(own)
        if own:
            check_moments(found.moments[variant], own)
        for value in ("new", "returning"):
            part = [person for person in own if person["past"] == value]
            if part:
                check_moments(found.slices["returning", value][variant], part)
        for day in range(SINCE_DAYS):
            aged = [person["days"][day] for person in own if person["age"] > day]
            sides = found.slices.get(("since", str(day)), {})
            assert (sides[variant].n if variant in sides else 0) == len(aged)
            if aged:
                check_moments(sides[variant], aged)


def check_moments(moments, units):
    n = len(units)
    for (one, other), covariance in moments.covariances.items():
        xs, ys = ([Fraction(unit["values"][name]) for unit in units] for name in (one, other))
        assert moments.mean(one) == float(sum(xs) / n)
        centred = sum((x - sum(xs) / n) * (y - sum(ys) / n) for x, y in zip(xs, ys, strict=True))
        assert covariance == (float(centred / (n - 1)) if n > 1 else 0.0)


def by_hand(log, end=40 * DAY):
    """Count each reader's columns in plain Python."""
    met = {}
    for _, _, _, kind, at, _, _, reader, _, _, body in log.rows:
        if kind == "exposure":
            met.setdefault(reader, []).append((at // SECOND, json.loads(body)["variant"]))
    persons, twice, unknown = [], 0, 0
    for reader, exposures in met.items():
        variants = {variant for _, variant in exposures}
        since = min(at for at, _ in exposures)
        if len(variants) > 1:
            twice += 1
            continue
        if variants == {"old"}:
            unknown += 1
            continue
        acts = [
            (row[3], row[4] // SECOND, row[8], row[9], json.loads(row[10]))
            for row in log.rows
            if row[7] == reader and row[3] != "exposure" and row[4] // SECOND <= end
        ]
        during = [act for act in acts if act[1] >= since]
        before = [act for act in acts if since - 14 * DAY <= act[1] < since]
        due = since + 9 * DAY <= end
        week = [act for act in during if since + 2 * DAY <= act[1] < since + 9 * DAY]
        values = counted(during) | {f"{name}@before": value for name, value in counted(before).items()}
        values["conversions@before>0"] = values.pop("conversions>0@before")
        values |= {"due@2-9": int(due), "visits@2-9>0": int(due and counted(week)["visits"] > 0)}
        days = [
            {"values": counted([act for act in during if since + day * DAY <= act[1] < since + (day + 1) * DAY])}
            for day in range(SINCE_DAYS)
        ]
        age = min(SINCE_DAYS, (end - since) // DAY)
        past = "returning" if counted(before)["visits"] else "new"
        persons.append({"variant": variants.pop(), "values": values, "past": past, "days": days, "age": age})
    return persons, twice, unknown


def counted(acts):
    sales = [body for kind, *_, body in acts if kind == "conversion"]
    return {
        "reads": len({(v, a) for kind, _, v, a, body in acts if kind == "read" and body["engaged_seconds"] >= 10}),
        "visits": len({v for kind, _, v, _, _ in acts if kind in ("served", "read")}),
        "clicks": sum(kind == "click" for kind, *_ in acts),
        "impressions": sum(kind == "impression" for kind, *_ in acts),
        "engaged_seconds": sum(Fraction(str(body["engaged_seconds"])) for kind, *_, body in acts if kind == "read"),
        "amount:one": sum(Fraction(str(body["amount"]["amount"])) for body in sales if body["goal"] == "one"),
        "conversions>0": int(bool(sales)),
    }


@settings(max_examples=8, deadline=None)
@given(log=logs(), part=st.integers(1, 4))
def test_a_part_of_the_readers_at_a_time_gives_the_same_sums(log, part):
    """However many passes it takes, to the last digit."""
    log.rows = [(61 * row[0], *row[1:]) for row in log.rows]
    assert sums_of(log, *METRICS, part=part) == sums_of(log, *METRICS)


def test_bots_alone_have_no_quantile():
    """Where no person was exposed there is no sample, and no error either."""
    log = FakeLog()
    log.expose("crawler", "status_quo")
    for page in range(IDLE_PAGES):
        log.add("served", at=20 + page, reader="crawler", visit="v")
    median = Metric(metric="median", numerator="reads", form="quantile", quantile=0.5)
    found = read_aggregates(Analysis(log), EXPERIMENT, [median], read_seconds=10)
    assert found.excluded["bots"] == 1
    assert not found.quantiles
