"""Editorial rules: one property for each complaint readers and editors keep making about recommenders."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embellie.domain.article import Article
from embellie.domain.event import Event
from embellie.domain.reading import Read
from embellie.domain.rule import Rule
from embellie.domain.site import Placement
from embellie.domain.slate import Recommended, SlateRequest
from embellie.recommend.built_in import POLICIES, build_policy
from embellie.recommend.editorial import apply_rules
from embellie.recommend.signals import signals_of
from embellie.recommend.state import State
from embellie.recommend.stories import Stories

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SHOWING = sorted(set(POLICIES) - {"status_quo"})
SIGNALS = signals_of(map(build_policy, POLICIES))
IDS = [f"a{i}" for i in range(12)]
PLAIN = Placement(placement="bottom")
SIGNALS = (*signals_of(map(build_policy, SHOWING)), Stories)

minutes = st.integers(-600, 600)
maybe_minutes = st.none() | minutes


def at(minute):
    return NOON + timedelta(minutes=minute)


@st.composite
def articles(draw, article):
    expires = draw(st.none() | maybe_minutes)
    return Article(
        article=article,
        section=draw(st.sampled_from(["", "Sport", "Politics", "Culture"])),
        language=draw(st.sampled_from(["", "", "fr", "en", "fr-CA"])),
        published_at=at(draw(st.integers(-600, 60))),
        expires_at=None if expires is None else at(expires),
        state=draw(st.sampled_from(["live"] * 6 + ["embargoed", "withdrawn"])),
    )


@st.composite
def newspapers(draw):
    """A site at noon: articles in every state, reads by two readers, one of them in two visits."""
    events = [
        Event(id=article, site="g", at=at(-600), body=draw(articles(article)))
        for article in IDS[: draw(st.integers(1, 12))]
    ]
    opened = st.tuples(
        st.sampled_from(IDS), st.sampled_from(["ann", "bob"]), st.sampled_from(["", "v1", "v2"]), st.integers(-500, 0)
    )
    for i, (article, reader, visit, minute) in enumerate(draw(st.lists(opened, max_size=15))):
        body = Read(article=article, reader=reader, visit=visit)
        events.append(Event(id=f"r{i}", site="g", at=at(minute), body=body, consent="profiling"))
    return State(signals=SIGNALS).fold(events)


@st.composite
def rule_books(draw):
    placement = st.sampled_from(["", "bottom", "elsewhere"])
    pins = st.builds(
        Rule, rule=st.uuids().map(str), action=st.just("pin"), article=st.sampled_from(IDS), position=st.integers(1, 6),
        placement=placement,
    )  # fmt: skip
    bans = st.builds(
        Rule, rule=st.uuids().map(str), action=st.just("ban"), article=st.sampled_from(IDS), placement=placement
    )
    shut = st.builds(
        Rule, rule=st.uuids().map(str), action=st.just("ban"), section=st.sampled_from(["Sport", "Politics"]),
        until=st.sampled_from([None, at(-1), at(1)]),
    )  # fmt: skip
    caps = st.builds(
        Rule,
        rule=st.uuids().map(str),
        action=st.just("cap"),
        section=st.sampled_from(["", "Sport"]),
        limit=st.integers(1, 2),
    )
    return draw(st.lists(pins | bans | shut | caps, max_size=4))


requests = st.builds(
    SlateRequest,
    site=st.just("g"),
    placement=st.just("bottom"),
    n=st.integers(0, 6),
    now=st.just(NOON),
    article=st.sampled_from(["", *IDS]),
    reader=st.sampled_from(["", "ann", "bob"]),
    visit=st.sampled_from(["", "v1"]),
    consent=st.sampled_from(["profiling", "measurement", "none"]),
    exclude=st.lists(st.sampled_from(IDS), max_size=3).map(tuple),
    visit_articles=st.lists(st.sampled_from(IDS), max_size=3).map(tuple),
    language=st.sampled_from(["", "fr", "en", "*"]),
)
placements = st.builds(
    Placement,
    placement=st.just("bottom"),
    section_cap=st.integers(0, 2),
    max_age_hours=st.sampled_from([0.0, 2.0, 24.0]),
)


class Rogue:
    """A policy that proposes everything, twice, and what does not exist."""

    name = "rogue"

    def __call__(self, request, view):
        return [Recommended(article, "because", 1.0) for article in [*IDS, *IDS, "unheard-of"]]


policies = st.sampled_from([*SHOWING, *["rogue"] * 4]).map(
    lambda name: Rogue() if name == "rogue" else build_policy(name)
)
worlds = st.tuples(policies, newspapers(), requests, rule_books(), placements)


def serve(world):
    policy, state, request, rules, placement = world
    return apply_rules(policy(request, state), request=request, state=state, rules=rules, placement=placement)


@given(worlds)
@settings(max_examples=150, deadline=None)
def test_what_is_not_showable_is_never_served(world):
    """Expired, withdrawn, embargoed and future articles stay out, pinned or not."""
    _, state, request, _, _ = world
    for item in serve(world):
        article = state.article("g", item.article)
        assert article is not None
        assert article.showable(request.now)


@given(worlds)
@settings(max_examples=100, deadline=None)
def test_read_articles_do_not_come_back(world):
    """Nothing this reader has read (with consent), or opened in this visit, is served again."""
    _, state, request, _, _ = world
    shelf = state.site("g").shelf
    served = {shelf.row(item.article) for item in serve(world)}
    assert not served & set(shelf.rows(request.visit_articles))
    assert not served & set(state.site("g").visit_rows(request))
    if request.consent == "profiling" and request.reader:
        assert not served & set(state.site("g").histories.of(request.reader))


@given(worlds)
@settings(max_examples=100, deadline=None)
def test_what_the_caller_excludes_stays_out(world):
    """`exclude` and the page's own article are never served."""
    request = world[2]
    assert not {item.article for item in serve(world)} & {request.article, *request.exclude}


@given(worlds)
@settings(max_examples=100, deadline=None)
def test_bans_hold(world):
    """No banned article and no article of a banned section, while the ban holds."""
    _, state, request, rules, _ = world
    for ban in (rule for rule in rules if rule.action == "ban" and rule.holds("bottom", request.now)):
        for item in serve(world):
            assert item.article != ban.article
            if ban.section:
                assert state.article("g", item.article).section != ban.section


@given(worlds)
@settings(max_examples=100, deadline=None)
def test_a_slate_is_short_and_without_doubles(world):
    """At most n articles, each once."""
    served = [item.article for item in serve(world)]
    assert len(served) <= world[2].n
    assert len(set(served)) == len(served)


@given(worlds)
@settings(max_examples=100, deadline=None)
def test_languages_are_not_mixed_unless_asked(world):
    """A request's language, else the page's, holds for every article whose language is known."""
    _, state, request, _, _ = world
    page = state.article("g", request.article) if request.article else None
    wanted = request.language or (page.language if page else "")
    for item in serve(world):
        spoken = state.article("g", item.article).language
        assert wanted in ("", "*") or spoken[:2] in ("", wanted[:2])


@given(worlds)
@settings(max_examples=100, deadline=None)
def test_caps_and_ages_hold_for_what_the_policy_chose(world):
    """Section caps count pins too but limit only the policy's choice; so does the placement's maximum age."""
    _, state, request, rules, placement = world
    taken: dict[str, int] = {}
    served = serve(world)
    for item in [i for i in served if i.reason == "pinned"] + [i for i in served if i.reason != "pinned"]:
        article = state.article("g", item.article)
        taken[article.section] = taken.get(article.section, 0) + 1
        if item.reason == "pinned" or not article.section:
            continue
        caps = [r.limit for r in rules if r.action == "cap" and r.section in ("", article.section)]
        limit = min([cap for cap in [placement.section_cap, *caps] if cap], default=99)
        assert taken[article.section] <= limit
        if placement.max_age_hours:
            assert request.now - article.published_at <= timedelta(hours=placement.max_age_hours)


@given(worlds)
@settings(max_examples=100, deadline=None)
def test_a_slate_is_full_when_it_can_be(world):
    """Without caps and age limits, fewer than n articles means that no other one was allowed."""
    policy, state, request, rules, _ = world
    rules = [rule for rule in rules if rule.action == "ban"]
    served = serve((policy, state, request, rules, PLAIN))
    if len(served) < request.n:
        alone = serve((Rogue(), state, SlateRequest(**_fields(request) | {"n": 99}), rules, PLAIN))
        assert len(served) == len(alone)


def _fields(request):
    return {name: getattr(request, name) for name in SlateRequest.__dataclass_fields__}


@given(newspapers(), st.sampled_from(["Sport", "Politics", ""]))
@settings(max_examples=60, deadline=None)
def test_a_new_article_can_be_recommended_at_once(state, section):
    """An article published this second, with no read, is in the ranking of every policy that shows anything."""
    new = Article(article="breaking", section=section, published_at=NOON)
    state.apply(Event(id="breaking", site="g", at=NOON, body=new))
    request = SlateRequest(site="g", placement="bottom", n=99, now=NOON)
    for name in SHOWING:
        ranking = build_policy(name)(request, state)
        served = apply_rules(ranking, request=request, state=state, rules=[], placement=PLAIN)
        assert "breaking" in [item.article for item in served]


@pytest.mark.parametrize("name", SHOWING)
def test_two_readers_of_different_articles_get_different_lists(gazette, names, name):
    """Not the same list for all: whoever has read the top articles is shown the next ones."""
    state = State(signals=SIGNALS).fold(gazette.publish(f"a{i}", i) for i in range(10))
    state.fold(gazette.read(f"a{9 - i}", 20 + i, reader="ann") for i in range(4))

    def served(reader):
        request = gazette.request(60, reader=reader)
        return set(
            names(
                apply_rules(build_policy(name)(request, state), request=request, state=state, rules=[], placement=PLAIN)
            )
        )

    assert not served("ann") & {"a9", "a8", "a7", "a6"}
    assert served("ann") != served("bob")


def test_pins_take_their_places(gazette, names):
    """A pin stands at its position whatever its score; of two for one position, the second comes next."""
    state = State(signals=SIGNALS).fold(gazette.publish(f"a{i}", i) for i in range(8))
    rules = [
        Rule(rule="one", action="pin", article="a0", position=2),
        Rule(rule="two", action="pin", article="a1", position=2),
    ]
    request = gazette.request(60)
    ranking = build_policy("latest")(request, state)
    served = apply_rules(ranking, request=request, state=state, rules=rules, placement=PLAIN)
    assert names(served) == ["a7", "a0", "a1", "a6"]
    assert [item.reason for item in served] == ["latest", "pinned", "pinned", "latest"]


def test_pins_close_up_when_the_ranking_is_short(gazette, names):
    """A pin for the fourth place follows at once when only one other article is there."""
    state = State(signals=SIGNALS).fold([gazette.publish("a", 0), gazette.publish("b", 1)])
    rules = [Rule(rule="one", action="pin", article="a", position=4)]
    request = gazette.request(60)
    served = apply_rules(
        build_policy("latest")(request, state), request=request, state=state, rules=rules, placement=PLAIN
    )
    assert names(served) == ["b", "a"]


def test_pins_do_not_fill_a_status_quo_that_shows_nothing(gazette):
    """Nothing stays nothing: otherwise the control would be treated too."""
    state = State(signals=SIGNALS).fold([gazette.publish("a"), gazette.publish("b")])
    rules = [Rule(rule="one", action="pin", article="a", position=1)]
    request = gazette.request(60)
    ranking = build_policy("status_quo")(request, state)
    assert apply_rules(ranking, request=request, state=state, rules=rules, placement=PLAIN) == []


def test_a_slate_refills_from_far_down_the_ranking(gazette, names):
    """When thousands of one capped section come first, the slate is still full, and in the ranking's order."""
    state = State(signals=SIGNALS).fold(gazette.publish(f"s{i}", i / 10, section="Sport") for i in range(1500))
    state.fold(gazette.publish(f"o{i}", -i - 1, section="Other") for i in range(300))
    request = gazette.request(200, n=5)
    ranking = build_policy("latest")(request, state)
    rules = [Rule(rule="two", action="cap", section="Sport", limit=2)]
    served = apply_rules(ranking, request=request, state=state, rules=rules, placement=PLAIN)
    assert names(served) == ["s1499", "s1498", "o0", "o1", "o2"]
    plain = apply_rules(list(ranking), request=request, state=state, rules=rules, placement=PLAIN)
    assert served == plain


def test_the_editors_list_is_not_capped(gazette, names):
    """The editors' own list keeps its three of one section: the cap is for what policies choose."""
    state = State(signals=SIGNALS).fold(gazette.publish(f"a{i}", i, section="Sport") for i in range(4))
    policy = build_policy("status_quo", {"list": "editors", "articles": "a0,a1,a2"})
    request, strict = gazette.request(60), Placement(placement="bottom", section_cap=1, max_age_hours=0.1)
    served = apply_rules(policy(request, state), request=request, state=state, rules=[], placement=strict)
    assert names(served) == ["a0", "a1", "a2"]


def test_a_banned_section_is_closed(gazette, names):
    """While a ban of a section holds, none of it is served, pinned or not; afterwards it is."""
    state = State(signals=SIGNALS).fold(
        gazette.publish(f"a{i}", i, section=("Sport", "Politics")[i % 2]) for i in range(6)
    )
    rules = [
        Rule(rule="no sport", action="ban", section="Sport", until=gazette.at(90)),
        Rule(rule="pin", action="pin", article="a0", position=1),
    ]
    for minute, expected in ((60, ["a5", "a3", "a1"]), (90, ["a0", "a5", "a4", "a3"])):
        request = gazette.request(minute)
        ranking = build_policy("latest")(request, state)
        served = apply_rules(ranking, request=request, state=state, rules=rules, placement=PLAIN)
        assert names(served) == expected


def test_exclusion_holds_against_a_policy_that_ignores_it(gazette, names):
    """The rules do not trust the policy: what the caller excludes, and the page itself, stay out all the same."""
    state = State(signals=SIGNALS).fold(gazette.publish(article) for article in IDS)
    request = gazette.request(60, n=12, article="a0", exclude=("a1", "a2"))
    served = apply_rules(Rogue()(request, state), request=request, state=state, rules=[], placement=PLAIN)
    assert set(names(served)) == set(IDS) - {"a0", "a1", "a2"}
