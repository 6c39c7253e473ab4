"""Leading: a slate of the most popular needs the best few of fifty thousand articles, and looks at a few dozen to find them.

For a while, an article that nobody reads only falls behind. So a list of each section in the order in which it stood, with what
each article had then, bounds what it can have now; whatever was read or published since is looked at anyway. Articles are
taken from the lists until no other can be better than those found ("threshold algorithm": Fagin, Lotem and Naor, Optimal
aggregation algorithms for middleware, JCSS 66, 2003). The result is that of scoring them all, to the last bit.
"""

import heapq
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Protocol, overload

import numpy as np
from numpy.typing import NDArray

from embellie.domain.slate import Recommended
from embellie.recommend.popularity import EVERY, Floats, Integers, Rows
from embellie.recommend.ranking import Narrowing
from embellie.recommend.shelf import Shelf

LONGEST = 10_000_000
"""µs for which lists serve at most."""

MOST_TOUCHED = 256
"""How many articles may change before the lists are made anew."""

FREQUENT = 1_000_000
"""µs: only where requests come more often than this are lists worth making."""

_MOST_KEPT = 8
_SLACK = 1.0 + 1e-9
_AT_ONCE = 24


@dataclass(frozen=True, slots=True)
class Demand:
    """What some articles have: `reads` that have not faded, and those `lent` to them; their age in hours. One per article."""

    reads: Floats
    lent: Floats
    ages: Floats


class Measure(Protocol):
    """Popularity at one moment, as some settings have it."""

    @property
    def key(self) -> Hashable:
        """Tells the settings apart."""
        ...

    @property
    def now(self) -> int:
        """The moment, µs."""
        ...

    @property
    def step(self) -> int:
        """The half-life of the ladder."""
        ...

    @property
    def success(self) -> float:
        """By what loans are measured."""
        ...

    def of(self, rows: Rows = EVERY) -> Demand:
        """Tell what articles have."""
        ...


class Leaders:
    """The articles that may be shown, section by section, each list by what its articles had at one moment, most first.

    Args:
        measure: Popularity at that moment.
        shelf: The articles.
    """

    def __init__(self, measure: Measure, shelf: Shelf) -> None:
        self.now, self.step, self.success = measure.now, measure.step, measure.success
        self.touched: set[int] = set()
        """What has been read, published or changed since."""
        rows = np.flatnonzero(shelf.may_come(measure.now))
        demand = measure.of(rows)
        had = demand.reads + demand.lent
        order = np.argsort(-had, kind="stable")
        order = order[np.argsort(shelf.section[rows[order]].astype(np.uint16), kind="stable")]
        sections = shelf.section[rows[order]]
        begins = np.flatnonzero(np.diff(sections, prepend=-1))
        ends = [*begins[1:].tolist(), len(order)][: len(begins)]
        self.rows: list[int] = rows[order].tolist()
        self.had: list[float] = had[order].tolist()
        self.sections = list(zip(sections[begins].tolist(), begins.tolist(), ends, strict=True))
        """Each section's code, and where its list begins and ends."""

    def serve(self, measure: Measure) -> bool:
        """Tell whether these lists bound what articles have at another moment."""
        return (
            self.step == measure.step
            and self.success > 0.0
            and self.now <= measure.now <= self.now + LONGEST
            and len(self.touched) <= MOST_TOUCHED
        )


class Leading:
    """A site's leaders, by the settings of popularity; made where requests are frequent."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, Leaders] = {}
        self._asked: dict[Hashable, int] = {}

    def touch(self, row: int) -> None:
        """Take note that an article was read, published or changed."""
        for leaders in self._kept.values():
            leaders.touched.add(row)

    def leaders(self, measure: Measure, shelf: Shelf) -> Leaders | None:
        """Return lists that serve now; `None` where looking at every article is cheaper than making them."""
        kept = self._kept.get(measure.key)
        if kept is not None and kept.serve(measure):
            return kept
        self._kept.pop(measure.key, None)
        last = self._asked.pop(measure.key, None)
        self._asked[measure.key] = measure.now
        if len(self._asked) > _MOST_KEPT:
            forgotten = next(iter(self._asked))
            del self._asked[forgotten]
            self._kept.pop(forgotten, None)
        if last is None or not 0 <= measure.now - last <= max(FREQUENT, LONGEST if kept is not None else 0):
            return None
        made = self._kept[measure.key] = Leaders(measure, shelf)
        return made


@dataclass(frozen=True, slots=True)
class Sought:
    """What is sought: the best of the leaders by what they have times their section's lift.

    `gone` rows are left out, `suits` tells of some rows whether they may be shown; `reason` gives the reason of a row that
    has some demand (its place in it), `all_of_it` the ranking of every article.
    """

    leaders: Leaders
    measure: Measure
    shelf: Shelf
    lift: Floats | None
    gone: frozenset[int]
    suits: Callable[[Integers], NDArray[np.bool_]]
    reason: Callable[[int, Demand, int], str]
    all_of_it: Callable[[], Narrowing]


class Foremost(Narrowing):
    """A ranking of which only the first articles are worked out, as far as someone reads.

    Args:
        sought: What is sought.
    """

    def __init__(self, sought: Sought) -> None:
        self._sought = sought
        self._found: list[Recommended] = []
        self._coming = _best_of(sought)
        self._whole: Narrowing | None = None

    def __bool__(self) -> bool:
        return self._reaches(1)

    def __len__(self) -> int:
        return len(self._all())

    def __iter__(self) -> Iterator[Recommended]:
        place = 0
        while self._reaches(place + 1):
            yield self._found[place]
            place += 1

    @overload
    def __getitem__(self, index: int) -> Recommended: ...
    @overload
    def __getitem__(self, index: slice) -> list[Recommended]: ...
    def __getitem__(self, index: int | slice) -> Recommended | list[Recommended]:
        if isinstance(index, slice):
            if index.stop is not None and index.stop >= 0 and (index.start or 0) >= 0:
                self._reaches(index.stop)
                return self._found[index]
            return self._all()[index]
        if index >= 0 and self._reaches(index + 1):
            return self._found[index]
        return self._all()[index]

    def where(self, keep: NDArray[np.bool_]) -> Narrowing:
        """Return the ranking of those articles for which `keep` (one truth per row of the site) holds."""
        return self._all().where(keep)

    def _reaches(self, count: int) -> bool:
        """Work out so many articles; tell whether there are as many."""
        while len(self._found) < count:
            item = next(self._coming, None)
            if item is None:
                return False
            self._found.append(item)
        return True

    def _all(self) -> Narrowing:
        if self._whole is None:
            self._whole = self._sought.all_of_it()
        return self._whole


def _best_of(sought: Sought) -> Iterator[Recommended]:
    """Find the best one by one."""
    leaders, lift = sought.leaders, sought.lift
    # What articles had can only have faded; but what is lent rises with what a success has.
    slack = max(1.0, sought.measure.success / leaders.success) * _SLACK
    most = [slack if lift is None else slack * float(lift[section]) for section, _, _ in leaders.sections]
    heads = [
        (-leaders.had[begin] * factor, place, begin)
        for place, ((_, begin, _), factor) in enumerate(zip(leaders.sections, most, strict=True))
    ]
    heapq.heapify(heads)
    left_out = leaders.touched | sought.gone
    batch = list(leaders.touched - sought.gone)
    ready: list[tuple[float, int, str, int, Demand, int]] = []
    while heads or batch or ready:
        while heads and len(batch) < _AT_ONCE:
            _, place, at = heads[0]
            row, end = leaders.rows[at], leaders.sections[place][2]
            if at + 1 < end:
                heapq.heapreplace(heads, (-leaders.had[at + 1] * most[place], place, at + 1))
            else:
                heapq.heappop(heads)
            if row not in left_out:
                batch.append(row)
        _weigh(batch, sought, ready)
        batch = []
        unseen = heads[0][0] if heads else 1.0
        while ready and ready[0][0] < unseen:
            score, _, name, row, demand, place = heapq.heappop(ready)
            yield Recommended(name, sought.reason(row, demand, place), -score)


def _weigh(batch: list[int], sought: Sought, ready: list[tuple[float, int, str, int, Demand, int]]) -> None:
    """Score some articles as they stand now, and put those that may be shown with the others that are ready."""
    rows = np.array(batch, np.int64)
    rows = rows[sought.suits(rows)]
    if not len(rows):
        return
    shelf, demand = sought.shelf, sought.measure.of(rows)
    scores = demand.reads + demand.lent
    if sought.lift is not None:
        scores = scores * sought.lift[shelf.section[rows]]
    recency = shelf.published[rows].tolist()
    for place, (row, score) in enumerate(zip(rows.tolist(), scores.tolist(), strict=True)):
        heapq.heappush(ready, (-score, -recency[place], shelf.ids[row], row, demand, place))
