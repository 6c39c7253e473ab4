"""No slate breaks a rule: random newspapers, readers, requests and rule books, checked against the plain records.

What is checked is worked out anew from articles, reads and rules, sharing no code with what makes slates.
"""

import random
from datetime import UTC, datetime, timedelta

import pytest

from embellie.domain.article import Article
from embellie.domain.event import Event
from embellie.domain.reading import Read
from embellie.domain.rule import Rule
from embellie.domain.site import Placement
from embellie.domain.slate import Recommended, SlateRequest
from embellie.recommend.built_in import build_policy
from embellie.recommend.editorial import apply_rules
from embellie.recommend.signals import signals_of
from embellie.recommend.state import State
from embellie.recommend.stories import Stories

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SECTIONS = ("", "Sport", "Politics", "Culture", "Local")
READERS = ("ann", "bob", "cy")
ARTICLES = 60


def at(minute):
    return NOON + timedelta(minutes=minute)


def text_of(story, chance):
    """Twelve words of a story's own, one of them changed: what an agency sends twice."""
    told = [
        f"{letter}{story:02d}word".translate(str.maketrans("0123456789", "qwertzuiop")) for letter in "abcdefghijkl"
    ]
    told[chance.randrange(12)] = f"other{chance.choice('xyzvw')}"
    return " ".join(told)


class Newspaper:
    """A random site, told twice: as a folded state, and as plain records to check slates against."""

    def __init__(self, seed):
        self.chance = chance = random.Random(seed)
        self.articles = {}
        self.story = {}
        self.read = {reader: set() for reader in READERS}
        self.visits = {visit: set() for visit in ("v1", "v2")}
        events = [self._event(f"a{number}", -700, self._article(number)) for number in range(ARTICLES)]
        for number in range(chance.randrange(60)):
            article, reader = f"a{chance.randrange(ARTICLES)}", chance.choice(READERS)
            visit, consent = chance.choice(["", "v1", "v2"]), chance.choice(["profiling", "profiling", "none"])
            body = Read(article=article, reader=reader, visit=visit)
            events.append(self._event(f"r{number}", -60, body, consent))
            if consent == "profiling":
                self.read[reader].add(article)
            if visit:
                self.visits[visit].add(article)
        policies = [build_policy(name) for name in ("popular", "content", "latest", "thompson")]
        self.state = State(signals=(*signals_of(policies), Stories)).fold(events)
        items = [Recommended(article, "because", 1.0) for article in [*self.articles, "unheard-of"]]
        listed = [chance.sample(items, len(items)) + items[:3] for _ in range(20)]
        self.policies = [lambda *_, order=order: order for order in listed] + policies

    def _event(self, name, minute, body, consent="none"):
        return Event(id=name, site="g", at=at(minute), body=body, consent=consent)

    def _article(self, number):
        chance = self.chance
        story = chance.randrange(ARTICLES // 3)
        language = chance.choice(["fr", "fr", "en", "fr-CA", ""])
        expires = chance.choice([None] * 4 + [at(-1), at(0), at(1)])
        article = Article(
            article=f"a{number}",
            title=text_of(story, chance),
            section=chance.choice(SECTIONS),
            tags=chance.choice([(), ("vote",), ("Vote", "rain")]),
            language=language,
            published_at=at(chance.choice([-1400, -300, -100, -10, 0, 1, 30])),
            expires_at=expires,
            state=chance.choice(["live"] * 8 + ["embargoed", "withdrawn"]),
        )
        self.articles[article.article] = article
        self.story[article.article] = (story, language[:2])
        return article

    def request(self):
        chance, some = self.chance, [f"a{self.chance.randrange(ARTICLES)}" for _ in range(5)]
        return SlateRequest(
            site="g",
            placement="bottom",
            n=chance.randrange(7),
            now=NOON,
            article=chance.choice(["", some[0], "nowhere"]),
            reader=chance.choice(["", *READERS]),
            visit=chance.choice(["", "v1", "v2"]),
            consent=chance.choice(["profiling", "measurement", "none"]),
            exclude=tuple(some[1 : chance.randrange(1, 4)]),
            visit_articles=tuple(some[3 : chance.randrange(3, 6)]),
            language=chance.choice(["", "", "fr", "en", "*"]),
        )

    def rules(self):
        """A few rules of every kind, some lifted, over, or for another placement."""
        chance = self.chance
        named = {"article": f"a{chance.randrange(ARTICLES)}"}
        makers = [
            lambda: {"action": "pin", "position": chance.randrange(1, 6), "article": f"a{chance.randrange(ARTICLES)}"},
            lambda: {"action": "ban", **named},
            lambda: {"action": "ban", "section": chance.choice(SECTIONS[1:])},
            lambda: {"action": "cap", "section": chance.choice(["", "Sport"]), "limit": chance.randrange(1, 3)},
            lambda: {"action": "embargo", **named, "until": at(chance.choice([0, 1, 60]))},
            lambda: {"action": "boost", "section": "Culture", "factor": chance.choice([0.2, 3.0])},
            lambda: {"action": "boost", "tag": "vote", "factor": 10.0},
            lambda: {"action": "floor", "section": "Local", "position": chance.randrange(1, 6)},
        ]
        written = []
        for number in range(chance.choice([0, 1, 2, 3, 5])):
            fields = chance.choice(makers)()
            if fields["action"] != "embargo":
                fields |= chance.choice([{}, {}, {}, {"placement": "bottom"}, {"placement": "side"}, {"until": NOON}])
            written.append(Rule(rule=f"r{number}", active=chance.random() < 0.9, **fields))
        return written

    def placement(self):
        chance = self.chance
        return Placement(
            placement="bottom",
            section_cap=chance.randrange(3),
            max_age_hours=chance.choice([0.0, 2.0, 24.0]),
            one_per_story=chance.random() < 0.8,
        )

    def known(self, request):
        """What this reader is on, has before them, or has read."""
        known = {request.article, *request.exclude, *request.visit_articles} | self.visits.get(request.visit, set())
        return known | (self.read.get(request.reader, set()) if request.consent == "profiling" else set())

    def hidden(self, request, rules):
        """All that may not be shown at all, by whatever rule."""
        page = self.articles.get(request.article)
        wanted = (request.language or (page.language if page else ""))[:2]
        known = self.known(request)
        shut = {(rule.article, rule.section) for rule in rules if rule.action in ("ban", "embargo")}
        return {
            name
            for name, one in self.articles.items()
            if one.state != "live"
            or one.published_at > NOON
            or (one.expires_at is not None and one.expires_at <= NOON)
            or name in known
            or (name, "") in shut
            or (one.section and ("", one.section) in shut)
            or (wanted not in ("", "*") and one.language[:2] not in ("", wanted))
        }


def broken(paper, slate, request, rules, placement):
    """List the rules that a slate breaks."""
    found = []
    holding = [r for r in rules if r.active and r.placement in ("", "bottom") and (r.until is None or r.until > NOON)]
    names = [item.article for item in slate]
    if len(names) > request.n or len(set(names)) != len(names):
        found.append("length or doubles")
    hidden = paper.hidden(request, holding)
    if any(name in hidden or name not in paper.articles for name in names):
        found.append("hidden")
    caps = {rule.section: 99 for rule in holding if rule.action == "cap"}
    for rule in holding:
        if rule.action == "cap":
            caps[rule.section] = min(caps[rule.section], rule.limit)
    sections = [paper.articles[name].section for name in names if name in paper.articles]
    told = {paper.story[name] for name in paper.known(request) if name in paper.story}
    for item in slate:
        if item.reason == "pinned" or item.article not in paper.articles:
            continue
        section = paper.articles[item.article].section
        limit = min(placement.section_cap or 99, caps.get(section, 99), caps.get("", 99))
        # Pins may fill a section beyond its cap; then nothing the policy chose may be of it.
        if section and sections.count(section) > limit:
            found.append("cap")
        if placement.max_age_hours and NOON - paper.articles[item.article].published_at > timedelta(
            hours=placement.max_age_hours
        ):
            found.append("age")
        if placement.one_per_story:
            story = paper.story[item.article]
            if story in told or sum(paper.story[name] == story for name in names) > 1:
                found.append("story")
    return found + _floors(paper, slate, request, holding, placement, hidden | set(names), told)


def _floors(paper, slate, request, holding, placement, gone, told):
    """A floor is broken when its section is not among the first and something of it could have been."""
    floors = [rule.position for rule in holding if rule.action == "floor"]
    first = [paper.articles[item.article].section for item in slate[: min(floors, default=0)]]
    if not floors or not slate or "Local" in first or any(item.reason == "pinned" for item in slate):
        return []
    told = told | {paper.story[item.article] for item in slate} if placement.one_per_story else set()
    oldest = NOON - timedelta(hours=placement.max_age_hours or 9999)
    return [
        "floor"
        for name, one in paper.articles.items()
        if one.section == "Local" and name not in gone and paper.story[name] not in told and one.published_at >= oldest
    ][:1]


def violations(newspapers, slates):
    """Make that many slates for each of some newspapers; return what is broken, and how many articles were served."""
    found, served = [], 0
    for seed in range(newspapers):
        paper = Newspaper(seed)
        rules, placement = paper.rules(), paper.placement()
        for number in range(slates):
            if number % 20 == 0:
                rules, placement = paper.rules(), paper.placement()
            request, policy = paper.request(), paper.chance.choice(paper.policies)
            ranking = policy(request, paper.state)
            slate = apply_rules(ranking, request=request, state=paper.state, rules=rules, placement=placement)
            served += len(slate)
            found += [(seed, number, what) for what in broken(paper, slate, request, rules, placement)]
    return found, served


def test_no_random_slate_breaks_a_rule():
    """Near-duplicates, expiry, embargo, bans, what was read, exclusions, the page itself, caps, ages, languages, floors."""
    found, served = violations(newspapers=20, slates=250)
    assert found == []
    assert served > 5000


@pytest.mark.slow
def test_no_slate_of_a_million_breaks_a_rule():
    """The same, a million times."""
    found, served = violations(newspapers=400, slates=2500)
    assert found == []
    assert served > 1_000_000


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("hidden", {"state": "withdrawn"}),
        ("hidden", {"expires_at": NOON}),
        ("hidden", {"published_at": at(1)}),
        ("age", {"published_at": at(-1500)}),
        ("story", {"title": "as before"}),
        ("cap", {"section": "Sport"}),
    ],
)
def test_the_check_sees_a_broken_rule(what, told):
    """The checker is no rubber stamp: a slate with one wrong article is seen."""
    paper = Newspaper(0)
    for name in ("a0", "a1"):
        fine = {"article": name, "title": name, "published_at": at(-5), "section": ""}
        paper.articles[name] = Article(**fine | told)
        paper.story[name] = told.get("title", name)
    request = SlateRequest(site="g", placement="bottom", n=2, now=NOON, language="*")
    placement = Placement(placement="bottom", section_cap=1, max_age_hours=2.0)
    slate = [Recommended("a0", "because"), Recommended("a1", "because")]
    assert what in broken(paper, slate, request, [], placement)
