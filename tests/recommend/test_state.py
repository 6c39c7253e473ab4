"""The fold: the same live and in replay, bounded, and forgetful when asked."""

import random

import numpy as np
import pytest

from embellie.domain.errors import InputError
from embellie.domain.moment import micros
from embellie.domain.reading import ConsentChange, Erasure
from embellie.recommend.built_in import POLICIES, build_policy
from embellie.recommend.popularity import ReadCounters
from embellie.recommend.signals import Silent, signals_of
from embellie.recommend.state import Bounds, State


def busy_day(gazette, seed=7, events=600):
    """A day's log: articles appear, readers read and click, some twice, some late."""
    rng = random.Random(seed)
    log = [gazette.publish(f"a{i}", i, section=rng.choice(["Sport", "Politics", ""])) for i in range(40)]
    for i in range(events):
        minute = 40 + i * 2 - rng.choice([0, 0, 0, 90])
        one = rng.choice([gazette.read, gazette.click])
        log.append(
            one(
                f"a{rng.randrange(45)}",
                minute,
                reader=f"r{rng.randrange(20)}",
                visit=rng.choice(["", f"v{i // 5}"]),
                consent=rng.choice(["profiling", "measurement", "none"]),
            )
        )
    return log


def test_live_and_replayed_states_are_equal_to_the_bit(gazette):
    """Folded in one go, or in pieces with slates asked in between: every score has the same bits."""
    log = busy_day(gazette)
    signals = signals_of(map(build_policy, POLICIES))
    replayed, live = State(signals=signals).fold(log), State(signals=signals)
    request = gazette.request(1300, reader="r3", article="a5", visit="v9")
    for event in log:
        live.apply(event)
        list(build_policy("affinity")(request, live))
    for name in POLICIES:
        policy = build_policy(name)
        assert list(policy(request, live)) == list(policy(request, replayed))
    now = micros(request.now)
    for step in range(8):
        one, other = (s.site("gazette").counters.reads(now, step) for s in (live, replayed))
        assert one.tobytes() == other.tobytes()


def test_asking_changes_nothing(gazette):
    """The same request twice gives the same ranking."""
    state = State().fold(busy_day(gazette))
    request = gazette.request(1300, reader="r3")
    policy = build_policy("affinity")
    assert list(policy(request, state)) == list(policy(request, state))


def test_sites_do_not_mix(gazette):
    """What is published and read on one site is unknown to another."""
    state = State().fold(busy_day(gazette))
    request = gazette.request(1300)
    elsewhere = type(request)(site="other", placement="bottom", n=4, now=request.now)
    assert list(build_policy("popular")(elsewhere, state)) == []


def test_a_click_and_its_read_count_once(gazette):
    """A click followed by a read in the same visit is one read for popularity."""
    once = State().fold([gazette.publish("a"), gazette.read("a", 5, visit="v")])
    twice = State().fold([gazette.publish("a"), gazette.click("a", 5, visit="v"), gazette.read("a", 6, visit="v")])
    at = micros(gazette.at(5))
    assert once.site("gazette").counters.totals(at) == pytest.approx(twice.site("gazette").counters.totals(at))


def test_a_clock_that_runs_fast_does_not_age_everything(gazette):
    """An event dated in the future counts as of when it was received."""
    log = [gazette.publish("a"), gazette.publish("b"), gazette.read("a", 1), gazette.read("a", 2)]
    wild = gazette.read("b", 60 * 24 * 365, received_at=gazette.at(3))
    reads = State().fold([*log, wild]).site("gazette").counters.reads(micros(gazette.at(3)), 7)
    assert reads[0] > reads[1] > 0.9


@pytest.mark.parametrize("consent", ["measurement", "none"])
def test_without_profiling_no_history_is_kept(gazette, consent):
    """Only reads with consent to profiling enter a reader's history; the others still count for popularity."""
    state = State().fold([gazette.publish("a"), gazette.read("a", 5, consent=consent)])
    site = state.site("gazette")
    assert len(site.histories) == 0
    assert site.counters.totals(micros(gazette.at(5)))[0] == pytest.approx(1.0)


@pytest.mark.parametrize(
    "body",
    [
        Erasure(reader="ann"),
        ConsentChange(reader="ann", state="none"),
        ConsentChange(reader="ann", state="measurement"),
    ],
)
def test_withdrawing_drops_the_history(gazette, body):
    """After an erasure or a withdrawal, nothing of the reader is left, and a late old read does not bring it back."""
    log = [gazette.publish("a"), gazette.read("a", 5, visit="v"), gazette.event(6, body), gazette.read("a", 5.5)]
    state = State().fold(log)
    site, request = state.site("gazette"), gazette.request(7, reader="ann", visit="v")
    assert site.history(request) == {}
    assert site.read_rows(request) == set()


def test_consent_given_anew_starts_anew(gazette):
    """Reads after a withdrawal, with consent again, are remembered."""
    log = [gazette.publish("a"), gazette.event(6, Erasure(reader="ann")), gazette.read("a", 9)]
    assert len(State().fold(log).site("gazette").history(gazette.request(10, reader="ann"))) == 1


def test_memory_is_bounded(gazette):
    """Histories, readers, visits and made-up articles stay within their bounds, the latest kept."""
    bounds = Bounds(history=3, readers=2, visits=2, visit_articles=2, unlisted=1)
    state = State(bounds=bounds).fold(gazette.publish(f"a{i}") for i in range(9))
    for i in range(9):
        state.apply(gazette.read(f"a{i}", i, reader="ann", visit="v"))
    for i in range(9):
        state.apply(gazette.read("a0", 20 + i, reader=f"r{i}", visit=f"v{i}"))
        state.apply(gazette.read(f"made-up-{i}", 40 + i))
    site = state.site("gazette")
    assert len(site.histories) == 2
    assert len(site.shelf) == 10
    fresh = State(bounds=bounds).fold(gazette.publish(f"a{i}") for i in range(9))
    fresh.fold(gazette.read(f"a{i}", i, visit="v") for i in range(9))
    assert list(fresh.site("gazette").history(gazette.request(9, reader="ann"))) == [6, 7, 8]
    assert fresh.site("gazette").visit_rows(gazette.request(9, visit="v")) == [7, 8]


def test_an_article_only_read_is_not_shown_on_a_live_site(gazette):
    """A site shows no article it cannot name; when it is published, its reads count already."""
    state = State().fold([gazette.read("a", 1)])
    policy, request = build_policy("popular"), gazette.request(3, reader="bob")
    assert list(policy(request, state)) == []
    state.apply(gazette.publish("a", 2))
    assert [item.article for item in policy(request, state)] == ["a"]
    assert state.site("gazette").counters.totals(micros(gazette.at(1)))[0] == pytest.approx(1.0)


def test_a_click_log_has_the_articles_it_reads(gazette):
    """In a replay without a catalogue an article exists from its first read."""
    state = State(from_reads=True).fold([gazette.read("a", 1)])
    assert [item.article for item in build_policy("latest")(gazette.request(3, reader="bob"), state)] == ["a"]


def test_an_old_version_of_an_article_changes_nothing(gazette):
    """Of two versions, the one told last holds, whichever arrives first."""
    new = gazette.event(10, gazette.publish("a", title="New").body)
    old = gazette.event(5, gazette.publish("a", title="Old").body)
    for order in ([new, old], [old, new]):
        found = State().fold(order).article("gazette", "a")
        assert found is not None
        assert found.title == "New"


def test_showable_articles_come_newest_first(gazette, names):
    """The catalogue of now: live, published, not expired; newest first."""
    log = [gazette.publish("old", 0), gazette.publish("new", 5), gazette.publish("later", 50)]
    log += [gazette.publish("gone", 2, state="withdrawn"), gazette.publish("over", 1, expires_at=gazette.at(9))]
    assert names(State().fold(log).articles("gazette", gazette.at(10))) == ["new", "old"]


def test_columns_grow_without_losing_anything(gazette):
    """Five hundred articles keep their times, sections and reads."""
    state = State()
    for i in range(500):
        state.fold([gazette.publish(f"a{i}", i, section=f"s{i % 7}"), gazette.read(f"a{i}", i, reader=f"r{i}")])
    site = state.site("gazette")
    assert np.all(np.diff(site.shelf.published) > 0)
    assert [site.shelf.section_of(row) for row in range(500)] == [f"s{i % 7}" for i in range(500)]
    assert site.counters.reads(micros(gazette.at(500)), 7).min() > 0.9


def test_a_flood_of_withdrawals_stays_bounded_and_quick(gazette):
    """Anyone may send consent events: those of strangers neither fill memory nor touch others' visits."""
    bounds = Bounds(readers=100)
    state = State(bounds=bounds).fold([gazette.publish("a"), gazette.read("a", 1, reader="ann", visit="v")])
    for i in range(2_000):
        state.apply(gazette.event(2, ConsentChange(reader=f"stranger-{i}", state="none")))
    site = state.site("gazette")
    assert len(site.histories._withdrawn) == 100
    assert site.visit_rows(gazette.request(3, visit="v")) == [0]
    state.apply(gazette.event(4, Erasure(reader="ann")))
    assert site._visits_of == {}


class Heard(Silent):
    """Remembers what it was told."""

    name = "heard"

    def __init__(self):
        self.told = []

    def publish(self, row, article, at):
        self.told.append(("publish", row, article.article))

    def open(self, opened):
        self.told.append(("open", opened.row, opened.before, opened.again))

    def forget(self, reader, visits):
        self.told.append(("forget", reader, tuple(sorted(visits))))


def test_a_signal_hears_what_is_published_opened_and_forgotten(gazette):
    """With what the visit opened before; only where the state was asked to keep it."""
    log = [gazette.publish("a", 0), gazette.publish("b", 1)]
    log += [gazette.read(name, minute, reader="r", visit="v") for minute, name in enumerate(["a", "b", "a"], start=2)]
    state = State(signals=[Heard]).fold([*log, gazette.event(9, Erasure(reader="r"))])
    site = state.site("gazette")
    assert site.signal(Heard).told == [
        ("publish", 0, "a"),
        ("publish", 1, "b"),
        ("open", 0, (), False),
        ("open", 1, (0,), False),
        ("open", 0, (0, 1), True),
        ("forget", "r", ("v",)),
    ]
    with pytest.raises(InputError, match="does not keep `heard`"):
        State().site("gazette").signal(Heard)


@pytest.mark.parametrize("asked", [1, 7, 5000])
def test_reads_add_up_to_the_same_bits_whenever_someone_asks(asked):
    """Reads of ten years, late ones among them, asked for after each, every seven, or never: the same bits."""
    rng = random.Random(2)
    reads = [(rng.randrange(200), 10**15 + 63 * 10**9 * i - rng.choice([0, 0, 10**10])) for i in range(5000)]
    one, other = ReadCounters(), ReadCounters()
    for counters in (one, other):
        counters.grow(200)
    for number, (row, at) in enumerate(reads, start=1):
        one.add(row, at)
        other.add(row, at)
        if number % asked == 0:
            other.totals(at)
    now = reads[-1][1]
    assert one.totals(now).tobytes() == other.totals(now).tobytes()
    assert all(one.reads(now, step).tobytes() == other.reads(now, step).tobytes() for step in range(8))
