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
Spectrum = npt.NDArray[np.complex128]

_WEIGHTS = np.exp(-0.5 * RANKS**2) / np.exp(-0.5 * RANKS**2).sum()
_OUTERMOST = 4.0
"""Beyond this rank the places of an unknown are drawn together, so that the grid need not reach as far as a fat tail does.

Its worth there counts whole: what is so far out is seen for what it is in any case.
"""

_LEAST, _MOST, _MOST_FOR_TAILS = 2**10, 2**11, 2**14
_RESOLVED = 1.5
"""Steps of the grid in the least standard error: what is finer would ring in its transform."""

_IMPLAUSIBLE = 1e-4
"""A boundary beyond which no more than this part of all results would lie is drawn there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A study as its weeks go by; money in the question's currency.

    Args:
        values: The unknown at `RANKS`, rising.
        se: Standard error of one week's result.
        bias: The sd τ of an error that no week takes away.
        knots: Weeks of study, rising, at which `leads` and `means` are given; on parabolas between them.
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
        self._place, self._part = self._places(inside, high)
        rows = [*trial.leads.reshape(-1, len(RANKS)), *trial.now, np.ones_like(RANKS), trial.earning]
        spectra = self._spectra(np.stack(rows))
        self._leads = spectra[: -2 - len(trial.now)].reshape(*trial.leads.shape[:2], -1)
        self._now, self._chance, self._earning = spectra[-2 - len(trial.now) : -2], spectra[-2], spectra[-1]

    def _places(self, inside: Array, high: float) -> tuple[npt.NDArray[np.intp], Array]:
        """Return between which ranks each cell of the grid ends, and how far along."""
        edges = np.append(self.results, high) - self.step / 2
        sides = np.interp(np.concatenate([[-np.inf], (RANKS[1:] + RANKS[:-1]) / 2, [np.inf]]), RANKS, inside)
        place = np.clip(np.searchsorted(sides, edges, side="right") - 1, 0, len(sides) - 2)
        width = sides[place + 1] - sides[place]
        part = (edges - sides[place]) / np.where(width > 0, width, 1.0)
        return place, np.clip(part, 0.0, 1.0)

    def _spectra(self, outcomes: Array) -> Spectrum:
        """Return the transform of each outcome × p(θ) dθ over the grid; its first term is the outcome's mean."""
        below = np.concatenate([np.zeros((len(outcomes), 1)), np.cumsum(outcomes * _WEIGHTS, axis=1)], axis=1)
        reached = below[:, self._place] * (1 - self._part) + below[:, self._place + 1] * self._part
        cells = np.diff(reached, axis=1)
        cells[:, -1] += below[:, -1] - cells.sum(axis=1)
        return np.asarray(np.fft.rfft(cells), dtype=complex)

    def _around(self, weeks: float) -> float:
        """Return the standard error of a result, as fine as the grid tells."""
        return max(self.trial.around(weeks), _RESOLVED * self.step)

    def _blurred(self, spectra: Spectrum, se: float) -> Array:
        kept = np.exp(-0.5 * self._squared * se**2)
        return np.asarray(np.fft.irfft(spectra * kept, len(self.results)), dtype=float)

    def _at(self, weeks: float) -> tuple[Spectrum, float]:
        """Return the leads' transforms for what is decided after so many weeks, and what one then gains without choosing.

        The latter is the best mean less the best mean lead: 0 for a baseline worth nothing, and what rounds the two off.
        """
        weights = _between(self.trial.knots, weeks)
        leads = np.einsum("k,kof->of", weights, self._leads)  # on this thread, as in `preposterior`
        means = weights @ self.trial.means
        return leads, float(means.max() - max(leads[:, 0].real.max(), 0.0))

    def at(self, weeks: float) -> tuple[float, float]:
        """Return EVSI of so many weeks for what is decided today, and E[max_d E[NB_d | result]] of deciding after them."""
        leads, base = self._at(weeks)
        both = self._blurred(np.concatenate([self._now, leads]), self._around(weeks))
        today, later = (np.maximum(part.max(axis=0), 0.0).sum() for part in np.split(both, 2))
        return max(float(today - max(self._now[:, 0].real.max(), 0.0)), 0.0), float(later + base)

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
            *ahead, likely, earned = self._blurred(np.concatenate([leads, [self._chance, self._earning]]), se)
            stop = np.maximum(np.max(ahead, axis=0), 0.0) + base * likely
            fixed[week - 1] = stop.sum() + flows[:week].sum()
            if week == most:
                worth = stop
                continue
            between = float(np.sqrt(max(se**2 - self._around(week + 1) ** 2, 0.0)))
            go_on, weeks_on = self._blurred(np.fft.rfft(np.stack([worth, further])), between)
            more = go_on + periods[week] * earned - costs[week] * likely - stop
            further = np.where((more > 0) & (likely > 1e-12 * likely.max()), likely + weeks_on, 0.0)
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


def _between(knots: Array, weeks: float) -> Array:
    """Return the weight of each knot at a duration: on the parabola through the three knots next to it, or on a line.

    >>> _between(np.array([0.0, 1.0, 3.0]), 2.0).round(6).tolist()
    [-0.333333, 1.0, 0.333333]
    """
    weights = np.zeros(len(knots))
    first = int(np.clip(np.searchsorted(knots, weeks) - 2, 0, max(len(knots) - 3, 0)))
    near = range(first, min(first + 3, len(knots)))
    for at in near:
        weights[at] = np.prod([(weeks - knots[other]) / (knots[at] - knots[other]) for other in near if other != at])
    return weights


def _drawn_together(values: Array) -> Array:
    low, high = np.interp([-_OUTERMOST, _OUTERMOST], RANKS, values)
    unit = (high - low) / 8 or 1.0
    above, below = np.maximum(values - high, 0.0), np.maximum(low - values, 0.0)
    inside = np.clip(values, low, high)
    return np.asarray(inside + unit * (np.log1p(above / unit) - np.log1p(below / unit)), dtype=float)


def _grid_size(width: float, trial: Trial, inside: Array, most: float) -> int:
    """Return how many results resolve what the last week shows, and the middle of the prior, however far its tails reach."""
    low, high = np.interp([-1.0, 1.0], RANKS, inside)
    last = trial.se / np.sqrt(most * max(most - 1, 1.0))
    for_weeks = min(width / (0.4 * last), _MOST)
    for_prior = min(width / max(float(high - low) / 80, 1e-300), _MOST_FOR_TAILS)
    return int(_LEAST / 4 * np.ceil(max(for_weeks, for_prior, _LEAST) * 4 / _LEAST))
