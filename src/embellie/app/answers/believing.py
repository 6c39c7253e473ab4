"""Believing: from priors and all the evidence to draws of the unknowns, results on formulas included."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from embellie.decide.likelihood import Result, disagreement, impossible, log_likelihood, results_of, surprise
from embellie.decide.tempering import LEAST, Tempered, temper
from embellie.decide.updating import Array, Beliefs, update
from embellie.domain.errors import InputError
from embellie.domain.evidence import Evidence
from embellie.domain.question import Question
from embellie.frame.formulas import Formula
from embellie.frame.valuing import HORIZON, Model, question_texts
from embellie.stats.distributions import quantile

_PRIOR_DRAWS = 4096

_SLOW = ("beta", "t")
"""Families whose quantiles take long: where draws are moved they are read from a table, to a millionth."""

_TABLE = np.linspace(-9.0, 9.0, 12_001)


def believe(
    question: Question, evidence: Sequence[Evidence], *, model: Model, independent: Array, seed: int
) -> tuple[Beliefs, Array]:
    """Work out what is believed now, and the unknowns' scores in each draw.

    What results on single unknowns leave is exact. Results on formulas, and on several correlated unknowns whose priors are
    not normal, then move those columns of the draws that they bear on; all others stay as they were.

    Args:
        question: The priors, and what the studies are like.
        evidence: What they found.
        model: The question, compiled.
        independent: Standard normal scores (draws, unknowns), scramble after scramble.
        seed: For what is moved at random.

    Raises:
        UnknownName: Evidence about what does not exist.
        InputError: Evidence that is impossible under what was believed.
    """
    beliefs = update(question, evidence)
    shown = [
        Shown(question, model, result)
        for result in results_of(question, evidence)
        if result.transfer or result.evidence.measures not in question.unknowns
    ]
    if not shown and beliefs.mismatch is None:
        return beliefs, beliefs.scores(independent)
    columns = _columns(beliefs, shown)
    if not columns:
        notes = _conflicts(question, shown, independent)
        return beliefs.moving((), notes=notes), beliefs.scores(independent)
    start = np.ascontiguousarray(independent[:, columns])
    found = _tempered(start, _fit(question, beliefs, shown, columns), shown, seed=seed)
    moved = independent.copy()
    moved[:, columns] = found.scores
    if found.unmoved and not shown:
        return beliefs, beliefs.scores(independent)
    notes = [*_conflicts(question, shown, independent), *_told(found, shown, beliefs)]
    return beliefs.moving(columns, notes=notes), beliefs.scores(moved)


def _columns(beliefs: Beliefs, shown: Sequence["Shown"]) -> list[int]:
    names = [name for one in shown for name in one.unknowns]
    if beliefs.mismatch is not None:
        names += [beliefs.names[at] for at in beliefs.measured if at not in beliefs.laws]
    return list(beliefs.columns(list(dict.fromkeys(names))))


def _fit(
    question: Question, beliefs: Beliefs, shown: Sequence["Shown"], columns: Sequence[int]
) -> Callable[[Array], Array]:
    """Return how well values of some columns of the independent scores explain what is still to be taken into account."""
    used = sorted({name for one in shown for name in one.unknowns}, key=beliefs.names.index)
    tables = {
        name: drawn_values(question, {name: _TABLE})[name]
        for name in used
        if question.unknowns[name].prior.family in _SLOW
    }

    def fit(own: Array) -> Array:
        whole = np.zeros((len(own), len(beliefs.names)))
        whole[:, list(columns)] = own
        total = beliefs.mismatch(whole) if beliefs.mismatch is not None else np.zeros(len(own))
        scores = dict(zip(beliefs.names, beliefs.scores(whole).T, strict=True))
        drawn = drawn_values(question, {name: scores[name] for name in used if name not in tables})
        drawn |= {name: np.interp(scores[name], _TABLE, table) for name, table in tables.items()}
        for one in shown:
            total = total + log_likelihood(one.value(drawn), one.result)
        return total

    return fit


def _tempered(start: Array, fit: Callable[[Array], Array], shown: Sequence["Shown"], *, seed: int) -> Tempered:
    try:
        return temper(start, fit, seed=seed)
    except InputError:
        subjects = " and ".join(dict.fromkeys(one.result.evidence.measures for one in shown)) or "these unknowns"
        raise impossible(subjects, "what was believed") from None


def drawn_values(question: Question, scores: Mapping[str, Array]) -> dict[str, Array]:
    """Return the values of unknowns, in the unit they are written in, from their scores."""
    priors = {name: question.unknowns[name].prior for name in scores}
    return {name: quantile(prior.family, prior.parameters, scores[name]) for name, prior in priors.items()}


@dataclass(frozen=True, slots=True, init=False)
class Shown:
    """What a study of a formula, or of an unknown by transfer, shows in each draw.

    Attributes:
        result: What it found.
        unknowns: Those that what it shows depends on.
    """

    result: Result
    unknowns: tuple[str, ...]
    value: Callable[[Mapping[str, Array]], Array]

    def __init__(self, question: Question, model: Model, result: Result) -> None:
        measures, transfer = result.evidence.measures, result.transfer
        formulas = _needed(question, model, [measures, *([transfer] if transfer else [])])
        used = frozenset().union(*(formula.names for formula in formulas.values()), {measures, transfer})
        unknowns = tuple(name for name in question.unknowns if name in used)

        def value(drawn: Mapping[str, Array]) -> Array:
            known: dict[str, Array] = {HORIZON: np.asarray(question.horizon_weeks)}
            known |= {name: np.asarray(drawn[name]) * question.unknowns[name].scale for name in unknowns}
            for name, formula in formulas.items():
                known[name] = np.asarray(formula.value(known), dtype=float)
            size = max((np.size(array) for array in drawn.values()), default=1)
            whole = drawn[measures] if measures in question.unknowns else known[measures]
            with np.errstate(divide="ignore", invalid="ignore"):
                found = whole / known[transfer] if transfer else whole
            return np.broadcast_to(np.where(np.isfinite(found), found, np.inf), (size,))

        for name, given in (("result", result), ("unknowns", unknowns), ("value", value)):
            object.__setattr__(self, name, given)


def _needed(question: Question, model: Model, names: Sequence[str]) -> dict[str, Formula]:
    """Return the formulas that some names need, each after those it needs itself."""
    texts = question_texts(question)
    found: dict[str, Formula] = {}

    def add(name: str) -> None:
        if name in found or name in question.unknowns or name == HORIZON:
            return
        formula, _ = model.expression(texts.get(name, name), f"formulas.{name}", names={})
        for needed in sorted(formula.names):
            add(needed)
        found[name] = formula

    for name in names:
        add(name)
    return found


def _conflicts(question: Question, shown: Sequence[Shown], independent: Array) -> list[str]:
    """Say which results on formulas the priors alone held for all but impossible, and which contradict one another."""
    few = independent[:: max(1, len(independent) // _PRIOR_DRAWS)]
    prior = dict(zip(question.unknowns, update(question, ()).scores(few).T, strict=True))
    weights = np.full(len(few), 1 / len(few))
    notes, by_subject = [], dict[str, list[Result]]()
    for one in shown:
        value = one.value(drawn_values(question, {name: prior[name] for name in one.unknowns}))
        value = np.broadcast_to(value, weights.shape)
        notes.append(surprise(value, weights, one.result, prior="the priors it rests on"))
        by_subject.setdefault(one.result.evidence.measures, []).append(one.result)
    return [note for note in (*notes, *map(disagreement, by_subject.values())) if note]


def _told(found: Tempered, shown: Sequence[Shown], beliefs: Beliefs) -> list[str]:
    """Say which way the evidence was taken into account, and how many of the draws it leaves."""
    names = list(dict.fromkeys(f"`{one.result.evidence.measures}`" for one in shown))
    names = names or [f"`{beliefs.names[at]}`" for at in beliefs.measured if at not in beliefs.laws]
    subject = f"The evidence about {' and '.join(names)}"
    if not found.steps:
        return [f"{subject} was taken into account by weights; {found.kept:.0%} of the draws count."]
    lack = f"left {found.share:.1%} of the draws" if found.share < LEAST else "left few of the draws"
    return [
        f"{subject} {lack}: they were moved to where it points, in {found.steps} steps; {found.kept:.0%} of them count."
    ]
