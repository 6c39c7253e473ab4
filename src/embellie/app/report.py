"""Report: the answer as one self-contained page that one can mail, read on a phone and print; it loads nothing."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from html import escape
from itertools import groupby

import embellie
from embellie.app.answers.drawn import cost_benefit_cloud
from embellie.app.deciding import decide
from embellie.app.pictures.gallery import Exhibit, Known, Voice, decide_pictures, frame_pictures
from embellie.app.project import template
from embellie.domain.evidence import Evidence
from embellie.domain.question import Question
from embellie.domain.verdict import ScenarioValue, Verdict

_DOTS = 20
_MOST_DESIGNS = 10
_MOST_KNOWN = 8
_WEEKS_PER_MONTH = 4.348
_ASPECTS = ("value", "benefit", "build", "run", "ready", "ramp", "obsolescence", "rollback", "needs")


def report_page(
    question: Question, verdict: Verdict, *, evidence: Sequence[Evidence] = (), language: str = "en"
) -> str:
    """Return the verdict as a whole HTML page; it loads nothing from anywhere and runs no script."""
    return _page(question, report_body(question, verdict, evidence=evidence, language=language), language)


def frame_page(question: Question, verdict: Verdict, *, evidence: Sequence[Evidence] = (), language: str = "en") -> str:
    """Return the question, how uncertain its scenarios are and what that hangs on, as a whole HTML page."""
    voice = Voice(language, question, stake=verdict.stake)
    quantiles, points = _drawn(question, verdict, evidence)
    exhibits = frame_pictures(question, verdict, language=language, quantiles=quantiles, points=points)
    body = [
        (
            f'<header><p class="eyebrow">{_said(voice("report.frame_kind"))}</p><h1>{_said(question.question)}</h1>'
            f'<p class="quiet">{_horizon(voice)}</p>{_facts(verdict, voice)}</header>'
        ),
        *_figures(exhibits, voice),
        _unknowns(verdict, voice),
        _scenarios(voice),
        _evidence(evidence, voice),
        _warnings(verdict, voice),
        _how(verdict, voice),
    ]
    return _page(question, "".join(body), language)


def report_body(
    question: Question,
    verdict: Verdict,
    *,
    evidence: Sequence[Evidence] = (),
    language: str = "en",
    compact: bool = False,
) -> str:
    """Return the report's content, for a page or for a notebook; `compact` leaves out all but verdict, plan and pictures."""
    voice = Voice(language, question, stake=verdict.stake)
    quantiles, points = _drawn(question, verdict, evidence)
    exhibits = decide_pictures(
        question,
        verdict,
        language=language,
        quantiles=quantiles,
        points=None if compact else points,
        history=evpi_history(question, verdict, evidence=evidence, language=language),
    )
    plan = [exhibit for exhibit in exhibits if exhibit.key == "plan"]
    rest = [exhibit for exhibit in exhibits if exhibit.key != "plan"]
    body = [
        (
            f'<header><p class="eyebrow">{_said(question.question)}</p>'
            f"<h1>{_said(headline(verdict, voice))}</h1>"
            f'<p class="because">{_ticked(voice.said(because(verdict, language)))}</p>{_facts(verdict, voice)}</header>'
        ),
        _plan(verdict, plan, voice),
        *_figures(rest[: 4 if compact else None], voice),
    ]
    if not compact:
        body += [
            _studies(verdict, voice),
            _evidence(evidence, voice),
            _warnings(verdict, voice),
            _how(verdict, voice),
        ]
    return "".join(body)


def evpi_history(
    question: Question, verdict: Verdict, *, evidence: Sequence[Evidence] = (), language: str = "en"
) -> list[Known]:
    """Return the price of not knowing as evidence came in, study by study, the oldest first and today's last."""
    voice = Voice(language, question, stake=verdict.stake)
    dated = sorted(evidence, key=lambda each: each.at.timestamp() if each.at else 0.0)
    steps = [list(group) for _, group in groupby(dated, key=lambda each: each.study or each.source or each.measures)]
    if not steps or len(steps) > _MOST_KNOWN:
        return [Known(label=voice("word.today"), evpi=verdict.evpi.value)]
    found, known = [], list[Evidence]()
    for step in [[], *steps]:
        known += step
        label = (step[-1].study or step[-1].source or step[-1].measures) if step else voice("stress.base")
        last = len(known) == len(dated)
        price = verdict if last else decide(question, evidence=known, draws=verdict.draws, seed=verdict.seed)
        found.append(Known(label=label, evpi=price.evpi.value))
    return found


def embedded(body: str, language: str) -> str:
    """Wrap a report's content with its style, for a notebook."""
    return f'<style>{_style()}</style><div class="embellie" lang="{language}">{body}</div>'


@cache
def _style() -> str:
    """Return the style sheet, without what only its readers need."""
    text = re.sub(r"/\*.*?\*/\s*", "", template("report.css"), flags=re.DOTALL)
    return re.sub(r"\s*([{};])\s*", r"\1", text)


def _drawn(
    question: Question, verdict: Verdict, evidence: Sequence[Evidence]
) -> tuple[dict[str, list[float]], dict[str, list[tuple[float, float]]]]:
    draws, seed = verdict.draws, verdict.seed
    quantiles = {value.scenario: value.dots(_DOTS) for value in verdict.scenarios}
    return quantiles, cost_benefit_cloud(question, evidence=evidence, draws=draws, seed=seed)


def _page(question: Question, body: str, language: str) -> str:
    return (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark">'
        f"<title>{escape(question.question)}</title><style>{_style()}</style></head>"
        f'<body class="embellie"><main>{body}</main></body></html>\n'
    )


def _said(text: str) -> str:
    """Escape a text; a minus stays with its amount."""
    return escape(text, quote=False).replace("−", "−\u2060")


def _ticked(text: str) -> str:
    """Escape a text, and set what stands between backticks as code.

    >>> _ticked("Run `a < b`.")
    'Run <code>a &lt; b</code>.'
    """
    parts = _said(text).split("`")
    return "".join(
        f"<code>{part}</code>" if place % 2 and place + 1 < len(parts) else part for place, part in enumerate(parts)
    )


def headline(verdict: Verdict, voice: Voice) -> str:
    """Return what to do, in a few words."""
    return voice(f"report.{verdict.verdict}", the=voice.the(verdict.next.scenario or verdict.best))


def because(verdict: Verdict, language: str) -> str:
    """Return why, without the first words when they only announce it: the headline has said them."""
    text = verdict.next.because[language]
    head, colon, rest = text.partition(":")
    if not colon or len(head) > 40 or "." in head:
        return text
    rest = rest.strip()
    return f"{rest[0].upper()}{rest[1:]}" if rest else text


def _horizon(voice: Voice) -> str:
    weeks = voice.question.horizon_weeks
    months = round(weeks / _WEEKS_PER_MONTH)
    span = voice("report.horizon_months", n=months) if weeks >= 13 else voice.weeks(weeks)
    said = voice("report.horizon", horizon=span)
    said = f"{said[0].upper()}{said[1:]}"
    rate = voice.question.discount
    return f"{said}, {voice('report.discount', rate=voice.percent(rate))}" if rate else said


def _facts(verdict: Verdict, voice: Voice) -> str:
    best = _value(verdict, verdict.best)
    spread = best.net_benefit
    rows = [
        (voice("fact.best"), voice.scenario(best.scenario), voice("fact.best_note", p=voice.percent(best.p_best))),
        (
            voice("fact.mean"),
            voice.money(spread.mean),
            voice("fact.mean_note", low=voice.money_end(spread.p05), high=voice.money_end(spread.p95)),
        ),
        (voice("fact.evpi"), voice.worth(verdict.evpi.value), voice("fact.evpi_note")),
        (voice("fact.open"), str(sum(unknown.open for unknown in verdict.unknowns)), voice("fact.open_note")),
    ]
    cells = "".join(
        f"<div><dt>{_said(label)}</dt><dd><b>{_said(value)}</b> <span>{_said(note)}</span></dd></div>"
        for label, value, note in rows
    )
    return f'<dl class="facts">{cells}</dl>'


def _value(verdict: Verdict, name: str) -> ScenarioValue:
    return next(value for value in verdict.scenarios if value.scenario == name)


def _section(title: str, content: str) -> str:
    return f"<section><h2>{_said(title)}</h2>{content}</section>" if content else ""


def _plan(verdict: Verdict, plan: Sequence[Exhibit], voice: Voice) -> str:
    if verdict.plan is None:
        return ""
    said = verdict.plan.words.get(voice.language) or verdict.plan.words.get("en", ())
    words = "".join(f"<p>{_ticked(voice.said(text))}</p>" for text in said)
    drawn = "".join(_figure(exhibit, voice, heading="") for exhibit in plan)
    rivals = [
        [
            voice.design(rival.study, weeks=rival.weeks, share=rival.share)
            if rival.study
            else voice("report.rival_none"),
            voice.scenario(rival.live),
            voice.signed(rival.gain.value),
        ]
        for rival in verdict.plan.rivals[:5]
    ]
    columns = (voice("report.rivals"), voice("report.rival"), voice("report.rival_gain"))
    return _section(voice("report.plan"), words + drawn + (_table(columns, rivals) if rivals else ""))


def _figures(exhibits: Sequence[Exhibit], voice: Voice) -> list[str]:
    return [_figure(exhibit, voice, heading=exhibit.title) for exhibit in exhibits]


def _figure(exhibit: Exhibit, voice: Voice, *, heading: str) -> str:
    title = f"<h2>{_said(heading)}</h2>" if heading else ""
    note = f'<p class="note">{_said(exhibit.note)}</p>' if exhibit.note else ""
    table = _table(exhibit.columns, exhibit.rows)
    return (
        f'<figure id="{exhibit.key}">{title}<figcaption>{_said(exhibit.sentence)}</figcaption>{exhibit.pair()}{note}'
        f"<details><summary>{_said(voice('report.figures'))}</summary>{table}</details></figure>"
    )


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, words: bool = False) -> str:
    head = "".join(f'<th scope="col">{_said(column)}</th>' for column in columns)
    body = "".join(
        f'<tr><th scope="row">{_ticked(row[0])}</th>{"".join(f"<td>{_ticked(cell)}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    kind = ' class="words"' if words else ""
    return f'<div class="scroll"><table{kind}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _studies(verdict: Verdict, voice: Voice) -> str:
    if not verdict.studies:
        return ""
    columns = tuple(voice(f"column.{name}") for name in ("study", "cost", "enbs"))
    rows = [
        [
            voice.design(study.name, weeks=study.weeks, share=study.share, n=study.n),
            voice.money(study.cost),
            voice.worth(study.enbs.value),
        ]
        for study in verdict.studies[:_MOST_DESIGNS]
    ]
    rest = len(verdict.studies) - _MOST_DESIGNS
    more = f'<p class="note">{_said(voice("report.studies_more", n=rest))}</p>' if rest > 0 else ""
    return _section(voice("report.studies"), _table(columns, rows) + more)


def _unknowns(verdict: Verdict, voice: Voice) -> str:
    rows = []
    for unknown in verdict.unknowns:
        known = voice.question.unknowns.get(unknown.name)
        now = voice("range", low=voice.quantity(unknown.name, unknown.posterior.p05, unit=False), high=voice.quantity(unknown.name, unknown.posterior.p95))  # fmt: skip
        rows.append(
            [voice.ask(unknown.name), known.written if known else "", now, voice(f"kind.{unknown.kind or 'none'}")]
        )
    columns = (voice("column.unknown"), voice("report.ranges"), voice("report.posterior"), voice("column.kind"))
    return _section(voice("report.unknowns"), _table(columns, rows, words=True) if rows else "")


def _scenarios(voice: Voice) -> str:
    parts = []
    for name, scenario in voice.question.scenarios.items():
        written = [
            (voice(f"aspect.{aspect}"), _as_written(voice.question, getattr(scenario, aspect)))
            for aspect in _ASPECTS
            if getattr(scenario, aspect)
        ]
        cells = "".join(f"<dt>{_said(label)}</dt><dd><code>{_said(text)}</code></dd>" for label, text in written)
        parts.append(f'<h3>{_said(voice.scenario(name))}</h3><dl class="written">{cells}</dl>')
    return _section(voice("report.scenarios"), "".join(parts))


def _as_written(question: Question, formula: str) -> str:
    """Return a formula; a range that was written in its place instead of the name it was given."""
    unknown = question.unknowns.get(formula)
    return unknown.written if unknown is not None and "." in formula else formula


def _evidence(evidence: Sequence[Evidence], voice: Voice) -> str:
    title = voice("report.evidence")
    if not evidence:
        return _section(title, f"<p>{_said(voice('report.no_evidence'))}</p>")
    newest = sorted(evidence, key=lambda each: each.at.timestamp() if each.at else 0.0, reverse=True)
    rows = [
        [
            voice.ask(each.measures),
            _result(each, voice),
            _source(each, voice),
            f"{each.at:%Y-%m-%d}" if each.at else "–",
        ]
        for each in newest[:30]
    ]
    columns = tuple(voice(f"column.{name}") for name in ("unknown", "result", "source", "at"))
    return _section(title, _table(columns, rows, words=True))


def _result(each: Evidence, voice: Voice) -> str:
    if each.estimate is not None and each.se is not None:
        estimate, se = voice.quantity(each.measures, each.estimate), voice.quantity(each.measures, each.se, unit=False)
        return voice("report.estimate", estimate=estimate, se=se)
    return voice("report.trials", successes=voice.count(each.successes or 0), trials=voice.count(each.trials or 0))


def _source(each: Evidence, voice: Voice) -> str:
    return each.source or (voice.study(each.study) if each.study else "–")


def _warnings(verdict: Verdict, voice: Voice) -> str:
    items = "".join(f"<li>{_ticked(voice.typeset(warning))}</li>" for warning in verdict.warnings)
    return _section(voice("report.warnings"), f"<ul>{items}</ul>" if items else "")


def _how(verdict: Verdict, voice: Voice) -> str:
    best = _value(verdict, verdict.best)
    said: list[tuple[str, Mapping[str, object]]] = [
        ("report.draws", {"version": embellie.__version__, "draws": voice.count(verdict.draws), "seed": verdict.seed}),
        (
            "report.errors",
            {
                "mean": voice.money(best.net_benefit.error),
                "best": voice.the(best.scenario),
                "evpi": voice.money(verdict.evpi.error),
                "floor": voice.money(verdict.noise_floor),
            },
        ),
        ("report.errors_are", {}),
        ("report.words", {}),
    ]
    speak: Callable[..., str] = voice
    text = "".join(f"<p>{_said(speak(key, **values))}</p>" for key, values in said)
    return f'<section class="how"><h2>{_said(voice("report.how"))}</h2>{text}</section>'
