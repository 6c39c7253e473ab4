"""What a study is worth: EVSI and ENBS, by integrating over what it may find.

EVSI     = E_y[ max_d E[NB_d | y] ] - max_d E[NB_d]
ENBS     = worth of deciding after the study - worth of deciding now - its cost
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from embellie.decide.information import against_first
from embellie.domain.verdict import Figure
from embellie.stats.sampling import SCRAMBLES, by_scramble, numerical_error
from embellie.stats.splines import fit_curves

Array = npt.NDArray[np.float64]

RANKS = np.linspace(-5.5, 5.5, 301)
"""The standard normal ranks at which a Subject is given."""

_WEIGHTS = np.exp(-0.5 * RANKS**2) / np.exp(-0.5 * RANKS**2).sum()
_MOST_TRIALS = 2_000
_FINDINGS = 41
_MOST_STATES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How precisely a study shows an unknown: a normal result with standard error `se`, a count of `trials`, or a signal.

    `bias` is the sd of an error that stays however many units there are: what is shown is not quite what is meant. `signals`
    holds, signal by signal, its chance under each state of an unknown that is one of a few.
    """

    se: float = 0.0
    trials: int = 0
    bias: float = 0.0
    signals: tuple[tuple[float, ...], ...] = ()

    def around(self, values: Array) -> Array:
        """Return the standard error of a result around each value, bias included: √(se² + τ²)."""
        if self.trials:
            share = np.clip(values, 1e-9, 1 - 1e-9)
            return np.asarray(np.sqrt(share * (1 - share) / self.trials + self.bias**2), dtype=float)
        return np.full_like(values, np.hypot(self.se, self.bias))


@dataclass(frozen=True, slots=True)
class Subject:
    """One unknown as a study meets it: its values at `RANKS`, and there the differences in net benefit to the first option.

    `conditional` is (fits, options - 1, ranks): by all draws, then by each scramble. Of an unknown that is one of a few states
    these stand in the place of ranks, and `chances` are their probabilities.
    """

    conditional: Array
    values: Array
    chances: Array | None = None


def subject(scores: Array, net: Array, *, carrier: Array, nodes: Array, values: Array) -> Subject:
    """Prepare an unknown for `evsi`.

    Args:
        scores: Its normal scores in the draws.
        net: Net benefits (options, draws).
        carrier: Its values in the draws.
        nodes: Its scores at the ranks `RANKS` of what is believed now.
        values: Its values there.
    """
    curves = fit_curves(scores, against_first(net), blocks=SCRAMBLES, carrier=carrier)
    return Subject(curves.at(nodes, values), values)


@dataclass(frozen=True, slots=True)
class Results:
    """What a study may find: p(y | s_j) p(s_j) over a grid of results, and the same on every second node, as a check."""

    fine: Array
    coarse: Array


def results(values: Array, noise: Noise, chances: Array | None = None) -> Results:
    """Return the distribution of a study's results over an unknown's values at `RANKS`, or over states of such chances."""
    if chances is not None:
        each = _outcomes(values, noise, chances)
        return Results(each, each)
    return Results(_outcomes(values, noise, _WEIGHTS), _outcomes(values[::2], noise, _WEIGHTS[::2] * 2))


def evsi_replicates(found: Subject, possible: Results) -> tuple[Array, float]:
    """Return EVSI by all draws and then by each scramble (1 + SCRAMBLES,), and the error of the quadrature.

    That is how much half as many nodes would change it, three times over: where options cross between nodes, the change alone
    may be less than what is missing.
    """
    fine = _gain_of_results(found.conditional, possible.fine)
    if found.chances is not None:
        return fine, 0.0
    coarse = _gain_of_results(found.conditional[:1, :, ::2], possible.coarse)
    return fine, 3.0 * abs(float(fine[0] - coarse[0]))


def _gain_of_results(conditional: Array, possible: Array) -> Array:
    fits, options, _ = conditional.shape
    # einsum stays on this thread: a threaded product of this size waits for cores that a busy server has not got
    gains = np.einsum("fk,rk->fr", conditional.reshape(fits * options, -1), possible).reshape(fits, options, -1)
    choose = np.maximum(gains.max(axis=1), 0.0).sum(axis=1)
    return np.asarray(np.maximum(choose - np.maximum(gains.sum(axis=2).max(axis=1), 0.0), 0.0), dtype=float)


def evsi(found: Subject, noise: Noise, *, scale: float = 0.0) -> Figure:
    """Return the value of one study's result, by quadrature over its results.

    Formula: Σ_y max_d Σ_j f_d(s_j) p(y | s_j) p(s_j) - max_d Σ_j f_d(s_j) p(s_j), any prior (route of Strong et al. 2015
    with the regression replaced by the preposterior integral, which is one-dimensional).
    """
    replicates, quadrature = evsi_replicates(found, results(found.values, noise, found.chances))
    return Figure(value=float(replicates[0]), error=numerical_error(replicates[1:], scale=scale) + quadrature)


def _outcomes(values: Array, noise: Noise, weights: Array) -> Array:
    """Return p(y | s_j) p(s_j) over a grid of results y (results, nodes); each column sums to p(s_j)."""
    if noise.signals:
        density = np.array(noise.signals)
    elif 0 < noise.trials <= _MOST_TRIALS:
        density = _counts(np.clip(values, 1e-12, 1 - 1e-12), noise)
    else:
        density = _normal_outcomes(values, noise)
    return np.asarray(density * (weights / density.sum(axis=0)), dtype=float)


def _counts(share: Array, noise: Noise) -> Array:
    """Return the chance of each count: binomial, or beta-binomial of the same mean when the share itself is shown with bias."""
    counts = np.arange(noise.trials + 1.0)[:, None]
    ways = special.gammaln(noise.trials + 1) - special.gammaln(counts + 1) - special.gammaln(noise.trials - counts + 1)
    if not noise.bias:
        return np.asarray(
            np.exp(ways + counts * np.log(share) + (noise.trials - counts) * np.log1p(-share)), dtype=float
        )
    concentration = np.maximum(share * (1 - share) / noise.bias**2 - 1, 1e-3)
    yes, no = share * concentration, (1 - share) * concentration
    both = special.betaln(counts + yes, noise.trials - counts + no) - special.betaln(yes, no)
    return np.asarray(np.exp(ways + both), dtype=float)


def _normal_outcomes(values: Array, noise: Noise) -> Array:
    se = noise.around(values)
    many = len(values)
    low, high = np.interp([-3.5, 3.5], np.linspace(RANKS[0], RANKS[-1], many), values)
    if many <= _MOST_STATES:
        many, low, high = 20 * _MOST_STATES, values[0], values[-1]
    found = np.sort(np.concatenate([values, np.linspace(low - 5 * se[0], high + 5 * se[-1], many)]))
    width = np.gradient(found)
    return np.asarray(np.exp(-0.5 * ((found[:, None] - values) / se) ** 2) / se * width[:, None], dtype=float)


@dataclass(frozen=True, slots=True)
class Outlook:
    """EVPI after a study, by what it finds: `chances` of the findings, `evpi` after each, and the error of its mean."""

    chances: Array
    evpi: Array
    error: float


def outlook(found: Subject, noise: Noise, *, shown: Array, net: Array) -> Outlook:
    """Return what EVPI may be once a study is done.

    Formula: EVPI(y) = E[max_d NB_d | y] - max_d E[NB_d | y] with draws weighted by p(y | θ), over some forty ranges of results
    y of about equal chance, no two choices in one. Its mean is EVPI - EVSI.

    Args:
        found: The unknown as the study meets it.
        noise: How precisely.
        shown: What the study shows in each draw, but for its noise (draws,).
        net: Net benefits (options, draws).
    """
    joint = results(found.values, noise, found.chances).fine
    likely = _WEIGHTS if found.chances is None else found.chances
    reached = np.cumsum(joint.sum(axis=1))
    parts = np.minimum((_FINDINGS * (reached - joint.sum(axis=1) / 2)).astype(int), _FINDINGS - 1)
    leads = np.einsum("ok,rk->or", found.conditional[0], joint)
    chosen = np.concatenate([np.zeros((1, leads.shape[1])), leads]).argmax(axis=0)
    edges = np.flatnonzero(np.diff(parts, prepend=-1) | np.diff(chosen, prepend=chosen[0]))
    chance = np.add.reduceat(joint, edges, axis=0) / likely
    weights = by_scramble(np.stack([np.interp(shown, found.values, row) for row in chance])) / shown.size
    best = np.einsum("ksr,sr->ks", weights, by_scramble(net.max(axis=0)))
    means = np.einsum("ksr,osr->kos", weights, by_scramble(net))
    chances = weights.sum(axis=(1, 2))
    seen = chances > 0
    left = np.maximum(best.sum(axis=1) - means.sum(axis=2).max(axis=1), 0.0)
    each = (best - means.max(axis=1)).sum(axis=0) * SCRAMBLES
    return Outlook(chances[seen], left[seen] / chances[seen], numerical_error(each, scale=float(np.mean(np.abs(net)))))


def enbs(after: Array, *, later: Array, now: Array, earned: float, cost: float, scale: float = 0.0) -> Figure:
    """Return a study's expected net benefit: deciding after it, later, against deciding now.

    Formula: EVSI of the decision taken later + max_d E[NB_d begun later] + earned - cost - max_d E[NB_d begun now].

    Args:
        after: EVSI of the later decision, by all draws and by each scramble.
        later: Net benefits (options, draws) of what begins after the study.
        now: Net benefits of what begins today.
        earned: What the readers in the study bring while it runs.
        cost: What the study costs.
        scale: The size of the numbers, for the rounding error.
    """

    def best(net: Array) -> Array:
        each = by_scramble(net).mean(axis=2).max(axis=0)
        return np.concatenate([[net.mean(axis=1).max()], each])

    worth = after + best(later) - best(now) + earned - cost
    return Figure(value=float(worth[0]), error=numerical_error(worth[1:], scale=scale))
