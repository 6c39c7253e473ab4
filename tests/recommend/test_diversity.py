"""Diversity: the best articles that are not all alike, their price, and true propensities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embellie.domain.errors import InputError
from embellie.domain.slate import Recommended
from embellie.recommend.built_in import build_policy
from embellie.recommend.diversity import most_marginal_first, price
from embellie.recommend.signals import signals_of
from embellie.recommend.state import State
from embellie.recommend.texts import Texts
from embellie.testing.policy_contract import PolicyContract

VOTE = "Council adopts the school budget after a long night"
AGENCY = "Severe storm cuts power along the northern coast"


class TestDiverse(PolicyContract):
    def policy(self):
        return build_policy("diverse")

    def fold(self, events):
        return State(signals=signals_of([self.policy()])).fold(events)


class TestDiverseByContent(TestDiverse):
    def policy(self):
        return build_policy("diverse", {"policy": "content", "by": "content", "relevance": 0.5})


def sports_day(gazette):
    """Nine articles read the more the higher their number: all of Sport but the two least read."""
    policies = [build_policy("diverse", {"by": by}) for by in ("section", "content")]
    state = State(signals=signals_of(policies)).fold(
        gazette.publish(
            f"a{i}",
            -3000 + i,
            section="Politics" if i < 2 else "Sport",
            title=VOTE if i < 2 else AGENCY,
        )
        for i in range(9)
    )
    reads = ((f"a{i}", f"v{i}-{n}") for i in range(9) for n in range(10 + i))
    return state.fold(gazette.read(article, 5, reader="", visit=visit, consent="none") for article, visit in reads)


def slate(gazette, state, **told):
    policy = build_policy("diverse", {"policy": "popular", **told})
    return policy(gazette.request(10), state)


def test_a_slate_of_one_section_makes_room_for_another(gazette, names):
    """Plain popularity shows four of Sport; diversified, the best of Politics comes second."""
    state = sports_day(gazette)
    assert names(slate(gazette, state, relevance=1.0)[:4]) == ["a8", "a7", "a6", "a5"]
    assert names(slate(gazette, state, relevance=0.3)[:3]) == ["a8", "a1", "a7"]


def test_nothing_is_lost_or_doubled(gazette, names):
    """The pool is reordered and the rest follows as it was."""
    state = sports_day(gazette)
    found = names(slate(gazette, state, relevance=0.3, pool=8))
    assert sorted(found) == [f"a{i}" for i in range(9)]
    assert found[8] == "a0"


def test_it_stays_certain_of_what_it_shows(gazette):
    """Every propensity is 1, the scores are the policy's own, and the same request has the same slate."""
    state = sports_day(gazette)
    found = slate(gazette, state)
    plain = {item.article: item for item in build_policy("popular")(gazette.request(10), state)}
    assert all(item == plain[item.article] and item.propensity == 1.0 for item in found)
    assert list(found) == list(slate(gazette, state))


def test_by_content_it_asks_for_the_texts(gazette, names):
    """Alike is then what is told in the same words; its policy's own signals are kept too."""
    policy = build_policy("diverse", {"policy": "popular", "by": "content", "relevance": 0.3})
    assert signals_of([policy]) == (Texts,)
    assert names(policy(gazette.request(10), sports_day(gazette)))[:2] == ["a8", "a1"]


def test_the_greedy_choice_is_carbonell_and_goldsteins():
    """By hand: λ = 0.5, scores 1, .9, .2 → second choices worth .45 − .5 · .8 = .05 and .1 − .5 · 0 = .1 less what is spread."""
    alike = np.array([[1.0, 0.8, 0.0], [0.8, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert most_marginal_first(np.array([1.0, 0.9, 0.2]), lambda i: alike[i], relevance=0.5) == [0, 1, 2]
    assert most_marginal_first(np.array([1.0, 0.8, 0.2]), lambda i: alike[i], relevance=0.5) == [0, 2, 1]


@given(st.lists(st.floats(0, 100), min_size=1, max_size=12), st.floats(0, 1))
def test_the_best_comes_first_and_every_place_once(scores, relevance):
    """Whatever the scores and λ; with λ = 1 the order is that of the scores."""
    ordered = np.sort(np.array(scores))[::-1]
    alike = np.ones((len(scores), len(scores)))
    found = most_marginal_first(ordered, lambda i: alike[i], relevance=relevance)
    assert found[0] == 0
    assert sorted(found) == list(range(len(scores)))
    assert most_marginal_first(ordered, lambda i: alike[i], relevance=1.0) == list(range(len(scores)))


@given(st.lists(st.floats(0.1, 100), min_size=4, max_size=20), st.integers(1, 4))
def test_the_price_is_a_share(scores, n):
    """Of any four, against the best four: from nothing to all; the best costs nothing."""
    items = [Recommended(str(i), "", score) for i, score in enumerate(sorted(scores, reverse=True))]
    assert price(items[:n], items[:n]) == pytest.approx(0.0)
    assert -1e-12 <= price(items[:n], items[-n:]) < 1.0


def test_a_price_is_not_made_up():
    """Scores that are no amounts have no price: negative ones, or none at all."""
    assert price([], []) is None
    assert price([Recommended("a", "", -1.0)], [Recommended("b", "", -2.0)]) is None


@pytest.mark.parametrize(
    "wrong", [{"by": "colour"}, {"relevance": 1.2}, {"pool": 1}, {"policy": "exploring"}, {"policy": "diverse"}]
)
def test_a_setting_that_makes_no_sense_is_refused(wrong):
    """And it is said what to write."""
    with pytest.raises(InputError) as caught:
        build_policy("diverse", wrong)
    assert caught.value.hint
