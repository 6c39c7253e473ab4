"""Updating: from priors and evidence to what is believed now. Priors are never overwritten.

Everything happens on normal scores z: an unknown is Q(z) with Q its prior's quantile function, correlated through z
(a Gaussian copula). Evidence on one unknown reweights the law of its z on a grid, exactly for any prior; the others follow
through their law given z. Where evidence bears on several unknowns that are correlated with one another, each result enters
as the normal factor that matches its moments (expectation propagation, Minka 2001), exact when priors and results are normal;
`Beliefs.mismatch` tells by how much it is not, so that the draws can be mended. Results on formulas move the draws themselves:
see `decide/tempering.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import special

from embellie.decide.likelihood import Result, disagreement, impossible, log_likelihood, results_of, surprise
from embellie.domain.evidence import Evidence
from embellie.domain.question import Question, Unknown
from embellie.stats.distributions import quantile
from embellie.stats.sampling import correlation_matrix

Array = npt.NDArray[np.float64]

_NODES = 1501
TOLD_CHANGE = 0.05
"""From which change on it is told that correlations were mended."""


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

    The measured unknowns come from their own `laws`, or jointly as `centre + root w`; the rest follow linearly. Where that map
    is not the whole story, `particles` is true: the draws were moved, and what holds of the unknowns of the columns `moved` is
    to be read from the draws alone. `mismatch`, where there is one, gives the log of the right law over this map's.
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
    mismatch: Callable[[Array], Array] | None = None
    moved: frozenset[int] = frozenset()

    @property
    def particles(self) -> bool:
        """Whether some unknowns are known by their draws alone, so that `scores` of other draws would not do."""
        return bool(self.moved)

    def scores(self, independent: Array) -> Array:
        """Map independent scores (draws, unknowns) to the unknowns' scores."""
        measured, others = list(self.measured), list(self.others)
        if not measured:
            return independent if _is_identity(self.rest) else np.asarray(independent @ self.rest.T)
        out = np.empty_like(independent)
        joint = self.centre + independent[:, measured] @ self.root.T
        for place, unknown in enumerate(measured):
            if unknown in self.laws:
                joint[:, place] = self.laws[unknown].at(independent[:, unknown])
        out[:, measured] = joint
        if others:
            spread = independent[:, others]
            if not _is_identity(self.rest):
                spread = spread @ self.rest.T
            out[:, others] = spread + joint @ self.slope.T
        return out

    def touched(self, name: str) -> bool:
        """Whether evidence bears on an unknown, itself or through another."""
        at = self.names.index(name)
        return (
            at in self.moved
            or at in self.measured
            or (bool(self.measured) and bool(np.any(self.slope[self.others.index(at)])))
        )

    def marginal(self, name: str, scores: Array, drawn: Array) -> Array:
        """Return the unknown's scores at standard normal ranks; from its draws where it has no law of its own."""
        at = self.names.index(name)
        if at in self.laws and at not in self.moved:
            return self.laws[at].at(scores)
        if not self.touched(name):
            return scores
        ranks = special.ndtri((np.arange(len(drawn)) + 0.5) / len(drawn))
        return np.asarray(np.interp(scores, ranks, np.sort(drawn)), dtype=float)

    def columns(self, names: Sequence[str]) -> tuple[int, ...]:
        """Return which independent scores the scores of some unknowns are made of."""
        wanted = [self.names.index(name) for name in names]
        return tuple(np.flatnonzero(self._mixing()[wanted].any(axis=0)).tolist()) if wanted else ()

    def reached(self, columns: Sequence[int]) -> frozenset[int]:
        """Return the unknowns whose scores are made of some of these independent scores."""
        return frozenset(np.flatnonzero(self._mixing()[:, list(columns)].any(axis=1)).tolist())

    def moving(self, columns: Sequence[int], *, notes: Sequence[str]) -> "Beliefs":
        """Return these beliefs where the draws of some independent scores were moved."""
        return replace(self, moved=self.reached(columns), warnings=(*self.warnings, *notes))

    def _mixing(self) -> npt.NDArray[np.bool_]:
        """Which unknown's score (row) is made of which independent score (column)."""
        mixing = np.zeros((len(self.names), len(self.names)), dtype=bool)
        measured, others = list(self.measured), list(self.others)
        if measured:
            own = self.root != 0
            for place, at in enumerate(measured):
                if at in self.laws:
                    own[place] = False
                    own[place, place] = True
            mixing[np.ix_(measured, measured)] = own
            mixing[np.ix_(others, measured)] = (self.slope != 0).astype(int) @ own.astype(int) > 0
        mixing[np.ix_(others, others)] = self.rest != 0
        return mixing


def _mended(question: Question, names: Sequence[str], matrix: Array) -> str:
    """Say which correlation was changed most so that all go together, and what kind of correlation it is."""
    moved = {
        pair: matrix[names.index(pair[0]), names.index(pair[1])] - rho for pair, rho in question.correlations.items()
    }
    one, other = max(moved, key=lambda pair: abs(moved[pair]))
    rho = question.correlations[one, other]
    return (
        f"The correlations contradict one another: `{one} ~ {other}` was changed from {rho:.2f} to "
        f"{rho + moved[one, other]:.2f}, the nearest that go together. They are correlations of normal scores."
    )


def update(question: Question, evidence: Sequence[Evidence]) -> Beliefs:
    """Work out what is believed after the evidence on single unknowns; results on formulas are left to the draws.

    Args:
        question: Its unknowns hold the priors, its correlations tie them, its studies tell their bias.
        evidence: Results of independent studies; of several lines of one `study` about one unknown the last counts.

    Raises:
        UnknownName: Evidence about an unknown that does not exist.
        InputError: Evidence that the prior holds for impossible.
    """
    names = tuple(question.unknowns)
    results = by_unknown(question, results_of(question, evidence))
    matrix, change = correlation_matrix(names, question.correlations)
    warnings = [_mended(question, names, matrix)] if change > TOLD_CHANGE else []
    measured = tuple(at for at, name in enumerate(names) if name in results)
    others = tuple(at for at in range(len(names)) if at not in measured)
    within = matrix[np.ix_(measured, measured)]
    likelihoods = {at: _Likelihood(question.unknowns[names[at]], results[names[at]]) for at in measured}
    warnings += [note for at in measured for note in likelihoods[at].conflicts()]
    laws = {at: likelihoods[at].law() for place, at in enumerate(measured) if _alone(within, place)}
    centre, joint = _joint(within, [likelihoods[at] for at in measured])
    slope = matrix[np.ix_(others, measured)] @ np.linalg.inv(within) if measured else np.zeros((len(others), 0))
    left = matrix[np.ix_(others, others)] - slope @ matrix[np.ix_(measured, others)]
    root = np.asarray(np.linalg.cholesky(joint), dtype=float) if measured else joint
    return Beliefs(
        names=names,
        measured=measured,
        others=others,
        laws=laws,
        centre=centre,
        root=root,
        slope=slope,
        rest=left if _is_identity(left) else np.asarray(np.linalg.cholesky(left), dtype=float),
        warnings=tuple(warnings),
        mismatch=_mismatch(within, centre, root, [(at, likelihoods[at]) for at in measured], laws),
    )


def _is_identity(matrix: Array) -> bool:
    """Whether nothing is tied: then scores stay as they are, which saves much time with many unknowns."""
    return bool(np.array_equal(matrix, np.eye(len(matrix))))


def by_unknown(question: Question, results: Sequence[Result]) -> dict[str, list[Result]]:
    """Return the results on single unknowns, by unknown."""
    found: dict[str, list[Result]] = {}
    for result in results:
        if result.evidence.measures in question.unknowns and not result.transfer:
            found.setdefault(result.evidence.measures, []).append(result)
    return found


def _alone(within: Array, place: int) -> bool:
    return bool(np.count_nonzero(within[place]) == 1)


class _Likelihood:
    """How well each score of one unknown explains what was found."""

    def __init__(self, unknown: Unknown, results: Sequence[Result]) -> None:
        self.unknown = unknown
        self.results = results

    @property
    def is_normal(self) -> bool:
        """Whether prior and results are all normal, so that matching moments is exact."""
        return self.unknown.prior.family == "normal" and all(
            result.evidence.estimate is not None for result in self.results
        )

    def value(self, scores: Array) -> Array:
        return quantile(self.unknown.prior.family, self.unknown.prior.parameters, scores)

    def log(self, scores: Array) -> Array:
        value = self.value(scores)
        total = np.zeros_like(value)
        for result in self.results:
            total += log_likelihood(value, result)
        return total

    def grid(self, mean: float = 0.0, sd: float = 1.0) -> tuple[Array, Array]:
        """Return nodes that hold all of N(mean, sd²) × likelihood, and that density (unscaled)."""
        low, high = mean - 8.0 * sd, mean + 8.0 * sd
        for _ in range(5):
            nodes = np.linspace(low, high, _NODES)
            log = self.log(nodes) - 0.5 * ((nodes - mean) / sd) ** 2
            top = float(np.max(log))
            if not np.isfinite(top):
                raise impossible(self.unknown.name, f"its prior `{self.unknown.written}`")
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

    def conflicts(self) -> list[str]:
        """Say which results the prior held for all but impossible, and whether they contradict one another."""
        nodes = np.linspace(-8.0, 8.0, _NODES)
        weight = np.exp(-0.5 * nodes**2)
        weight /= weight.sum()
        value, prior = self.value(nodes), f"its prior `{self.unknown.written}`"
        notes = [surprise(value, weight, result, prior=prior) for result in self.results]
        return [note for note in (*notes, disagreement(self.results)) if note]


def _mismatch(
    within: Array, centre: Array, root: Array, likelihoods: Sequence[tuple[int, _Likelihood]], laws: Mapping[int, Law]
) -> Callable[[Array], Array] | None:
    """Return the log of the posterior over what moment matching made of it, as a function of the independent scores."""
    tied = [place for place, (at, _) in enumerate(likelihoods) if at not in laws]
    if all(likelihoods[place][1].is_normal for place in tied):
        return None
    block = np.ix_(tied, tied)
    inverse, own, middle = np.linalg.inv(within[block]), root[block], centre[tied]
    columns = [likelihoods[place][0] for place in tied]

    def log_ratio(independent: Array) -> Array:
        spread = independent[:, columns]
        scores = middle + spread @ own.T
        total = 0.5 * np.sum(spread**2, axis=1) - 0.5 * np.einsum("ij,jk,ik->i", scores, inverse, scores)
        for place, at in enumerate(tied):
            total += likelihoods[at][1].log(scores[:, place])
        return np.asarray(total, dtype=float)

    return log_ratio


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
