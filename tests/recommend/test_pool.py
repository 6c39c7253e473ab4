"""Pool: a shortlist found among a few articles is the one that looking at all of them finds."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embellie.domain.article import Article
from embellie.domain.event import Event
from embellie.domain.reading import Read
from embellie.domain.slate import SlateRequest
from embellie.recommend import pool
from embellie.recommend.features import Asked, matrix_of, signals_of_features
from embellie.recommend.shortlist import quick_shortlist, shortlist
from embellie.recommend.state import State

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
ARTICLES = 400


class Paper:
    """A site of a few hundred articles on which random things happen."""

    def __init__(self, seed: int) -> None:
        self.rng, self.now, self.state, self._told = (
            np.random.default_rng(seed),
            START,
            State(signals=signals_of_features()),
            0,
        )
        for number in range(ARTICLES):
            self.publish(f"a{number}", age=0.5 * number)
        for _ in range(ARTICLES):
            self.read(hours=float(self.rng.exponential(8.0)))

    def tell(self, body: Article | Read, at: datetime) -> None:
        self._told += 1
        self.state.apply(Event(id=f"e{self._told}", site="p", at=at, consent="profiling", body=body))

    def publish(self, name: str, *, age: float) -> None:
        article = Article(
            article=name, title=f"word{self.rng.integers(90)} word{self.rng.integers(90)} {name} and more words here",
            section=("", "city", "sport", "world")[self.rng.integers(4)], language=("", "fr", "en")[self.rng.integers(3)],
            published_at=self.now - timedelta(hours=age),
            expires_at=self.now + timedelta(seconds=float(self.rng.exponential(30.0))) if self.rng.random() < 0.1 else None,
            state="withdrawn" if self.rng.random() < 0.05 else "live",
        )  # fmt: skip
        self.tell(article, self.now)

    def read(self, *, hours: float) -> None:
        name = f"a{min(int(self.rng.exponential(60)), ARTICLES - 1)}"
        body = Read(
            article=name, reader=f"r{self.rng.integers(5)}", visit=f"v{self.rng.integers(60)}", engaged_seconds=9.0
        )
        self.tell(body, self.now - timedelta(hours=hours))

    def request(self) -> SlateRequest:
        """Let a little time pass in which something happens, and ask."""
        self.now += timedelta(seconds=float(self.rng.exponential(0.3)))
        for _ in range(self.rng.integers(3)):
            self.read(hours=0.001)
        if self.rng.random() < 0.3:
            fresh = f"n{self._told}" if self.rng.random() < 0.5 else f"a{self.rng.integers(ARTICLES)}"
            self.publish(fresh, age=float(self.rng.exponential(20.0)) - 1.0)
        return SlateRequest(
            site="p", placement="bottom", n=4, now=self.now, article=f"a{self.rng.integers(80)}",
            reader=f"r{self.rng.integers(6)}", visit=f"v{self.rng.integers(80)}",
            consent=("profiling", "measurement", "none")[self.rng.integers(3)], language=("", "", "fr")[self.rng.integers(3)],
        )  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), each=st.sampled_from((30, 60, 120)))
def test_the_shortlist_of_a_pool_is_that_of_all(seed: int, each: int) -> None:
    """Whatever is read, published, changed or expires: the same articles; where the pool does not tell, it says so."""
    found = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "SMALL", 0)
        patch.setattr(pool, "EACH", each)
        paper = Paper(seed)
        for _ in range(20):
            request = paper.request()
            asked = Asked(request, paper.state.site("p"))
            quick = quick_shortlist(asked, most=30)
            if quick is None:
                continue
            found += 1
            site = paper.state.site("p")
            rows = np.flatnonzero(site.suitable(request))
            assert quick.tolist() == shortlist(Asked(request, site), rows, most=30).tolist()
            bare = Asked(request, site)
            vars(bare)["pool"] = None  # as if there were none
            assert np.array_equal(matrix_of(asked, quick), matrix_of(bare, quick))
    assert each < 120 or found > 5, "the pool hardly ever told: nothing was compared"


def test_a_small_site_needs_no_pool() -> None:
    """A few hundred articles are looked at whole."""
    paper = Paper(1)
    for _ in range(3):
        assert Asked(paper.request(), paper.state.site("p")).pool is None
