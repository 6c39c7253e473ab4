"""Leading: the foremost of a ranking, found without looking at all of it, are those that looking at all of it finds."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embellie.domain.article import Article
from embellie.domain.event import Event
from embellie.domain.reading import Read
from embellie.domain.slate import SlateRequest
from embellie.recommend import leading
from embellie.recommend.leading import Foremost
from embellie.recommend.policies import Affinity, Popular, RankedPolicy
from embellie.recommend.state import State

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
SECTIONS = ("", "city", "sport", "world")
POLICIES = (
    Popular(),
    Popular(half_life=0.5, optimism=0.0),
    Affinity(),
    Affinity(freshness=0.2, optimism=3.0, enough_reads=5.0),
)


def _article(rng: np.random.Generator, name: str, now: datetime) -> Article:
    published = now - timedelta(hours=float(rng.exponential(20.0)) - 1.0)
    return Article(
        article=name,
        section=SECTIONS[rng.integers(len(SECTIONS))],
        language=("", "fr", "en")[rng.integers(3)],
        published_at=published if rng.random() < 0.9 else None,
        expires_at=now + timedelta(seconds=float(rng.exponential(40.0))) if rng.random() < 0.1 else None,
        state="withdrawn" if rng.random() < 0.05 else "live",
    )


class Paper:
    """A site on which random things happen."""

    def __init__(self, seed: int, articles: int) -> None:
        self.rng, self.now, self.state, self._told = np.random.default_rng(seed), START, State(), 0
        self.names = [f"a{number}" for number in range(articles)]
        for name in self.names:
            self.tell(_article(self.rng, name, self.now), "none")
        for _ in range(3 * articles):
            self.read(self.now - timedelta(hours=float(self.rng.exponential(5.0))))

    def tell(self, body: Article | Read, consent: str, at: datetime | None = None) -> None:
        self._told += 1
        self.state.apply(Event(id=f"e{self._told}", site="p", at=at or self.now, consent=consent, body=body))

    def read(self, at: datetime) -> None:
        name = self.names[min(int(self.rng.exponential(len(self.names) / 5)), len(self.names) - 1)]
        reader, visit = f"r{self.rng.integers(5)}", f"v{self.rng.integers(30)}"
        self.tell(Read(article=name, reader=reader, visit=visit, engaged_seconds=20.0), "profiling", at)

    def happen(self) -> None:
        """Let a little time pass, in which something is read, and now and then something is published or changed."""
        self.now += timedelta(seconds=float(self.rng.exponential(0.4)))
        for _ in range(self.rng.integers(4)):
            self.read(self.now - timedelta(seconds=float(self.rng.exponential(3.0))))
        if self.rng.random() < 0.3:
            fresh = f"n{self._told}" if self.rng.random() < 0.5 else self.names[self.rng.integers(len(self.names))]
            self.tell(_article(self.rng, fresh, self.now), "none")

    def request(self) -> SlateRequest:
        page = self.names[self.rng.integers(len(self.names))]
        return SlateRequest(
            site="p", placement="bottom", n=4, now=self.now, article=page, reader=f"r{self.rng.integers(6)}",
            visit=f"v{self.rng.integers(40)}", consent=("profiling", "measurement")[self.rng.integers(2)],
            exclude=tuple(self.rng.choice(self.names, 2).tolist()), language=("", "fr", "*")[self.rng.integers(3)],
        )  # fmt: skip


def told(ranking: object) -> list[tuple[str, str, float]]:
    return [(item.article, item.reason, item.score) for item in ranking]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), articles=st.integers(1, 120), which=st.integers(0, len(POLICIES) - 1))
def test_the_foremost_are_those_of_the_whole_ranking(seed: int, articles: int, which: int) -> None:
    """Whatever is read, published, changed or expires between requests: the same articles, reasons and scores, to the last bit."""
    paper, policy, met = Paper(seed, articles), POLICIES[which], 0
    for _ in range(25):
        paper.happen()
        request = paper.request()
        quick, whole = policy(request, paper.state), RankedPolicy.__call__(policy, request, paper.state)
        met += isinstance(quick, Foremost)
        assert bool(quick) == bool(whole)
        assert told(quick) == told(whole)
    assert met > 10, "the lists were hardly ever made: nothing was compared"


def test_a_few_articles_are_looked_at_where_there_are_thousands(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first four of five thousand are found by scoring a few dozen."""
    paper, looked_at = Paper(1, 5000), 0
    weigh = leading._weigh

    def counted(batch: list[int], *others: object) -> None:
        nonlocal looked_at
        looked_at += len(batch)
        weigh(batch, *others)

    monkeypatch.setattr(leading, "_weigh", counted)
    for _ in range(3):
        found = Affinity()(paper.request(), paper.state)
    assert isinstance(found, Foremost)
    assert len(found[:4]) == 4
    assert 0 < looked_at < 100


def test_a_ranking_is_as_long_and_as_deep_as_the_whole_one() -> None:
    """Slices, single places from either end, and its length are those of the whole ranking."""
    paper = Paper(2, 60)
    request = paper.request()
    Popular()(request, paper.state)
    quick, whole = Popular()(request, paper.state), RankedPolicy.__call__(Popular(), request, paper.state)
    assert isinstance(quick, Foremost)
    assert len(quick) == len(whole) > 10
    assert told(quick[2:7]) == told(whole[2:7])
    assert told([quick[-1], quick[3]]) == told([whole[-1], whole[3]])
    assert told(quick[:10_000]) == told(whole)
    with pytest.raises(IndexError):
        quick[10_000]


def test_a_site_with_nothing_to_show_has_an_empty_ranking():
    """Asked often, of a site without an article that may be shown: nothing, and no error."""
    state = State().fold([Event(id="e", site="p", at=START, body=Article(article="a", state="withdrawn"))])
    request = SlateRequest(site="p", placement="bottom", n=4, now=START)
    rankings = [Affinity()(request, state) for _ in range(3)]
    assert isinstance(rankings[-1], Foremost)
    assert [(bool(ranking), list(ranking)) for ranking in rankings] == [(False, [])] * 3


def test_who_scores_otherwise_is_asked_for_every_score() -> None:
    """A policy made from `Popular` with a score of its own is ranked by that score, however often it is asked."""

    class Backwards(Popular):
        def score(self, request: SlateRequest, site: object) -> object:
            popular = super().score(request, site)
            return type(popular)(-popular.values, popular.reason)

    paper = Paper(3, 50)
    request = paper.request()
    for _ in range(3):
        names = [item.article for item in Backwards()(request, paper.state)]
        assert names[0] == [item.article for item in Popular()(request, paper.state)][-1]
