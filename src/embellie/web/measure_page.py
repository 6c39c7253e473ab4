"""The page of step 4: what changed because of it?"""

from dataclasses import replace
from typing import Any

from embellie.domain.experiment import Experiment
from embellie.domain.scorecard import Effect, Scorecard, UnavailableEffect
from embellie.domain.unavailable import Unavailable
from embellie.web.effect_pictures import capitalised, intervals_picture, ratio_sentence, readers_picture
from embellie.web.front_page import running_effect
from embellie.web.picture import Picture, drawn
from embellie.web.view import View, iso


def measure_page(view: View) -> dict[str, Any]:
    """The scorecard of one experiment, in sentences and pictures."""
    experiment = view.experiment()
    card: Scorecard | Unavailable = (
        experiment
        if isinstance(experiment, Unavailable)
        else view.ask(lambda: view.newsroom.scorecard(experiment.experiment))
    )
    return {
        "experiment": described(view, experiment),
        "experiments": [each.experiment for each in view.experiments()],
        "sentences": sentences_of(view, card),
        "ratio": ratio(view, card),
        "excluded": excluded(view, card),
        "absent": absent(view, card),
        "figures": _figures(view, experiment, card),
    }


def _figures(view: View, experiment: Experiment | Unavailable, card: Scorecard | Unavailable) -> dict[str, Any]:
    words = view.words
    intervals: Picture | Unavailable
    readers: Picture | Unavailable
    if isinstance(experiment, Unavailable) or isinstance(card, Unavailable):
        intervals = readers = experiment if isinstance(experiment, Unavailable) else _reason(card)
        shown = ""
    else:
        intervals, readers = intervals_picture(view, card), readers_picture(view, experiment, card)
        shown = view.query.get("metric", "") or experiment.primary
    return {
        "intervals": drawn(words("intervals.short"), intervals),
        "effect": drawn(words("effect.short"), running_effect(view, shown)),
        "readers": drawn(words("readers.title"), readers),
    }


def _reason(card: Scorecard | Unavailable) -> Unavailable:
    return card if isinstance(card, Unavailable) else Unavailable("", "")


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
    if isinstance(card, Unavailable):
        return []
    from embellie.app.measuring import sentences

    computed = replace(card, effects=tuple(each for each in card.effects if isinstance(each, Effect)))
    found = view.ask(lambda: list(sentences(computed, view.words.language)))
    if isinstance(found, Unavailable):
        return []
    return [_named(view, card, sentence) for sentence in found]


def _named(view: View, card: Scorecard, sentence: str) -> str:
    """Say the variants by the words used on every page."""
    for variant in card.units:
        name = view.the(variant) if view.words.language == "en" else f"«\u202f{view.scenario(variant)}\u202f»"
        sentence = sentence.replace(f". `{variant}`", f". {capitalised(name)}").replace(f"`{variant}`", name)
    return view.words.tidy(sentence, "")


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
