"""Stories: which articles tell the same one, so that a slate need not tell it twice."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from embellie.domain.article import Article
from embellie.domain.moment import micros
from embellie.domain.site import Placement
from embellie.recommend.popularity import MICROS_PER_HOUR
from embellie.recommend.signals import Signal, Silent
from embellie.recommend.texts import terms_of

DAYS = 3
"""An article joins a story whose first article lies at most so many days from it."""

ALIKE = 0.5
"""The cosine from which two articles tell the same story."""

RECENT = 4000
"""A new article is compared with the last so many."""

ENOUGH_TERMS = 5
"""Of a text with fewer terms nobody can tell which story it is."""

_OTHERS = 100
_RAREST = 24
_CANDIDATES = 10
_DAYS_MICROS = DAYS * 24 * MICROS_PER_HOUR


class Stories(Silent):
    """Which story each article tells: a new article joins that of the recent article most like it, if it is alike enough.

    Alike is the cosine of the articles' terms (title, tags, section, summary) weighted by
    (1 + ln t) · ln((100 + N) / (1/2 + d)): N recent articles, d of them with the term, and a hundred others before them,
    without which a new site's second article would share only "common" terms with its first. Compared are the ten that share most of
    the article's 24 rarest terms, a quarter of their weight at least; of equally alike ones the earlier row. A story's articles lie at most `DAYS` from its first
    one, so it cannot drift on for ever; languages share no terms, so no story. A changed text is judged anew. All of it
    depends on what was published and in which order, on nothing else.

    Memory: 4 bytes per article of the site, 8 per story, and about 10 kB for each of the last 4,000 articles: 40 MB, however
    large the site. Readers take none.
    """

    name: ClassVar[str] = "stories"

    def __init__(self) -> None:
        self._story: NDArray[np.int32] = np.zeros(64, np.int32)
        self._began = [0]
        self._recent: dict[int, tuple[Mapping[int, int], int, int]] = {}
        self._having: dict[int, dict[int, None]] = {}

    def publish(self, row: int, article: Article, at: int) -> None:
        """Take in an article: it begins a story, or joins one."""
        if row >= len(self._story):
            self._story = np.pad(self._story, (0, max(row + 1 - len(self._story), len(self._story))))
        terms = terms_of(article)
        when = at if article.published_at is None else micros(article.published_at)
        known = self._recent.get(row)
        if known is None and self._story[row]:
            return  # too long ago to be compared again
        if known is not None and (at < known[2] or known[:2] == (terms, when)):
            return  # a version older than the known one, or nothing new
        if known is not None:
            self._drop(row)
        if len(terms) < ENOUGH_TERMS:
            self._story[row] = 0
            return
        twin = self._twin(terms, when)
        if twin is None:
            self._began.append(when)
            self._story[row] = len(self._began) - 1
        else:
            self._story[row] = self._story[twin]
        self._keep(row, terms, when, at)

    def _keep(self, row: int, terms: Mapping[int, int], when: int, at: int) -> None:
        self._recent[row] = (terms, when, at)
        for term in terms:
            self._having.setdefault(term, {})[row] = None
        if len(self._recent) > RECENT:
            self._drop(next(iter(self._recent)))

    def _drop(self, row: int) -> None:
        for term in self._recent.pop(row)[0]:
            having = self._having[term]
            del having[row]
            if not having:
                del self._having[term]

    def _twin(self, terms: Mapping[int, int], when: int) -> int | None:
        """Find the recent article most alike whose story began near enough in time."""
        weights = self._weights(terms)
        shared: dict[int, float] = {}
        rarest = sorted(terms, key=lambda term: (-weights[term] / _damped(terms[term]), term))[:_RAREST]
        for term in rarest:
            for row in self._having.get(term, ()):
                shared[row] = shared.get(row, 0.0) + weights[term]
        enough = 0.25 * sum(weights[term] for term in rarest)
        near = [
            row
            for row, weight in shared.items()
            if weight >= enough and abs(when - self._began[int(self._story[row])]) <= _DAYS_MICROS
        ]
        best, most = None, ALIKE
        for row in sorted(sorted(near, key=lambda row: (-shared[row], row))[:_CANDIDATES]):
            found = _cosine(weights, self._weights(self._recent[row][0]))
            if found > most or (found == most and best is None):
                best, most = row, found
        return best

    def _weights(self, terms: Mapping[int, int]) -> dict[int, float]:
        known = _OTHERS + len(self._recent)
        return {
            term: _damped(times) * math.log(known / (0.5 + len(self._having.get(term, ()))))
            for term, times in terms.items()
        }

    def of(self, row: int) -> int:
        """Return the number of an article's story, 0 when it tells none that is known."""
        return int(self._story[row]) if row < len(self._story) else 0

    def among(self, rows: Iterable[int]) -> set[int]:
        """Return the numbers of the stories that some articles tell."""
        known = np.array([row for row in rows if row < len(self._story)], np.int64)
        return set(self._story[known].tolist()) - {0}

    def tells(self, stories: Iterable[int], size: int) -> NDArray[np.bool_]:
        """Tell of each of the first `size` articles whether it tells one of some stories."""
        listed = np.zeros(len(self._began), np.bool_)
        listed[list(stories)] = True
        listed[0] = False
        found = np.zeros(size, np.bool_)
        known = self._story[:size]
        found[: len(known)] = listed[known]
        return found

    def snapshot(self) -> Mapping[str, Any]:
        """Return the stories, and the articles the next ones are compared with."""
        return {
            "story": self._story.copy(),
            "began": list(self._began),
            "recent": [[row, when, at, list(terms.items())] for row, (terms, when, at) in self._recent.items()],
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Become what gave the snapshot."""
        self._story, self._began = snapshot["story"].copy(), list(snapshot["began"])
        self._recent, self._having = {}, {}
        for row, when, at, terms in snapshot["recent"]:
            self._keep(row, dict(terms), when, at)


def _damped(times: int) -> float:
    return 1.0 + math.log(times)


def _cosine(one: Mapping[int, float], other: Mapping[int, float]) -> float:
    product = math.fsum(weight * other[term] for term, weight in one.items() if term in other)
    lengths = math.fsum(w * w for w in one.values()) * math.fsum(w * w for w in other.values())
    return product / math.sqrt(lengths) if lengths > 0.0 else 0.0


def rule_signals(placements: Iterable[Placement]) -> tuple[type[Signal], ...]:
    """List the signals that the rules of placements look at: stories, unless no placement minds telling one twice.

    >>> [signal.name for signal in rule_signals([Placement(placement="bottom")])]
    ['stories']
    """
    return (Stories,) if any(placement.one_per_story for placement in placements) else ()
