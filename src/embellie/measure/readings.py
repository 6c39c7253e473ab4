"""Readings: what was known of an experiment at one time after another, and whether such a series can be true."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from embellie.domain.scorecard import Check
from embellie.domain.unavailable import Unavailable
from embellie.stats.moments import Moments

SILENT_EVENTS = 20.0
"""One side stands still while the other gains so many events: by chance once in half a billion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was known of one metric at one time: the moments of each variant, cumulative.

    `at` is days since the start; `column` the name that the moments know the metric by.
    """

    at: float
    column: str
    sides: Mapping[str, Moments]


def moments_of_reading(
    units: float | None, mean: float | None, variance: float | None, *, column: str
) -> Moments | Unavailable:
    """Return the moments that somebody else's reading gives, or why it gives none.

    >>> moments_of_reading(4, 0.25, 0.25, column="clicks").mean("clicks")
    0.25
    >>> moments_of_reading(4, 0.25, None, column="clicks").code
    'no_variance'
    """
    if not units:
        return Unavailable("There is nobody in this reading.", "Look at a later one.", code="nobody_exposed")
    if mean is None or variance is None or not math.isfinite(mean) or not math.isfinite(variance):
        return Unavailable(
            "This reading has no variance.", "Ask for it: without it there is no interval.", code="no_variance"
        )
    return Moments(int(units), {column: mean}, {(column, column): variance})


def check_readings(readings: Sequence[Reading]) -> tuple[Check, ...]:
    """Look for what cannot be: units that become fewer, and a side that stands still while the other one lives.

    Readings are cumulative, so each side's units only grow. Where a side's mean has not moved at all while the other's
    total has grown by what amounts to 20 events or more (of the usual size, mean square over mean), that side's events
    were not counted then.

    Args:
        readings: In order of time, of the same metric.
    """
    return tuple(found for one, other in pairwise(readings) for found in _between(one, other))


def _between(one: Reading, other: Reading) -> Iterator[Check]:
    for name, before in one.sides.items():
        now = other.sides.get(name)
        if now is not None and now.n < before.n:
            yield Check(
                check="completeness",
                state="watch",
                code="units_fell",
                values={"variant": name},
                figures={"at": other.at, "before": float(before.n), "now": float(now.n)},
            )
    shared = [name for name in one.sides if name in other.sides]
    for name in shared:
        if _gained(one, other, name) == 0.0:
            for rival in shared:
                events = _events_gained(one, other, rival)
                if rival != name and events >= SILENT_EVENTS:
                    yield Check(
                        check="completeness",
                        state="watch",
                        code="side_silent",
                        values={"variant": name, "rival": rival},
                        figures={"at": other.at, "events": events},
                    )


def _gained(one: Reading, other: Reading, name: str) -> float:
    """The change of a side's mean."""
    return other.sides[name].mean(other.column) - one.sides[name].mean(one.column)


def _events_gained(one: Reading, other: Reading, name: str) -> float:
    """What a side's total has grown by, in events of the usual size, when its units have not become fewer."""
    before, now = one.sides[name], other.sides[name]
    if now.n < before.n:
        return 0.0
    gained = now.n * now.mean(other.column) - before.n * before.mean(one.column)
    square = now.covariance(other.column, other.column) + now.mean(other.column) ** 2
    return gained * now.mean(other.column) / square if square > 0 else 0.0
