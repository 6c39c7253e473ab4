"""Trending: what is read more now than its own past foretells; and evergreens, which go on being read for weeks."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from embellie.domain.errors import InputError
from embellie.domain.moment import micros
from embellie.domain.slate import SlateRequest
from embellie.recommend.policies import Popular, Scored
from embellie.recommend.popularity import MICROS_PER_HOUR, Floats, ReadCounters
from embellie.recommend.ranking import best_first
from embellie.recommend.state import SiteState

_RISING = 1.2
_MOST_EVERGREENS = 32
_A_FEW_READS = 1.0
_SHORT_EVERGREEN, _LONG_EVERGREEN = 24.0, 168.0


def rises(short: Floats, long: Floats, ages: Floats, *, half_lives: tuple[float, float], pseudo_reads: float) -> Floats:
    """Tell how many times more an article is read now than its own past foretells, beyond what the whole site does.

    An article read at a steady rate since it came out `a` hours ago has, at a half-life of h hours, decayed reads in
    proportion to h (1 - 2^(-a/h)). So its long count L foretells a short count

        E = s · L · h_s (1 - 2^(-a/h_s)) / (h_l (1 - 2^(-a/h_l)))        rise = (S + k) / (E + k)

    with s such that Σ E = Σ S: when the whole site wakes up, nothing is a trend. The k pseudo-reads are a gamma
    prior of mean 1 on the rise (the posterior mean of a Poisson rate): two reads are no trend.

    Args:
        short: Decayed reads at the short half-life, one per article.
        long: Those at the long one.
        ages: Hours since publication.
        half_lives: The two half-lives, in hours.
        pseudo_reads: k.

    >>> half_lives = (1.0, 24.0)
    >>> short, long = np.array([40.0, 10.0, 2.0]), np.array([60.0, 240.0, 2.0])
    >>> rises(short, long, np.array([100.0, 100.0, 100.0]), half_lives=half_lives, pseudo_reads=10.0).round(1).tolist()
    [2.5, 0.4, 1.2]
    """
    young, old = half_lives
    since = np.maximum(ages, 1.0 / 60.0)
    foretold = long * (young * -np.expm1(-since * _LN2 / young)) / (old * -np.expm1(-since * _LN2 / old))
    total = float(foretold.sum())
    if total > 0.0:
        foretold = foretold * (float(short.sum()) / total)
    rise: Floats = (short + pseudo_reads) / (foretold + pseudo_reads)
    return rise


_LN2 = float(np.log(2.0))


@dataclass(frozen=True)
class Trending(Popular):
    """What rises: read more at a short half-life than a long one foretells (`rises`), popularity deciding among equals.

    Args:
        short: The short half-life in hours, the nearest of the ladder; 0 adapts it to the traffic, as `popular` does.
        longer: How many times longer the long half-life is.
        pseudo_reads: Reads that an article must outweigh before it is a trend.
    """

    name: ClassVar[str] = "trending"

    short: float = 0.0
    longer: float = 12.0
    pseudo_reads: float = 10.0

    def score(self, request: SlateRequest, site: SiteState) -> Scored:
        """Score by the rise, plus a share of popularity too small to matter where anything rises."""
        popular = super().score(request, site)
        counters, now = site.counters, micros(request.now)
        short = counters.nearest(self.short) if self.short > 0.0 else counters.step(now, self.enough_reads)
        short = min(short, len(counters.half_lives) - 2)
        long = max(short + 1, counters.nearest(self.longer * counters.half_lives[short]))
        ages = (now - site.shelf.published) / MICROS_PER_HOUR
        rise = rises(
            counters.reads(now, short),
            counters.reads(now, long),
            ages,
            half_lives=(counters.half_lives[short], counters.half_lives[long]),
            pseudo_reads=self.pseudo_reads,
        )
        total = float(popular.values.sum())
        # What does not rise has sunk below what nobody reads: there popularity decides, not the fall.
        values = np.maximum(rise, 1.0) + (0.01 / total if total > 0.0 else 0.0) * popular.values
        return Scored(values, lambda row: "trending" if rise[row] >= _RISING else popular.reason(row))


def lasting_reads(counters: ReadCounters, now: int) -> Floats:
    """Return reads a day that have lasted: the lower of an article's rates over a day and over a week."""
    rates = [
        counters.reads(now, step) * (24.0 * _LN2 / counters.half_lives[step])
        for step in (counters.nearest(_SHORT_EVERGREEN), counters.nearest(_LONG_EVERGREEN))
    ]
    lower: Floats = np.minimum(*rates)
    return lower


@dataclass(frozen=True)
class Evergreen(Popular):
    """What is popular, with a share of the slots for older articles that go on being read.

    Every 1 / `share`-th slot goes to the next evergreen: older than `older_than_days`, read at least once a day over
    the last day as over the last week, the most read first. The other slots are `popular`'s, in its order.

    Args:
        share: The share of slots for evergreens, 0 to 1.
        older_than_days: Days since publication.
    """

    name: ClassVar[str] = "evergreen"

    share: float = 0.25
    older_than_days: float = 7.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.share <= 1.0:
            raise InputError(
                f"`share` of `evergreen` is {self.share:g}.", hint="Write a share from 0 to 1.", at="settings.share"
            )

    def score(self, request: SlateRequest, site: SiteState) -> Scored:
        """Score by popularity, each evergreen lifted to just behind the article that it follows."""
        popular = super().score(request, site)
        rows, now = site.candidates(request), micros(request.now)
        lasting = lasting_reads(site.counters, now)[rows]
        recency = site.shelf.published[rows]
        old = (now - recency) / MICROS_PER_HOUR > 24.0 * self.older_than_days
        found = np.flatnonzero(old & (lasting >= _A_FEW_READS))
        if self.share <= 0.0 or not len(found):
            return popular
        names = site.shelf.names(rows)
        first = best_first(lasting[found], recency[found], site.shelf.names(rows[found]), _MOST_EVERGREENS)
        evergreens = found[first].tolist()
        others = popular.values[rows].copy()
        others[evergreens] = -np.inf
        apart = 1.0 / self.share - 1.0
        order = best_first(others, recency, names, int(apart * len(evergreens)) + 1).tolist()
        values = popular.values.copy()
        lifted = set(rows[evergreens].tolist())
        last = np.inf
        for number, place in enumerate(evergreens, start=1):
            after = int(apart * number)
            above = float(others[order[min(after, len(order)) - 1]]) if after else float(popular.values.max()) + 1.0
            last = float(np.nextafter(min(above, last), -np.inf))
            values[rows[place]] = max(last, values[rows[place]])
        return Scored(values, lambda row: "evergreen" if row in lifted else popular.reason(row))
