"""The page of step 1: the question, what we don't know, and what knowing it is worth."""

from typing import Any

from embellie.app.pictures.knowing_plots import curves, kinds, tornado
from embellie.app.pictures.stress_plots import cases
from embellie.domain.question import Question
from embellie.domain.unavailable import Unavailable
from embellie.web.front_page import of_verdict
from embellie.web.money_pictures import net_benefit_picture, ranges_picture, worth_of_knowing_picture
from embellie.web.picture import drawn
from embellie.web.verdict_pictures import Maker, drawings, exhibits, pictures
from embellie.web.view import View

SHARED: tuple[Maker, ...] = (kinds, tornado, curves, cases)
"""What this page draws as the mailed page does."""

ASPECTS = ("value", "benefit", "build", "run", "ready", "ramp", "obsolescence", "rollback", "needs")


def frame_page(view: View) -> dict[str, Any]:
    """The question as written, drawn."""
    verdict, words = view.verdict(), view.words
    shared = exhibits(view, verdict, SHARED)
    return {
        "question": asked(view, view.question()),
        "file": question_text(view),
        "warnings": [] if isinstance(verdict, Unavailable) else list(verdict.warnings),
        "figures": {
            "net_benefit": drawn(words("net_benefit.short"), of_verdict(view, verdict, net_benefit_picture)),
            "worth": drawn(words("worth.title"), of_verdict(view, verdict, worth_of_knowing_picture)),
            "ranges": drawn(words("ranges.title"), of_verdict(view, verdict, ranges_picture)),
            **pictures(shared),
        },
        "drawings": drawings(shared),
    }


def asked(view: View, question: Question | Unavailable) -> dict[str, Any]:
    """The question, its horizon and its scenarios, in words."""
    if isinstance(question, Unavailable):
        return question.document()
    words = view.words
    return {
        "question": question.question,
        "horizon": words("frame.horizon", horizon=words.weeks(question.horizon_weeks)),
        "discount": words("frame.discount", rate=words.share(question.discount)) if question.discount else "",
        "currency": question.currency,
        "scenarios": [
            {
                "scenario": name,
                "label": view.scenario(name),
                "aspects": [
                    {"label": words(f"aspect.{aspect}"), "written": as_written(question, getattr(scenario, aspect))}
                    for aspect in ASPECTS
                    if getattr(scenario, aspect)
                ],
            }
            for name, scenario in question.scenarios.items()
        ],
    }


def as_written(question: Question, formula: str) -> str:
    """A formula; a range that was written in its place instead of the name it was given."""
    unknown = question.unknowns.get(formula)
    return unknown.written if unknown is not None and "." in formula else formula


def question_text(view: View) -> dict[str, Any]:
    """The text of the question's file: the last one in the log, else the file itself."""
    newsroom = view.newsroom
    filed = newsroom.question_history()
    if filed:
        return {"name": newsroom.config.question, "text": filed[-1][1].text}
    try:
        text = (newsroom.folder / newsroom.config.question).read_text(encoding="utf-8")
    except OSError:
        return view.missing("file", file=newsroom.config.question).document()
    return {"name": newsroom.config.question, "text": text}
