"""Catalogue: the articles as last published, and the way in for those that are new or changed."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace

from embellie.app.live_folds import LiveFolds, after, minted
from embellie.domain.article import Article
from embellie.domain.event import Event
from embellie.domain.slate import SlateRequest
from embellie.ports import Receipt
from embellie.recommend.built_in import build_policy
from embellie.recommend.state import ANY_LANGUAGE


class Catalogue:
    """The sites' articles, as the log knows them.

    Args:
        live: What the log says of them; and the way to the log.
    """

    def __init__(self, live: LiveFolds) -> None:
        self._live = live

    def publish(self, site: str, articles: Sequence[Article]) -> "Future[Receipt]":
        """Put articles that are new or changed in the log; those already so are counted as duplicates."""
        self._live.site(site)
        now = self._live.clock()
        changed = [one for one in articles if self.article(site, one.article) != one]
        unchanged = len(articles) - len(changed)
        written = self._live.submit([Event(id=minted(now), site=site, at=now, body=one) for one in changed])
        return after(written, lambda receipt: replace(receipt, duplicates=receipt.duplicates + unchanged))

    def article(self, site: str, article: str) -> Article | None:
        """Find an article as last published."""
        self._live.site(site)
        with self._live.lock:
            return self._live.state.article(site, article)

    def named(self, site: str, articles: Sequence[str]) -> list[Article | None]:
        """Find several articles as last published, in their order."""
        self._live.site(site)
        known = self._live.state.site(site)
        try:
            # Without the lock, which whoever folds may hold: each article is one look into a table that only grows.
            return [known.article(article) for article in articles]
        except IndexError:  # one is just being put in
            with self._live.lock:
                return [known.article(article) for article in articles]

    def showable(self, site: str) -> Sequence[Article]:
        """List what readers may be shown now, newest first."""
        self._live.site(site)
        with self._live.lock:
            return self._live.state.articles(site, self._live.clock())

    def popular(self, site: str, *, n: int) -> list[tuple[Article, float]]:
        """Rank what is read most now, with its decayed count of reads."""
        self._live.site(site)
        request = SlateRequest(site=site, placement="", n=n, now=self._live.clock(), language=ANY_LANGUAGE)
        with self._live.lock:
            state = self._live.state
            top = build_policy("popular")(request, state)[:n]
            return [(found, one.score) for one in top if (found := state.article(site, one.article))]
