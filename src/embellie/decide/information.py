"""What knowing is worth: EVPI and EVPPI, in the money of the net benefits they are given.

EVPI     = E[ max_d NB_d ] - max_d E[NB_d]
EVPPI(A) = E_A[ max_d E[NB_d | A] ] - max_d E[NB_d]
"""

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import special

from embellie.domain.verdict import Figure
from embellie.stats.sampling import SCRAMBLES, by_scramble, numerical_error
from embellie.stats.splines import fit_curves

Array = npt.NDArray[np.float64]


def against_first(net: Array) -> Array:
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


def normal_loss(mean: float, sd: float) -> float:
    """Return EVPI of {0, N(mean, sd²)}: U(m, s) = s [φ(z) - z Φ(-z)], z = |m| / s.

    >>> round(normal_loss(-50_000, 100_000), 5)
    19779.65574
    """
    if sd <= 0:
        return 0.0
    z = abs(mean) / sd
    return float(sd * (np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi) - z * special.ndtr(-z)))


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
    against = against_first(net)
    whole, own = fit_curves(scores, against, blocks=SCRAMBLES, carrier=carrier).fitted(scores, carrier)
    replicates = _gain(np.moveaxis(by_scramble(own), 1, 0))
    return Figure(value=max(float(_gain(whole)), 0.0), error=numerical_error(replicates, scale=_scale(net)))


def evppi_bound(scores: Array, net: Array, *, carrier: Array | None = None) -> Figure:
    """Return the cross-fitted policy value of an unknown: what choosing by a curve brings in draws that it has not seen.

    Formula: mean(NB_d(x)) - max_d mean(NB_d), d(x) the best by the fit on the other scrambles. `evppi` chooses and values by the
    same fit, so it is biased up; here a curve that is not the right one chooses worse, so this is biased down: a bracket.

    >>> from embellie.stats.sampling import normal_scores
    >>> one, two = normal_scores(16384, 2, seed=7).T
    >>> found = evppi_bound(one, np.stack([0 * one, one + 2 * two]))
    >>> abs(found.value / 0.3989422804 - 1) < 0.01
    True
    """
    against = against_first(net)
    fitted = fit_curves(scores, against, blocks=SCRAMBLES, carrier=carrier, crossed=True).unseen(scores, carrier)
    chosen = np.concatenate([np.zeros((1, len(scores))), fitted]).argmax(axis=0)
    best = int(net.mean(axis=1).argmax())
    won = np.take_along_axis(net, chosen[None], axis=0)[0] - net[best]
    return Figure(value=float(won.mean()), error=numerical_error(by_scramble(won).mean(axis=1), scale=_scale(net)))


def permutation_floor(scores: Array, net: Array, *, seed: int, times: int = 8) -> float:
    """Return what these draws would find an unknown worth that matters nothing: the most of several, its scores permuted."""
    rng = np.random.default_rng(seed)
    return max(evppi(rng.permutation(scores), net).value for _ in range(times))


def evppi_group(scores: Sequence[Array], net: Array) -> Figure:
    """Return the value of settling several unknowns together, by regression on Hermite polynomials of low degree.

    Degree 5 for one or two unknowns, 4 for three, 3 up to six, 2 up to twenty, 1 beyond; products included.
    """
    against = against_first(net)
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
