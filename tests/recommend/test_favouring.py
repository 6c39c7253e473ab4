"""Boosts, floors and embargoes: what editors bring forward or hold back, within what no policy may break."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embellie.domain.rule import Rule
from embellie.domain.site import Placement
from embellie.domain.slate import Recommended
from embellie.recommend.built_in import build_policy
from embellie.recommend.editorial import apply_rules
from embellie.recommend.favouring import boosted
from embellie.recommend.state import State
from embellie.recommend.stories import Stories

PLAIN = Placement(placement="bottom")
AGENCY = "Severe storm cuts power along the northern coast, thousands of homes dark"


@pytest.fixture
def serve(gazette, names):
    """Serve `latest` of twenty articles, a19 first; every fourth is of Sport, a0 and a1 of Local."""
    sections = {0: "Local", 1: "Local"}
    state = State(signals=(Stories,)).fold(
        gazette.publish(
            f"a{i}", i, section=sections.get(i, "Sport" if i % 4 == 0 else "Politics"), tags=("vote",) * (i == 6)
        )
        for i in range(20)
    )

    def served(*rules, placement=PLAIN, lazily=True, **asked):
        request = gazette.request(60, **asked)
        ranking = build_policy("latest")(request, state)
        ranking = ranking if lazily else list(ranking)
        return apply_rules(ranking, request=request, state=state, rules=rules, placement=placement)

    return lambda *rules, **asked: (
        names(served(*rules, **asked)) if not asked.pop("whole", False) else served(*rules, **asked)
    )


def rule(action, name="r", **fields):
    return Rule(rule=name, action=action, **fields)


@pytest.mark.parametrize("lazily", [True, False])
def test_a_boost_divides_the_place(serve, lazily):
    """Politics would fill the slate; Sport, boosted threefold, competes from places 4, 8, 12 as from 1.3, 2.7 and 4."""
    assert serve(lazily=lazily) == ["a19", "a18", "a17", "a16"]
    assert serve(rule("boost", section="Sport", factor=3.0), lazily=lazily) == ["a19", "a16", "a18", "a12"]
    assert serve(rule("boost", tag="Vote", factor=10.0), lazily=lazily) == ["a19", "a6", "a18", "a17"]
    assert serve(rule("boost", article="a19", factor=0.3), lazily=lazily) == ["a18", "a17", "a19", "a16"]


def test_boosts_multiply_within_bounds(serve):
    """Three of ten are as strong as one of ten."""
    three = [rule("boost", f"r{i}", article="a9", factor=10.0) for i in range(3)]
    assert serve(*three) == serve(three[0])


def test_a_boost_cannot_break_a_rule(serve):
    """What is boosted is still capped, banned and excluded."""
    boost = rule("boost", section="Sport", factor=10.0)
    assert serve(boost, rule("cap", "c", section="Sport", limit=1)) == ["a16", "a19", "a18", "a17"]
    assert serve(boost, rule("ban", "b", section="Sport")) == ["a19", "a18", "a17", "a15"]
    assert serve(boost, exclude=("a16",))[0] == "a12"


def test_the_editors_list_is_not_reordered_by_a_boost(gazette, names):
    """The list of the status quo stands as the editors wrote it."""
    state = State().fold(gazette.publish(f"a{i}", i, section="Sport" if i == 2 else "Politics") for i in range(3))
    policy = build_policy("status_quo", {"list": "editors", "articles": "a0,a1,a2"})
    request = gazette.request(60)
    boost = rule("boost", section="Sport", factor=10.0)
    kept = Placement(placement="bottom", max_age_hours=0.1)
    served = apply_rules(policy(request, state), request=request, state=state, rules=[boost], placement=kept)
    assert names(served) == ["a0", "a1", "a2"]


@given(st.lists(st.sampled_from([0.1, 0.5, 1.0, 2.0, 10.0]), max_size=30))
def test_a_boosted_ranking_is_sorted_by_place_over_factor(factors):
    """Read lazily, it is the same as sorting everything; nothing is lost or doubled."""
    items = [Recommended(str(place), "") for place in range(len(factors))]
    found = boosted(iter(items), lambda item: factors[int(item.article)], most=10.0)
    assert [int(item.article) for item in found] == sorted(range(len(factors)), key=lambda i: ((i + 1) / factors[i], i))


@pytest.mark.parametrize("lazily", [True, False])
def test_a_floor_keeps_a_place(serve, lazily):
    """Local, far down, gets the last of the first three places: no earlier than it must, the rest as ever."""
    floor = rule("floor", section="Local", position=3)
    assert serve(floor, lazily=lazily) == ["a19", "a18", "a1", "a17"]
    assert serve(rule("floor", section="Sport", position=4), lazily=lazily) == serve()


def test_a_kept_place_says_so(serve):
    """Its reason names the rule, for the editor and the reader."""
    served = serve(rule("floor", section="Local", position=1), whole=True)
    assert [item.reason for item in served] == ["floor:Local", "latest", "latest", "latest"]


def test_a_pin_meets_a_floor(serve):
    """A pinned article of the section counts, and a pin at the last place makes the floor come before it."""
    floor = rule("floor", section="Local", position=3)
    assert serve(floor, rule("pin", "p", article="a0", position=2)) == ["a19", "a0", "a18", "a17"]
    assert serve(floor, rule("pin", "p", article="a5", position=3)) == ["a19", "a1", "a5", "a18"]


def test_two_floors_share_the_first_places(serve):
    """With two places and two floors, both are met; with one place, the first by name is."""
    local, sport = rule("floor", "b", section="Local", position=2), rule("floor", "a", section="Sport", position=2)
    assert serve(local, sport) == ["a16", "a1", "a19", "a18"]
    assert serve(local, sport, n=1) == ["a16"]


def test_a_floor_of_what_is_not_there_changes_nothing(serve):
    """No candidate, no place: excluded, banned or unknown sections leave the slate as it was."""
    assert serve(rule("floor", section="Weather", position=1)) == serve()
    assert serve(rule("floor", section="Local", position=1), rule("ban", "b", section="Local")) == serve()


def test_a_floor_does_not_fill_a_status_quo_that_shows_nothing(gazette):
    """Nothing stays nothing."""
    state = State().fold([gazette.publish("a", section="Local")])
    floor, request = rule("floor", section="Local", position=1), gazette.request(60)
    assert apply_rules((), request=request, state=state, rules=[floor], placement=PLAIN) == []


def test_an_embargo_holds_until_its_time(serve, gazette):
    """Live in the feed, pinned and boosted: it is not shown before, and is from that minute on."""
    held = rule("embargo", article="a19", until=gazette.at(90))
    others = [rule("pin", "p", article="a19", position=1), rule("boost", "b", article="a19", factor=10.0)]
    assert serve(held, *others) == ["a18", "a17", "a16", "a15"]
    over = rule("embargo", article="a19", until=gazette.at(60))
    assert serve(over, *others) == ["a19", "a18", "a17", "a16"]


@pytest.fixture
def retold(gazette):
    """Two tellings of one story and two other articles, newest last."""
    titles = {
        "a": "Council adopts the school budget after a long night",
        "b": AGENCY,
        "c": "United wins the derby",
        "d": AGENCY,
    }
    return [gazette.publish(name, i, title=title, language="en") for i, (name, title) in enumerate(titles.items())]


def told(gazette, names, state, *rules, placement=PLAIN, policy=None, **asked):
    request = gazette.request(60, **asked)
    ranking = (policy or build_policy("latest"))(request, state)
    return names(apply_rules(ranking, request=request, state=state, rules=rules, placement=placement))


def test_a_story_is_told_once(gazette, names, retold):
    """The better placed of two tellings is served; none when the reader is on the other, has read it, or has it before them."""
    state = State(signals=(Stories,)).fold(retold)
    assert told(gazette, names, state) == ["d", "c", "a"]
    assert told(gazette, names, state, article="b") == ["c", "a"]
    assert told(gazette, names, state, visit_articles=("b",)) == ["c", "a"]
    assert told(gazette, names, state, exclude=("b",)) == ["c", "a"]
    state.apply(gazette.read("d", 50, reader="ann"))
    assert told(gazette, names, state, reader="ann") == ["c", "a"]
    assert told(gazette, names, state, reader="bob") == ["d", "c", "a"]


def test_editors_may_tell_a_story_twice(gazette, names, retold):
    """A pin of the other telling stands; then the policy does not tell it a third time."""
    state = State(signals=(Stories,)).fold([*retold, gazette.publish("e", 9, title=AGENCY, language="en")])
    pins = [rule("pin", name, article=name, position=place) for place, name in ((1, "b"), (2, "d"))]
    assert told(gazette, names, state, *pins) == ["b", "d", "c", "a"]
    listed = build_policy("status_quo", {"list": "editors", "articles": "b,d"})
    assert told(gazette, names, state, policy=listed) == ["b", "d"]


def test_the_rule_can_be_turned_off_and_sleeps_without_its_fold(gazette, names, retold):
    """`one_per_story = false`, or a state that keeps no stories: both tellings are served."""
    both = ["d", "c", "b", "a"]
    off = Placement(placement="bottom", one_per_story=False)
    assert told(gazette, names, State(signals=(Stories,)).fold(retold), placement=off) == both
    assert told(gazette, names, State().fold(retold)) == both


def test_a_hundred_tellings_do_not_crowd_out_the_rest(gazette, names):
    """A story told a hundred times over costs one place; what follows refills the slate."""
    events = [gazette.publish(f"t{i}", i / 10, title=AGENCY, language="en") for i in range(100)]
    events += [gazette.publish(f"o{i}", -i, title="", language="en") for i in range(5)]
    state = State(signals=(Stories,)).fold(events)
    assert told(gazette, names, state) == ["t99", "o0", "o1", "o2"]
