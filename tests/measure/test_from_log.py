"""Scorecards computed from the log's events."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from embellie.app.measuring import scorecard
from embellie.app.scorecard_document import scorecard_document
from embellie.domain.errors import UnknownName
from embellie.domain.experiment import Experiment, Variant
from embellie.domain.metric import Metric
from embellie.domain.scorecard import Effect, UnavailableEffect
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
