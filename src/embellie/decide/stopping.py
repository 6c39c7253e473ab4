"""Durations: what a study is worth by how long it runs, and when to end one that may be ended any week. For any prior.

After t weeks all that counts of what was seen is the mean result ȳ, normal around the unknown θ with variance se²/t + τ².
What to do next depends on m_t(ȳ) V_t(ȳ), the worth of standing at ȳ times how likely that is; and since ȳ_t given ȳ_{t+1} is
normal around ȳ_{t+1} whatever θ is (the mean is sufficient), going on one week is a convolution with a Gaussian:

    stop_t(ȳ)     = max_d ∫ E[NB_d begun after week t | θ] φ(ȳ - θ; √(se²/t + τ²)) p(θ) dθ
    go_on_t(ȳ)    = ∫ W_{t+1}(ȳ') φ(ȳ - ȳ'; se / √(t (t + 1))) dȳ' + what week t + 1 brings less what it costs
    W_t(ȳ)        = m_t(ȳ) V_t(ȳ) = max(stop_t, go_on_t),      W_T = stop_T

Backward induction (Bellman) on an even grid of ȳ, each convolution by fast Fourier transform. A duration fixed beforehand is
the same without the choice.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embellie.decide.preposterior import RANKS

Array = npt.NDArray[np.float64]

_WEIGHTS = np.exp(-0.5 * RANKS**2) / np.exp(-0.5 * RANKS**2).sum()
_OUTERMOST = 4.0
"""Beyond this rank the places of an unknown are drawn together, so that the grid need not reach as far as a fat tail does.

Its worth there counts whole: what is so far out is seen for what it is in any case.
"""

_LEAST, _MOST = 2**10, 2**12
_IMPLAUSIBLE = 1e-4
"""A boundary beyond which no more than this part of all results would lie is drawn there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A study as its weeks go by; money in the question's currency.

    Args:
        values: The unknown at `RANKS`, rising.
        se: Standard error of one week's result.
        bias: The sd τ of an error that no week takes away.
        knots: Weeks of study, rising, at which `leads` and `means` are given; straight between them.
        leads: E[NB_d - NB_first | unknown] when decided after so many weeks, (knots, options - 1, ranks).
        means: E[NB_d] likewise, (knots, options).
        now: The leads of what is decided today, (options - 1, ranks).
        earning: What the study earns in a week, were the unknown known, (ranks,).
    """

    values: Array
    se: float
    bias: float
    knots: Array
    leads: Array
    means: Array
    now: Array
    earning: Array

    def around(self, weeks: float) -> float:
        """Return the standard error after so many weeks, bias included."""
        return float(np.hypot(self.se / np.sqrt(weeks), self.bias))


@dataclass(frozen=True, slots=True)
class Stopped:
    """What a study that may be ended any week brings.

    `worth` counts what is decided after it and what it earns and costs; `fixed` is the same for each duration 1 … T fixed
    beforehand. After week t = 1 … T - 1 one goes on between `low[t - 1]` and `high[t - 1]`; NaN where one never does.
    """

    worth: float
    fixed: Array
    expected_weeks: float
    low: Array
    high: Array


class Durations:
    """A trial spread over an even grid of results, ready to be valued at any duration.

    Args:
        trial: The study.
        shortest: The shortest duration that will be asked for, in weeks.
        most: The longest.
    """

    def __init__(self, trial: Trial, *, shortest: float, most: float) -> None:
        self.trial = trial
        inside = _drawn_together(trial.values)
        margin = 6 * trial.around(shortest)
        low, high = float(inside[0]) - margin, float(inside[-1]) + margin
        size = _grid_size(high - low, trial, inside, most)
        self.step = (high - low) / size
        self.results = low + self.step * np.arange(size)
        self._squared = (2 * np.pi * np.fft.rfftfreq(size, self.step)) ** 2
        self._edges = np.append(self.results, high) - self.step / 2
        middles = np.concatenate([[-np.inf], (RANKS[1:] + RANKS[:-1]) / 2, [np.inf]])
        self._sides = np.interp(middles, RANKS, inside)
        self._leads = self._spectrum(trial.leads)
        self._now = self._spectrum(trial.now)
        self._chance = self._spectrum(np.ones_like(RANKS))
        self._earning = self._spectrum(trial.earning)

    def _spectrum(self, outcome: Array) -> npt.NDArray[np.complex128]:
        """Return the transform of an outcome × p(θ) dθ over the grid; its sum is the outcome's mean."""
        below = np.concatenate([np.zeros((*outcome.shape[:-1], 1)), np.cumsum(outcome * _WEIGHTS, axis=-1)], axis=-1)
        rows = below.reshape(-1, below.shape[-1])
        cells = np.diff([np.interp(self._edges, self._sides, row) for row in rows], axis=-1)
        cells[:, -1] += rows[:, -1] - cells.sum(axis=-1)
        return np.asarray(np.fft.rfft(cells.reshape(*outcome.shape[:-1], -1)), dtype=complex)

    def _around(self, weeks: float) -> float:
        """Return the standard error of a result, as fine as the grid tells."""
        return max(self.trial.around(weeks), self.step)

    def _blurred(self, spectrum: npt.NDArray[np.complex128], se: float) -> Array:
        return np.asarray(np.fft.irfft(spectrum * np.exp(-0.5 * self._squared * se**2), len(self.results)), dtype=float)

    def _best(self, leads: npt.NDArray[np.complex128], se: float) -> Array:
        """Return the best option's lead over the first at each result, times how likely it is."""
        return np.asarray(np.maximum(self._blurred(leads, se).max(axis=0), 0.0), dtype=float)

    def _at(self, weeks: float) -> tuple[npt.NDArray[np.complex128], float]:
        """Return the leads' transforms for what is decided after so many weeks, and what one then gains without choosing.

        The latter is the best mean less the best mean lead: 0 for a baseline worth nothing, and what rounds the two off.
        """
        knots = self.trial.knots
        place = int(np.clip(np.searchsorted(knots, weeks) - 1, 0, max(len(knots) - 2, 0)))
        after = min(place + 1, len(knots) - 1)
        part = (weeks - knots[place]) / (knots[after] - knots[place]) if after > place else 0.0
        leads = (1 - part) * self._leads[place] + part * self._leads[after]
        means = (1 - part) * self.trial.means[place] + part * self.trial.means[after]
        return leads, float(means.max() - max(leads[:, 0].real.max(), 0.0))

    def deciding_after(self, weeks: float) -> float:
        """Return E[max_d E[NB_d | result]] of deciding after so many weeks of study."""
        leads, base = self._at(weeks)
        return float(self._best(leads, self._around(weeks)).sum() + base)

    def evsi(self, weeks: float) -> float:
        """Return EVSI of so many weeks, for what is decided today."""
        mean = max(float(self._now[:, 0].real.max()), 0.0)
        return max(float(self._best(self._now, self._around(weeks)).sum()) - mean, 0.0)

    def stopping(self, periods: Array, costs: Array) -> Stopped:
        """Return the best rule for when to end the study.

        Args:
            periods: Discounted length of each week of study, in weeks (T,); what it earns is multiplied by it.
            costs: What each week costs (T,); the first holds what it costs to begin.
        """
        most = len(costs)
        flows = periods * float(self._earning[0].real) - costs
        low, high = np.full(most - 1, np.nan), np.full(most - 1, np.nan)
        fixed = np.empty(most)
        worth, further = np.zeros_like(self.results), np.zeros_like(self.results)
        for week in range(most, 0, -1):
            leads, base = self._at(week)
            se = self._around(week)
            likely = self._blurred(self._chance, se)
            stop = self._best(leads, se) + base * likely
            fixed[week - 1] = stop.sum() + flows[:week].sum()
            if week == most:
                worth = stop
                continue
            between = float(np.sqrt(se**2 - self._around(week + 1) ** 2))
            earned = periods[week] * self._blurred(self._earning, se) - costs[week] * likely
            more = self._blurred(np.fft.rfft(worth), between) + earned - stop
            on = (more > 0) & (likely > 1e-12 * likely.max())
            further = np.where(on, likely + self._blurred(np.fft.rfft(further), between), 0.0)
            worth = stop + np.maximum(more, 0.0)
            low[week - 1], high[week - 1] = self._bounds(more, likely)
        return Stopped(float(worth.sum() + flows[0]), fixed, 1.0 + float(further.sum()), low, high)

    def _bounds(self, more: Array, likely: Array) -> tuple[float, float]:
        """Return the lowest and highest result at which going on is worth more; a gap between two regions is bridged."""
        below = np.cumsum(likely)
        on = np.flatnonzero((more > 0) & (below > _IMPLAUSIBLE) & (below < 1 - _IMPLAUSIBLE))
        if not len(on):
            return float("nan"), float("nan")
        return self._crossing(more, on[0], -1), self._crossing(more, on[-1], 1)

    def _crossing(self, more: Array, inner: int, towards: int) -> float:
        outer = inner + towards
        if not 0 <= outer < len(more) or more[outer] > 0:
            return float(self.results[inner])
        part = more[inner] / (more[inner] - more[outer])
        return float(self.results[inner] + towards * self.step * part)


def _drawn_together(values: Array) -> Array:
    low, high = np.interp([-_OUTERMOST, _OUTERMOST], RANKS, values)
    unit = (high - low) / 8 or 1.0
    above, below = np.maximum(values - high, 0.0), np.maximum(low - values, 0.0)
    inside = np.clip(values, low, high)
    return np.asarray(inside + unit * (np.log1p(above / unit) - np.log1p(below / unit)), dtype=float)


def _grid_size(width: float, trial: Trial, inside: Array, most: float) -> int:
    """Return how many results resolve what the last week shows, and the prior itself."""
    spread = float(np.sqrt(_WEIGHTS @ (inside - _WEIGHTS @ inside) ** 2))
    finest = min(trial.se / np.sqrt(most * max(most - 1, 1.0)), max(spread, 1e-300) / 8)
    wanted = width / max(0.4 * finest, width / _MOST)
    return int(2 ** np.ceil(np.log2(np.clip(wanted, _LEAST, _MOST))))
