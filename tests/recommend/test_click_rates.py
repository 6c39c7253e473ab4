"""Click rates: what counts as seen and clicked, once, at the place where it stood; and that places are told from articles."""

from dataclasses import replace

import numpy as np
import pytest

from embellie.domain.experiment import Exposure
from embellie.domain.reading import Click, Erasure, Impression
from embellie.domain.slate import Slate, SlateItem
from embellie.recommend import click_rates
from embellie.recommend.click_rates import HALF_LIFE, START_CLICKS, START_VIEWS, ClickRates
from embellie.recommend.state import State
from embellie.store.state_file import read_state, write_state


def served(gazette, slate_id, *articles, minute=10.0, placement="bottom"):
    items = tuple(
        SlateItem(article=article, position=place, propensity=1.0, reason="because")
        for place, article in enumerate(articles, 1)
    )
    slate = Slate(
        slate_id=slate_id, placement=placement, reader="", visit="", article="", variant="", release="", policy="",
        items=items,
    )  # fmt: skip
    return gazette.event(minute, slate)


def saw(gazette, slate_id, article, *, minute=10.0, position=1, reader=""):
    return gazette.event(minute, Impression(slate_id=slate_id, article=article, position=position, reader=reader))


def chose(gazette, slate_id, article, *, minute=10.0, position=1, reader=""):
    return gazette.event(minute, Click(slate_id=slate_id, article=article, position=position, reader=reader))


def folded(gazette, *events, articles="abcd"):
    state = State(signals=(ClickRates,))
    state.fold([gazette.publish(article) for article in articles]).fold(events)
    return state


def counts(gazette, state, article="a", minute=10.0):
    site = state.site("gazette")
    rates, now = site.signal(ClickRates), int(gazette.at(minute).timestamp() * 1e6)
    views, clicks = rates.counts(np.array([site.shelf.row(article)]), now)
    return float(views[0]), float(clicks[0]), float(rates.examined(len(site.shelf))[site.shelf.row(article)])


def test_an_impression_and_a_click_count_once_per_slate_and_article(gazette):
    """A widget that stands on the page twice, or sends again, changes nothing."""
    events = [served(gazette, "s", "a"), saw(gazette, "s", "a"), saw(gazette, "s", "a", minute=10.001)]
    events += [chose(gazette, "s", "a"), chose(gazette, "s", "a", minute=10.001), saw(gazette, "s", "a")]
    assert counts(gazette, folded(gazette, *events)) == pytest.approx((1, 1, 1), rel=1e-4)


@pytest.mark.parametrize("late", [False, True])
def test_a_click_without_an_impression_is_one(gazette, late):
    """What was clicked was seen: the impression is counted with the click, and not again when it comes late."""
    events = [served(gazette, "s", "a"), chose(gazette, "s", "a")] + [saw(gazette, "s", "a")] * late
    assert counts(gazette, folded(gazette, *events)) == pytest.approx((1, 1, 1))


def test_only_what_was_served_counts(gazette):
    """A made-up slate, and an article that was not in it, count nothing; the place is the slate's, not the page's word."""
    events = [saw(gazette, "s", "a"), served(gazette, "s", "a"), saw(gazette, "other", "a"), chose(gazette, "s", "b")]
    state = folded(gazette, *events, saw(gazette, "s", "nowhere"))
    assert counts(gazette, state) == (0, 0, 0)
    assert counts(gazette, state, "b") == (0, 0, 0)
    one = folded(gazette, served(gazette, "s", "a", "b"), saw(gazette, "s", "b", position=2))
    lie = folded(gazette, served(gazette, "s", "a", "b"), saw(gazette, "s", "b", position=17))
    assert one.snapshot()["sites"]["gazette"]["signals"]["click_rates"]["slots"] == ["bottom 2"]
    assert lie.snapshot()["sites"]["gazette"]["signals"]["click_rates"]["slots"] == ["bottom 2"]


def test_a_slate_shown_to_many_counts_nothing(gazette):
    """Who saw and clicked a shared slate cannot be told apart, and each slate counts once: so it is left out."""
    event = served(gazette, "s", "a")
    events = [replace(event, body=replace(event.body, shared=True)), saw(gazette, "s", "a"), chose(gazette, "s", "a")]
    assert counts(gazette, folded(gazette, *events)) == (0, 0, 0)


def test_bots_do_not_count(gazette):
    """A reader tagged as a bot sees and clicks nothing; others of the same slate's kind do."""
    tag = gazette.event(9, Exposure(experiment="e", unit="crawler", variant="v", bot="crawler"))
    person = gazette.event(9, Exposure(experiment="e", unit="ann", variant="v"))
    events = [tag, person, served(gazette, "s", "a", "b")]
    events += [saw(gazette, "s", "a", reader="crawler"), chose(gazette, "s", "a", reader="crawler")]
    state = folded(gazette, *events, saw(gazette, "s", "b", reader="ann"))
    assert counts(gazette, state) == (0, 0, 0)
    assert counts(gazette, state, "b")[0] == 1
    state.apply(gazette.event(11, Erasure(reader="crawler")))
    assert state.snapshot()["sites"]["gazette"]["signals"]["click_rates"]["bots"] == []


def test_counts_halve_but_what_was_ever_examined_does_not(gazette):
    """After a half-life, impressions and clicks count half; a fresh article is fresh only once."""
    state = folded(gazette, served(gazette, "s", "a"), chose(gazette, "s", "a"))
    assert counts(gazette, state, minute=10 + 60 * HALF_LIFE) == pytest.approx((0.5, 0.5, 1.0))


def test_counts_survive_a_long_time(gazette):
    """Years later nothing has overflowed, and old counts are next to nothing."""
    state = folded(gazette, served(gazette, "s", "a"), chose(gazette, "s", "a"))
    years = 5 * 365 * 24 * 60.0
    state.fold([served(gazette, "t", "b", minute=years), chose(gazette, "t", "b", minute=years)])
    assert counts(gazette, state, minute=years) == pytest.approx((0, 0, 1), abs=1e-9)
    assert counts(gazette, state, "b", minute=years)[:2] == pytest.approx((1, 1), rel=1e-6)


def test_a_site_begins_with_a_guess_and_soon_has_its_own_rate(gazette):
    """Without impressions the click rate is that of the start; with a thousand it is the site's."""
    state = folded(gazette)
    now = int(gazette.at(10).timestamp() * 1e6)
    assert state.site("gazette").signal(ClickRates).rate(now) == START_CLICKS / START_VIEWS
    for number in range(1000):
        name = f"s{number}"
        state.fold([served(gazette, name, "a"), (chose if number % 5 == 0 else saw)(gazette, name, "a")])
    assert state.site("gazette").signal(ClickRates).rate(now) == pytest.approx(0.2, abs=0.035)


def test_places_are_told_from_articles(gazette):
    """Where a slot is looked at a third as often, its articles are not taken to be worse, nor those of the first to be better."""
    rng = np.random.default_rng(2)
    rates, looks = np.array([0.3, 0.2, 0.1, 0.2]), np.array([1.5, 1.2, 0.8, 0.5])
    state = folded(gazette)
    for number in range(4000):
        order = rng.permutation(4)
        if number >= 2000:
            order = np.array([0, 1, 2, 3])  # from now on the best of its place stays where it is
        name, minute = f"s{number}", 10 + number / 100
        state.apply(served(gazette, name, *("abcd"[one] for one in order), minute=minute))
        for place, one in enumerate(order):
            act = chose if rng.random() < looks[place] * rates[one] else saw
            state.apply(act(gazette, name, "abcd"[one], minute=minute))
    found = [np.divide(*counts(gazette, state, article, 50)[1::-1]) for article in "abcd"]
    assert np.array(found) / np.mean(found) == pytest.approx(rates / rates.mean(), rel=0.12)


def test_folding_on_from_a_snapshot_gives_the_same_bits(gazette, tmp_path):
    """Slates served before the snapshot may be acted on after it; every count is as if all had been folded at once."""
    rng = np.random.default_rng(3)
    log = [gazette.publish(article) for article in "abcdefgh"]
    log.append(gazette.event(1, Exposure(experiment="e", unit="bot", variant="v", bot="x")))
    for number in range(300):
        minute = 10.0 + number * 40
        names = [str(one) for one in rng.permutation(list("abcdefgh"))[:3]]
        log.append(served(gazette, f"s{number}", *names, minute=minute, placement=str(rng.choice(["bottom", "side"]))))
        late = f"s{max(0, number - int(rng.integers(4)))}"
        for article in names[: rng.integers(4)]:
            act = chose if rng.random() < 0.3 else saw
            log.append(act(gazette, late, article, minute=minute + 1, reader=str(rng.choice(["ann", "bot", ""]))))
    whole = State(signals=(ClickRates,)).fold(log)
    for part in (0, 10, 200, 700, len(log)):
        begun = State(signals=(ClickRates,)).fold(log[:part])
        write_state(tmp_path / "state", begun.snapshot(), sequence=1)
        resumed = State(signals=(ClickRates,)).restore(read_state(tmp_path / "state")[0]).fold(log[part:])
        for name, state in (("resumed", resumed), ("whole", whole)):
            write_state(tmp_path / name, state.snapshot(), sequence=1)
        assert (tmp_path / "resumed").read_bytes() == (tmp_path / "whole").read_bytes()


def test_a_snapshot_does_not_change_afterwards(gazette):
    """What is seen after a snapshot is not in it."""
    state = folded(gazette, served(gazette, "s", "a"), saw(gazette, "s", "a"))
    snapshot = state.snapshot()["sites"]["gazette"]["signals"]["click_rates"]
    before = snapshot["counts"].copy()
    state.apply(chose(gazette, "s", "a"))
    assert np.array_equal(snapshot["counts"], before)


def test_it_is_bounded(gazette, monkeypatch):
    """Of slates, slots and bots the state keeps so many at most; the oldest go first."""
    for bound in ("SLATES", "SLOTS", "BOTS"):
        monkeypatch.setattr(click_rates, bound, 5)
    events = []
    for number in range(20):
        name = f"s{number}"
        events.append(gazette.event(9, Exposure(experiment="e", unit=f"b{number}", variant="v", bot="x")))
        events += [served(gazette, name, "a", placement=f"p{number}"), saw(gazette, name, "a")]
    state = folded(gazette, *events, saw(gazette, "s0", "a"))
    kept = state.snapshot()["sites"]["gazette"]["signals"]["click_rates"]
    assert kept["slates"] == [f"s{number}" for number in range(15, 20)]
    assert kept["bots"] == [f"b{number}" for number in range(15, 20)]
    assert len(kept["slots"]) == 5
    assert counts(gazette, state)[0] == pytest.approx(20, rel=0.05)


def test_an_article_of_late_rows_is_counted(gazette):
    """Rows far beyond those counted so far have room."""
    names = [f"x{number}" for number in range(300)]
    state = folded(gazette, served(gazette, "s", "x299"), chose(gazette, "s", "x299"), articles=names)
    assert counts(gazette, state, "x299") == (1, 1, 1)
    assert counts(gazette, state, "x298") == (0, 0, 0)
