"""Ranking: articles best first, sorted only as far as someone reads."""

from collections.abc import Callable, Iterator, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from embellie.domain.slate import Features, Recommended
from embellie.recommend.popularity import Floats, Integers
from embellie.recommend.shelf import Names

_FIRST = 64
_MANY = 4096
_THIN = 16


def best_first(scores: Floats, recency: Integers, ids: Sequence[str], k: int) -> Integers:
    """Return the places of the `k` best, best first: by score, then the more recent, then by id.

    The order is total, so a deterministic policy shows each article with certainty: its propensity 1 is true.

    >>> best_first(np.array([1.0, 2.0, 1.0, 1.0]), np.array([5, 0, 9, 5]), ["d", "b", "c", "a"], 3).tolist()
    [1, 2, 3]
    """
    chosen = _at_least(scores, recency, k)
    order = chosen[np.lexsort((-recency[chosen], -scores[chosen]))]
    s, r = scores[order], recency[order]
    if np.any((s[1:] == s[:-1]) & (r[1:] == r[:-1])):
        order = np.array(sorted(order.tolist(), key=lambda i: (-scores[i], -recency[i], ids[i])), np.int64)
    return order[:k]


def _at_least(scores: Floats, recency: Integers, k: int) -> Integers:
    """Narrow down to a few more than the `k` best: all that tie with the last of them stay in."""
    if k >= len(scores):
        return np.arange(len(scores))
    last = _kth(scores, k)
    better, ties = np.flatnonzero(scores > last), np.flatnonzero(scores == last)
    wanted = k - len(better)
    if wanted < len(ties):
        recent = recency[ties]
        oldest = np.partition(recent, len(ties) - wanted)[len(ties) - wanted]
        ties = ties[recent >= oldest]
    return np.concatenate([better, ties])


def rank_of(place: int, scores: Floats, recency: Integers, ids: Sequence[str]) -> int:
    """Return the position (from 1) that `best_first` gives to one place, by counting those before it.

    >>> rank_of(3, np.array([1.0, 2.0, 1.0, 1.0]), np.array([5, 0, 9, 5]), ["d", "b", "c", "a"])
    3
    """
    score, recent = scores[place], recency[place]
    ties = np.flatnonzero(scores == score)
    before = int(np.count_nonzero(scores > score)) + int(np.count_nonzero(recency[ties] > recent))
    if len(ties) > 1:
        name = ids[place]
        before += sum(ids[i] < name for i in ties[recency[ties] == recent].tolist())
    return before + 1


def _kth(scores: Floats, k: int) -> float:
    """Return the k-th largest score; of many scores, only those are sorted that a thin sample says may matter."""
    if len(scores) > _MANY and k * _THIN < len(scores):
        sample = scores[::_THIN]
        likely = scores[scores >= np.partition(sample, len(sample) - k // 4 - 1)[len(sample) - k // 4 - 1]]
        if len(likely) >= k:
            scores = likely
    return float(np.partition(scores, len(scores) - k)[len(scores) - k])


class Unread(Sequence[Recommended]):
    """A ranking whose places are filled only when someone reads them; `_item` fills one, counted from 0."""

    @overload
    def __getitem__(self, index: int) -> Recommended: ...
    @overload
    def __getitem__(self, index: slice) -> list[Recommended]: ...
    def __getitem__(self, index: int | slice) -> Recommended | list[Recommended]:
        if isinstance(index, slice):
            return [self._item(i) for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self._item(index % len(self))

    def _item(self, index: int) -> Recommended:
        raise NotImplementedError


class Narrowing(Unread):
    """A ranking of a site's articles that can be narrowed to some of them."""

    def where(self, keep: NDArray[np.bool_]) -> "Narrowing":
        """Return the ranking of those articles for which `keep` (one truth per row of the site) holds."""
        raise NotImplementedError


class Ranking(Narrowing):
    """A policy's whole ranking: the first articles are sorted at once, the rest when someone reads that far.

    Args:
        rows: The candidates' rows.
        scores: Their scores.
        recency: Their times of publication (µs).
        ids: The names of all rows.
        reason: Gives the reason of a row.
        features: Gives what a row was judged by, if that is to be remembered.
    """

    def __init__(
        self,
        rows: Integers,
        scores: Floats,
        recency: Integers,
        ids: Sequence[str],
        *,
        reason: Callable[[int], str],
        features: Callable[[int], Features | None] = lambda _: None,
    ) -> None:
        self._rows = rows
        self._scores = scores
        self._recency = recency
        self._ids = ids
        self._names = Names(ids, rows)
        self._reason = reason
        self._features = features
        self._order = best_first(scores, recency, self._names, _FIRST)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Recommended]:
        return (self._item(i) for i in range(len(self)))

    def where(self, keep: NDArray[np.bool_]) -> "Ranking":
        """Return the ranking of those articles for which `keep` (one truth per row of the site) holds."""
        kept = keep[self._rows]
        return Ranking(
            self._rows[kept],
            self._scores[kept],
            self._recency[kept],
            self._ids,
            reason=self._reason,
            features=self._features,
        )

    def _item(self, index: int) -> Recommended:
        if index >= len(self._order):
            self._order = best_first(self._scores, self._recency, self._names, len(self._rows))
        place = int(self._order[index])
        row = int(self._rows[place])
        score = float(self._scores[place])
        return Recommended(self._names[place], self._reason(row), score, features=self._features(row))
