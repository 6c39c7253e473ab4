"""The verdict and the question as JSON documents, as CONTRACTS say."""

from typing import Any

import msgspec

from embellie.domain.question import Question
from embellie.domain.unavailable import Unavailable
from embellie.domain.verdict import Figure, Spread, UnknownValue, Verdict
from embellie.stats.distributions import chance_below

WHOLE = ("plan", "tops", "stopping", "prospect", "curves", "tipping", "tornado", "stress", "cases")
"""The parts of a whole answer, under the names of `Verdict`."""


def _figure(figure: Figure) -> dict[str, float]:
    return {"value": figure.value, "error": figure.error}


def _belief(spread_: Spread) -> dict[str, float]:
    return {"mean": spread_.mean, "p05": spread_.p05, "p50": spread_.p50, "p95": spread_.p95}


def verdict_document(verdict: Verdict, *, language: str = "en") -> dict[str, Any]:
    """Return the JSON document `embellie/verdict/1`; `because` in the language asked, both under `reasons`."""
    document: dict[str, Any] = {
        "schema": "embellie/verdict/1",
        "question": verdict.question,
        "currency": verdict.currency,
        "draws": verdict.draws,
        "seed": verdict.seed,
        "scenarios": {
            value.scenario: {
                "net_benefit": {**_belief(value.net_benefit), "error": value.net_benefit.error},
                "cost": {"mean": value.cost},
                "roi": value.roi.document() if isinstance(value.roi, Unavailable) else _belief(value.roi),
                "p_best": value.p_best,
                "p_loss": value.p_loss,
                "expected_loss": value.expected_loss,
                "open_questions": value.open_questions,
                "quantiles": list(value.quantiles),
            }
            for value in verdict.scenarios
        },
        "best": verdict.best,
        "evpi": _figure(verdict.evpi),
        "noise_floor": verdict.noise_floor,
        "unknowns": [
            {
                "name": unknown.name,
                "kind": unknown.kind,
                "ask": unknown.ask,
                "open": unknown.open,
                "prior": _belief(unknown.prior),
                "posterior": _belief(unknown.posterior),
                "evppi": _figure(unknown.evppi),
                "method": unknown.method,
                "lower": _figure(unknown.lower) if unknown.lower else None,
                "floor": unknown.floor,
            }
            for unknown in verdict.unknowns
        ],
        "studies": [
            {
                "name": study.name,
                "weeks": study.weeks,
                "share": study.share,
                "n": study.n,
                "evsi": _figure(study.evsi),
                "cost": study.cost,
                "enbs": _figure(study.enbs),
            }
            for study in verdict.studies
        ],
    }
    if verdict.groups:
        document["groups"] = [{"name": name, "evppi": _figure(figure)} for name, figure in verdict.groups]
    document["next"] = {
        "action": verdict.next.action,
        "scenario": verdict.next.scenario,
        "study": verdict.next.study or None,
        "weeks": verdict.next.weeks or None,
        "share": verdict.next.share or None,
        "release": verdict.next.release or None,
        "because": verdict.next.because[language],
        "reasons": dict(verdict.next.because),
    }
    document["verdict"] = verdict.verdict
    document["warnings"] = list(verdict.warnings)
    return document | _whole(verdict)


def _whole(verdict: Verdict) -> dict[str, Any]:
    """Return what only a whole answer holds, record by record."""
    held = {name: getattr(verdict, name) for name in WHOLE}
    return {name: msgspec.to_builtins(part) for name, part in held.items() if part}


def frame_document(question: Question, verdict: Verdict) -> dict[str, Any]:
    """Return the JSON document `embellie/frame/1`: the question as understood, and each scenario's uncertainty."""
    whole = verdict_document(verdict)
    kept = ("question", "currency", "draws", "seed", "scenarios", "evpi")
    return {
        "schema": "embellie/frame/1",
        **{key: whole[key] for key in kept},
        "horizon_weeks": question.horizon_weeks,
        "discount": question.discount,
        "unknowns": [_understood(question, unknown) for unknown in verdict.unknowns],
        "quantities": dict(question.quantities),
        "formulas": dict(question.formulas),
        "correlations": [
            {"one": one, "other": other, "rho": rho, "of": "normal scores"}
            for (one, other), rho in question.correlations.items()
        ],
        "warnings": whole["warnings"],
        **{name: whole[name] for name in ("tornado", "tipping", "cases") if name in whole},
    }


def _understood(question: Question, found: UnknownValue) -> dict[str, Any]:
    unknown = question.unknowns[found.name]
    return {
        "name": found.name,
        "written": unknown.written,
        "family": unknown.prior.family,
        "parameters": list(unknown.prior.parameters),
        "unit": unknown.label,
        "p_negative": chance_below(unknown.prior.family, unknown.prior.parameters, 0.0),
        **_belief(found.prior),
        "kind": found.kind,
        "ask": found.ask,
        "source": unknown.source,
        "asked": unknown.asked,
        "on": unknown.on.isoformat() if unknown.on else None,
        "open": found.open,
        "evppi": _figure(found.evppi),
    }
