"""Pictures of an experiment: each metric with its interval, the effect through time, the readers of each side."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from embellie.domain.experiment import Experiment
from embellie.domain.scorecard import Effect, RelativeEffect, Scorecard
from embellie.domain.unavailable import Unavailable
from embellie.web.money_pictures import thinned
from embellie.web.picture import Picture
from embellie.web.view import View, iso


def relative_of(card: Scorecard, metric: str, variant: str) -> tuple[Effect, RelativeEffect] | None:
    """A metric's effect with its relative form, the adjusted one when there are both; none when there is none."""
    found = [
        effect
        for effect in card.effects
        if isinstance(effect, Effect) and effect.metric == metric and effect.variant == variant
    ]
    usable = [(effect, effect.relative) for effect in found if isinstance(effect.relative, RelativeEffect)]
    return next((pair for pair in usable if pair[0].adjusted), usable[0] if usable else None)


def is_clear(effect: Effect) -> bool:
    """Tell whether an effect's interval leaves zero out; the absolute one, which the sentences go by too."""
    return effect.interval.low > 0 or effect.interval.high < 0


def effect_over_time_picture(
    view: View, experiment: Experiment, history: Sequence[tuple[datetime, Scorecard]], metric: str = ""
) -> Picture | Unavailable:
    """Draw a metric's relative effect and its interval at each look; the band narrows as readers come."""
    words, metric = view.words, metric or experiment.primary
    variant = next((each.name for each in experiment.variants if each.name != experiment.control), "")
    pairs = [(at, found) for at, card in history if (found := relative_of(card, metric, variant)) is not None]
    if len(pairs) < 2:
        return view.missing("looks")
    newest, last = pairs[-1][1]
    looks = [(at, relative) for at, (_, relative) in pairs]
    sign = "unclear" if not is_clear(newest) else "better" if last.effect > 0 else "worse"
    return Picture(
        drawing="effect",
        title=words("effect.title", metric=words.named("metric", metric)),
        sentence=words(
            f"effect.{sign}",
            the=view.the(variant),
            other=view.the(experiment.control),
            control=view.scenario(experiment.control),
            metric=capitalised(words.named("metric", metric)),
            effect=_effect_text(view, last.effect, signed=sign == "unclear" or words.language == "fr"),
            range=words.share_range(last.low, last.high),
        ),
        note=words("effect.note"),
        columns=(words("column.at"), words("column.effect"), words("column.interval")),
        rows=[
            [words.moment(at), words.share(look.effect, 1, signed=True), words.share_range(look.low, look.high)]
            for at, look in thinned(looks, 24)
        ],
        data={
            "variant": variant,
            "zero": words("word.no_difference"),
            "points": [
                {"at": iso(at), "effect": look.effect, "low": look.low, "high": look.high}
                for at, look in thinned(looks, 240)
            ],
            "text": words.share(last.effect, 1, signed=True),
        },
    )


def _effect_text(view: View, effect: float, *, signed: bool) -> str:
    return view.words.share(effect, 1, signed=True) if signed else view.words.share(abs(effect), 1)


def capitalised(text: str) -> str:
    """Begin with a capital, and leave the rest.

    >>> capitalised("articles per visit")
    'Articles per visit'
    """
    return text[:1].upper() + text[1:]


def intervals_picture(view: View, card: Scorecard) -> Picture | Unavailable:
    """Draw every metric's relative effect with its interval around the line of no difference."""
    words = view.words
    roles = metric_roles(view)
    drawable = [
        (effect, effect.relative)
        for effect in card.effects
        if isinstance(effect, Effect) and isinstance(effect.relative, RelativeEffect)
    ]
    if not drawable:
        return view.missing("effects")
    clear = sum(is_clear(effect) for effect, _ in drawable)
    return Picture(
        drawing="intervals",
        title=words("intervals.title", control=view.scenario(card.control)),
        sentence=words(
            ("intervals.none", "intervals.one")[clear] if clear < 2 else "intervals.sentence",
            clear=words.number(clear),
            all=words.number(len(drawable)),
        ),
        note=words("intervals.note"),
        columns=tuple(
            words(f"column.{name}")
            for name in ("metric", "variant", "control_value", "variant_value", "effect", "interval")
        ),
        rows=[
            [
                _metric_label(view, effect, roles),
                view.scenario(effect.variant),
                words.figure(effect.control_value),
                words.figure(effect.variant_value),
                words.share(relative.effect, 1, signed=True),
                words.share_range(relative.low, relative.high),
            ]
            for effect, relative in drawable
        ],
        data={
            "zero": words("word.no_difference"),
            "rows": [
                {
                    "label": _row_label(view, card, effect, roles),
                    "variant": effect.variant,
                    "proxy": roles.get(effect.metric, ("", False))[1],
                    "clear": is_clear(effect),
                    "effect": relative.effect,
                    "low": relative.low,
                    "high": relative.high,
                    "text": words.share(relative.effect, 1, signed=True),
                }
                for effect, relative in drawable
            ],
        },
    )


def metric_roles(view: View) -> Mapping[str, tuple[str, bool]]:
    """The role of each metric, and whether it is a proxy."""
    return {name: (metric.role, metric.proxy) for name, metric in view.newsroom.config.metrics.items()}


def _metric_label(view: View, effect: Effect, roles: Mapping[str, tuple[str, bool]]) -> str:
    role, proxy = roles.get(effect.metric, ("", False))
    notes = [view.words("word.proxy")] if proxy else [view.words(f"role.{role}")] if role == "primary" else []
    notes += [view.words("word.adjusted")] if effect.adjusted else []
    name = view.words.named("metric", effect.metric)
    return f"{name} ({', '.join(notes)})" if notes else name


def _row_label(view: View, card: Scorecard, effect: Effect, roles: Mapping[str, tuple[str, bool]]) -> str:
    label = _metric_label(view, effect, roles)
    return f"{label} · {view.scenario(effect.variant)}" if len(card.units) > 2 else label


def readers_picture(view: View, experiment: Experiment, card: Scorecard) -> Picture | Unavailable:
    """Draw how many readers met each variant."""
    words, total = view.words, sum(card.units.values())
    if not total:
        return view.missing("readers")
    weights = {variant.name: variant.weight for variant in experiment.variants}
    whole = sum(weights.values())
    return Picture(
        drawing="shares",
        title=words("readers.title"),
        sentence=words(
            "readers.sentence",
            parts=words.together(
                [
                    words("readers.part", n=words.number(count), variant=view.scenario(name))
                    for name, count in card.units.items()
                ]
            ),
        ),
        columns=(words("column.variant"), words("column.readers"), words("column.share"), words("column.planned")),
        rows=[
            [
                view.scenario(name),
                words.number(count),
                words.share(count / total, 1),
                words.share(weights.get(name, 0.0) / whole, 1),
            ]
            for name, count in card.units.items()
        ],
        data={"bars": [share_bar("", [_part(view, name, count, total) for name, count in card.units.items()])]},
    )


def _part(view: View, name: str, count: int, total: int) -> dict[str, Any]:
    return {
        "name": name,
        "label": view.scenario(name),
        "share": count / total,
        "text": view.words("readers.count", n=view.words.number(count)),
    }


def share_bar(label: str, parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A bar whose parts sum to one, each with where it starts."""
    placed, start = [], 0.0
    for part in parts:
        placed.append(dict(part) | {"start": start})
        start += part["share"]
    return {"label": label, "parts": placed}


def ratio_sentence(view: View, card: Scorecard) -> str:
    """Say whether the split of readers is the planned one."""
    words = view.words
    if isinstance(card.srm, Unavailable):
        return f"{card.srm.reason} {card.srm.remedy}"
    total = words.number(sum(card.units.values()))
    return words("srm.alarm" if card.srm.alarm else "srm.fine", n=total)
