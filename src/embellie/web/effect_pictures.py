"""Pictures of an experiment: each metric with its interval, the effect through time, the readers of each side."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from embellie.app.measured_words import is_clear, leading_rows
from embellie.domain.experiment import Experiment
from embellie.domain.scorecard import Effect, RelativeEffect, Scorecard
from embellie.domain.unavailable import Unavailable
from embellie.web.money_pictures import thinned
from embellie.web.picture import Picture
from embellie.web.view import View, iso

FORESEEN = 3650 * 86_400.0
"""Seconds: an end later than ten years is no end that one plans for."""


def relative_of(card: Scorecard, metric: str, variant: str) -> tuple[Effect, RelativeEffect] | None:
    """A metric's effect with its relative form, the adjusted one when there are both; none when there is none."""
    found = [
        effect
        for effect in card.effects
        if isinstance(effect, Effect) and effect.metric == metric and effect.variant == variant
    ]
    usable = [(effect, effect.relative) for effect in found if isinstance(effect.relative, RelativeEffect)]
    return next((pair for pair in usable if pair[0].adjusted), usable[0] if usable else None)


def effect_over_time_picture(
    view: View, experiment: Experiment, history: Sequence[tuple[datetime, Scorecard]], metric: str = ""
) -> Picture | Unavailable:
    """Draw a metric's relative effect and its interval at each look; the band narrows as readers come.

    The planned end, the planned looks and a guardrail's margin stand where the experiment has them.
    """
    words, metric = view.words, metric or experiment.primary
    variant = next((each.name for each in experiment.variants if each.name != experiment.control), "")
    pairs = [(at, found) for at, card in history if (found := relative_of(card, metric, variant)) is not None]
    if len(pairs) < 2:
        return view.missing("looks")
    newest, last = pairs[-1][1]
    looks = [(at, relative) for at, (_, relative) in pairs]
    sign = "unclear" if not is_clear(newest) else "better" if last.effect > 0 else "worse"
    plan = _plan(view, experiment, history)
    margin = margin_of(newest)
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
        note=" ".join([words("effect.note"), *plan.pop("said")]),
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
        }
        | plan
        | ({} if margin is None else {"margin": {"at": margin, "text": words("effect.margin")}}),
    )


def _plan(view: View, experiment: Experiment, history: Sequence[tuple[datetime, Scorecard]]) -> dict[str, Any]:
    """Where the planned readers and the planned looks lie in time, as far as they can be drawn, and in words."""
    found: dict[str, Any] = {"said": []}
    counts = [(at, sum(card.units.values())) for at, card in history]
    planned = history[-1][1].planned or experiment.planned
    end = reached_at(counts, planned)
    if end is None or experiment.planned <= 0:
        return found
    now, words = counts[-1][0], view.words
    past = end <= now
    found["said"].append(words("effect.plan_past" if past else "effect.plan", at=words.moment(end).split(",")[0]))
    if end - now <= now - counts[0][0]:
        found["planned"] = {"at": iso(end), "text": words("effect.planned")}
    if experiment.looks:
        moments = [reached_at(counts, planned * look / experiment.looks) for look in range(1, experiment.looks + 1)]
        last = end if "planned" in found else now
        found["looks"] = [iso(at) for at in moments if at is not None and at <= last]
        found["said"].append(words("effect.looks"))
    return found


def reached_at(counts: Sequence[tuple[datetime, int]], wanted: float) -> datetime | None:
    """Tell when so many readers were there, or will be if they go on coming as in the last half of the time.

    >>> from datetime import UTC
    >>> counts = [(datetime(2026, 3, day, tzinfo=UTC), 100 * day) for day in (1, 2, 3)]
    >>> [reached_at(counts, wanted).day for wanted in (150, 500)]
    [1, 5]
    """
    for (before, few), (after, many) in pairwise(counts):
        if few < wanted <= many:
            return before + (after - before) * ((wanted - few) / (many - few))
    (begin, first), (now, last) = counts[len(counts) // 2 - (len(counts) > 1)], counts[-1]
    if wanted <= last or last <= first:
        return counts[0][0] if wanted <= counts[0][1] else None
    seconds = (now - begin).total_seconds() * ((wanted - last) / (last - first))
    return now + timedelta(seconds=seconds) if seconds < FORESEEN else None


def margin_of(effect: Effect) -> float | None:
    """A guardrail's margin on the relative scale: the effect that must not be fallen below."""
    if effect.guardrail is None or not effect.guardrail.margin > 0 or not effect.control_value:
        return None
    return -effect.guardrail.margin / abs(effect.control_value)


def _effect_text(view: View, effect: float, *, signed: bool) -> str:
    return view.words.share(effect, 1, signed=True) if signed else view.words.share(abs(effect), 1)


def capitalised(text: str) -> str:
    """Begin with a capital, and leave the rest.

    >>> capitalised("articles per visit")
    'Articles per visit'
    """
    return text[:1].upper() + text[1:]


def intervals_picture(view: View, card: Scorecard) -> Picture | Unavailable:
    """Draw every metric's relative effect with its interval around the line of no difference, by role."""
    words = view.words
    drawable = [
        (effect, effect.relative, beside)
        for effect, beside in leading_rows(card.effects)
        if isinstance(effect, Effect) and isinstance(effect.relative, RelativeEffect)
    ]
    if not drawable:
        return view.missing("effects")
    clear = sum(is_clear(effect) for effect, *_ in drawable)
    ghosts = any(beside is not None for *_, beside in drawable)
    marks = any(margin_of(effect) is not None for effect, *_ in drawable)
    return Picture(
        drawing="intervals",
        title=words("intervals.title", control=view.scenario(card.control)),
        sentence=words(
            ("intervals.none", "intervals.one")[clear] if clear < 2 else "intervals.sentence",
            clear=words.number(clear),
            all=words.number(len(drawable)),
        ),
        note=" ".join(
            [
                words("intervals.note"),
                *([words("intervals.ghost")] if ghosts else []),
                *([words("intervals.mark")] if marks else []),
            ]
        ),
        columns=tuple(
            words(f"column.{name}")
            for name in ("metric", "role", "variant", "control_value", "variant_value", "effect", "interval")
        ),
        rows=[
            _table_row(view, effect, effect.relative)
            for leading, _, beside in drawable
            for effect in (leading, beside)
            if effect is not None and isinstance(effect.relative, RelativeEffect)
        ],
        data={"zero": words("word.no_difference"), "rows": [_drawn_row(view, card, *each) for each in drawable]},
    )


def _table_row(view: View, effect: Effect, relative: RelativeEffect) -> list[str]:
    words = view.words
    name = words.named("metric", effect.metric)
    return [
        f"{name} ({words('word.adjusted')})" if effect.adjusted else name,
        role_text(view, effect),
        view.scenario(effect.variant),
        words.figure(effect.control_value),
        words.figure(effect.variant_value),
        words.share(relative.effect, 1, signed=True),
        words.share_range(relative.low, relative.high),
    ]


def _drawn_row(
    view: View, card: Scorecard, effect: Effect, relative: RelativeEffect, beside: Effect | None
) -> dict[str, Any]:
    low, high = _bounds(effect, relative)
    row: dict[str, Any] = {
        "label": row_label(view, card, effect),
        "variant": effect.variant,
        "proxy": effect.proxy,
        "clear": is_clear(effect),
        "effect": relative.effect,
        "low": low,
        "high": high,
        "text": view.words.share(relative.effect, 1, signed=True),
    }
    if beside is not None and isinstance(beside.relative, RelativeEffect):
        row["ghost"] = {"effect": beside.relative.effect, "low": beside.relative.low, "high": beside.relative.high}
    mark = margin_of(effect)
    return row if mark is None else row | {"mark": mark}


def _bounds(effect: Effect, relative: RelativeEffect) -> tuple[float, float]:
    """The ends to be drawn: a guardrail's own bounds, by which it holds or not, else the interval."""
    guard, control = effect.guardrail, abs(effect.control_value)
    if guard is None or guard.low is None or guard.high is None or not control:
        return relative.low, relative.high
    return guard.low / control, guard.high / control


def role_text(view: View, effect: Effect) -> str:
    """A metric's role in a word or two: a proxy first, and whether a guardrail holds."""
    words = view.words
    role = words("word.proxy") if effect.proxy else words(f"role.{effect.role}")
    return role if effect.guardrail is None else f"{role}, {words(f'guard.{effect.guardrail.state}')}"


def row_label(view: View, card: Scorecard, effect: Effect) -> str:
    """A metric's name with what one must know of it, and the variant when there are several."""
    notes = [role_text(view, effect)] if effect.proxy or effect.role != "diagnostic" else []
    notes += [view.words("word.adjusted")] if effect.adjusted else []
    name = view.words.named("metric", effect.metric)
    label = f"{name} ({', '.join(notes)})" if notes else name
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
