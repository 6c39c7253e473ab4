"""Popularity: decayed reads at a ladder of half-lives, and the half-life that fits the traffic."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Rows: TypeAlias = Integers | slice
"""Some articles by row; or, as a slice, all of them."""

EVERY = slice(None)
"""All rows."""

MICROS_PER_HOUR = 3_600_000_000
HALF_LIVES = (0.5, 1.0, 2.0, 6.0, 12.0, 24.0, 72.0, 168.0)
"""Hours. From half an hour (breaking news) to a week (a paper read by a few)."""

ENOUGH_READS = 50.0
"""Decayed reads of a site that make a ranking of its articles worth reading."""

YOUNG = 20.0
"""In so many half-lives a loan fades below a millionth, and is not counted any more: spare the exponentials."""

_MOST_EXPONENT = 256.0
_MOST_WAITING = 4096


class ReadCounters:
    """Reads per article, halved every `h` hours, for every `h` of a ladder at once.

    A read at time t weighs 2^((t - L) / h), L being a landmark of the past; what it is worth now follows by one
    factor common to all articles, 2^(-(now - L) / h). So a read touches one row, time passing touches none, and
    asking changes no answer: folding in one go or in pieces gives the same bits. ("Forward decay": Cormode,
    Shkapenyuk, Srivastava & Xu, ICDE 2009.) The landmark moves on, and the weights with it, before they overflow.

    Args:
        half_lives: In hours.
    """

    def __init__(self, half_lives: Sequence[float] = HALF_LIVES) -> None:
        self.half_lives = tuple(sorted(half_lives))
        self._micros = np.array(self.half_lives) * MICROS_PER_HOUR
        self._landmarks = np.zeros(len(self.half_lives), np.int64)
        self._totals = np.zeros(len(self.half_lives))
        # One line per half-life, so that scoring reads memory in order.
        self._weights = np.zeros((len(self.half_lives), 64))
        self._limit = self._furthest()
        self.changes = 0
        """How often the counts have changed: what was worked out of them holds until they change again."""
        self.moves = 0
        """How often a landmark has moved: until then weights change by their own articles' reads alone."""
        self._worth_at: int | None = None
        self._worths = np.zeros(0)
        self._worth_list: list[float] = []
        self._total_list: list[float] = []
        self._successes: dict[int, tuple[int, float]] = {}
        # Reads not added up yet: that is done when someone asks.
        self._rows: list[int] = []
        self._times: list[int] = []
        self.size = 0

    def grow(self, size: int) -> None:
        """Make room for `size` articles."""
        capacity = self._weights.shape[1]
        if size > capacity:
            wider = np.zeros((len(self.half_lives), max(size, 2 * capacity)))
            wider[:, : self.size] = self._weights[:, : self.size]
            self._weights = wider
        self.size = max(self.size, size)

    def add(self, row: int, at: int) -> None:
        """Count one read of an article at a time in µs since 1970 (UTC)."""
        if at > self._limit:
            self._settle()
            self._move_landmarks(at)
        self.changes += 1
        self._rows.append(row)
        self._times.append(at)
        if len(self._rows) >= _MOST_WAITING:
            self._settle()

    def _settle(self) -> None:
        """Add up the reads that wait: many at once cost little, one after another in their order, so to the same bits."""
        if not self._rows:
            return
        times, rows = np.array(self._times, np.int64), np.array(self._rows, np.int64)
        self._times.clear()
        self._rows.clear()
        weights = np.exp2((times - self._landmarks[:, None]) / self._micros[:, None])
        places = np.arange(len(self.half_lives))[:, None] * self._weights.shape[1] + rows
        np.add.at(self._weights.reshape(-1), places.reshape(-1), weights.reshape(-1))
        self._totals = np.add.accumulate(np.column_stack([self._totals, weights]), axis=1)[:, -1].copy()
        self._total_list = []

    def _move_landmarks(self, at: int) -> None:
        exponents = (at - self._landmarks) / self._micros
        far = exponents > _MOST_EXPONENT
        shrink = np.exp2(-exponents[far])
        self._weights[far] *= shrink[:, None]
        self._totals[far] *= shrink
        self._landmarks[far] = at
        self._worth_at, self._total_list = None, []
        self.moves += 1
        self._limit = self._furthest()

    def _furthest(self) -> int:
        """Return the time from which a landmark must move, the shortest half-life's."""
        return int(self._landmarks[0]) + math.ceil(_MOST_EXPONENT * float(self._micros[0]))

    def snapshot(self) -> Mapping[str, Any]:
        """Return all it counts."""
        self._settle()
        return {
            "half_lives": np.array(self.half_lives),
            "landmarks": self._landmarks.copy(),
            "totals": self._totals.copy(),
            "weights": self._weights[:, : self.size].copy(),
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take up what other counters of the same half-lives counted."""
        weights = snapshot["weights"]
        self.changes += 1
        self.moves += 1
        self._worth_at, self._total_list = None, []
        self._landmarks, self._totals = snapshot["landmarks"].copy(), snapshot["totals"].copy()
        self._limit = self._furthest()
        self._times.clear()
        self._rows.clear()
        self.size = weights.shape[1]
        self._weights = np.zeros((len(self.half_lives), max(64, self.size)))
        self._weights[:, : self.size] = weights

    def _worth(self, now: int) -> Floats:
        if now != self._worth_at:
            # A `now` before the reads themselves must not overflow.
            self._worths = np.exp2(np.minimum((self._landmarks - now) / self._micros, 2 * _MOST_EXPONENT))
            self._worth_at = now
            self._worth_list = self._worths.tolist()
        return self._worths

    def totals(self, now: int) -> Floats:
        """Return the site's decayed reads at `now`, one number per half-life."""
        self._settle()
        totals: Floats = self._totals * self._worth(now)
        return totals

    def step(self, now: int, enough: float = ENOUGH_READS) -> int:
        """Choose the shortest half-life that still remembers `enough` reads of the whole site.

        At a steady rate of λ reads an hour, a half-life of h hours remembers λ h / ln 2 of them. So four times
        the traffic shortens the memory about four times, at night it lengthens by itself, and a site with hardly
        any reads gets the longest one.

        Returns:
            The place of the half-life in `half_lives`.
        """
        self._settle()
        self._worth(now)
        # One by one: eight numbers are too few for arrays to be quicker.
        totals = self._total_list = self._total_list or self._totals.tolist()
        for place, (total, worth) in enumerate(zip(totals, self._worth_list, strict=True)):
            if total * worth >= enough:
                return place
        return len(self.half_lives) - 1

    def nearest(self, hours: float) -> int:
        """Return the place of the half-life nearest to `hours` (by ratio)."""
        return int(np.argmin(np.abs(np.log(np.array(self.half_lives) / hours))))

    def reads(self, now: int, step: int, rows: Rows = EVERY) -> Floats:
        """Return the decayed reads of articles (of every one, unless rows are given) at `now`, for one half-life of the ladder."""
        self._settle()
        reads: Floats = self._weights[step, : self.size][rows] * self.worth(now, step)
        return reads

    def weights(self, step: int) -> Floats:
        """Return the reads of every article as they are kept, each still to be multiplied by `worth`; not to be changed."""
        self._settle()
        weights: Floats = self._weights[step, : self.size]
        return weights

    def worth(self, now: int, step: int) -> float:
        """Return what a read that is kept as 1 is worth at `now`."""
        self._worth(now)
        return self._worth_list[step]

    def success(self, now: int, step: int) -> float:
        """Return the decayed reads that the article of a random recent read has, Σ r² / Σ r; 1 as long as nothing is read."""
        kept = self._successes.get(step)
        if kept is None or kept[0] != self.changes:
            weights = self.weights(step)
            total = float(weights.sum())
            # Not `weights @ weights`: a threaded library would wait for a busy core.
            kept = self._successes[step] = (
                self.changes,
                float(np.square(weights).sum()) / total if total > 0.0 else 0.0,
            )
        return kept[1] * self.worth(now, step) if kept[1] > 0.0 else 1.0


def optimistic_reads(ages: Floats, *, success: float, optimism: float, freshness: float) -> Floats:
    """Return the reads lent to articles for being new, so that a new one can be met at all.

    Lent = optimism · success · 2^(-age / freshness). A success is what the article of a random recent read has
    (`ReadCounters.success`), so a new article is lent a share of a success's standing; the loan halves every `freshness`
    hours and its own reads take over. The idea is the optimistic initial value (Sutton & Barto, Reinforcement Learning, 2nd
    ed., 2.6); the level comes from the site itself, not from a constant. With no read at all, 1 is lent: then the
    ranking is the latest first.

    Args:
        ages: Hours since publication, one per article.
        success: Decayed reads of a success.
        optimism: The share lent to an article published this second; 0 turns it off.
        freshness: Hours in which the loan halves.

    >>> optimistic_reads(np.array([48.0, 0.0]), success=8.0, optimism=0.5, freshness=6.0).round(2).tolist()
    [0.02, 4.0]
    """
    lent = np.zeros(len(ages))
    if optimism <= 0.0:
        return lent
    young = np.flatnonzero(ages < YOUNG * freshness)
    lent[young] = optimism * success * np.exp2(-np.maximum(ages[young], 0.0) / freshness)
    return lent
