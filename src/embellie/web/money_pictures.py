"""Pictures in money: what each scenario is worth, what knowing more is worth, and how doubt shrinks."""

import re
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from embellie.domain.money import least_told, least_worth_told, told_as
from embellie.domain.unavailable import Unavailable
from embellie.domain.verdict import ScenarioValue, Spread, StudyValue, UnknownValue, Verdict
from embellie.web.phrases import MESSAGES
from embellie.web.picture import Picture
from embellie.web.view import View, iso, quantity_text, spread_text

DOTS = 20
"""Each dot of a quantile dot plot is one chance in twenty."""

WORTH_DRAWING = 7
"""How many unknowns are drawn; the table has them all."""


def money_text(view: View, verdict: Verdict, amount: float) -> str:
    """Write an amount; a small one as small."""
    return view.words.money(amount, verdict.currency, least=least_told(verdict.stake))


def money_range_text(view: View, verdict: Verdict, spread: Spread) -> str:
    """Write what nine chances in ten lie in."""
    return view.words.money_range(spread.p05, spread.p95, verdict.currency, least=least_told(verdict.stake))


def worth_text(view: View, verdict: Verdict, amount: float) -> str:
    """Write what learning is worth; one that is nothing beside what is at stake is only said to be small."""
    return view.words.money(amount, verdict.currency, least=least_worth_told(verdict.stake))


def worth_at_most(view: View, verdict: Verdict, amount: float) -> str:
    """Write the most an answer is worth: `at most €8,400`, or `under €100`."""
    worth = worth_text(view, verdict, amount)
    small = told_as(amount, least_worth_told(verdict.stake)) == "under"
    return worth if small else view.words("worth.at_most", amount=worth)


def net_benefit_picture(view: View, verdict: Verdict) -> Picture:
    """Draw what each scenario could bring as twenty equally likely outcomes."""
    words, currency = view.words, verdict.currency
    best = next(value for value in verdict.scenarios if value.scenario == verdict.best)
    rows = [
        {
            "scenario": value.scenario,
            "label": view.scenario(value.scenario),
            "dots": value.dots(DOTS),
            "mean": value.net_benefit.mean,
            "text": money_text(view, verdict, value.net_benefit.mean),
            "certain": value.net_benefit.p05 == value.net_benefit.p95,
        }
        for value in verdict.scenarios
    ]
    return Picture(
        drawing="dots",
        title=words("net_benefit.title", horizon=view.horizon()),
        sentence=_net_benefit_sentence(view, verdict, best),
        note=words("net_benefit.note"),
        columns=tuple(
            words(f"column.{name}") for name in ("scenario", "mean", "range90", "cost", "p_best", "p_loss", "regret")
        ),
        rows=[_scenario_row(view, verdict, value) for value in verdict.scenarios],
        data={
            "currency": currency,
            "best": verdict.best,
            "rows": rows,
            "mean": words("word.mean"),
        },
    )


def _net_benefit_sentence(view: View, verdict: Verdict, best: ScenarioValue) -> str:
    words, spread = view.words, best.net_benefit
    if spread.p05 == spread.p95:
        return words(
            "net_benefit.certain",
            scenario=view.scenario(best.scenario),
            mean=money_text(view, verdict, spread.mean),
            p_best=words.chance(best.p_best),
        )
    return words(
        "net_benefit.sentence",
        scenario=view.scenario(best.scenario),
        mean=money_text(view, verdict, spread.mean),
        range=money_range_text(view, verdict, spread),
        p_best=words.chance(best.p_best),
    )


def _scenario_row(view: View, verdict: Verdict, value: ScenarioValue) -> list[str]:
    words, spread = view.words, value.net_benefit
    return [
        view.scenario(value.scenario),
        money_text(view, verdict, spread.mean),
        money_range_text(view, verdict, spread),
        money_text(view, verdict, value.cost),
        words.chance(value.p_best),
        words.share(value.p_loss),
        money_text(view, verdict, value.expected_loss),
    ]


def burn_down_picture(view: View, history: Sequence[tuple[datetime, Verdict]]) -> Picture | Unavailable:
    """Draw how the price of not knowing fell as evidence came in."""
    words = view.words
    learned = any(_moved(unknown) for unknown in history[-1][1].unknowns)
    if not learned or len({verdict.evpi.value for _, verdict in history}) < 2:
        return view.missing("history")
    first, last = history[0], history[-1]
    currency = last[1].currency
    changes = [after for before, after in pairwise(history) if after[1].verdict != before[1].verdict]
    fall = 1 - last[1].evpi.value / first[1].evpi.value if first[1].evpi.value > 0 else 0.0
    return Picture(
        drawing="burndown",
        title=words("burndown.title"),
        sentence=words(
            "burndown.shrunk" if fall > 0.02 else "burndown.flat",
            first=worth_text(view, first[1], first[1].evpi.value),
            last=worth_text(view, last[1], last[1].evpi.value),
            since=words.moment(first[0]),
            share=words.chance(max(fall, 0.0)),
        ),
        note=words("burndown.note"),
        columns=(words("column.at"), words("column.evpi"), words("column.verdict")),
        rows=[
            [words.moment(at), worth_text(view, verdict, verdict.evpi.value), words(f"action.{verdict.verdict}")]
            for at, verdict in _thinned(history, 24)
        ],
        data={
            "currency": currency,
            "text": worth_text(view, last[1], last[1].evpi.value),
            "points": [
                {"at": iso(at), "evpi": verdict.evpi.value, "error": verdict.evpi.error}
                for at, verdict in _thinned(history, 240)
            ],
            "changes": [
                {"at": iso(at), "evpi": verdict.evpi.value, "label": words(f"action.{verdict.verdict}")}
                for at, verdict in changes[-4:]
            ],
        },
    )


def _moved(unknown: UnknownValue) -> bool:
    """Tell whether evidence moved what is believed; drawing anew moves it by a hair."""
    wide = max(unknown.prior.p95 - unknown.prior.p05, 1e-12)
    ends = ((unknown.prior.p05, unknown.posterior.p05), (unknown.prior.p95, unknown.posterior.p95))
    return any(abs(now - first) > 0.005 * wide for first, now in ends)


def _thinned(history: Sequence[Any], most: int) -> list[Any]:
    if len(history) <= most:
        return list(history)
    return [history[round(index * (len(history) - 1) / (most - 1))] for index in range(most)]


thinned = _thinned
"""Keep at most `most` of a series, evenly, its first and last included."""


def worth_of_knowing_picture(view: View, verdict: Verdict) -> Picture | Unavailable:
    """Draw what knowing each unknown would be worth, dearest first."""
    words, currency = view.words, verdict.currency
    if not verdict.unknowns:
        return view.missing("unknowns")
    top = max(verdict.unknowns, key=lambda unknown: unknown.evppi.value)
    counting = [each for each in verdict.unknowns if each.evppi.value >= least_worth_told(verdict.stake)]
    drawn = verdict.unknowns[: max(3, min(len(counting), WORTH_DRAWING))]
    rest = len(verdict.unknowns) - len(drawn)
    nothing = not any(unknown.open for unknown in verdict.unknowns)
    return Picture(
        drawing="worth",
        title=words("worth.title"),
        sentence=words(
            "worth.nothing" if nothing else "worth.sentence",
            ask=ask_of(view, top),
            worth=worth_at_most(view, verdict, top.evppi.value),
            evpi=worth_at_most(view, verdict, verdict.evpi.value),
        ),
        note=words("worth.note"),
        columns=(words("column.unknown"), words("column.kind"), words("column.evppi"), words("column.open")),
        rows=[
            [
                ask_of(view, unknown),
                words.named("kind", unknown.kind or "none"),
                worth_text(view, verdict, unknown.evppi.value),
                words("word.open" if unknown.open else "word.closed"),
            ]
            for unknown in verdict.unknowns
        ],
        data={
            "currency": currency,
            "rows": [
                {
                    "name": unknown.name,
                    "label": ask_of(view, unknown),
                    "value": unknown.evppi.value,
                    "error": unknown.evppi.error,
                    "open": unknown.open,
                    "text": worth_text(view, verdict, unknown.evppi.value),
                }
                for unknown in drawn
            ],
            "top": max(top.evppi.value + top.evppi.error, 0.2 * verdict.evpi.value, verdict.stake * 1e-3),
            "rest": words("worth.rest", n=words.number(rest)) if rest else "",
        },
    )


def ask_of(view: View, unknown: UnknownValue) -> str:
    """The question an unknown asks, or its name made readable."""
    scenario, _, aspect = unknown.name.partition(".")
    if f"ask.{aspect}" in MESSAGES:
        return view.words(f"ask.{aspect}", the=view.the(scenario))
    asked = unknown.ask or view.words.named("unknown", unknown.name)
    return re.sub(r"`(\w+)`", lambda found: view.the(found[1]), asked)


def ranges_picture(view: View, verdict: Verdict) -> Picture | Unavailable:
    """Draw each unknown's range as believed at first and now; each on its own scale."""
    words, question = view.words, view.question()
    if not verdict.unknowns or isinstance(question, Unavailable):
        return view.missing("unknowns")
    narrowed = [unknown for unknown in verdict.unknowns if shrinkage(unknown) > 0.05]
    narrowest = max(narrowed, key=shrinkage, default=None)
    sentence = words("ranges.none")
    if narrowest is not None:
        spec = question.unknowns.get(narrowest.name)
        sentence = words(
            "ranges.sentence",
            ask=ask_of(view, narrowest),
            prior=spread_text(words, spec, narrowest.prior),
            posterior=spread_text(words, spec, narrowest.posterior),
        )
    return Picture(
        drawing="ranges",
        title=words("ranges.title"),
        sentence=sentence,
        note=words("ranges.note"),
        columns=(words("column.unknown"), words("column.prior"), words("column.posterior"), words("column.middle")),
        rows=[
            [
                ask_of(view, unknown),
                spread_text(words, question.unknowns.get(unknown.name), unknown.prior),
                spread_text(words, question.unknowns.get(unknown.name), unknown.posterior),
                quantity_text(words, question.unknowns.get(unknown.name), unknown.posterior.p50),
            ]
            for unknown in verdict.unknowns
        ],
        data={
            "prior": words("word.prior"),
            "posterior": words("word.posterior"),
            "rows": [
                {
                    "label": ask_of(view, unknown),
                    "prior": _five(unknown.prior),
                    "posterior": _five(unknown.posterior),
                    "text": spread_text(words, question.unknowns.get(unknown.name), unknown.posterior),
                    "changed": shrinkage(unknown) > 0.02,
                }
                for unknown in sorted(verdict.unknowns, key=lambda each: shrinkage(each) <= 0.02)
            ],
        },
    )


def shrinkage(unknown: UnknownValue) -> float:
    """How much narrower the 90 % range is now, as a fraction of the first one."""
    wide = unknown.prior.p95 - unknown.prior.p05
    return 1 - (unknown.posterior.p95 - unknown.posterior.p05) / wide if wide > 0 else 0.0


def _five(spread: Spread) -> dict[str, float]:
    return {"mean": spread.mean, "p05": spread.p05, "p50": spread.p50, "p95": spread.p95}


def studies_picture(view: View, verdict: Verdict) -> Picture | Unavailable:
    """Draw what each study would bring, net of its cost, against how long it runs."""
    words, currency = view.words, verdict.currency
    if not verdict.studies:
        return view.missing("studies")
    top = verdict.studies[0]
    return Picture(
        drawing="studies",
        title=words("studies.title"),
        sentence=words(
            "studies.sentence" if top.enbs.value > 0 else "studies.none",
            study=study_text(view, top),
            enbs=worth_text(view, verdict, top.enbs.value),
            cost=money_text(view, verdict, top.cost),
        ),
        note=words("studies.note"),
        columns=tuple(words(f"column.{name}") for name in ("study", "weeks", "share", "evsi", "cost", "enbs")),
        rows=[
            [
                study_name(view, study),
                words.plain(study.weeks),
                words.share(study.share) if study.share else "–",
                worth_text(view, verdict, study.evsi.value),
                money_text(view, verdict, study.cost),
                worth_text(view, verdict, study.enbs.value),
            ]
            for study in verdict.studies
        ],
        data={
            "currency": currency,
            "weeks": words("column.weeks"),
            "points": [
                {
                    "study": study.name,
                    "label": _series(view, study),
                    "weeks": study.weeks,
                    "enbs": study.enbs.value,
                    "error": study.enbs.error,
                    "best": study is top and top.enbs.value > 0,
                    "text": worth_text(view, verdict, study.enbs.value),
                }
                for study in verdict.studies
            ],
        },
    )


def _series(view: View, study: StudyValue) -> str:
    name = study_name(view, study)
    return f"{name}, {view.words.share(study.share)}" if study.share else name


def study_name(view: View, study: StudyValue) -> str:
    """A study by what it is and the name it has in the question."""
    question = view.question()
    spec = None if isinstance(question, Unavailable) else question.studies.get(study.name)
    if spec is None:
        return study.name
    kind = view.words(f"study.{spec.kind}")
    return kind if study.name == spec.kind else f"{kind} {study.name}"


def study_text(view: View, study: StudyValue) -> str:
    """A design in words: the study, how long, on how many readers."""
    words, name = view.words, study_name(view, study)
    if not study.weeks:
        return name
    key = "studies.design" if study.share else "studies.design_all"
    return words(key, study=name, weeks=words.weeks(study.weeks), share=words.share(study.share))
