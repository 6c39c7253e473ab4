"""The page of step 4: what changed because of it?"""

from typing import Any
from urllib.parse import quote, urlencode

from embellie.app.measured_words import (
    answer,
    check_name,
    checks_told,
    effect_sentence,
    guard_state,
    leading_rows,
    role_place,
    state_name,
)
from embellie.app.restating import restated_sentences
from embellie.domain.experiment import Experiment
from embellie.domain.scorecard import Effect, Scorecard, UnavailableEffect
from embellie.domain.unavailable import Unavailable
from embellie.web.effect_pictures import capitalised, intervals_picture, ratio_sentence, readers_picture
from embellie.web.front_page import running_effect
from embellie.web.phrases import set_french
from embellie.web.picture import Picture, drawn
from embellie.web.segment_pictures import money_picture, segments_picture, since_picture, units_picture
from embellie.web.view import View, iso


def measure_page(view: View) -> dict[str, Any]:
    """The scorecard of one experiment: the answer in words, then the pictures it rests on."""
    experiment = view.experiment()
    card: Scorecard | Unavailable = (
        experiment
        if isinstance(experiment, Unavailable)
        else view.ask(lambda: view.newsroom.scorecard(experiment.experiment))
    )
    shown = shown_metric(view, experiment, card)
    return {
        "experiment": described(view, experiment),
        "experiments": [each.experiment for each in view.experiments()],
        "answer": answered(view, card),
        "facts": facts(view, card),
        "sentences": sentences_of(view, card),
        "roles": by_role(view, card),
        "checks": checks_of(view, card),
        "ratio": ratio(view, card),
        "excluded": excluded(view, card),
        "restated": restated(view, card),
        "absent": absent(view, card),
        "metrics": metrics_of(view, card, shown),
        "files": files(view, experiment, shown),
        "figures": _figures(view, experiment, card, shown),
    }


def _figures(
    view: View, experiment: Experiment | Unavailable, card: Scorecard | Unavailable, shown: str
) -> dict[str, Any]:
    words = view.words
    if isinstance(experiment, Unavailable) or isinstance(card, Unavailable):
        gap = experiment if isinstance(experiment, Unavailable) else card
        titles = {"intervals": "intervals.short", "effect": "effect.short", "readers": "readers.title"}
        return {key: drawn(words(title), gap) for key, title in titles.items() if isinstance(gap, Unavailable)}
    variant = next((name for name in card.units if name != card.control), "")
    history = view.ask(lambda: view.newsroom.scorecard_history(experiment.experiment))
    units = history if isinstance(history, Unavailable) else units_picture(view, history)
    found: dict[str, Picture | Unavailable | None] = {
        "effect": running_effect(view, shown),
        "intervals": intervals_picture(view, card),
        "money": money_picture(view, card),
        "since": since_picture(view, card, shown, variant),
        "segments": segments_picture(view, card, shown, variant),
        "readers": readers_picture(view, experiment, card),
        "units": units,
    }
    titles = {
        "effect": "effect.short",
        "intervals": "intervals.short",
        "readers": "readers.title",
        "units": "units.title",
    }
    return {
        key: drawn(words(titles.get(key, f"{key}.title")), picture)
        for key, picture in found.items()
        if picture is not None
    }


def shown_metric(view: View, experiment: Experiment | Unavailable, card: Scorecard | Unavailable) -> str:
    """The metric shown over time: the one asked for, else the primary one."""
    primary = "" if isinstance(experiment, Unavailable) else experiment.primary
    known = [] if isinstance(card, Unavailable) else [row.metric for row in card.effects]
    asked = view.query.get("metric", "")
    return asked if asked in known else primary


def metrics_of(view: View, card: Scorecard | Unavailable, shown: str) -> list[dict[str, Any]]:
    """The metrics one may look at over time."""
    if isinstance(card, Unavailable):
        return []
    rows = [row for row, _ in leading_rows(card.effects) if isinstance(row, Effect)]
    names = list(dict.fromkeys(row.metric for row in rows))
    return [{"metric": name, "label": view.words.named("metric", name), "here": name == shown} for name in names]


def answered(view: View, card: Scorecard | Unavailable) -> dict[str, Any]:
    """The answer for who decides: a headline, what is known, and where to go next."""
    if isinstance(card, Unavailable):
        return card.document()
    words = view.words
    found = answer(card, words.language)
    onward = ("/release", "measured.rollback") if found.standing == "harmed" else None
    if "`" in found.then:  # what to do next is a page here, and a command elsewhere
        onward = ("/decide", "measured.onward")
    told = [*found.said, *([] if onward else [found.then])]
    primary = [row.metric for row, _ in leading_rows(card.effects) if row.role == "primary" and isinstance(row, Effect)]
    metric = words.together([words.named("metric", name) for name in dict.fromkeys(primary)])
    return {
        "standing": found.standing,
        "headline": words(f"measured.{found.standing}", metric=metric),
        "because": " ".join(_named(view, card, each) for each in told if each),
        "onward": {"page": onward[0], "text": words(onward[1])} if onward else None,
    }


def facts(view: View, card: Scorecard | Unavailable) -> list[dict[str, str]]:
    """The few numbers beside the answer: money, readers, guardrails, checks."""
    if isinstance(card, Unavailable):
        return []
    words, found = view.words, []
    rows = [row for row, _ in leading_rows(card.effects) if isinstance(row, Effect)]
    money = next((row.money for row in rows if row.money is not None and row.role == "primary"), None)
    if money is not None and answer(card, words.language).standing != "alarm":
        span = words.money_range(money.low, money.high, money.currency)
        worth = words.money(money.effect, money.currency)
        found.append(_fact(view, "worth", worth, words("fact.worth_note", range=span)))
    total = words.number(sum(card.units.values()))
    planned = words("fact.planned_note", planned=words.number(card.planned)) if card.planned else ""
    found.append(_fact(view, "readers", total, planned))
    guards = [row for row, _ in leading_rows(card.effects) if row.role == "guardrail"]
    if guards:
        held = words.number(sum(guard_state(row) == "holds" for row in guards))
        found.append(_fact(view, "guardrails", words("fact.of", n=held, all=words.number(len(guards))), ""))
    if card.checks:
        fine = words.number(sum(each.state == "fine" for each in card.checks))
        value = words("fact.of", n=fine, all=words.number(len(card.checks)))
        found.append(_fact(view, "checks", value, ""))
    return found


def _fact(view: View, key: str, value: str, note: str) -> dict[str, str]:
    return {"label": view.words(f"fact.{key}"), "value": value, "note": note}


def by_role(view: View, card: Scorecard | Unavailable) -> list[dict[str, Any]]:
    """The sentences under the role of their metrics, the deciding ones first."""
    if isinstance(card, Unavailable):
        return []
    found: dict[int, list[str]] = {}
    for row, beside in leading_rows(card.effects):
        if isinstance(row, Effect):
            said = effect_sentence(row, card.control, view.words.language, unadjusted=beside)
            found.setdefault(role_place(row), []).append(_named(view, card, said))
    return [{"title": view.words(f"roles.{place}"), "said": said} for place, said in found.items()]


def checks_of(view: View, card: Scorecard | Unavailable) -> list[dict[str, str]]:
    """Each check: what it is called, how it stands, and what was found; the split first, in the page's own words."""
    if isinstance(card, Unavailable):
        return []
    language = view.words.language
    found = []
    if not isinstance(card.srm, Unavailable):
        state = "alarm" if card.srm.alarm else "fine"
        found.append(("split", state, ratio_sentence(view, card)))
    found += [
        (check.check, check.state, _named(view, card, said))
        for check, said in checks_told(card, language)
        if check.check != "split"
    ]
    return [
        {
            "check": name,
            "name": capitalised(check_name(name, language)),
            "state": state,
            "state_text": state_name(state, language),
            "said": said,
        }
        for name, state, said in found
    ]


def files(view: View, experiment: Experiment | Unavailable, shown: str) -> list[dict[str, str]]:
    """Where the scorecard can be fetched: as rows, and as JSON."""
    if isinstance(experiment, Unavailable):
        return []
    words, address = view.words, f"/v1/experiments/{quote(experiment.experiment)}"
    return [
        {"href": f"{address}.csv", "text": words("measured.csv")},
        {"href": f"{address}.parquet", "text": words("measured.parquet")},
        {"href": address, "text": words("measured.json")},
        {"href": f"{address}/series?{urlencode({'metric': shown})}", "text": words("measured.series")},
    ]


def described(view: View, experiment: Experiment | Unavailable) -> dict[str, Any]:
    """The experiment's design, in words."""
    if isinstance(experiment, Unavailable):
        return experiment.document()
    words, whole = view.words, sum(variant.weight for variant in experiment.variants)
    started = words.moment(experiment.started_at) if experiment.started_at else "–"
    return {
        "name": experiment.experiment,
        "state": words(f"experiment.{experiment.state}"),
        "running": experiment.state == "running",
        "started_at": iso(experiment.started_at) if experiment.started_at else None,
        "text": words(
            "experiment.text",
            placement=experiment.placement,
            share=words.share(experiment.share),
            variants=words.together(
                [f"{view.scenario(each.name)} ({words.share(each.weight / whole)})" for each in experiment.variants]
            ),
            started=started,
        ),
        "primary": experiment.primary,
    }


def sentences_of(view: View, card: Scorecard | Unavailable) -> list[str]:
    """One sentence per metric that could be computed, by those who measured."""
    return [said for group in by_role(view, card) for said in group["said"]]


def _named(view: View, card: Scorecard, sentence: str) -> str:
    """Say the variants by the words used on every page."""
    for variant in card.units:
        name = view.the(variant) if view.words.language == "en" else f"«\u202f{view.scenario(variant)}\u202f»"
        sentence = sentence.replace(f". `{variant}`", f". {capitalised(name)}").replace(f"`{variant}`", name)
    currencies = {row.money.currency for row in card.effects if isinstance(row, Effect) and row.money is not None}
    for currency in currencies or {""}:
        sentence = view.words.tidy(sentence, currency)
    return set_french(sentence) if view.words.language == "fr" else sentence


def restated(view: View, card: Scorecard | Unavailable) -> list[str]:
    """Which days late events restated, in words; nothing where nothing was late."""
    if isinstance(card, Unavailable) or not card.experiment:
        return []
    found = view.ask(lambda: view.newsroom.restated(card.experiment))
    return [] if isinstance(found, Unavailable) else restated_sentences(found, view.words.language)


def ratio(view: View, card: Scorecard | Unavailable) -> dict[str, Any]:
    """Whether the split can be trusted."""
    if isinstance(card, Unavailable):
        return card.document()
    if isinstance(card.srm, Unavailable):
        return view.said(card.srm).document()
    alarm = card.srm.alarm
    return {"sentence": ratio_sentence(view, card), "alarm": alarm}


def excluded(view: View, card: Scorecard | Unavailable) -> list[dict[str, str]]:
    """Who was left out of the analysis, and how many."""
    if isinstance(card, Unavailable):
        return []
    return [
        {"reason": view.words.named("excluded", reason), "count": view.words.number(count)}
        for reason, count in card.excluded.items()
        if count
    ]


def absent(view: View, card: Scorecard | Unavailable) -> list[dict[str, str]]:
    """Metrics that could not be computed, together when for the same reason, with what to do."""
    if isinstance(card, Unavailable) or not any(card.units.values()):
        return []
    gaps: dict[Unavailable, list[UnavailableEffect]] = {}
    for effect in card.effects:
        if isinstance(effect, UnavailableEffect):
            gaps.setdefault(view.said(effect.because), []).append(effect)
    return [
        {"metrics": view.words.together(list(dict.fromkeys(_metric_name(view, card, each) for each in effects)))}
        | gap.document()
        for gap, effects in gaps.items()
    ]


def _metric_name(view: View, card: Scorecard, effect: UnavailableEffect) -> str:
    name = view.words.named("metric", effect.metric)
    return name if len(card.units) <= 2 else f"{name} ({view.scenario(effect.variant)})"
