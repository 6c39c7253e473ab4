"""What users of other recommenders complain of, where it is about what is served: one test each, the complaint in words."""

import random

import pytest

from embellie.domain.rule import Rule
from embellie.domain.site import Placement
from embellie.domain.slate import Recommended
from embellie.recommend.built_in import POLICIES, build_policy
from embellie.recommend.editorial import apply_rules
from embellie.recommend.signals import signals_of
from embellie.recommend.state import State
from embellie.recommend.stories import Stories
from embellie.web.language import Words
from embellie.web.phrases import MESSAGES
from embellie.web.reasons import reason_text

SHOWING = sorted(set(POLICIES) - {"status_quo", "ranker"})
SIGNALS = (*signals_of(map(build_policy, SHOWING)), Stories)
PERSONAL = [name for name in ("affinity", "content") if name in POLICIES]
PLAIN = Placement(placement="bottom")
TWICE = Placement(placement="bottom", one_per_story=False)
SECTIONS = ("Sport", "Politics", "Culture", "Local")
DAY = 24 * 60
every_policy = pytest.mark.parametrize("name", SHOWING)


@pytest.fixture
def paper(gazette):
    """Forty articles of two days in four sections, read by a crowd."""
    chance = random.Random(3)
    words = {
        section: [f"{section.lower()[:3]}{one}{other}" for one in "bcdfghjk" for other in "bcdfghjk"]
        for section in SECTIONS
    }
    state = State(signals=SIGNALS)
    for i in range(40):
        section = SECTIONS[i % 4]
        title = " ".join(chance.sample(words[section], 6))
        state.apply(gazette.publish(f"a{i}", -2 * DAY + 72 * i, section=section, title=title, language="en"))
    for n in range(400):
        article = f"a{min(39, int(chance.expovariate(0.08)))}"
        state.apply(gazette.read(article, -60 + n / 8, reader=f"r{n % 50}", visit=f"v{n // 3}"))
    return state


@pytest.fixture
def serve(gazette, names, paper):
    def served(policy, minute=10, rules=(), placement=PLAIN, whole=False, **asked):
        request = gazette.request(minute, **asked)
        policy = build_policy(policy) if isinstance(policy, str) else policy
        slate = apply_rules(policy(request, paper), request=request, state=paper, rules=rules, placement=placement)
        return slate if whole else names(slate)

    return served


@every_policy
def test_expired_and_hidden_items_are_still_served(serve, paper, gazette, name):
    """gorse#764: items months old, expired or hidden, still come up. Here: gone with the minute, in every policy."""
    first = serve(name, article="a20")[0]
    paper.apply(gazette.publish(first, 5, title="again", published_at=gazette.at(-DAY), expires_at=gazette.at(11)))
    assert first not in serve(name, minute=11, article="a20", n=40)
    second = serve(name, article="a20")[0]
    paper.apply(gazette.publish(second, 6, state="withdrawn"))
    assert second not in serve(name, article="a20", n=40)


@every_policy
def test_old_items_are_served_although_they_should_have_ended(serve, name):
    """gorse#764 again: seven months old at a time-to-live of a day. Here a placement's maximum age holds for every policy."""
    fresh = Placement(placement="bottom", max_age_hours=24.0)
    recent = {f"a{i}" for i in range(40) if -2 * DAY + 72 * i >= 10 - DAY}
    served = serve(name, article="a20", n=40, placement=fresh)
    assert served
    assert set(served) <= recent


def test_a_new_item_has_no_neighbours_until_the_next_load(serve, paper, gazette):
    """gorse#613 (and #313, #314): a new item has no neighbours until the model is loaded again. Here: from its first second."""
    paper.apply(
        gazette.publish("new", 10, title=paper.article(gazette.site, "a20").title, section="Sport", language="en")
    )
    assert serve("content", article="a20", placement=TWICE)[0] == "new"
    neighbours = serve("content", article="new", whole=True, placement=TWICE)
    assert neighbours[0].article == "a20"
    assert neighbours[0].reason == "similar"


def test_related_posts_are_years_old(serve, paper, gazette):
    """newspack-plugin#621, wordpress-popular-posts#3, daily#2022: related posts should be recent. Here likeness fades by age."""
    title = paper.article(gazette.site, "a20").title
    for name, minute in (("last-year", -365 * DAY), ("today", 0)):
        paper.apply(gazette.publish(name, minute, title=title, section="Sport", language="en"))
    served = serve("content", article="a20", n=99, placement=TWICE)
    assert served[0] == "today"
    assert served.index("last-year") > 3


@every_policy
def test_breaking_news_must_be_in_the_model_before_it_can_be_shown(serve, paper, gazette, name):
    """template-scala-parallel-universal-recommendation#56, universal-recommender#26: breaking news waits for training. Here not."""
    paper.apply(
        gazette.publish(
            "breaking", 10, title="Quite another thing has happened tonight", section="Sport", language="en"
        )
    )
    assert "breaking" in serve(name, n=99)


@every_policy
def test_everyone_sees_the_same_popular_list(serve, paper, gazette, name):
    """gorse#742: everyone sees the same popular list. Here who has read its top is shown what comes next."""
    first = serve(name, reader="nobody")
    for article in first[:3]:
        paper.apply(gazette.read(article, 9, reader="fan"))
    assert not set(serve(name, reader="fan")) & set(first[:3])
    assert set(serve(name, reader="fan")) != set(first)


@pytest.mark.parametrize("name", PERSONAL)
def test_the_personal_list_is_just_the_latest(serve, paper, gazette, name):
    """gorse#1223: the "personal" list is just the latest. Here two readers of different tastes are shown different ones."""
    for section, reader in (("Sport", "fan"), ("Politics", "voter")):
        for i in range(8):
            title = f"{paper.article(gazette.site, f'a{4 * i + SECTIONS.index(section)}').title} once more"
            paper.apply(gazette.publish(f"{section}{i}", -9 * DAY, title=title, section=section, language="en"))
            paper.apply(gazette.read(f"{section}{i}", 8, reader=reader))
    fan, voter = serve(name, reader="fan", n=8), serve(name, reader="voter", n=8)
    for section, keen, other in (("Sport", fan, voter), ("Politics", voter, fan)):
        assert _count(keen, section, paper, gazette) > _count(other, section, paper, gazette)
    assert serve(name, reader="fan") != serve("latest", reader="fan")


def _count(served, section, paper, gazette):
    return sum(paper.article(gazette.site, article).section == section for article in served)


def _sections(served, paper, gazette):
    return {paper.article(gazette.site, article).section for article in served}


@every_policy
def test_items_already_read_come_back(serve, paper, gazette, name):
    """gorse#833, #802 (and #592): what was read comes back. Here not once, down to the last article there is."""
    read = []
    for turn in range(10):
        served = serve(name, reader="keen", n=4)
        assert len(served) == 4
        assert not set(served) & set(read)
        for article in served:
            paper.apply(gazette.read(article, 9 + turn / 100, reader="keen"))
        read += served
    assert serve(name, reader="keen", n=4) == []


@every_policy
def test_what_was_opened_this_second_comes_back(serve, name):
    """gorse#833 in the same visit: before the log has the read, and without consent. Here the request's own visit counts."""
    opened = tuple(serve(name)[:2])
    assert not set(serve(name, visit_articles=opened, consent="none", n=40)) & set(opened)


@every_policy
def test_the_caller_cannot_pass_a_list_to_exclude(serve, name):
    """gorse#1216, universal-recommender#15: no list of exclusions. Here it holds, and the slate is filled again."""
    first = serve(name)
    again = serve(name, exclude=tuple(first))
    assert not set(again) & set(first)
    assert len(again) == 4


@every_policy
def test_a_new_reader_gets_nothing(serve, name):
    """gorse#357, metarank#1062: nothing for a reader nobody knows. Here a full slate, with consent or without."""
    for asked in ({"reader": "stranger"}, {"consent": "none"}, {"article": "nowhere"}):
        assert len(serve(name, **asked)) == 4


@every_policy
def test_a_new_site_gets_nothing(gazette, names, name):
    """metarank#1381 for a site: no reads at all yet. Here its articles are shown."""
    state = State(signals=SIGNALS).fold(gazette.publish(f"a{i}", i, section="Sport") for i in range(5))
    request = gazette.request(60)
    ranking = build_policy(name)(request, state)
    assert len(apply_rules(ranking, request=request, state=state, rules=(), placement=PLAIN)) == 4


@every_policy
def test_categories_cannot_be_kept_out_or_favoured(serve, paper, gazette, name):
    """gorse#837, #834, #1327, #847: rules by category, and weights. Here a section is banned, capped, boosted, given a place."""
    assert "Sport" not in _sections(
        serve(name, n=40, rules=[Rule(rule="r", action="ban", section="Sport")]), paper, gazette
    )
    capped = serve(name, n=4, rules=[Rule(rule="r", action="cap", section="", limit=1)])
    assert len(_sections(capped, paper, gazette)) == len(capped) == 4
    kept = serve(name, n=4, rules=[Rule(rule="r", action="floor", section="Local", position=2)])
    assert "Local" in _sections(kept[:2], paper, gazette)
    boost = [Rule(rule="r", action="boost", section="Culture", factor=10.0)]
    plain, more = serve(name, n=8), serve(name, n=8, rules=boost)
    assert _count(more, "Culture", paper, gazette) > _count(plain, "Culture", paper, gazette)


def test_the_same_story_from_two_desks_fills_the_list(serve, paper, gazette):
    """Near-duplicates side by side (Merino suppresses them for that reason). Here a story is told once."""
    title = "Severe storm cuts power along the northern coast"
    for i in range(6):
        paper.apply(gazette.publish(f"storm{i}", 5, title=f"{title} {'again' * (i % 2)}", language="en"))
    assert sum(article.startswith("storm") for article in serve("latest", n=10)) == 1


@every_policy
def test_nobody_says_why_an_item_is_there(serve, name):
    """gorse#756: why was this recommended? Here every reason has words, for editor and reader, in both languages."""
    rules = [
        Rule(rule="pin", action="pin", article="a3", position=2),
        Rule(rule="floor", action="floor", section="Local", position=4),
    ]
    for asked in ({"article": "a20"}, {"reader": "r7", "article": "a12"}, {"reader": "r3"}):
        for item in serve(name, whole=True, n=10, rules=rules, **asked):
            code = item.reason.partition(":")[0]
            for hearer in ("reason", "told"):
                assert f"{hearer}.{code}" in MESSAGES
                english, french = (reason_text(Words(lang), item.reason, to=hearer) for lang in ("en", "fr"))
                assert english
                assert french


@every_policy
def test_probabilities_were_not_logged(serve, name):
    """vowpal_wabbit#3910, #1352, #4319: without the chance of what was shown nothing can be valued later. Here each item has it."""
    for item in serve(name, whole=True, n=10):
        assert isinstance(item, Recommended)
        assert 0.0 < item.propensity <= 1.0
