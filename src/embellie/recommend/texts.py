"""Texts: what articles are about, as weighted terms; a fold that tells which articles are alike."""

import math
from array import array
from collections import Counter
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from embellie.domain.article import Article
from embellie.recommend.popularity import Floats
from embellie.recommend.shelf import primary_language
from embellie.recommend.signals import Silent
from embellie.recommend.terms import guess_language, hashed, stems

BITS = 18
"""Terms are numbered below 2^18: of 60 terms in common use two of a language share a number about once in 70,000 pairs."""

TERMS = 64
"""The most terms kept of one article: those of the title first, then the tags', the section, the summary's."""

_TITLE, _TAG = 2, 2
_MOST_TIMES = 15
_FEW = 32

Numbers = NDArray[np.int32]


def fading(read: Mapping[int, int], *, now: int, half_life: float, last: int) -> dict[int, float]:
    """Weigh the last articles read (row → µs), halved every `half_life` µs, the newest last.

    >>> fading({7: 0, 5: 10, 6: 20}, now=20, half_life=10.0, last=2)
    {5: 0.5, 6: 1.0}
    """
    newest = sorted(read.items(), key=lambda one: (one[1], one[0]))[-last:]
    return {row: 2.0 ** (-max(now - at, 0) / half_life) for row, at in newest}


@lru_cache(maxsize=4)  # several folds hear of an article one after the other
def terms_of(article: Article) -> Mapping[int, int]:
    """Return an article's terms (their numbers) and how often each comes, at most 15; title and tags count twice.

    Its language is the one it says, else the one its small words betray, so articles of two languages share no term.

    >>> len(terms_of(Article(article="a", title="The mayor resigns", tags=("Town hall",), language="en")))
    4
    """
    language = primary_language(article.language) or guess_language(f"{article.title} {article.summary}")
    tags = [stem for tag in article.tags for stem in stems(tag)]
    section = [f"section {article.section.casefold()}"] if article.section else []
    times = Counter([*stems(article.title) * _TITLE, *tags * _TAG, *section, *stems(article.summary)])
    found: dict[int, int] = {}
    for number, count in zip(hashed(times, language=language, bits=BITS), times.values(), strict=True):
        if number in found or len(found) < TERMS:
            found[number] = min(found.get(number, 0) + count, _MOST_TIMES)
    return found


class Texts(Silent):
    """Every article as a vector of terms, and which are alike: the cosine of vectors weighted by TF-IDF.

    The weight of a term that comes t times in an article, and in d of the N articles, is (1 + ln t) · idf with
    idf = ln((1 + N) / (1 + d)) + 1 (Salton and Buckley, Information Processing & Management 24, 1988; smoothed).

    N and d are those of the last **weighing**, which is due when the articles with a text are a quarter more than at the
    last one, and at least 32 more. Until then every vector, new or old, is weighted as it says. So weights depend on
    what was published in which order alone, and a weighing costs little per article. A version of an article told
    late, older than the one known, changes nothing.

    Memory: 0.6 kB per article (332 bytes for its terms, 4 per term to find it by), so about 60 MB per 100,000 articles
    and room to grow, and at most 60 MB for the terms themselves. Readers take none.
    """

    name: ClassVar[str] = "texts"

    def __init__(self) -> None:
        self._terms: Numbers = np.zeros((64, TERMS), np.int32)
        self._times: NDArray[np.uint8] = np.zeros((64, TERMS), np.uint8)
        self._told = np.full(64, np.iinfo(np.int64).min)
        self._norms = np.zeros(64)
        self._in: Numbers = np.zeros(1 << BITS, np.int32)
        self._idf = np.ones(1 << BITS)
        self._found: dict[int, array[int]] = {}
        self._scratch = np.zeros(1 << BITS)
        self._last: tuple[NDArray[np.int64], Numbers, Floats, Floats] | None = None
        self._size = 0
        self._counted = 0
        self._weighed = 0

    def __len__(self) -> int:
        return self._counted

    def publish(self, row: int, article: Article, at: int) -> None:
        """Take in an article's text, new or changed."""
        self._grow(row + 1)
        self._last = None
        if at < self._told[row]:
            return
        self._told[row] = at
        terms = terms_of(article)
        if terms == self._of(row):
            return
        self._take_out(row)
        self._put_in(row, terms)
        if self._counted >= self._weighed + max(_FEW, self._weighed // 4):
            self._weigh()

    def _of(self, row: int) -> dict[int, int]:
        known = int(np.count_nonzero(self._terms[row]))
        return dict(zip(self._terms[row, :known].tolist(), self._times[row, :known].tolist(), strict=True))

    def _take_out(self, row: int) -> None:
        for term, times in self._of(row).items():
            self._found[term].remove(row << 4 | times)
            self._in[term] -= 1
        self._counted -= int(self._terms[row, 0] != 0)
        self._terms[row] = self._times[row] = 0

    def _put_in(self, row: int, terms: Mapping[int, int]) -> None:
        for place, (term, times) in enumerate(terms.items()):
            self._terms[row, place], self._times[row, place] = term, times
            self._find_by(term, row, times)
            self._in[term] += 1
        self._counted += bool(terms)
        self._norms[row : row + 1] = self._lengths(slice(row, row + 1))

    def _find_by(self, term: int, row: int, times: int) -> None:
        found = self._found.get(term)
        if found is None:
            found = self._found[term] = array("I")
        found.append(row << 4 | times)

    def _lengths(self, rows: slice) -> Floats:
        weights = _DAMPED[self._times[rows]] * self._idf[self._terms[rows]]
        lengths: Floats = np.sqrt(np.square(weights).sum(axis=1))
        return lengths

    def _weigh(self) -> None:
        self._weighed = self._counted
        self._idf = np.log((1.0 + self._counted) / (1.0 + self._in)) + 1.0
        for start in range(0, self._size, 4096):
            rows = slice(start, min(start + 4096, self._size))
            self._norms[rows] = self._lengths(rows)

    def _grow(self, size: int) -> None:
        capacity = len(self._told)
        if size > capacity:
            more = max(size, capacity + capacity // 2) - capacity
            self._terms = np.pad(self._terms, ((0, more), (0, 0)))
            self._times = np.pad(self._times, ((0, more), (0, 0)))
            self._told = np.pad(self._told, (0, more), constant_values=np.iinfo(np.int64).min)
            self._norms = np.pad(self._norms, (0, more))
        self._size = max(self._size, size)

    def query(self, rows: Mapping[int, float]) -> dict[int, float]:
        """Return what some articles are about together: each row's vector (of length 1) times its weight, summed.

        The 64 heaviest terms are kept, heaviest first; an unknown row, or one without a text, adds nothing.
        """
        summed: dict[int, float] = {}
        for row, weight in rows.items():
            if row >= self._size or self._norms[row] == 0.0:
                continue
            share = weight / self._norms[row]
            terms = self._terms[row]
            values = (share * _DAMPED[self._times[row]] * self._idf[terms]).tolist()
            for term, value in zip(terms.tolist(), values, strict=True):
                if not term:
                    break  # the others are empty too
                summed[term] = summed.get(term, 0.0) + value
        heaviest = sorted(summed, key=lambda term: (-summed[term], term))[:TERMS]
        return {term: summed[term] for term in heaviest}

    def query_text(self, article: Article) -> dict[int, float]:
        """Return what a text is about that is not among the articles: the vector of one not published."""
        return {term: float(_DAMPED[times] * self._idf[term]) for term, times in terms_of(article).items()}

    def alike(self, query: Mapping[int, float], size: int) -> Floats:
        """Return the cosine of a query (from `query`) with each of the first `size` articles; 0 where nothing is shared.

        Only articles that share a term are looked at, so what it costs goes by how common the terms are.
        """
        length = math.sqrt(sum(weight * weight for weight in query.values()))
        met = [
            (weight * float(self._idf[term]), self._found[term])
            for term, weight in query.items()
            if term in self._found
        ]
        if not met or length == 0.0:
            return np.zeros(size)
        found = np.concatenate([np.frombuffer(places, np.uint32) for _, places in met])
        weights = np.repeat([weight for weight, _ in met], [len(places) for _, places in met])
        rows = (found >> 4).astype(np.int64)
        summed = np.bincount(rows, weights=weights * _DAMPED[found & _MOST_TIMES], minlength=size)[:size]
        norms = np.ones(size)
        known = min(size, self._size)
        norms[:known] = np.where(self._norms[:known] > 0.0, self._norms[:known], 1.0)
        cosines: Floats = summed / (length * norms)
        return cosines

    def alike_to(self, query: Mapping[int, float], rows: NDArray[np.int64]) -> Floats:
        """Return the cosine of a query with some rows: what `alike` gives of them, at the cost of these alone."""
        length = math.sqrt(sum(weight * weight for weight in query.values()))
        if length == 0.0 or not len(rows):
            return np.zeros(len(rows))
        known = np.where(rows < self._size, rows, 0)
        terms, times, rarity = self._looked_up(known)
        # Two megabytes, mostly of zeros, are not made anew for every question.
        asked = list(query)
        self._scratch[asked] = list(query.values())
        summed = (self._scratch[terms] * times * rarity).sum(axis=1)
        self._scratch[asked] = 0.0
        norms = np.where(rows < self._size, self._norms[known], 0.0)
        cosines: Floats = np.where(norms > 0.0, summed / (length * np.where(norms > 0.0, norms, 1.0)), 0.0)
        return cosines

    def _looked_up(self, rows: NDArray[np.int64]) -> tuple[Numbers, Floats, Floats]:
        """Return the terms of some rows, how much their times count and how rare they are; kept for who asks again at once.

        Columns that no row fills are left out, by eights: sums of eight lanes stay the same to the last bit.
        """
        kept = self._last
        if kept is None or not np.array_equal(kept[0], rows):
            terms, times = self._terms[rows], self._times[rows]
            used = int(np.flatnonzero(terms.any(axis=0)).max(initial=0)) + 1
            width = min(TERMS, -(-used // 8) * 8)
            terms = np.ascontiguousarray(terms[:, :width])
            kept = self._last = rows, terms, _DAMPED[times[:, :width]], self._idf[terms]
        return kept[1:]

    def likeness(self, rows: NDArray[np.int64]) -> Callable[[int], Floats]:
        """Return what gives the cosines of one of some articles (by its place among them) with each; 0 without a text."""
        known = np.where(rows < self._size, rows, 0)
        terms = np.where((rows < self._size)[:, None], self._terms[known], 0)
        weights = _DAMPED[self._times[known]] * self._idf[terms] * (terms != 0)
        lengths = np.sqrt(np.square(weights).sum(axis=1))
        weights /= np.where(lengths > 0.0, lengths, 1.0)[:, None]
        used, numbered = np.unique(terms, return_inverse=True)
        places = numbered.reshape(terms.shape)

        def alike(place: int) -> Floats:
            one = np.zeros(len(used))
            one[places[place]] = weights[place]
            found: Floats = np.minimum((one[places] * weights).sum(axis=1), 1.0)
            return found

        return alike

    def snapshot(self) -> Mapping[str, Any]:
        """Return the articles' terms and the weights in force."""
        size = self._size
        return {
            "terms": self._terms[:size].copy(),
            "times": self._times[:size].copy(),
            "told": self._told[:size].copy(),
            "norms": self._norms[:size].copy(),
            "in": self._in.copy(),
            "idf": self._idf.copy(),
            "counted": self._counted,
            "weighed": self._weighed,
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Become what gave the snapshot; where terms are found is told by the articles' own."""
        self._last = None
        self._terms, self._times = snapshot["terms"].copy(), snapshot["times"].copy()
        self._told, self._norms = snapshot["told"].copy(), snapshot["norms"].copy()
        self._in, self._idf = snapshot["in"].copy(), snapshot["idf"].copy()
        self._size, self._counted, self._weighed = len(self._told), snapshot["counted"], snapshot["weighed"]
        rows, places = np.nonzero(self._terms)
        terms = self._terms[rows, places]
        order = np.argsort(terms, kind="stable")
        coded = (rows[order].astype(np.uint32) << 4) | self._times[rows, places][order]
        each, begins = np.unique(terms[order], return_index=True)
        ends = [*begins[1:].tolist(), len(coded)]
        self._found = {
            term: array("I", coded[begin:end].tobytes())
            for term, begin, end in zip(each.tolist(), begins.tolist(), ends, strict=True)
        }


_DAMPED = np.array([0.0, *(1.0 + math.log(times) for times in range(1, _MOST_TIMES + 1))])
