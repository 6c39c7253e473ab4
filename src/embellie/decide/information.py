"""What information is worth: EVPI, EVPPI, EVSI, ENBS, in the money of the net benefits they are given.

EVPI     = E[ max_d NB_d ] - max_d E[NB_d]
EVPPI(A) = E_A[ max_d E[NB_d | A] ] - max_d E[NB_d]
EVSI     = E_y[ max_d E[NB_d | y] ] - max_d E[NB_d]
ENBS     = worth of deciding after the study - worth of deciding now - its cost
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from embellie.domain.verdict import Figure
from embellie.stats.sampling import SCRAMBLES, by_scramble, numerical_error
from embellie.stats.splines import fit_curves

Array = npt.NDArray[np.float64]

_RANKS = np.linspace(-5.5, 5.5, 301)
_WEIGHTS = np.exp(-0.5 * _RANKS**2) / np.exp(-0.5 * _RANKS**2).sum()
_MOST_TRIALS = 2_000


def _against_first(net: Array) -> Array:
    """Differences to the first option: all that a choice depends on (options - 1, draws)."""
    return np.asarray(net[1:] - net[:1], dtype=float)


def _gain(conditional: Array) -> Array:
    """Return mean(max(0, f)) - max(0, mean f) over the last axis; options are the axis before."""
    choose = np.maximum(conditional.max(axis=-2), 0.0).mean(axis=-1)
    return np.asarray(choose - np.maximum(conditional.mean(axis=-1).max(axis=-1), 0.0), dtype=float)


def _scale(net: Array) -> float:
    return float(np.mean(np.abs(net)))


def evpi(net: Array) -> Figure:
    """Return the value of settling everything.

    Formula: mean over draws of the best option's net benefit, less the best mean.

    Args:
        net: Net benefits (options, draws), drawn by `normal_scores`.

    >>> from embellie.stats.sampling import normal_scores
    >>> x = normal_scores(16384, 1, seed=7)[:, 0]
    >>> found = evpi(np.stack([0 * x, x]))
    >>> abs(found.value - 0.3989422804) <= found.error
    True
    """
    best = int(np.argmax(net.mean(axis=1)))
    regret = by_scramble(net.max(axis=0) - net[best]).mean(axis=1)
    error = numerical_error(regret, scale=_scale(net)) + _choosing_bias(net, best)
    return Figure(value=float(regret.mean()), error=error)


def _choosing_bias(net: Array, best: int) -> float:
    """Return by how much the best of several sampled means may exceed the best true mean: s [φ(z) - z Φ(-z)], z = gap / s."""
    gaps = by_scramble(net[best] - np.delete(net, best, axis=0)).mean(axis=2)
    s = np.maximum(gaps.std(axis=1, ddof=1) / np.sqrt(SCRAMBLES), 1e-15 * _scale(net) + 1e-300)
    z = np.minimum(gaps.mean(axis=1) / s, 40.0)  # beyond, the chance is nil
    return float(np.max(s * (np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi) - z * special.ndtr(-z)), initial=0.0))


def evppi(scores: Array, net: Array, *, carrier: Array | None = None) -> Figure:
    """Return the value of settling one unknown, by a penalised spline on its normal scores.

    Args:
        scores: The unknown's scores (draws,), a monotone function of its values.
        net: Net benefits (options, draws).
        carrier: The unknown's values, in which net benefits are often linear.

    >>> from embellie.stats.sampling import normal_scores
    >>> one, two = normal_scores(16384, 2, seed=7).T
    >>> found = evppi(one, np.stack([0 * one, one + 2 * two]))
    >>> abs(found.value / 0.3989422804 - 1) < 0.005
    True
    """
    against = _against_first(net)
    whole, own = fit_curves(scores, against, blocks=SCRAMBLES, carrier=carrier).fitted(scores, carrier)
    replicates = _gain(np.moveaxis(by_scramble(own), 1, 0))
    return Figure(value=max(float(_gain(whole)), 0.0), error=numerical_error(replicates, scale=_scale(net)))


def evppi_group(scores: Sequence[Array], net: Array) -> Figure:
    """Return the value of settling several unknowns together, by regression on Hermite polynomials of low degree.

    Degree 5 for one or two unknowns, 4 for three, 3 up to six, 2 up to twenty, 1 beyond; products included.
    """
    against = _against_first(net)
    basis = _hermite_products(scores)
    blocks = basis.reshape(len(basis), SCRAMBLES, -1).transpose(1, 0, 2)
    outcomes = by_scramble(against).transpose(1, 0, 2)
    grams = blocks @ blocks.transpose(0, 2, 1)
    moments = blocks @ outcomes.transpose(0, 2, 1)
    ridge = 1e-10 * np.trace(grams[0]) / len(basis) * np.eye(len(basis))
    whole = np.linalg.solve(grams.sum(axis=0) + ridge, moments.sum(axis=0))
    own = np.linalg.solve(grams + ridge, moments)
    replicates = _gain(own.transpose(0, 2, 1) @ blocks)
    return Figure(value=max(float(_gain(whole.T @ basis)), 0.0), error=numerical_error(replicates, scale=_scale(net)))


def _hermite_products(scores: Sequence[Array]) -> Array:
    many = len(scores)
    degree = next(d for most, d in ((2, 5), (3, 4), (6, 3), (20, 2), (10**9, 1)) if many <= most)
    single = [[special.eval_hermitenorm(power, x) for power in range(degree + 1)] for x in scores]
    rows = [np.ones_like(scores[0])]
    for total in range(1, degree + 1):
        for chosen in itertools.combinations_with_replacement(range(many), total):
            row = np.ones_like(scores[0])
            for unknown in set(chosen):
                row = row * single[unknown][chosen.count(unknown)]
            rows.append(row)
    return np.stack(rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How precisely a study shows an unknown: a normal result with standard error `se`, or a count of `trials`."""

    se: float = 0.0
    trials: int = 0


@dataclass(frozen=True, slots=True)
class Subject:
    """One unknown as a study meets it: its values at `RANKS`, and there the differences in net benefit to the first option.

    `conditional` is (fits, options - 1, ranks): by all draws, then by each scramble.
    """

    conditional: Array
    values: Array


RANKS = _RANKS
"""The standard normal ranks at which a Subject's `nodes` and `values` are given."""


def subject(scores: Array, net: Array, *, carrier: Array, nodes: Array, values: Array) -> Subject:
    """Prepare an unknown for `evsi`.

    Args:
        scores: Its normal scores in the draws.
        net: Net benefits (options, draws).
        carrier: Its values in the draws.
        nodes: Its scores at the ranks `RANKS` of what is believed now.
        values: Its values there.
    """
    curves = fit_curves(scores, _against_first(net), blocks=SCRAMBLES, carrier=carrier)
    return Subject(curves.at(nodes, values), values)


@dataclass(frozen=True, slots=True)
class Results:
    """What a study may find: p(y | s_j) p(s_j) over a grid of results, and the same on every second node, as a check."""

    fine: Array
    coarse: Array


def results(values: Array, noise: Noise) -> Results:
    """Return the distribution of a study's results over an unknown's values at `RANKS`."""
    return Results(_outcomes(values, noise, _WEIGHTS), _outcomes(values[::2], noise, _WEIGHTS[::2] * 2))


def evsi_replicates(found: Subject, possible: Results) -> tuple[Array, float]:
    """Return EVSI by all draws and then by each scramble (1 + SCRAMBLES,), and the error of the quadrature."""
    fine = _gain_of_results(found.conditional, possible.fine)
    coarse = _gain_of_results(found.conditional[:1, :, ::2], possible.coarse)
    return fine, abs(float(fine[0] - coarse[0]))


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
    replicates, quadrature = evsi_replicates(found, results(found.values, noise))
    return Figure(value=float(replicates[0]), error=numerical_error(replicates[1:], scale=scale) + quadrature)


def _outcomes(values: Array, noise: Noise, weights: Array) -> Array:
    """Return p(y | s_j) p(s_j) over a grid of results y (results, nodes); each column sums to p(s_j)."""
    if 0 < noise.trials <= _MOST_TRIALS:
        share = np.clip(values, 1e-12, 1 - 1e-12)
        counts = np.arange(noise.trials + 1.0)[:, None]
        ways = (
            special.gammaln(noise.trials + 1) - special.gammaln(counts + 1) - special.gammaln(noise.trials - counts + 1)
        )
        density = np.exp(ways + counts * np.log(share) + (noise.trials - counts) * np.log1p(-share))
    else:
        density = _normal_outcomes(values, noise)
    return np.asarray(density * (weights / density.sum(axis=0)), dtype=float)


def _normal_outcomes(values: Array, noise: Noise) -> Array:
    if noise.trials:
        share = np.clip(values, 1e-9, 1 - 1e-9)
        se = np.sqrt(share * (1 - share) / noise.trials)
    else:
        se = np.full_like(values, noise.se)
    low, high = np.interp([-3.5, 3.5], np.linspace(_RANKS[0], _RANKS[-1], len(values)), values)
    found = np.sort(np.concatenate([values, np.linspace(low - 5 * se[0], high + 5 * se[-1], len(values))]))
    width = np.gradient(found)
    return np.asarray(np.exp(-0.5 * ((found[:, None] - values) / se) ** 2) / se * width[:, None], dtype=float)


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
