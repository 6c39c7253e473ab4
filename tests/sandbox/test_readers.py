"""Readers: what they do depends on them, not on who came before."""

from datetime import UTC, datetime

import numpy as np
import pytest

from embellie.domain.moment import micros
from embellie.sandbox.newspaper import Calendar
from embellie.sandbox.readers import READ_SECONDS, Readership, Stand, Temperament, Turn
from embellie.sandbox.truth import freshest_of_section

START = datetime(2026, 3, 2, 6, tzinfo=UTC)


@pytest.fixture(scope="module")
def stand() -> Stand:
    found = Stand()
    found.put(Calendar(START, np.random.default_rng(1)).backlog(), now=micros(START))
    return found


def readers(count: int = 400, **temperament: float) -> Readership:
    return Readership(count, np.random.default_rng(5), seed=5, temperament=Temperament(**temperament))


def play(everyone: Readership, stand: Stand, reader: int, number: int = 0, *, slates: bool = True) -> list[Turn]:
    slate_of = freshest_of_section()
    visit = everyone.visit(reader, number)
    visit.land(stand)
    turns = []
    while visit.article:
        turns.append(visit.turn(stand, slate_of(visit, stand) if slates else ()))
    return turns


def test_a_visit_does_not_depend_on_the_order_of_arrival(stand):
    """The same reader's visit is the same, whoever came before."""
    first = [play(readers(), stand, reader) for reader in range(50)]
    everyone = readers()
    last = [play(everyone, stand, reader) for reader in reversed(range(50))]
    assert first == last[::-1]


def test_the_same_seed_gives_the_same_arrivals():
    """Arrivals depend on the seed and the stretch of time."""
    one, other = readers(), readers()
    assert list(one.arrivals(3, hour=7.5, hours=1.0)) == list(other.arrivals(3, hour=7.5, hours=1.0))


def test_arrivals_come_in_order_within_the_stretch():
    """Times grow, and stay inside."""
    offsets = [offset for offset, _, _ in readers(4000).arrivals(3, hour=18, hours=0.5)]
    assert len(offsets) > 20
    assert offsets == sorted(offsets)
    assert 0 <= offsets[0] <= offsets[-1] < 0.5


def test_readers_come_as_often_as_the_temperament_says():
    """A day of arrivals adds up to visits per day times readers."""
    everyone = readers(6000, visits_per_day=1.25)
    visits = sum(1 for tick in range(24) for _ in everyone.arrivals(tick, hour=tick, hours=1.0))
    assert visits == pytest.approx(6000 * 1.25, rel=0.06)


def test_an_empty_slate_is_never_clicked(stand):
    """Without recommendations nobody comes from one."""
    everyone = readers()
    turns = [turn for reader in range(200) for turn in play(everyone, stand, reader, slates=False)]
    assert not any(turn.clicked or turn.seen or turn.referrer == "recommendation" for turn in turns)


def test_a_click_leads_to_the_article_that_was_clicked(stand):
    """The next page is the one chosen, and its referrer says so."""
    everyone = readers(curiosity=0.3)
    slate_of = freshest_of_section()
    followed = 0
    for reader in range(200):
        visit = everyone.visit(reader, 0)
        visit.land(stand)
        while visit.article:
            slate = slate_of(visit, stand)
            turn = visit.turn(stand, slate)
            if turn.clicked:
                assert visit.article == slate[turn.clicked - 1]
                followed += 1
    assert followed > 50


def test_readers_prefer_their_sections(stand):
    """A section one likes three times as much is landed on more often than one's least liked."""
    everyone = readers(2000)
    liked = [
        everyone.taste[reader, stand.section[stand.place[everyone.visit(reader, 0).land(stand)]]]
        for reader in range(2000)
    ]
    assert np.mean(liked) > 1.3


def test_most_pages_are_read_and_some_are_not(stand):
    """A few per cent of pages get less than the attention that makes a read."""
    everyone = readers(600)
    turns = [turn for reader in range(600) for turn in play(everyone, stand, reader)]
    short = np.mean([turn.seconds < READ_SECONDS for turn in turns])
    assert 0.01 < short < 0.15
    assert all(0 <= turn.depth <= 1 and turn.seconds > 0 for turn in turns)


def test_consent_is_mostly_given():
    """Most readers allow profiling, some measurement alone, some nothing."""
    shares = {state: readers(5000).consents.count(state) / 5000 for state in ("profiling", "measurement", "none")}
    assert shares["profiling"] > 0.5 > shares["measurement"] > shares["none"] > 0.05
