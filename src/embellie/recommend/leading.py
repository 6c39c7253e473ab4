"""Leading: a slate of the most popular needs the best few of fifty thousand articles, and looks at a few dozen to find them.

For a while, an article that nobody reads only falls behind. So a list of each section in the order in which it stood, with what
each article had then, bounds what it can have now; whatever is read or published since takes a second place in the lists, by what
it has by then. Articles are taken from the lists until no other can be better than those found ("threshold algorithm": Fagin,
Lotem and Naor, Optimal aggregation algorithms for middleware, JCSS 66, 2003). The result is that of scoring them all, to the
last bit.
"""

import heapq
from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Protocol, overload

import numpy as np
from numpy.typing import NDArray

from embellie.domain.slate import Recommended
from embellie.recommend.popularity import EVERY, MICROS_PER_HOUR, YOUNG, Floats, Rows
from embellie.recommend.ranking import Narrowing
from embellie.recommend.shelf import NEVER, Shelf

LONGEST = 10_000_000
"""µs for which lists serve at most."""

MOST_TOUCHED = 4096
"""How many articles may take a second place before the lists are made anew."""

FREQUENT = 1_000_000
"""µs: only where requests come more often than this are lists worth making."""

_MOST_KEPT = 8
_SLACK = 1.0 + 1e-9
_AT_ONCE = 8
_UNSHOWN = (0.0, 0, NEVER, NEVER, 0, 0)


@dataclass(frozen=True, slots=True)
class Demand:
    """What some articles have: `reads` that have not faded, and those `lent` to them; their age in hours. One per article."""

    reads: Floats
    lent: Floats
    ages: Floats


class Measure(Protocol):
    """Popularity at one moment, as some settings have it: of a read kept as `weights` says, and of what is lent to new articles.

    An article has `weights · worth` reads, and, at an age of h hours below `YOUNG · freshness`, `lends · 2^(-h / freshness)` are lent.
    """

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

    @property
    def moves(self) -> int:
        """How often the weights kept were all put on another scale."""
        ...

    @property
    def worth(self) -> float:
        """What a read that is kept as 1 is worth."""
        ...

    @property
    def lends(self) -> float:
        """What is lent to an article published this second."""
        ...

    @property
    def freshness(self) -> float:
        """Hours in which a loan halves."""
        ...

    def weights(self) -> Floats:
        """Return the reads of every article as they are kept."""
        ...

    def of(self, rows: Rows = EVERY) -> Demand:
        """Tell what articles have."""
        ...


Card = tuple[float, int, int, int, int, int]
"""Of an article: its reads as they are kept, when it was published, from when and until when it is shown, its language, its section."""


class Leaders:
    """The articles that may be shown, section by section, each list by what its articles had at one moment, most first.

    Args:
        measure: Popularity at that moment.
        shelf: The articles.
    """

    def __init__(self, measure: Measure, shelf: Shelf) -> None:
        self._made, self._last, self._seconds = measure.now, measure.now, 0
        self._step, self._moves = measure.step, measure.moves
        self.success = measure.success
        """The least that a success had when any article took its place: loans have risen at most by as much as it since."""
        self.touched: set[int] = set()
        """What has been read, published or changed since it took its place."""
        rows = np.flatnonzero(shelf.may_come(measure.now))
        demand = measure.of(rows)
        had = demand.reads + demand.lent
        order = np.argsort(-had, kind="stable")
        order = order[np.argsort(shelf.section[rows[order]].astype(np.uint16), kind="stable")]
        sections = shelf.section[rows[order]]
        begins = np.flatnonzero(np.diff(sections, prepend=-1)).tolist()
        ends = [*begins[1:], len(order)][: len(begins)]
        ordered, least = rows[order].tolist(), (-had[order]).tolist()
        self.lists: dict[int, tuple[list[float], list[int]]] = {
            section: (least[begin:end], ordered[begin:end])
            for section, begin, end in zip(sections[begins].tolist(), begins, ends, strict=True)
        }
        """By section's code: minus what articles had, ascending, and their rows. An article may stand twice."""
        self._cards: dict[int, Card] = {}

    def serve(self, measure: Measure) -> bool:
        """Tell whether these lists bound what articles have at another moment."""
        return (
            self._step == measure.step
            and self._moves == measure.moves
            and self.success > 0.0
            and self._last <= measure.now <= self._made + LONGEST
            and self._seconds + len(self.touched) <= MOST_TOUCHED
        )

    def settle(self, measure: Measure, shelf: Shelf) -> None:
        """Give what was touched a second place, by what it has now; the first one does no harm."""
        self._last, self.success = measure.now, min(self.success, measure.success)
        if not self.touched:
            return
        rows = np.fromiter(self.touched, np.int64, len(self.touched))
        demand = measure.of(rows)
        places = zip(rows.tolist(), shelf.section[rows].tolist(), (-(demand.reads + demand.lent)).tolist(), strict=True)
        for row, section, least in places:
            self._cards.pop(row, None)
            had, ordered = self.lists.setdefault(section, ([], []))
            place = bisect_left(had, least)
            had.insert(place, least)
            ordered.insert(place, row)
        self._seconds += len(rows)
        self.touched.clear()

    def card(self, row: int, measure: Measure, shelf: Shelf) -> Card:
        """Return what is to be known of an article, looked up once."""
        found = self._cards.get(row)
        if found is None:
            times = shelf.shown_between(row)
            if times is None:
                found = _UNSHOWN
            else:
                weight, published = float(measure.weights()[row]), int(shelf.published[row])
                found = (weight, published, *times, shelf.language_code(row), int(shelf.section[row]))
            self._cards[row] = found
        return found


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
            kept.settle(measure, shelf)
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


Reason = Callable[[int, float, float, float], str]
"""From a row, its reads, what is lent to it and its age in hours, to why it would be shown."""


@dataclass(frozen=True, slots=True)
class Sought:
    """What is sought: the best of the leaders by what they have times their section's lift.

    `gone` rows are left out, as are those in another language than the one of the code `language` (`None`: any; those of none, 0,
    are in all).
    """

    leaders: Leaders
    measure: Measure
    shelf: Shelf
    lift: list[float] | None
    gone: frozenset[int]
    language: int | None
    reason: Reason


class Foremost(Narrowing):
    """A ranking of which only the first articles are worked out, as far as someone reads.

    Args:
        coming: Gives the best one by one.
        all_of_it: Gives the ranking of every article.
    """

    def __init__(self, coming: Iterator[Recommended], all_of_it: Callable[[], Narrowing]) -> None:
        self._found: list[Recommended] = []
        self._coming, self._all_of_it = coming, all_of_it
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
                whole = self._all()
                if len(self._found) >= len(whole):
                    return False
                item = whole[len(self._found)]
            self._found.append(item)
        return True

    def _all(self) -> Narrowing:
        if self._whole is None:
            self._whole = self._all_of_it()
        return self._whole


Ready = tuple[float, int, str, int, float, float, float]
"""Of an article that may be shown: minus its score, minus its time, its name, by which it is sorted; row, reads, loan, age."""


def best_of(sought: Sought) -> Iterator[Recommended]:
    """Find the best of the leaders one by one."""
    leaders, lift, reason = sought.leaders, sought.lift, sought.reason
    # What articles had can only have faded; but what is lent rises with what a success has.
    slack = max(1.0, sought.measure.success / leaders.success) * _SLACK
    heads = [
        (had[0] * factor, section, 0, factor, had, rows)
        for section, (had, rows) in leaders.lists.items()
        for factor in (slack if lift is None else slack * lift[section],)
    ]
    heapq.heapify(heads)
    seen = set(sought.gone)
    ready: list[Ready] = []
    while heads or ready:
        batch: list[int] = []
        while heads and len(batch) < _AT_ONCE:
            _, section, at, factor, had, rows = heads[0]
            row = rows[at]
            at += 1
            if at < len(rows):
                heapq.heapreplace(heads, (had[at] * factor, section, at, factor, had, rows))
            else:
                heapq.heappop(heads)
            if row not in seen:
                seen.add(row)
                batch.append(row)
        _weigh(batch, sought, ready)
        unseen = heads[0][0] if heads else 1.0
        while ready and ready[0][0] < unseen:
            score, _, name, row, reads, lent, age = heapq.heappop(ready)
            yield Recommended(name, reason(row, reads, lent, age), -score)


def _weigh(batch: list[int], sought: Sought, ready: list[Ready]) -> None:
    """Score some articles as they stand now, and put those that may be shown with the others that are ready.

    One by one, for a handful, rather than as arrays; in the same steps, so to the same bits.
    """
    measure, lift, language, ids = sought.measure, sought.lift, sought.language, sought.shelf.ids
    now, worth, freshness, card = measure.now, measure.worth, measure.freshness, sought.leaders.card
    young = YOUNG * freshness if measure.lends > 0.0 else float("-inf")
    found: list[tuple[int, float, float, int, int]] = []
    faded: list[float] = []
    for row in batch:
        weight, published, starts, expires, spoken, section = card(row, measure, sought.shelf)
        if not starts <= now < expires or (language is not None and spoken and spoken != language):
            continue
        age = float(now - published) / MICROS_PER_HOUR
        if age < young:
            faded.append(-max(age, 0.0) / freshness)
        found.append((row, weight * worth, age, published, section))
    loans = iter((measure.lends * np.exp2(faded)).tolist() if faded else ())
    for row, reads, age, published, section in found:
        lent = next(loans) if age < young else 0.0
        score = reads + lent if lift is None else (reads + lent) * lift[section]
        heapq.heappush(ready, (-score, -published, ids[row], row, reads, lent, age))
