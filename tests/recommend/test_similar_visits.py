"""Similar visits: which are found, what they bring, what is forgotten, what is bounded."""

import random

import numpy as np
import pytest

from embellie.domain.moment import micros
from embellie.domain.reading import Erasure
from embellie.recommend import similar_visits
from embellie.recommend.built_in import build_policy
from embellie.recommend.similar_visits import Visits
from embellie.recommend.state import State


def visits(gazette, *paths, minute=1.0, reader="ann"):
    """One visit per path: each letter an article."""
    for number, path in enumerate(paths):
        for step, name in enumerate(path):
            yield gazette.read(name, minute + step / 100, reader=f"{reader}{number}", visit=f"{reader}-{number}")


@pytest.fixture
def paper(gazette):
    """Ten articles, and three visits: abc, abd, xy."""
    log = [gazette.publish(name, -60) for name in "abcdefghxy"]
    return State(signals=[Visits]).fold([*log, *visits(gazette, "abc", "abd", "xy")])


def alike(gazette, state, *articles, besides=""):
    site = state.site("gazette")
    context = {site.shelf.row(name): 1.0 for name in articles}
    now = micros(gazette.at(2))
    places, likeness = site.signal(Visits).alike(context, besides=besides, now=now, half_life=1e9)
    return {site.signal(Visits)._names[p]: round(float(w), 6) for p, w in zip(places, likeness, strict=True)}


def test_visits_are_alike_by_the_articles_they_share(gazette, paper):
    """Likeness sums the weights of the articles shared; a visit that shares nothing is none."""
    assert alike(gazette, paper, "b", "c") == {"ann-0": 2.0, "ann-1": 1.0}


def test_a_visit_is_not_its_own_neighbour(gazette, paper):
    """The visit at hand weighs nothing among its neighbours."""
    assert alike(gazette, paper, "b", besides="ann-0") == {"ann-0": 0.0, "ann-1": 1.0}


def test_a_visit_of_one_article_is_not_kept(gazette, paper):
    """One article tells nothing of another."""
    paper.apply(gazette.read("e", 1, visit="lone"))
    assert len(paper.site("gazette").signal(Visits)) == 3


def test_what_similar_visits_opened_comes_first(gazette, paper, names):
    """After a and b, what visits with a and b went on to stands before what others opened."""
    paper.fold(visits(gazette, *["abc"] * 8, *["xy"] * 8, minute=1.2, reader="bob"))
    ranking = build_policy("sessions")(gazette.request(2, article="b", visit_articles=("a", "b")), paper)
    assert names(ranking)[0] == "c"
    assert ranking[0].reason == "read_together"


def test_with_nothing_alike_it_is_popular(gazette, paper, names):
    """On an article that no visit shares, the ranking is by popularity."""
    request = gazette.request(2, article="h")
    popular = build_policy("popular")
    assert names(build_policy("sessions")(request, paper)) == names(popular(request, paper))


def test_an_erased_reader_leaves_no_visit(gazette, paper):
    """After an erasure, no visit of the reader is left, even one the state itself no longer knows."""
    site = paper.site("gazette")
    site._visits.clear()
    site._visits_of.clear()
    paper.apply(gazette.event(3, Erasure(reader="ann0")))
    kept = site.signal(Visits)
    assert alike(gazette, paper, "a", "b") == {"ann-1": 2.0}
    assert "ann0" not in kept._readers
    assert "ann-0" not in kept._names


def test_memory_is_bounded_and_the_lists_agree_with_the_visits(gazette, monkeypatch):
    """Only the latest visits are kept, and every listing names a kept visit that has the article."""
    monkeypatch.setattr(similar_visits, "VISITS", 50)
    monkeypatch.setattr(similar_visits, "RECENT", 9)
    rng = random.Random(5)
    open_visits = [f"v{i}" for i in range(30)]
    state = State(signals=[Visits], from_reads=True)
    for i in range(4000):
        place = rng.randrange(30)
        if rng.random() < 0.15:
            open_visits[place] = f"w{i}"
        state.apply(gazette.read(f"a{rng.randrange(60)}", i, reader=f"r{place}", visit=open_visits[place]))
        if i % 500 == 499:
            state.apply(gazette.event(i, Erasure(reader=f"r{rng.randrange(30)}")))
    kept = state.site("gazette").signal(Visits)
    assert len(kept) <= 50
    numbers = set(kept._number.values())
    for row, listed in kept._listed.items():
        assert 0 < len(listed) <= 9
        assert numbers.issuperset(listed)
        for number in listed:
            assert row in kept.rows_of(np.array([number % 50]))[0]
