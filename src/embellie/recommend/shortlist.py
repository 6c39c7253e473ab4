"""Shortlist: the few hundred articles worth a model's look, by several cheap scores, each having its say."""

from collections.abc import Sequence
from typing import overload

import numpy as np

from embellie.recommend.features import Asked
from embellie.recommend.pool import HOURS, above
from embellie.recommend.popularity import Floats, Integers
from embellie.recommend.ranking import kth_largest


def shortlist(asked: Asked, rows: Integers, *, most: int) -> Integers:
    """Choose at most `most` of some rows: the best of each source by turns of size, until there are enough.

    Sources: the default heuristic, decayed popularity at the half-life that fits the traffic and at 2 and 24 hours, and
    the newest. Each gives its best `most / 5`; what they share leaves room that is filled by the default heuristic. Ties
    go to the newer, then to the one heard of later, so the same state gives the same list.

    Returns:
        Rows, ascending.
    """
    if len(rows) <= most:
        return rows
    found: Integers = rows[_chosen(_scores(asked, rows), asked.site.shelf.published[rows], most)]
    return found


def quick_shortlist(asked: Asked, *, most: int) -> Integers | None:
    """Find the shortlist of all articles that suit a request in a pool of some; `None` where it takes a look at all."""
    pool, site, shelf = asked.pool, asked.site, asked.site.shelf
    if pool is None:
        return None
    rows = pool.rows
    together = pool.without(np.flatnonzero(asked.together))
    if len(together):
        rows = np.sort(np.concatenate([rows, together]))
    rows = rows[site.fits(asked.request, rows)]
    page = shelf.rows((asked.request.article,))
    if page:
        rows = rows[rows != page[0]]
    if len(rows) <= most:
        return None
    scores, published, measure = _scores(asked, rows), shelf.published[rows], asked.measure
    popular = pool.most_popular(measure)
    affinity = popular if asked.section_lift is None else pool.most_popular(measure, asked.section_lift)
    reads = [pool.most_reads(site.counters, asked.now, hours) for hours in HOURS]
    bounds = (affinity, popular, *reads, float(pool.newest), 0.0)
    chosen = _chosen(scores, published, most, bounds=bounds, newest=pool.newest)
    return None if chosen is None else rows[chosen]


def _scores(asked: Asked, rows: Integers) -> tuple[Floats, ...]:
    """Score rows by each source, the default heuristic first."""
    popular, lift, shelf = asked.popular_of(rows), asked.section_lift, asked.site.shelf
    return (
        popular if lift is None else popular * lift[shelf.section[rows]],
        popular,
        *(asked.reads(rows, hours) for hours in HOURS),
        shelf.published[rows].astype(np.float64),
        asked.together[rows],
    )


@overload
def _chosen(scores: Sequence[Floats], published: Integers, most: int) -> Integers: ...
@overload
def _chosen(
    scores: Sequence[Floats], published: Integers, most: int, *, bounds: Sequence[float], newest: int
) -> Integers | None: ...
def _chosen(
    scores: Sequence[Floats], published: Integers, most: int, *, bounds: Sequence[float] = (), newest: int = 0
) -> Integers | None:
    """Choose places; with bounds, `None` when one that is not among them could have been chosen."""
    share = max(1, most // len(scores))
    chosen = np.zeros(len(published), np.bool_)
    for number, score in enumerate(scores):
        best = _best(score, published, share)
        if bounds and not above(score, published, best, bound=bounds[number], newest=newest):
            return None
        chosen[best] = True
    room = most - int(chosen.sum())
    if room > 0:
        left = np.flatnonzero(~chosen)
        best = left[_best(scores[0][left], published[left], room)]
        if bounds and not above(scores[0], published, best, bound=bounds[0], newest=newest):
            return None
        chosen[best] = True
    return np.flatnonzero(chosen)


def _best(scores: Floats, recency: Integers, k: int) -> Integers:
    if k >= len(scores):
        return np.arange(len(scores))
    last = kth_largest(scores, k)
    better, ties = np.flatnonzero(scores > last), np.flatnonzero(scores == last)
    # Sorted by place already; the stable sort by recency keeps the later row behind, so take from the end.
    ties = ties[np.argsort(recency[ties], kind="stable")][len(ties) - (k - len(better)) :]
    return np.concatenate([better, ties])
