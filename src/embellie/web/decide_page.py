"""The page of step 5: act now, or learn more first?"""

from typing import Any

from embellie.app.pictures.doubt_plot import burn_down as doubt_to_come
from embellie.app.pictures.knowing_plots import curves, tornado
from embellie.app.pictures.plan_tree import plan_tree
from embellie.app.pictures.stress_plots import stress
from embellie.app.pictures.study_plots import flat_top, stopping
from embellie.domain.evidence import Evidence
from embellie.domain.question import Question
from embellie.domain.unavailable import Unavailable
from embellie.domain.verdict import Verdict
from embellie.web.front_page import answer, burn_down, facts, of_verdict
from embellie.web.money_pictures import (
    ask_of,
    net_benefit_picture,
    studies_picture,
    worth_at_most,
    worth_of_knowing_picture,
    worth_text,
)
from embellie.web.picture import drawn
from embellie.web.verdict_pictures import Maker, drawings, exhibits, pictures, plan_in_words
from embellie.web.view import View, iso, quantity_text

SHARED: tuple[Maker, ...] = (
    plan_tree,
    curves,
    flat_top,
    stopping,
    tornado,
    stress,
    lambda verdict, voice: doubt_to_come(verdict, (), voice),
)
"""What this page draws as the mailed report does."""


def decide_page(view: View) -> dict[str, Any]:
    """The verdict, what it rests on, and what would change it."""
    verdict, words = view.verdict(), view.words
    shared = exhibits(view, verdict, SHARED)
    return {
        "answer": answer(view, verdict),
        "plan": plan_in_words(view, verdict),
        "facts": facts(view, verdict)[:3],
        "changes": would_change(view, verdict),
        "evidence": evidence_rows(view),
        "figures": {
            "net_benefit": drawn(words("net_benefit.short"), of_verdict(view, verdict, net_benefit_picture)),
            "worth": drawn(words("worth.title"), of_verdict(view, verdict, worth_of_knowing_picture)),
            "studies": drawn(words("studies.title"), of_verdict(view, verdict, studies_picture)),
            "burndown": drawn(words("burndown.title"), burn_down(view)),
            **pictures(shared),
        },
        "drawings": drawings(shared),
    }


def would_change(view: View, verdict: Verdict | Unavailable) -> list[str]:
    """What could still overturn the verdict, in sentences, dearest first."""
    if isinstance(verdict, Unavailable):
        return []
    words = view.words
    best = next(value for value in verdict.scenarios if value.scenario == verdict.best)
    said = [
        words("change.unknown", ask=ask_of(view, unknown), worth=worth_at_most(view, verdict, unknown.evppi.value))
        for unknown in verdict.unknowns
        if unknown.open
    ]
    rivals = sorted((each for each in verdict.scenarios if each is not best), key=lambda each: -each.p_best)
    if rivals and rivals[0].p_best >= 0.01:
        rival = rivals[0]
        said.append(words("change.rival", rival=view.scenario(rival.scenario), p=words.chance(rival.p_best)))
    said.append(
        words("change.regret", best=view.the(best.scenario), loss=worth_text(view, verdict, best.expected_loss))
    )
    return said


def evidence_rows(view: View) -> list[dict[str, str]]:
    """What studies have found so far, newest first."""
    found = view.ask(view.newsroom.evidence)
    question = view.question()
    if isinstance(found, Unavailable) or isinstance(question, Unavailable):
        return []
    newest_first = sorted(found, key=lambda each: each.at.timestamp() if each.at else 0.0, reverse=True)
    return [_evidence_row(view, question, evidence) for evidence in newest_first[:30]]


def _evidence_row(view: View, question: Question, evidence: Evidence) -> dict[str, str]:
    words, unknown = view.words, question.unknowns.get(evidence.measures)
    if evidence.signal:
        result = evidence.signal
    elif evidence.estimate is not None and evidence.se is not None:
        result = words(
            "evidence.estimate",
            estimate=quantity_text(words, unknown, evidence.estimate),
            se=quantity_text(words, unknown, evidence.se),
        )
    else:
        result = words(
            "evidence.trials",
            successes=words.number(evidence.successes or 0),
            trials=words.number(evidence.trials or 0),
        )
    return {
        "measures": (unknown.ask if unknown else "") or words.named("unknown", evidence.measures),
        "result": result,
        "source": evidence.source or evidence.study or "–",
        "at": words.moment(evidence.at) if evidence.at else "–",
        "iso": iso(evidence.at) if evidence.at else "",
    }
