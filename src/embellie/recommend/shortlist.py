"""Shortlist: the few hundred articles worth a model's look, by several cheap scores, each having its say."""

import numpy as np

from embellie.recommend.features import Asked
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
    published = asked.site.shelf.published[rows]
    scores = (
        asked.affinity.values[rows],
        asked.popular.values[rows],
        asked.reads(rows, 2.0),
        asked.reads(rows, 24.0),
        published.astype(np.float64),
        asked.together[rows],
    )
    share = max(1, most // len(scores))
    chosen = np.zeros(len(rows), np.bool_)
    for score in scores:
        chosen[_best(score, published, share)] = True
    room = most - int(chosen.sum())
    if room > 0:
        left = np.flatnonzero(~chosen)
        chosen[left[_best(scores[0][left], published[left], room)]] = True
    return rows[chosen]


def _best(scores: Floats, recency: Integers, k: int) -> Integers:
    if k >= len(scores):
        return np.arange(len(scores))
    last = kth_largest(scores, k)
    better, ties = np.flatnonzero(scores > last), np.flatnonzero(scores == last)
    # Sorted by place already; the stable sort by recency keeps the later row behind, so take from the end.
    ties = ties[np.argsort(recency[ties], kind="stable")][len(ties) - (k - len(better)) :]
    return np.concatenate([better, ties])
