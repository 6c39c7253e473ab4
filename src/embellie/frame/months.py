"""Months: today's worth of money that comes week after week, flat, growing at first, or fading.

Money that comes within a month of the horizon is discounted from that month's end, PV = Σ c (1+r)^(-months/12); the last
month is cut where the horizon ends. So D(t), the discount factor of week t, is a staircase, and every integral below is in
closed form on each of its steps:

    flat      ∫ D(t) dt
    fading    ∫ e^(-λ(t-L)) D(t) dt                 λ = -ln(1-δ)/52.1775, δ the share lost a year, L the week of going live
    growing   ∫ min(1, (t-L)/R) e^(-λ(t-L)) D(t) dt                        R the weeks it takes to grow to the whole
"""

import numpy as np
import numpy.typing as npt

from embellie.frame.units import WEEKS_PER_MONTH, WEEKS_PER_YEAR

Array = npt.NDArray[np.float64]

_SMALL = 0.05
_TERMS = 8


class Months:
    """The months up to a horizon, and what money in them is worth today.

    Args:
        horizon: In weeks.
        discount: Effective per year.

    >>> float(Months(52.1775, 0.0).tail(0.0))
    52.1775
    """

    def __init__(self, horizon: float, discount: float) -> None:
        months = np.arange(0.0, horizon, WEEKS_PER_MONTH)
        self._knots = np.append(months[months < horizon - 1e-6], horizon)
        self._rates = (1 + discount) ** (-self._knots[1:] / WEEKS_PER_YEAR)
        self._lengths = np.diff(self._knots)
        self._tail = np.append(np.cumsum((self._lengths * self._rates)[::-1])[::-1], 0.0)
        self.discount = discount

    def rate(self, weeks: float) -> float:
        """Return today's worth of one unit of money paid in `weeks`."""
        return float((1 + self.discount) ** (-weeks / WEEKS_PER_YEAR))

    def tail(self, weeks: Array | float) -> Array:
        """Return today's worth of one unit of money per week from `weeks` to the end of the horizon."""
        return np.asarray(np.interp(weeks, self._knots, self._tail), dtype=float)

    def between(self, begins: Array, ends: Array, *, live: Array, ramp: Array, fading: Array) -> Array:
        """Return today's worth of one unit of money per week, growing and fading, from `begins` to `ends`.

        Args:
            begins: Weeks from today, at least `live`.
            ends: Weeks from today, at least `begins`.
            live: The week from which growth and fading are counted.
            ramp: Weeks over which it grows linearly from nothing to the whole; 0 or less: whole at once.
            fading: The share lost a year, below 1; negative: it grows.
        """
        begins, ends, live, ramp, fading = (
            np.asarray(each, dtype=float) for each in (begins, ends, live, ramp, fading)
        )
        shape = np.broadcast_shapes(begins.shape, ends.shape, live.shape, ramp.shape, fading.shape)
        last = self._knots[-1]
        begins, ends, live = np.clip(begins, 0.0, last), np.clip(ends, 0.0, last), np.minimum(live, last)
        whole = np.clip(live + np.maximum(ramp, 0.0), begins, np.maximum(ends, begins))
        decay = _Decay(-np.log1p(-fading) / WEEKS_PER_YEAR, self._knots, self._rates)
        found = decay.tail(whole, live) - decay.tail(ends, live)
        if np.any(ramp > 0):
            grown = decay.aged_tail(begins, live) - decay.aged_tail(whole, live)
            found = found + np.where(ramp > 0, grown / np.where(ramp > 0, ramp, 1.0), 0.0)
        return np.broadcast_to(found, shape)


class _Decay:
    """∫ e^(-λt) D(t) dt and ∫ t e^(-λt) D(t) dt from each month's start to the horizon, for one λ or one per draw."""

    def __init__(self, speed: Array, knots: Array, rates: Array) -> None:
        self._speed = speed
        self._knots, self._rates = knots, rates
        lam, lengths = np.atleast_1d(speed), np.diff(knots)
        same = [round(length, 9) for length in lengths]  # months are alike but for rounding, and the last one is cut
        pieces = {
            key: (length * _phi1(lam * length), length**2 * _phi2(lam * length))
            for key, length in dict(zip(same, lengths, strict=True)).items()
        }
        shape = (len(knots), lam.size)
        self._zero, self._first = np.zeros(shape), np.zeros(shape)
        for month in range(len(lengths) - 1, -1, -1):
            zero, first = pieces[same[month]]
            worth = rates[month] * np.exp(-lam * knots[month])
            self._zero[month] = self._zero[month + 1] + worth * zero
            self._first[month] = self._first[month + 1] + worth * (knots[month] * zero + first)

    def tail(self, weeks: Array, live: Array) -> Array:
        """Return ∫ e^(-λ(t-L)) D(t) dt from `weeks` to the horizon."""
        month, rest = self._place(weeks)
        here = self._rates[month] * rest * _phi1(self._speed * rest) * np.exp(-self._speed * (weeks - live))
        return np.asarray(here + np.exp(self._speed * live) * self._after(self._zero, month))

    def aged_tail(self, weeks: Array, live: Array) -> Array:
        """Return ∫ (t-L) e^(-λ(t-L)) D(t) dt from `weeks` to the horizon."""
        month, rest = self._place(weeks)
        age, turned = weeks - live, self._speed * rest
        here = self._rates[month] * (age * rest * _phi1(turned) + rest**2 * _phi2(turned)) * np.exp(-self._speed * age)
        later = self._after(self._first, month) - live * self._after(self._zero, month)
        return np.asarray(here + np.exp(self._speed * live) * later)

    def _place(self, weeks: Array) -> tuple[npt.NDArray[np.intp], Array]:
        """Return the month of each week, and what is left of that month."""
        month = np.clip(np.searchsorted(self._knots, weeks, side="right") - 1, 0, len(self._rates) - 1)
        return month, np.asarray(self._knots[month + 1] - weeks)

    def _after(self, table: Array, month: npt.NDArray[np.intp]) -> Array:
        """Look up what comes after each month."""
        if table.shape[1] == 1:
            return np.asarray(table[month + 1, 0])
        return np.asarray(table[month + 1, np.arange(table.shape[1])])


def _phi1(x: Array) -> Array:
    """(1 - e^-x) / x, and 1 at 0."""
    if not np.any(x):
        return np.ones_like(x)
    safe = np.where(x == 0, 1.0, x)
    return np.asarray(np.where(x == 0, 1.0, -np.expm1(-safe) / safe))


def _phi2(x: Array) -> Array:
    """(1 - (1+x) e^-x) / x², by its series Σ (-x)^n / (n! (n+2)) where that loses digits; 1/2 at 0."""
    if not np.any(x):
        return np.full_like(x, 0.5)
    safe = np.where(np.abs(x) < _SMALL, 1.0, x)
    series, term = np.zeros_like(x), np.ones_like(x)
    for n in range(_TERMS):
        series = series + term / (n + 2)
        term = term * (-x) / (n + 1)
    direct = (-np.expm1(-safe) - safe * np.exp(-safe)) / safe**2
    return np.asarray(np.where(np.abs(x) < _SMALL, series, direct))
