"""Interleaving: who owns what, with which chance, and that nobody is favoured."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embellie.domain.errors import EmbellieError
from embellie.domain.rule import Rule
from embellie.domain.site import Placement
from embellie.domain.slate import Recommended, SlateRequest
from embellie.recommend.built_in import build_policy
from embellie.recommend.editorial import apply_rules
from embellie.recommend.interleaving import Draft, Interleaved
from embellie.recommend.state import State
from embellie.testing.policy_contract import NOW, SITE, PolicyContract, gazette

REQUEST = SlateRequest(site=SITE, placement="bottom", n=4, now=NOW, reader="r1", visit="v1", consent="measurement")


def ranked(names):
    return [Recommended(name, "new") for name in names]


def draft(one, other, coin=0):
    return Draft((ranked(one), ranked(other)), ("x", "y"), coin=coin.to_bytes(8, "little"))


rankings = st.tuples(*[st.permutations("abcdefgh").map(lambda names: names[:6])] * 2)


class TestInterleaved(PolicyContract):
    """It keeps what every policy keeps."""

    def policy(self):
        return Interleaved(first="latest", second="popular")

    def fold(self, events):
        return State().fold(events)


@given(rankings, st.integers(0, 2**64 - 1))
def test_teams_own_as_many_and_nobody_twice(pair, coin):
    """After each round both own as many; every article comes once, and all of both rankings come."""
    drafted = list(draft(*pair, coin))
    names = [item.article for item in drafted]
    assert len(set(names)) == len(names)
    assert set(names) == set(pair[0]) | set(pair[1])
    owned = [item.team for item in drafted if item.team]
    for rounds in range(1, len(owned) // 2 + 1):
        assert Counter(owned[: 2 * rounds]) == {"x": rounds, "y": rounds}


@given(rankings, st.integers(0, 2**64 - 1))
def test_each_owns_its_best_that_was_left(pair, coin):
    """What a team owns stands in the order of its ranking, with nothing better left out that came later."""
    taken = set()
    for item in draft(*pair, coin):
        if not item.team:
            break
        ranking = pair[0] if item.team == "x" else pair[1]
        assert item.article == next(name for name in ranking if name not in taken)
        taken.add(item.article)


@given(rankings)
def test_propensities_are_the_chances_over_all_coins(pair):
    """Drafted with every coin, an article stands at a position as often as its propensity says."""
    rounds = 4
    seen = Counter()
    told = {}
    for coin in range(2**rounds):
        for position, item in enumerate(list(draft(*pair, coin))[: 2 * rounds]):
            if item.team:
                seen[item.article, position] += 1 / 2**rounds
                told[item.article, position] = item.propensity
    assert told == pytest.approx({key: seen[key] for key in told})


def test_coins_differ_by_request_and_repeat():
    """The same request is drafted the same way; over requests either policy picks first about as often."""
    view = State().fold(gazette())
    policy = Interleaved(first="latest", second="popular")
    leads = Counter()
    for second in range(400):
        request = replace(REQUEST, now=NOW + timedelta(seconds=second))
        drafted = policy(request, view)[:4]
        assert drafted == policy(request, view)[:4]
        leads[drafted[0].team] += 1
    assert 150 < leads["latest"] < 250
    assert leads["latest"] + leads["popular"] == 400


def test_pins_belong_to_neither():
    """What editors put into the slate is nobody's; the rest keeps its owner."""
    view = State().fold(gazette())
    pin = Rule(rule="pin", action="pin", article="a0", position=2)
    ranking = Interleaved(first="latest", second="popular")(REQUEST, view)
    slate = apply_rules(ranking, request=REQUEST, state=view, rules=[pin], placement=Placement(placement="bottom"))
    assert (slate[1].article, slate[1].team) == ("a0", "")
    assert {item.team for item in slate} == {"", "latest", "popular"}


def test_it_is_built_by_name_with_settings():
    """`interleaved` stands among the policies; each side may have settings of its own."""
    policy = build_policy("interleaved", {"first": "popular?half_life=6&optimism=0.0", "second": "latest"})
    assert {item.team for item in policy(REQUEST, State().fold(gazette()))[:4]} == {
        "popular?half_life=6&optimism=0.0",
        "latest",
    }


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"first": "latest", "second": "latest"}, "with itself"),
        ({"second": "interleaved"}, "for itself"),
        ({"second": "exploring"}, "drawn already"),
        ({"first": "thompson?policy=latest"}, "drawn already"),
        ({"second": "lates"}, "Did you mean `latest`"),
        ({"third": "latest"}, "Unknown setting"),
    ],
)
def test_what_cannot_be_compared_is_refused(settings, message):
    """Two different policies that exist, and nothing else."""
    with pytest.raises(EmbellieError, match=message):
        build_policy("interleaved", settings)
