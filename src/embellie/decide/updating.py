"""Updating: from priors and evidence to what is believed now. Priors are never overwritten.

Everything happens on normal scores z: an unknown is Q(z) with Q its prior's quantile function, correlated through z
(a Gaussian copula). Evidence on one unknown reweights the law of its z on a grid, exactly for any prior; the others follow
through their law given z. Where evidence bears on several unknowns that are correlated with one another, each result enters
as the normal factor that matches its moments (expectation propagation), exact when priors and results are normal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from embellie.domain.errors import InputError, unknown_name
from embellie.domain.evidence import Evidence
from embellie.domain.question import Question, Unknown
from embellie.stats.distributions import quantile
from embellie.stats.sampling import correlation_matrix

Array = npt.NDArray[np.float64]

_NODES = 1501
_SURPRISING = 0.01


@dataclass(frozen=True, slots=True)
class Law:
    """The law of one score: `nodes` and the standard normal scores of their probabilities."""

    nodes: Array
    ranks: Array

    def at(self, scores: Array) -> Array:
        """Return the score whose probability is that of a standard normal score."""
        return np.asarray(np.interp(scores, self.ranks, self.nodes), dtype=float)


@dataclass(frozen=True, slots=True)
class Beliefs:
    """What is believed now, as a map from independent standard normal scores to the scores of the unknowns.

    The measured unknowns come from their own `laws`, or jointly as `centre + root w`; the rest follow linearly.
    """

    names: tuple[str, ...]
    measured: tuple[int, ...]
    others: tuple[int, ...]
    laws: Mapping[int, Law]
    centre: Array
    root: Array
    slope: Array
    rest: Array
    warnings: tuple[str, ...] = ()

    def scores(self, independent: Array) -> Array:
        """Map independent scores (draws, unknowns) to the unknowns' scores."""
        out = np.empty_like(independent)
        measured, others = list(self.measured), list(self.others)
        if measured:
            joint = self.centre + independent[:, measured] @ self.root.T
            for place, unknown in enumerate(measured):
                if unknown in self.laws:
                    joint[:, place] = self.laws[unknown].at(independent[:, unknown])
            out[:, measured] = joint
        if others:
            spread = independent[:, others]
            if not np.array_equal(self.rest, np.eye(len(others))):
                spread = spread @ self.rest.T
            out[:, others] = spread + out[:, measured] @ self.slope.T if measured else spread
        return out

    def touched(self, name: str) -> bool:
        """Whether evidence bears on an unknown, itself or through another."""
        at = self.names.index(name)
        return at in self.measured or (bool(self.measured) and bool(np.any(self.slope[self.others.index(at)])))

    def marginal(self, name: str, scores: Array, drawn: Array) -> Array:
        """Return the unknown's scores at standard normal ranks; from its draws where it has no law of its own."""
        at = self.names.index(name)
        if at in self.laws:
            return self.laws[at].at(scores)
        if not self.touched(name):
            return scores
        ranks = special.ndtri((np.arange(len(drawn)) + 0.5) / len(drawn))
        return np.asarray(np.interp(scores, ranks, np.sort(drawn)), dtype=float)


def update(question: Question, evidence: Sequence[Evidence]) -> Beliefs:
    """Work out what is believed after the evidence.

    Args:
        question: Its unknowns hold the priors, its correlations tie them.
        evidence: Results of independent studies; of several lines of one `study` about one unknown the last counts.

    Raises:
        UnknownName: Evidence about an unknown that does not exist.
        InputError: Evidence that the prior holds for impossible.
    """
    names = tuple(question.unknowns)
    results = _by_unknown(question, evidence)
    matrix, change = correlation_matrix(names, question.correlations)
    warnings = [] if change <= 0.05 else [f"The correlations contradict one another; one was changed by {change:.2f}."]
    measured = tuple(at for at, name in enumerate(names) if name in results)
    others = tuple(at for at in range(len(names)) if at not in measured)
    within = matrix[np.ix_(measured, measured)]
    likelihoods = {at: _Likelihood(question.unknowns[names[at]], results[names[at]]) for at in measured}
    warnings += [note for at in measured if (note := likelihoods[at].surprise())]
    laws = {at: likelihoods[at].law() for place, at in enumerate(measured) if _alone(within, place)}
    centre, joint = _joint(within, [likelihoods[at] for at in measured])
    slope = matrix[np.ix_(others, measured)] @ np.linalg.inv(within) if measured else np.zeros((len(others), 0))
    left = matrix[np.ix_(others, others)] - slope @ matrix[np.ix_(measured, others)]
    return Beliefs(
        names=names,
        measured=measured,
        others=others,
        laws=laws,
        centre=centre,
        root=np.asarray(np.linalg.cholesky(joint), dtype=float) if measured else joint,
        slope=slope,
        rest=np.asarray(np.linalg.cholesky(left), dtype=float) if others else left,
        warnings=tuple(warnings),
    )


def _by_unknown(question: Question, evidence: Sequence[Evidence]) -> dict[str, list[Evidence]]:
    latest: dict[tuple[str, str], Evidence] = {}
    for number, result in enumerate(evidence):
        if result.measures not in question.unknowns:
            raise unknown_name("unknown", result.measures, question.unknowns, at=f"evidence {number + 1}")
        latest[result.measures, result.study or f"#{number}"] = result
    found: dict[str, list[Evidence]] = {}
    for result in latest.values():
        found.setdefault(result.measures, []).append(result)
    return found


def _alone(within: Array, place: int) -> bool:
    return bool(np.count_nonzero(within[place]) == 1)


class _Likelihood:
    """How well each score of one unknown explains what was found."""

    def __init__(self, unknown: Unknown, results: Sequence[Evidence]) -> None:
        self.unknown = unknown
        self.results = results

    def value(self, scores: Array) -> Array:
        return quantile(self.unknown.prior.family, self.unknown.prior.parameters, scores)

    def log(self, scores: Array) -> Array:
        value = self.value(scores)
        total = np.zeros_like(value)
        for result in self.results:
            if result.estimate is not None and result.se is not None:
                total += -0.5 * ((value - result.estimate) / result.se) ** 2
            elif result.successes is not None and result.trials is not None:
                total += _log_binomial(value, result.successes, result.trials)
        return total

    def grid(self, mean: float = 0.0, sd: float = 1.0) -> tuple[Array, Array]:
        """Return nodes that hold all of N(mean, sd²) × likelihood, and that density (unscaled)."""
        low, high = mean - 8.0 * sd, mean + 8.0 * sd
        for _ in range(5):
            nodes = np.linspace(low, high, _NODES)
            log = self.log(nodes) - 0.5 * ((nodes - mean) / sd) ** 2
            top = float(np.max(log))
            if not np.isfinite(top):
                raise InputError(
                    f"The evidence about `{self.unknown.name}` is impossible under its prior `{self.unknown.written}`.",
                    hint="Widen the prior, or check the evidence.",
                )
            inside = np.flatnonzero(log > top - 36.0)
            first, last = max(int(inside[0]) - 1, 0), min(int(inside[-1]) + 1, _NODES - 1)
            if last - first > _NODES // 3:
                break
            low, high = float(nodes[first]), float(nodes[last])
        return nodes, np.exp(log - top)

    def law(self) -> Law:
        nodes, density = self.grid()
        steps = np.diff(nodes) * (density[1:] + density[:-1]) / 2
        below = np.concatenate([[0.0], np.cumsum(steps)])
        above = np.concatenate([np.cumsum(steps[::-1])[::-1], [0.0]])
        total = below[-1]
        ranks = np.where(
            below < total / 2,
            special.ndtri(np.maximum(below / total, 1e-300)),
            -special.ndtri(np.maximum(above / total, 1e-300)),
        )
        kept = np.concatenate([[True], np.diff(ranks) > 0])
        return Law(nodes[kept], ranks[kept])

    def moments(self, mean: float, sd: float) -> tuple[float, float]:
        """Return the mean and variance of N(mean, sd²) × likelihood."""
        nodes, density = self.grid(mean, sd)
        weight = density / density.sum()
        centre = float(weight @ nodes)
        return centre, float(weight @ (nodes - centre) ** 2)

    def surprise(self) -> str:
        """Say so when the prior gave such a result, or one further out, a chance below 1 %."""
        nodes = np.linspace(-8.0, 8.0, _NODES)
        weight = np.exp(-0.5 * nodes**2)
        weight /= weight.sum()
        for result in self.results:
            if result.estimate is None or result.se is None:
                continue
            below = float(weight @ special.ndtr((result.estimate - self.value(nodes)) / result.se))
            chance = 2 * min(below, 1 - below)
            if chance < _SURPRISING:
                return (
                    f"The result {result.estimate:g} for `{self.unknown.name}` had a chance of {max(chance, 0):.2%} under "
                    f"its prior `{self.unknown.written}`: the prior or the measuring is wrong."
                )
        return ""


def _log_binomial(share: Array, successes: int, trials: int) -> Array:
    inside = (share >= 0) & (share <= 1)
    clipped = np.clip(share, 0.0, 1.0)
    log = special.xlogy(successes, clipped) + special.xlog1py(trials - successes, -clipped)
    return np.where(inside, log, -np.inf)


def _joint(within: Array, likelihoods: Sequence[_Likelihood]) -> tuple[Array, Array]:
    """Return mean and covariance of correlated measured scores, by expectation propagation."""
    size = len(likelihoods)
    centre, covariance = np.zeros(size), within.copy()
    if size < 2 or np.count_nonzero(within) == size:
        return centre, covariance
    precise, shift = np.zeros(size), np.zeros(size)
    inverse = np.linalg.inv(within)
    for _ in range(12):
        for at, likelihood in enumerate(likelihoods):
            around = 1 / covariance[at, at] - precise[at]
            mean = (centre[at] / covariance[at, at] - shift[at]) / around
            found, variance = likelihood.moments(mean, around**-0.5)
            precise[at] = max(1 / variance - around, 1e-9)
            shift[at] = found / variance - mean * around
            covariance = np.linalg.inv(inverse + np.diag(precise))
            centre = covariance @ shift
    return centre, covariance
