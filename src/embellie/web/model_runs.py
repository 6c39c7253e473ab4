"""Model runs: what trainings of the learned ranker came to, in words: which is current, which were refused, and why."""

from collections.abc import Sequence
from typing import Any

from embellie.app.kept_models import Current, Run
from embellie.app.training_words import TrainingCheck, training_check_name, training_sentence
from embellie.domain.unavailable import Unavailable
from embellie.web.view import View, iso

SHOWN = 5
"""How many runs the page tells of, the newest first."""


def model_runs(view: View) -> dict[str, Any]:
    """The site's current model and its latest runs; nothing but how to train while there is none."""
    found = view.ask(lambda: view.newsroom.models(view.site))
    if isinstance(found, Unavailable):
        return dict(found.document())
    runs, current = found
    if not runs:
        return dict(view.missing("models").document())
    return {
        "current": _current(view, current),
        "runs": [_run(view, run, current) for run in runs[:SHOWN]],
        "more": view.words("models.more", count=len(runs) - SHOWN) if len(runs) > SHOWN else "",
    }


def _current(view: View, current: Current | None) -> dict[str, Any]:
    if current is None:
        return dict(view.missing("current_model").document())
    about, words = current.run.about, view.words
    heuristics = {str(name): float(value) for name, value in dict(about.get("heuristics") or {}).items()}
    told = {"run": current.run.run, "model": current.run.model, "trained_at": iso(current.run.created)}
    told["text"] = words("models.current", at=words.moment(current.run.created))
    if about.get("ndcg") is not None:
        others = words.together(
            [f"{words.named('policy', name)} {words.figure(value)}" for name, value in heuristics.items()]
        )
        told["figures"] = words("models.figures", ndcg=words.figure(float(about["ndcg"])))
        told["beside"] = words("models.beside", others=others) if heuristics else ""
    told["passed_over"] = " ".join(words("models.passed_over", run=run) for run, _ in current.passed_over)
    return told


def _run(view: View, run: Run, current: Current | None) -> dict[str, Any]:
    words = view.words
    refused = [str(name) for name in run.about.get("refused_for", ())]
    checks = [_check(one) for one in run.about.get("checks", ())]
    named = refused or [check.check for check in checks if check.state == "watch"]
    state = "current" if current is not None and current.run.run == run.run else run.state
    return {
        "run": run.run,
        "trained_at": iso(run.created),
        "state": state,
        "at": words.moment(run.created),
        "verdict": words(f"models.state.{state}"),
        "refused_for": refused,
        "because": [one | {"line": _line(view, one)} for one in _because(checks, named, words.language)],
    }


def _line(view: View, one: dict[str, str]) -> str:
    check = one["check"][:1].upper() + one["check"][1:]
    return view.words("models.because", check=check, text=one["text"]) if one["text"] else check


def _check(one: dict[str, Any]) -> TrainingCheck:
    return TrainingCheck(check=one["check"], state=one["state"], code=one["code"], figures=one.get("figures") or {})


def _because(checks: Sequence[TrainingCheck], named: Sequence[str], language: str) -> list[dict[str, str]]:
    """Say what each of some checks found, in the order of their names."""
    said = {
        check.check: training_sentence(check, language)
        for check in checks
        if check.check in named and check.state != "ok"
    }
    return [{"check": training_check_name(name, language), "text": said.get(name, "")} for name in named]
