"""Co-visitation: what is opened together, its direction, its distance, its age, its bounds."""

import random

import pytest

from embellie.domain.moment import micros
from embellie.recommend import covisitation
from embellie.recommend.built_in import build_policy
from embellie.recommend.covisitation import BACKWARDS, HALF_LIFE, KEPT, Covisits
from embellie.recommend.state import State


def together(state, one, other, at):
    site = state.site("gazette")
    others, counts = site.signal(Covisits).neighbours(site.shelf.row(one), micros(at))
    return dict(zip(others.tolist(), counts.tolist(), strict=True)).get(site.shelf.row(other), 0.0)


@pytest.fixture
def paper(gazette):
    """Ten articles; a visit opens a, b, c in this order, all at the same minute."""
    log = [gazette.publish(name, -60) for name in "abcdefghij"]
    return State(signals=[Covisits]).fold([*log, *(gazette.read(name, 0, visit="v") for name in "abc")])


def test_a_pair_counts_forwards_and_half_backwards(gazette, paper):
    """From the earlier to the later article counts 1, back a half; a step further, half of that."""
    now = gazette.at(0)
    assert together(paper, "a", "b", now) == pytest.approx(1.0)
    assert together(paper, "b", "a", now) == pytest.approx(BACKWARDS)
    assert together(paper, "a", "c", now) == pytest.approx(0.5)


def test_counts_halve(gazette, paper):
    """After a half-life, a pair counts half."""
    assert together(paper, "a", "b", gazette.at(60 * HALF_LIFE)) == pytest.approx(0.5)


def test_years_do_not_overflow(gazette, paper):
    """Three years later an old pair is worth nothing, a new one 1, and no number is lost."""
    late = 3 * 365 * 24 * 60
    paper.fold([gazette.read("a", late, visit="w"), gazette.read("b", late, visit="w")])
    assert together(paper, "a", "b", gazette.at(late)) == pytest.approx(1.0)
    assert together(paper, "a", "c", gazette.at(late)) == pytest.approx(0.0)


def test_opening_again_counts_once(gazette, paper):
    """A click and the read that follows, or going back to an article, add nothing."""
    paper.apply(gazette.click("b", 0, visit="v"))
    assert together(paper, "a", "b", gazette.at(0)) == pytest.approx(1.0)


def test_the_page_brings_what_was_opened_with_it(gazette, paper, names):
    """On `a`, what its visit went on to comes before a more popular article that nobody opened with it."""
    paper.fold(gazette.read("j", 1, reader=f"r{i}", visit=f"w{i}") for i in range(2))
    for i in range(12):
        paper.fold([gazette.read("a", 1, visit=f"x{i}"), gazette.read("b", 1, visit=f"x{i}")])
    ranking = build_policy("covisitation")(gazette.request(2, article="a", reader="new"), paper)
    assert names(ranking)[0] == "b"
    assert ranking[0].reason == "read_together"


def test_without_consent_history_changes_nothing(gazette, paper):
    """Without consent to profiling the ranking does not depend on who asks."""
    policy = build_policy("covisitation")
    requests = [gazette.request(2, article="d", reader=who, consent="measurement") for who in ("ann", "bob")]
    assert list(policy(requests[0], paper)) == list(policy(requests[1], paper))


def test_memory_is_bounded(gazette, monkeypatch):
    """However much is opened together, an article has at most twice `KEPT` neighbours, and few articles any."""
    monkeypatch.setattr(covisitation, "ARTICLES", 20)
    rng = random.Random(3)
    log = [gazette.read(f"a{rng.randrange(400) if i % 2 else 0}", i, visit=f"v{i // 4}") for i in range(3000)]
    state = State(signals=[Covisits], from_reads=True).fold(log)
    near = state.site("gazette").signal(Covisits)._near
    assert len(near) <= 20
    assert max(map(len, near.values())) > KEPT
    assert max(map(len, near.values())) <= 2 * KEPT
