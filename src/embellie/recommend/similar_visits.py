"""Similar visits: the latest visits that opened the same articles, and the policy that recommends what they opened next."""

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar

import numpy as np

from embellie.domain.moment import micros
from embellie.domain.slate import SlateRequest
from embellie.recommend.covisitation import BACKWARDS, REACH, context_of
from embellie.recommend.policies import Popular, Scored
from embellie.recommend.popularity import MICROS_PER_HOUR, Floats, Integers
from embellie.recommend.signals import Opened, Silent
from embellie.recommend.state import SiteState

VISITS = 200_000
"""Visits kept; the one begun longest ago goes first."""

LONGEST = 20
"""Articles kept of one visit: its first ones."""

RECENT = 500
"""Visits listed per article: the latest that opened it."""

_LONGER = 12.0
"""How many of popularity's half-lives a visit's is."""


class Visits(Silent):
    """Which visits opened which articles, both ways: a visit's articles in order, an article's latest visits.

    A visit enters with its second article: one article tells nothing of another.

    Bounded: `VISITS` visits of `LONGEST` articles (16 MB of rows, and the visits' and readers' names, some 40 MB),
    and `RECENT` visits listed per article: no more than `VISITS` x `LONGEST` listings in all (150 MB at the very
    worst), whatever the number of articles and readers.
    """

    name: ClassVar[str] = "visits"

    def __init__(self) -> None:
        self._rows = np.full((64, LONGEST), -1, np.int32)
        self._lengths: list[int] = []
        self._last: list[int] = []
        self._names: list[str] = []
        self._readers: list[str] = []
        self._number: dict[str, int] = {}
        # Visits are numbered as they come; number n lies in place n % VISITS until it is written over.
        self._next = 0
        self._listed: dict[int, deque[int]] = {}

    def __len__(self) -> int:
        return len(self._number)

    def open(self, opened: Opened) -> None:
        """Take in that a visit went on to another article."""
        if opened.again or not opened.before:
            return
        number = self._number.get(opened.visit)
        if number is None:
            number = self._begin(opened)
        place = number % VISITS
        self._last[place] = max(self._last[place], opened.at)
        length = self._lengths[place]
        if length < LONGEST:
            self._rows[place, length] = opened.row
            self._lengths[place] = length + 1
            self._list(opened.row, number)

    def _begin(self, opened: Opened) -> int:
        number = self._next
        self._next += 1
        place = number % VISITS
        if number < VISITS:
            self._names.append(opened.visit)
            self._readers.append(opened.reader)
            self._lengths.append(0)
            self._last.append(opened.at)
            if place >= len(self._rows):
                more = np.full((min(len(self._rows), VISITS - len(self._rows)), LONGEST), -1, np.int32)
                self._rows = np.concatenate([self._rows, more])
        else:
            self._drop(place)
            self._names[place], self._readers[place], self._last[place] = opened.visit, opened.reader, opened.at
        self._number[opened.visit] = number
        before = opened.before[-LONGEST + 1 :]
        self._rows[place, : len(before)] = before
        self._lengths[place] = len(before)
        for row in before:
            self._list(row, number)
        return number

    def _list(self, row: int, number: int) -> None:
        listed = self._listed.get(row)
        if listed is None:
            listed = self._listed[row] = deque(maxlen=RECENT)
        listed.append(number)

    def _drop(self, place: int) -> None:
        """Empty a place, and take its visit off the lists of its articles."""
        name = self._names[place]
        if not name:
            return
        number = self._number.pop(name)
        for row in self._rows[place, : self._lengths[place]].tolist():
            listed = self._listed.get(row)
            if listed is None:
                continue
            if listed and listed[0] == number:
                listed.popleft()
            elif number in listed:
                listed.remove(number)
            if not listed:
                del self._listed[row]
        self._rows[place] = -1
        self._lengths[place] = 0
        self._names[place] = self._readers[place] = ""

    def forget(self, reader: str, visits: Collection[str]) -> None:
        """Drop these visits, and every other one kept of the reader."""
        numbers = {self._number[name] for name in visits if name in self._number}
        numbers |= {self._number[self._names[place]] for place, whose in enumerate(self._readers) if whose == reader}
        for number in sorted(numbers):
            self._drop(number % VISITS)

    def alike(
        self, context: Mapping[int, float], *, besides: str, now: int, half_life: float
    ) -> tuple[Integers, Floats]:
        """Return the visits that opened articles of a context, and how alike they are.

        Args:
            context: Row → weight.
            besides: The visit at hand: not its own neighbour.
            now: µs since 1970, UTC.
            half_life: Hours in which a visit counts half.

        Returns:
            Places of visits (`rows_of` tells their articles), and the sum of the weights of the articles shared,
            halved every `half_life` hours since the visit's last click.
        """
        lists = [(listed, weight) for row, weight in context.items() if (listed := self._listed.get(row))]
        if not lists:
            return np.zeros(0, np.int64), np.zeros(0)
        sizes = [len(listed) for listed, _ in lists]
        numbers = np.fromiter(chain.from_iterable(listed for listed, _ in lists), np.int64, sum(sizes))
        weights = np.repeat([weight for _, weight in lists], sizes)
        if len(lists) > 1:
            numbers, which = np.unique(numbers, return_inverse=True)
            weights = np.bincount(which, weights=weights)
        own = self._number.get(besides)
        if own is not None:
            weights[numbers == own] = 0.0
        places = numbers % VISITS
        last = np.fromiter(map(self._last.__getitem__, places.tolist()), np.int64, len(places))
        weights *= np.exp2(-np.maximum(now - last, 0) / (half_life * MICROS_PER_HOUR))
        return places, weights

    def rows_of(self, places: Integers) -> Integers:
        """Return the articles of some visits: shape (visits, `LONGEST`), in order, -1 after the last."""
        rows: Integers = self._rows[places].astype(np.int64)
        return rows

    def rarity(self, rows: Integers) -> Floats:
        """Return log(1 + visits / visits that opened it) of some articles (idf), from the visits listed."""
        listed = np.array([len(self._listed.get(row, ())) for row in rows.tolist()], np.float64)
        rarity: Floats = np.log1p(len(self) / np.maximum(listed, 1.0))
        return rarity

    def snapshot(self) -> Mapping[str, Any]:
        """Return the visits and the lists."""
        sizes = [len(listed) for listed in self._listed.values()]
        return {
            "next": self._next,
            "rows": self._rows[: len(self._names)].copy(),
            "lengths": np.array(self._lengths, np.int64),
            "last": np.array(self._last, np.int64),
            "names": list(self._names),
            "readers": list(self._readers),
            "numbers": np.fromiter((self._number.get(name, -1) for name in self._names), np.int64, len(self._names)),
            "listed": np.fromiter(self._listed, np.int64, len(self._listed)),
            "sizes": np.array(sizes, np.int64),
            "visits": np.fromiter(chain.from_iterable(self._listed.values()), np.int64, sum(sizes)),
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take up visits and lists."""
        self._next = int(snapshot["next"])
        self._names, self._readers = list(snapshot["names"]), list(snapshot["readers"])
        self._lengths, self._last = snapshot["lengths"].tolist(), snapshot["last"].tolist()
        kept = len(self._names)
        self._rows = np.full((min(max(64, kept), VISITS), LONGEST), -1, np.int32)
        self._rows[:kept] = snapshot["rows"]
        self._number = {
            name: number for name, number in zip(self._names, snapshot["numbers"].tolist(), strict=True) if name
        }
        visits, begin = snapshot["visits"].tolist(), 0
        self._listed = {}
        for row, size in zip(snapshot["listed"].tolist(), snapshot["sizes"].tolist(), strict=True):
            self._listed[row] = deque(visits[begin : begin + size], maxlen=RECENT)
            begin += size


@dataclass(frozen=True)
class Sessions(Popular):
    """What the visits most like this one opened: nearest neighbours among the latest visits, popularity beneath.

    A visit is like this one by the articles they share, the page weighing 1 and each earlier article `fade` times
    the next; it fades with age. Of the `neighbours` most alike, each gives its other
    articles its likeness over the distance to the shared one (half before it), times how rare an article is (idf). The
    scores, as shares, are mixed with the shares of popularity:

        score(j) = n / (n + k) · S(j) + k / (n + k) · p(j)        n: the sum of likeness, k: `pseudo_visits`

    so a page that few have visited recommends what is popular, and nothing is ever empty. Sources: V-SkNN (Ludewig &
    Jannach, User Modeling and User-Adapted Interaction, 2018); VMIS-kNN, by an article's latest visits (Kersbergen,
    Sprangers & Schelter, Serenade, SIGMOD 2022); distance within the neighbour (Garg et al., STAN, SIGIR 2019).

    Args:
        neighbours: How many visits are followed.
        fade: What each earlier article of the visit weighs, as a share of the next.
        visit_half_life: Hours in which a visit counts half; 0 adapts it to the traffic: twelve times popularity's.
        pseudo_visits: k, how much popularity there is in the mix.
        rarity: The exponent of idf; 0 leaves it out.
    """

    name: ClassVar[str] = "sessions"
    signals: ClassVar[tuple[type[Visits], ...]] = (Visits,)

    neighbours: int = 100
    fade: float = 0.6
    visit_half_life: float = 0.0
    pseudo_visits: float = 20.0
    rarity: float = 0.3

    def score(self, request: SlateRequest, site: SiteState) -> Scored:
        """Score by what the nearest visits opened."""
        popular = super().score(request, site)
        visits = site.signal(Visits)
        context = context_of(request, site, fade=self.fade, most=REACH)
        total = float(popular.values.sum())
        now, counters = micros(request.now), site.counters
        half_life = self.visit_half_life or _LONGER * counters.half_lives[counters.step(now, self.enough_reads)]
        places, likeness = visits.alike(context, besides=request.visit, now=now, half_life=half_life)
        if len(places) > self.neighbours:
            # Of equals the later visit: sorted, not partitioned, so that the choice is always the same.
            order = np.lexsort((-places, -likeness))[: self.neighbours]
            places, likeness = places[order], likeness[order]
        met = float(likeness.sum())
        if met <= 0.0 or total <= 0.0:
            return popular
        rows, given = self._followed(visits, context, places, likeness)
        sums = np.bincount(rows, weights=given, minlength=len(popular.values))
        whole = float(sums.sum())
        if whole <= 0.0:
            return popular
        near = sums * (met / (met + self.pseudo_visits) / whole)
        by_popularity = popular.values * (self.pseudo_visits / (met + self.pseudo_visits) / total)

        def reason(row: int) -> str:
            return "read_together" if near[row] > by_popularity[row] else popular.reason(row)

        return Scored(near + by_popularity, reason)

    def _followed(
        self, visits: Visits, context: Mapping[int, float], places: Integers, likeness: Floats
    ) -> tuple[Integers, Floats]:
        """Return the neighbours' other articles, flat, and what each is given."""
        rows = visits.rows_of(places)
        shared = np.zeros(rows.shape, np.bool_)
        for row in context:
            shared |= rows == row
        place = np.arange(rows.shape[1])
        # The last article shared is where the neighbour stood when it was as far as this visit.
        at = rows.shape[1] - 1 - np.argmax(shared[:, ::-1], axis=1)
        distance = place[None, :] - at[:, None]
        closeness = np.where(distance > 0, 1.0, BACKWARDS) / np.maximum(np.abs(distance), 1)
        other = (rows >= 0) & ~shared
        given = (likeness[:, None] * closeness)[other]
        found: Integers = rows[other]
        if self.rarity > 0.0 and len(found):
            each, which = np.unique(found, return_inverse=True)
            given = given * (visits.rarity(each) ** self.rarity)[which]
        return found, given
