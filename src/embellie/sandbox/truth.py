"""The truth of the sandbox: what showing slates changes, known because each visit can be played twice.

The same reader makes the same visit with slates and without, on the same draws. The mean difference is the effect, and
its noise is small: what would have happened anyway cancels.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from embellie.domain.moment import micros
from embellie.sandbox.newspaper import Calendar
from embellie.sandbox.readers import Readership, Stand, Visit

SlateOf = Callable[[Visit, Stand], Sequence[str]]
"""Which articles are shown below the page that the visit is on."""

TICK_HOURS = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueEffect:
    """The relative effect on articles per visit, with the standard error of its simulation."""

    relative: float
    se: float
    visits: int
    without: float
    with_slates: float


class Twins:
    """Sums over visits played twice: `add` each pair of counts of articles read, then ask for the `effect`.

    With Y the articles read with slates and Z without, the relative effect is (ΣY - ΣZ) / ΣZ; by the delta method its
    variance is that of Y - (1 + effect) Z over n Z̄². Visits of one reader are taken as independent.

    >>> twins = Twins()
    >>> for with_slates, without in [(2, 1), (1, 1), (3, 3), (1, 1)]:
    ...     twins.add(with_slates, without)
    >>> round(twins.effect().relative, 3)
    0.167
    """

    def __init__(self) -> None:
        self._n = 0
        self._y = self._z = 0
        self._yy = self._yz = self._zz = 0

    def add(self, with_slates: int, without: int) -> None:
        """Take in one visit."""
        self._n += 1
        self._y += with_slates
        self._z += without
        self._yy += with_slates * with_slates
        self._yz += with_slates * without
        self._zz += without * without

    def __len__(self) -> int:
        return self._n

    def effect(self) -> TrueEffect:
        """Return the effect so far; its standard error is infinite before there are two visits with an article."""
        if self._n < 2 or self._z == 0:
            return TrueEffect(relative=0.0, se=math.inf, visits=self._n, without=0.0, with_slates=0.0)
        ratio = self._y / self._z
        squares = self._yy - 2.0 * ratio * self._yz + ratio * ratio * self._zz
        mean = self._z / self._n
        se = math.sqrt(max(squares, 0.0) / (self._n - 1) / self._n) / mean
        return TrueEffect(relative=ratio - 1.0, se=se, visits=self._n, without=mean, with_slates=self._y / self._n)


def articles_without(readers: Readership, stand: Stand, *, reader: int, number: int) -> int:
    """Play a visit as if no slate were ever shown; returns the articles read."""
    return articles_with(readers, stand, reader=reader, number=number, slate_of=_nothing)


def articles_with(readers: Readership, stand: Stand, *, reader: int, number: int, slate_of: SlateOf) -> int:
    """Play a visit to its end; returns the articles read."""
    visit = readers.visit(reader, number)
    visit.land(stand)
    read: set[str] = set()
    while visit.article:
        turn = visit.turn(stand, slate_of(visit, stand))
        if turn.read:
            read.add(turn.article)
    return len(read)


def _nothing(_visit: Visit, _stand: Stand) -> Sequence[str]:
    return ()


def true_effect(readers: Readership, calendar: Calendar, *, days: float, slate_of: SlateOf) -> TrueEffect:
    """Simulate every visit of some days twice; returns the effect of the slates on articles per visit."""
    twins = Twins()
    for stand, reader, number in visits(readers, calendar, days=days):
        twins.add(
            articles_with(readers, stand, reader=reader, number=number, slate_of=slate_of),
            articles_without(readers, stand, reader=reader, number=number),
        )
    return twins.effect()


def visits(readers: Readership, calendar: Calendar, *, days: float) -> Iterator[tuple[Stand, int, int]]:
    """Go through the visits of some days: yields the stand as it is then, the reader, the visit's number."""
    stand = Stand()
    stand.put(calendar.backlog(), now=micros(calendar.start))
    for tick in range(round(days * 24 / TICK_HOURS)):
        begins = calendar.start + timedelta(hours=tick * TICK_HOURS)
        ends = begins + timedelta(hours=TICK_HOURS)
        for _, reader, number in readers.arrivals(tick, hour=begins.hour + begins.minute / 60, hours=TICK_HOURS):
            yield stand, reader, number
        stand.put(calendar.between(begins, ends), now=micros(ends))


def freshest_of_section(n: int = 4) -> SlateOf:
    """Show the articles that draw most in the page's section and language: a simple rule for simulations alone."""

    def slate_of(visit: Visit, stand: Stand) -> Sequence[str]:
        place = stand.place.get(visit.article)
        if place is None:
            return ()
        same = (stand.section == stand.section[place]) & (stand.language == stand.language[place])
        rows = np.flatnonzero(same)
        ranked = rows[np.argsort(-stand.draw[rows], kind="stable")].tolist()
        return [stand.ids[row] for row in ranked if stand.ids[row] not in visit.opened][:n]

    return slate_of
