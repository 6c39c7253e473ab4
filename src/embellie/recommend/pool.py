"""Pool: the few thousand articles among which a shortlist is found, with a bound on all others, so that it is known when it is not.

Of fifty thousand articles nearly all are old and read by nobody. Those that stand high by any cheap score are put in a pool, and
the most that one outside has by each score is noted. While it is not read, published or changed an article only falls behind; whatever
is joins the pool. So what is best in the pool is the best of all wherever it stands above the bounds, and else all are looked at.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from embellie.recommend.leading import FREQUENT, LONGEST, Measure
from embellie.recommend.popularity import Floats, Integers, ReadCounters
from embellie.recommend.ranking import kth_largest
from embellie.recommend.shelf import Shelf

EACH = 1500
"""How many articles are taken by each score."""

SMALL = 8000
"""A site with fewer articles is looked at whole."""

HOURS = (2.0, 24.0)
"""The half-lives, in hours, by whose reads articles are taken; beside popularity, and the newest."""

_SLACK = 1.0 + 1e-9


class Pool:
    """Articles that stand high by some score at one moment, and the most that any other has by each.

    Args:
        measure: Popularity at that moment.
        shelf: The articles.
        counters: Their reads.
    """

    def __init__(self, measure: Measure, shelf: Shelf, counters: ReadCounters) -> None:
        self._made, self._step, self._moves = measure.now, measure.step, measure.moves
        self._success = measure.success
        self.touched: set[int] = set()
        """What has been read, published or changed since."""
        demand = measure.of()
        popular, published = demand.reads + demand.lent, shelf.published
        steps = [counters.nearest(hours) for hours in HOURS]
        scores = [popular, published.astype(np.float64), *(counters.weights(step) for step in steps)]
        self._inside = np.zeros(len(shelf), np.bool_)
        for score in scores:
            at_least = kth_largest(score, EACH)
            better = np.flatnonzero(score > at_least)
            self._inside[better] = True
        self._inside[np.argsort(published, kind="stable")[len(shelf) - EACH :]] = True
        outside = np.flatnonzero(~self._inside)
        self.rows: Integers = np.flatnonzero(self._inside)
        """The articles of the pool, ascending."""
        self.newest = int(published[outside].max())
        """When the newest of the others was published (µs)."""
        self._popular: Floats = np.zeros(len(shelf.sections))
        np.maximum.at(self._popular, shelf.section[outside], popular[outside])
        self._weights: Mapping[int, float] = {
            step: float(counters.weights(step)[outside].max(initial=0.0)) for step in steps
        }

    def serve(self, measure: Measure) -> bool:
        """Tell whether the bounds hold at another moment."""
        return (
            self._step == measure.step
            and self._moves == measure.moves
            and self._success > 0.0
            and self._made <= measure.now <= self._made + LONGEST
            and len(self.rows) + len(self.touched) <= 6 * EACH
        )

    def settle(self, shelf: Shelf) -> None:
        """Let in what was touched."""
        if not self.touched:
            return
        if len(shelf) > len(self._inside):
            self._inside = np.pad(self._inside, (0, len(shelf) - len(self._inside)))
        came = [row for row in self.touched if not self._inside[row]]
        self.touched.clear()
        if came:
            self._inside[came] = True
            self.rows = np.sort(np.concatenate([self.rows, np.array(came, np.int64)]))

    def without(self, rows: Integers) -> Integers:
        """Return those of some rows that are not in the pool."""
        return rows[~self._inside[rows]]

    def most_popular(self, measure: Measure, lift: Floats | None = None) -> float:
        """Return what the others have at most by popularity, or by it times the lift of their section."""
        bounds = self._popular
        if lift is not None:
            bounds = bounds * lift[: len(bounds)]
        return float(bounds.max()) * max(1.0, measure.success / self._success) * _SLACK

    def most_reads(self, counters: ReadCounters, now: int, hours: float) -> float:
        """Return how many decayed reads the others have at most, at one of the half-lives `HOURS`."""
        step = counters.nearest(hours)
        return self._weights[step] * counters.worth(now, step)


class Pools:
    """A site's pool; made where requests are frequent."""

    def __init__(self) -> None:
        self._kept: Pool | None = None
        self._asked: int | None = None

    def touch(self, row: int) -> None:
        """Take note that an article was read, published or changed."""
        if self._kept is not None:
            self._kept.touched.add(row)

    def pool(self, measure: Measure, shelf: Shelf, counters: ReadCounters) -> Pool | None:
        """Return a pool that serves now; `None` where looking at every article is cheaper than making one."""
        kept, last, now = self._kept, self._asked, measure.now
        self._asked = now
        if kept is not None and kept.serve(measure):
            kept.settle(shelf)
            return kept
        self._kept = None
        often = last is not None and 0 < now - last <= (FREQUENT if kept is None else LONGEST)
        if not often or len(shelf) < SMALL:
            return None
        self._kept = Pool(measure, shelf, counters)
        return self._kept


def above(scores: Floats, published: Integers, chosen: NDArray[np.int64], *, bound: float, newest: int) -> bool:
    """Tell whether the last of what was chosen, by score and then the newer, stands above what is outside a pool."""
    last = float(scores[chosen].min(initial=np.inf))
    if last != bound:
        return last > bound
    ties = chosen[scores[chosen] == last]
    return int(published[ties].min()) > newest
