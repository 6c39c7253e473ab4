"""Likelihood: how well values explain what a study found, and how likely such a finding was beforehand.

A result is normal around what the study shows, or a count of what it shows as a share, or one of its signals. Its bias is an
error that no number of units takes away: b ~ N(0, bias²), so that a normal result has the variance se² + bias².
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from embellie.domain.errors import InputError, unknown_name
from embellie.domain.evidence import Evidence
from embellie.domain.question import Question

Array = npt.NDArray[np.float64]

SURPRISING = 0.01
"""The chance, before, of a result as far out, below which prior and result are said to be in conflict."""

_MOST_BIAS_NODES = 401


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One study's result: what it `measures`, the unknown it is transferred by, its bias, and its signal's chances.

    `chances` are those of the signal found, under each value of a discrete unknown, `values`.
    """

    evidence: Evidence
    transfer: str = ""
    bias: float = 0.0
    values: tuple[float, ...] = ()
    chances: tuple[float, ...] = ()

    @property
    def spread(self) -> float:
        """The standard deviation of a normal result around what the study shows, bias included."""
        return float(np.hypot(self.evidence.se or 0.0, self.bias))

    def told(self) -> str:
        """Say what was found."""
        found = self.evidence
        if found.signal:
            return f"signal `{found.signal}`"
        if found.estimate is not None:
            return f"result {found.estimate:g}"
        return f"result {found.successes} of {found.trials}"


def results_of(question: Question, evidence: Sequence[Evidence]) -> list[Result]:
    """Read evidence with what the question says of the studies it comes from.

    Args:
        question: Its studies tell bias, transfer and the chances of signals.
        evidence: Of several lines of one `study` about one subject, the last counts.

    Raises:
        UnknownName: Evidence about what does not exist, or with a signal that its study does not give.
    """
    latest: dict[tuple[str, str], Evidence] = {}
    subjects = {*question.unknowns, *question.formulas, *(study.measures for study in question.studies.values())}
    for number, result in enumerate(evidence):
        if result.measures not in subjects:
            raise unknown_name("name", result.measures, subjects, at=f"evidence {number + 1}")
        latest[result.measures, result.study or f"#{number}"] = result
    return [_result(question, one) for one in latest.values()]


def _result(question: Question, found: Evidence) -> Result:
    study = question.studies.get(found.study)
    if study is not None and study.measures != found.measures:
        study = None
    if found.signal:
        signals: Mapping[str, tuple[float, ...]] = study.signals if study else {}
        if found.signal not in signals:
            raise unknown_name("signal", found.signal, signals, at=f"evidence about {found.measures}")
        parameters = question.unknowns[found.measures].prior.parameters
        return Result(evidence=found, values=parameters[: len(parameters) // 2], chances=signals[found.signal])
    return Result(evidence=found, transfer=study.transfer if study else "", bias=study.bias if study else 0.0)


def log_likelihood(shown: Array, result: Result) -> Array:
    """Return the log-likelihood of a result (up to a constant) where the study shows so much.

    >>> found = Result(evidence=Evidence(measures="x", estimate=1.0, se=0.3), bias=0.4)
    >>> [abs(round(float(x), 6)) for x in log_likelihood(np.array([1.0, 1.5]), found)]
    [0.0, 0.5]
    """
    found = result.evidence
    if found.signal:
        chances = np.zeros_like(shown)
        for value, chance in zip(result.values, result.chances, strict=True):
            chances[np.isclose(shown, value)] = chance
        with np.errstate(divide="ignore"):
            return np.log(chances)
    if found.estimate is not None:
        with np.errstate(over="ignore", invalid="ignore"):
            far = (shown - found.estimate) / result.spread
            return np.where(np.isfinite(far), -0.5 * far**2, -np.inf)
    return _log_counts(shown, found.successes or 0, found.trials or 0, result.bias)


def _log_counts(shown: Array, successes: int, trials: int, bias: float) -> Array:
    if not bias:
        return _log_binomial(shown, successes, trials)
    share = (successes + 0.5) / (trials + 1.0)
    narrow = min(bias, float(np.sqrt(share * (1 - share) / trials)))
    nodes = np.linspace(-5.0, 5.0, min(2 * int(np.ceil(10.0 * bias / narrow)) + 1, _MOST_BIAS_NODES))
    weights = np.exp(-0.5 * nodes**2)
    total = np.full_like(shown, -np.inf)
    for node, weight in zip(nodes, weights / weights.sum(), strict=True):
        total = np.logaddexp(total, np.log(weight) + _log_binomial(shown + bias * node, successes, trials))
    return total


def _log_binomial(share: Array, successes: int, trials: int) -> Array:
    inside = (share >= 0) & (share <= 1)
    clipped = np.clip(np.where(inside, share, 0.5), 0.0, 1.0)
    log = special.xlogy(successes, clipped) + special.xlog1py(trials - successes, -clipped)
    return np.where(inside, log, -np.inf)


def chance_as_far(shown: Array, weights: Array, result: Result) -> float:
    """Return the chance, beforehand, of a result as far out as this one, on either side.

    Formula: 2 min(P(Y ≤ y), P(Y ≥ y)) under the prior predictive law of Y (Box 1980, J. R. Stat. Soc. A 143:383-430); of
    a signal, its own chance.

    Args:
        shown: What the study may show: nodes or draws of what was believed before.
        weights: Their probabilities.
        result: What it found.

    >>> found = Result(evidence=Evidence(measures="x", estimate=3.0, se=1.0))
    >>> round(chance_as_far(np.array([0.0]), np.array([1.0]), found), 4)
    0.0027
    """
    found = result.evidence
    if found.signal:
        return float(weights @ np.exp(log_likelihood(shown, result)))
    if found.estimate is not None:
        far = (found.estimate - shown) / result.spread
        below, above = special.ndtr(far), special.ndtr(-far)
    else:
        successes, trials = found.successes or 0, found.trials or 0
        share = np.clip(shown, 0.0, 1.0)
        if result.bias:
            spread = np.hypot(result.bias, np.sqrt(share * (1 - share) / trials))
            low, high = ((successes + half) / trials for half in (0.5, -0.5))
            below, above = special.ndtr((low - share) / spread), special.ndtr((share - high) / spread)
        else:
            below = special.bdtr(successes, trials, share)
            above = 1 - special.bdtr(successes - 1, trials, share) if successes else np.ones_like(share)
    return float(min(1.0, 2 * min(weights @ below, weights @ above)))


def surprise(shown: Array, weights: Array, result: Result, *, prior: str) -> str:
    """Say so when what was believed gave such a result, or one further out, a chance below 1 %; else nothing."""
    chance = chance_as_far(shown, weights, result)
    if chance >= SURPRISING:
        return ""
    return (
        f"The {result.told()} for `{result.evidence.measures}` had a chance of {max(chance, 0.0):.2%} under {prior}: "
        "the prior or the measuring is wrong."
    )


def disagreement(results: Sequence[Result]) -> str:
    """Say so when results about one subject contradict one another, though each is a good guess by itself.

    Formula: Cochran's Q = Σ (y_i - ȳ)² / s_i² against χ² with one degree of freedom less than results (Cochran 1954,
    Biometrics 10:101-129), ȳ weighted by 1 / s_i².
    """
    known = [one for one in results if one.evidence.estimate is not None and not one.transfer]
    if len(known) < 2:
        return ""
    estimates = np.array([one.evidence.estimate for one in known], dtype=float)
    weights = np.array([one.spread**-2 for one in known])
    excess = float(weights @ (estimates - weights @ estimates / weights.sum()) ** 2)
    chance = float(special.chdtrc(len(known) - 1, excess))
    if chance >= SURPRISING:
        return ""
    told = ", ".join(f"{one.evidence.estimate:g} ± {one.spread:.2g}" for one in known)
    return (
        f"The results for `{known[0].evidence.measures}` contradict one another ({told}; a chance of {chance:.2%}): one of "
        "the studies measures something else, or is surer than it should be."
    )


def impossible(measures: str, written: str) -> InputError:
    """Return the error that evidence cannot be, given what was believed."""
    return InputError(
        f"The evidence about `{measures}` is impossible under {written}.",
        hint="Widen the prior, or check the evidence.",
    )
