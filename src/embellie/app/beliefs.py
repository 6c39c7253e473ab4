"""Beliefs: the ledger of who believed what, when, and how it turned out."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from embellie.app.asking import QUESTION_FILE, is_project, of_project
from embellie.decide.calibrating import calibrate, plain_reading, stretch, winkler
from embellie.decide.likelihood import results_of
from embellie.decide.updating import by_unknown
from embellie.decide.wording import rounded
from embellie.domain.belief import Belief, Calibration, Resolved
from embellie.domain.errors import InputError, QuestionError
from embellie.domain.evidence import Evidence
from embellie.domain.question import Question, QuestionFiled, Unknown, in_percent
from embellie.frame.question_file import parse_question, read_question
from embellie.stats.distributions import spread

KNOWN = 1 / 3
"""An unknown is known once what the evidence alone leaves open is at most this share of the widest range written about it.

With normal results that is when the posterior's sd falls below about a third of the prior's (0.316). The widest range is the
yardstick, not each author's own: else a range too narrow would never be found wrong.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """All entries, oldest first; those whose unknown is known by now; and how each author's ranges have held."""

    question: Question
    beliefs: tuple[Belief, ...]
    resolved: tuple[Resolved, ...]
    calibrations: tuple[Calibration, ...]
    notes: tuple[str, ...] = ()


Version = tuple[datetime | None, Question]
"""The question as it stood, and when the log took it in, if it did."""


def read_ledger(files: Sequence[Path], project: Path | None, evidence: Sequence[Evidence] = ()) -> Ledger:
    """Read the ledger of a project, or of the versions of a question in files, oldest first.

    Args:
        files: Versions of a question, or one project's folder; without any, the project here, or `question.toml` here.
        project: A project's folder.
        evidence: More than the project's log holds.

    Raises:
        InputError: Both are given, or a file is wrong.
    """
    if files and project is not None:
        raise InputError(f"Both files and a project, `{project}`, are given.", hint="Name one of them.")
    folder = project or (files[0] if len(files) == 1 and files[0].is_dir() else None if files else Path())
    if folder is not None and (project is not None or is_project(folder)):
        known = of_project(folder)
        versions, notes = _versions_of(known.versions)
        return ledger_of(
            [*versions, (None, known.question)], [*known.evidence, *evidence], notes=notes, since=known.since
        )
    questions = [read_question(one / QUESTION_FILE if one.is_dir() else one) for one in files or [Path()]]
    return ledger_of([(None, question) for question in questions], evidence)


def _versions_of(events: Iterable[tuple[datetime, QuestionFiled]]) -> tuple[list[Version], list[str]]:
    versions: list[Version] = []
    notes = []
    for at, filed in events:
        try:
            versions.append((at, parse_question(filed.text)))
        except QuestionError as error:
            notes.append(f"The question as filed on {at:%Y-%m-%d} cannot be read any more: {error}")
    return versions, notes


def ledger_of(
    versions: Sequence[Version],
    evidence: Sequence[Evidence],
    *,
    notes: Sequence[str] = (),
    since: Mapping[str, datetime] | None = None,
) -> Ledger:
    """Fold versions of a question into the ledger of beliefs, and judge what evidence has settled.

    Args:
        versions: Oldest first; the last is the question as it stands.
        evidence: What studies found.
        notes: What is to be told with it.
        since: From when on something of an experiment could be seen, by the `source` its evidence names.
    """
    question = versions[-1][1]
    evidence = [one for one in evidence if one.measures in question.unknowns]
    first = _first_results(evidence, since or {})
    beliefs = [replace(belief, late=_is_late(belief, first.get(belief.unknown))) for belief in fold_beliefs(versions)]
    resolved = resolve(beliefs, question, evidence)
    authors = dict.fromkeys(one.belief.author for one in resolved)
    return Ledger(
        question=question,
        beliefs=tuple(beliefs),
        resolved=tuple(resolved),
        calibrations=tuple(
            calibrate(author, [one for one in resolved if one.belief.author == author]) for author in sorted(authors)
        ),
        notes=tuple(notes),
    )


def fold_beliefs(versions: Iterable[Version]) -> list[Belief]:
    """List every range as it was first written, and as it was changed or taken over by another author, in order."""
    found: list[Belief] = []
    last: dict[str, Belief] = {}
    for at, question in versions:
        for unknown in question.unknowns.values():
            if unknown.prior.family == "discrete":
                continue
            belief, before = _belief(unknown, at), last.get(unknown.name)
            if before is None or _held(before) != _held(belief):
                found.append(belief)
                last[unknown.name] = belief
    return found


def _held(belief: Belief) -> tuple[Any, ...]:
    return belief.prior, belief.author, belief.unit, belief.scale


def _belief(unknown: Unknown, at: datetime | None) -> Belief:
    _, low, middle, high = spread(unknown.prior.family, unknown.prior.parameters)
    return Belief(
        unknown=unknown.name,
        written=unknown.written,
        prior=unknown.prior,
        author=unknown.asked,
        on=unknown.on,
        filed=at,
        label=unknown.label,
        unit=unknown.unit,
        scale=unknown.scale,
        p05=low,
        p50=middle,
        p95=high,
    )


def _first_results(evidence: Sequence[Evidence], since: Mapping[str, datetime]) -> dict[str, datetime]:
    first: dict[str, datetime] = {}
    for one in evidence:
        at = since.get(one.source, one.at)
        if at is not None:
            first[one.measures] = min(at, first.get(one.measures, at))
    return first


def _is_late(belief: Belief, first: datetime | None) -> bool:
    """The log's time counts before the date that was written by hand."""
    if first is None:
        return False
    if belief.filed is not None:
        return belief.filed > first
    return belief.on is not None and belief.on > first.date()


def resolve(beliefs: Sequence[Belief], question: Question, evidence: Sequence[Evidence]) -> list[Resolved]:
    """Judge the beliefs about unknowns that evidence has settled; of several by one author, the last before the result."""
    found = []
    for name, results in by_unknown(question, results_of(question, evidence)).items():
        reading = plain_reading(results)
        judged = {
            one.author: one
            for one in beliefs
            if one.unknown == name and not one.late and one.unit == question.unknowns[name].unit
        }
        if reading is None or not judged:
            continue
        now = question.unknowns[name].scale
        widest = max((one.p95 - one.p05) * one.scale for one in judged.values())
        if (reading[2] - reading[0]) * now > KNOWN * widest:
            continue
        for belief in judged.values():
            low, truth, high = (value * now / belief.scale for value in reading)
            found.append(
                Resolved(
                    belief=belief,
                    truth=truth,
                    truth_low=low,
                    truth_high=high,
                    inside=belief.p05 <= truth <= belief.p95,
                    stretch=stretch(belief.prior, truth),
                    winkler=winkler(belief.p05, belief.p95, truth) * belief.scale / widest,
                )
            )
    return found


def value_text(value: float, belief: Belief, language: str) -> str:
    """Write a value as the range is written: a share in percent where it is one there, else in its unit."""
    share = in_percent(belief.written)
    near = rounded(value * 100 if share else value)
    text = f"{near:,.0f}" if abs(near) >= 1000 else f"{near:.4g}"
    if language == "fr":
        text = text.replace(",", "\u202f").replace(".", ",")
    unit = " %" if share else f" {belief.label}" if belief.label else ""
    return text.replace("-", "−") + unit


def beliefs_document(ledger: Ledger) -> dict[str, Any]:
    """Return the ledger as JSON values, `embellie/beliefs/1`."""
    return {
        "schema": "embellie/beliefs/1",
        "question": ledger.question.question,
        "beliefs": [_belief_document(one) for one in ledger.beliefs],
        "resolved": [
            _told(one.belief)
            | {
                "truth": one.truth,
                "truth_low": one.truth_low,
                "truth_high": one.truth_high,
                "inside": one.inside,
                "stretch": one.stretch,
                "winkler": one.winkler,
            }
            for one in ledger.resolved
        ],
        "calibration": [
            {
                "author": one.author,
                "resolved": one.resolved,
                "inside": one.inside,
                "share": one.share,
                "low": one.low,
                "high": one.high,
                "winkler": one.winkler,
                "widen": one.widen,
            }
            for one in ledger.calibrations
        ],
        "notes": list(ledger.notes),
    }


def _told(belief: Belief) -> dict[str, Any]:
    return {"unknown": belief.unknown, "author": belief.author, "on": _iso(belief.on), "written": belief.written}


def _belief_document(belief: Belief) -> Mapping[str, Any]:
    numbers = {"p05": belief.p05, "p50": belief.p50, "p95": belief.p95}
    more = {"filed": _iso(belief.filed), "late": belief.late, "unit": belief.label}
    return _told(belief) | more | {key: value if math.isfinite(value) else None for key, value in numbers.items()}


def _iso(when: date | None) -> str | None:
    return when.isoformat() if when is not None else None
