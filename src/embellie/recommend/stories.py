"""Stories: which articles tell the same one, so that a slate need not tell it twice."""

import math
from array import array
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple

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


class _Recent(NamedTuple):
    """An article that new ones are compared with: its terms, its time, when it was told, its place among the recent."""

    terms: Mapping[int, int]
    when: int
    at: int
    place: int


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
        self._recent: dict[int, _Recent] = {}
        self._having: dict[int, array[int]] = {}
        self._free = list(range(RECENT, -1, -1))
        self._row_at = [0] * (RECENT + 1)
        self._logs: tuple[int, dict[int, tuple[float, float]]] = (0, {})

    def publish(self, row: int, article: Article, at: int) -> None:
        """Take in an article: it begins a story, or joins one."""
        if row >= len(self._story):
            self._story = np.pad(self._story, (0, max(row + 1 - len(self._story), len(self._story))))
        terms = terms_of(article)
        when = at if article.published_at is None else micros(article.published_at)
        known = self._recent.get(row)
        if known is None and self._story[row]:
            return  # too long ago to be compared again
        if known is not None and (at < known.at or (known.terms, known.when) == (terms, when)):
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
        place = self._free.pop()
        self._recent[row] = _Recent(terms, when, at, place)
        self._row_at[place] = row
        for term in terms:
            having = self._having.get(term)
            if having is None:
                self._having[term] = array("H", (place,))
            else:
                having.append(place)
        if len(self._recent) > RECENT:
            self._drop(next(iter(self._recent)))

    def _drop(self, row: int) -> None:
        gone = self._recent.pop(row)
        for term in gone.terms:
            having = self._having[term]
            if len(having) == 1:
                del self._having[term]
            else:
                having.remove(gone.place)  # the oldest stands first: nothing is searched
        self._free.append(gone.place)

    def _twin(self, terms: Mapping[int, int], when: int) -> int | None:
        """Find the recent article most alike whose story began near enough in time."""
        weighed = self._weighed(terms)
        # The rarest first: tuples that begin with what they are sorted by need no call for each.
        rarest = sorted([(rarity, term, weight) for term, (rarity, weight) in zip(terms, weighed, strict=True)])
        del rarest[_RAREST:]
        met = [(having, weight) for _, term, weight in rarest if (having := self._having.get(term))]
        if not met:
            return None
        places = np.frombuffer(b"".join([having for having, _ in met]), np.uint16)
        repeated = np.repeat([weight for _, weight in met], [len(having) for having, _ in met])
        shared = np.bincount(places, weights=repeated)
        enough = 0.25 * sum([weight for _, _, weight in rarest])
        near = [
            (-shared[place], row)
            for place in np.flatnonzero(shared >= enough).tolist()
            if abs(when - self._began[int(self._story[row := self._row_at[place]])]) <= _DAYS_MICROS
        ]
        if not near:
            return None
        best, most = None, ALIKE
        own = {term: weight for term, (_, weight) in zip(terms, weighed, strict=True)}
        length = _squares(own.values())
        for row in sorted(row for _, row in sorted(near)[:_CANDIDATES]):
            found = self._cosine(own, length, self._recent[row].terms)
            if found > most or (found == most and best is None):
                best, most = row, found
        return best

    def _cosine(self, own: Mapping[int, float], length: float, terms: Mapping[int, int]) -> float:
        """Return the cosine of weighted terms, of this squared length, with an article's."""
        weights = [weight for _, weight in self._weighed(terms)]
        product = math.fsum([own[term] * weight for term, weight in zip(terms, weights, strict=True) if term in own])
        lengths = length * _squares(weights)
        return product / math.sqrt(lengths) if lengths > 0.0 else 0.0

    def _weighed(self, terms: Mapping[int, int]) -> list[tuple[float, float]]:
        """Return of each term minus the weight it would have if it came once, and its weight."""
        known, find = _OTHERS + len(self._recent), self._having.get
        if self._logs[0] != known:
            self._logs = known, {}
        table = self._logs[1]
        keys = [len(find(term, ())) << 4 | times for term, times in terms.items()]
        for key in keys:
            if key not in table:
                damped = _damped(key & 15)
                weight = damped * math.log(known / (0.5 + (key >> 4)))
                table[key] = -weight / damped, weight
        return [table[key] for key in keys]

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
            "recent": [[row, one.when, one.at, list(one.terms.items())] for row, one in self._recent.items()],
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Become what gave the snapshot."""
        self._story, self._began = snapshot["story"].copy(), list(snapshot["began"])
        self._recent, self._having, self._free = {}, {}, list(range(RECENT, -1, -1))
        for row, when, at, terms in snapshot["recent"]:
            self._keep(row, dict(terms), when, at)


def _damped(times: int) -> float:
    return 1.0 + math.log(times)


def _squares(weights: Iterable[float]) -> float:
    return math.fsum([weight * weight for weight in weights])


def rule_signals(placements: Iterable[Placement]) -> tuple[type[Signal], ...]:
    """List the signals that the rules of placements look at: stories, unless no placement minds telling one twice.

    >>> [signal.name for signal in rule_signals([Placement(placement="bottom")])]
    ['stories']
    """
    return (Stories,) if any(placement.one_per_story for placement in placements) else ()
