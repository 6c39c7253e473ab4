"""Pictures of what lies within an experiment: money, days since exposure, parts of the readers, readers over time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from embellie.app.measured_words import is_clear, leading_rows, part_title
from embellie.domain.scorecard import Effect, MoneyEffect, RelativeEffect, Scorecard, Shrunk, Slice
from embellie.domain.unavailable import Unavailable
from embellie.web.effect_pictures import capitalised, row_label
from embellie.web.money_pictures import thinned
from embellie.web.picture import Picture
from embellie.web.view import View, iso

SEGMENTS = ("consent", "returning")
"""The dimensions shown as parts of the readers: `since` has its own picture, days are many, bots are a check."""


def money_picture(view: View, card: Scorecard) -> Picture | None:
    """Draw what each metric's effect is worth a month; none where no metric has a worth."""
    words = view.words
    found = [
        (row, row.money) for row, _ in leading_rows(card.effects) if isinstance(row, Effect) and row.money is not None
    ]
    if not found:
        return None
    first, money = found[0]
    return Picture(
        drawing="intervals",
        title=words("money.title"),
        sentence=words(
            "money.sentence",
            metric=capitalised(words.named("metric", first.metric)),
            money=words.money(money.effect, money.currency),
            range=words.money_range(money.low, money.high, money.currency),
        ),
        note=words("money.note") if len(found) > 1 else "",
        columns=(words("column.metric"), words("column.variant"), words("column.money"), words("column.interval")),
        rows=[
            [
                words.named("metric", row.metric),
                view.scenario(row.variant),
                words.money(worth.effect, worth.currency),
                words.money_range(worth.low, worth.high, worth.currency),
            ]
            for row, worth in found
        ],
        data={
            "zero": words.money(0, money.currency),
            "currency": money.currency,
            "rows": [_money_row(view, card, row, worth) for row, worth in found],
        },
    )


def _money_row(view: View, card: Scorecard, row: Effect, money: MoneyEffect) -> dict[str, Any]:
    return {
        "label": row_label(view, card, row),
        "variant": row.variant,
        "proxy": row.proxy,
        "clear": money.low > 0 or money.high < 0,
        "bar": True,
        "effect": money.effect,
        "low": money.low,
        "high": money.high,
        "text": view.words.money(money.effect, money.currency),
    }


def since_picture(view: View, card: Scorecard, metric: str, variant: str) -> Picture | None:
    """Draw the effect by days since the first exposure; none where the scorecard has no such slices."""
    words = view.words
    days = [
        (int(part.value), found)
        for part in card.slices
        if part.dimension == "since"
        and part.value.isdigit()
        and (found := _relative(part, metric, variant)) is not None
    ]
    if len(days) < 2:
        return None
    days.sort(key=lambda each: each[0])
    (_, (_, first)), (day, (_, last)) = days[0], days[-1]
    return Picture(
        drawing="since",
        title=words("since.title"),
        sentence=words(
            "since.sentence",
            metric=capitalised(words.named("metric", metric)),
            first=words.share(first.effect, 1, signed=True),
            last=words.share(last.effect, 1, signed=True),
            day=words.number(day),
        ),
        note=words("since.note"),
        columns=(words("column.day"), words("column.readers"), words("column.effect"), words("column.interval")),
        rows=[
            [
                words.number(day),
                words.number(sum(part.units.values())),
                words.share(found.effect, 1, signed=True),
                words.share_range(found.low, found.high),
            ]
            for day, (part, found) in days
        ],
        data={
            "variant": variant,
            "axis": words("since.axis"),
            "zero": words("word.no_difference"),
            "points": [
                {"day": day, "effect": found.effect, "low": found.low, "high": found.high} for day, (_, found) in days
            ],
        },
    )


def _relative(part: Slice, metric: str, variant: str) -> tuple[Slice, RelativeEffect] | None:
    row = _row(part, metric, variant)
    return (part, row.relative) if row is not None and isinstance(row.relative, RelativeEffect) else None


def _row(part: Slice, metric: str, variant: str) -> Effect | None:
    rows = (row for row, _ in leading_rows(part.effects) if (row.metric, row.variant) == (metric, variant))
    return next((row for row in rows if isinstance(row, Effect)), None)


def segments_picture(view: View, card: Scorecard, metric: str, variant: str) -> Picture | None:
    """Draw the effect in parts of the readers: raw thin, shrunk thick; none where the scorecard has no such slices."""
    words = view.words
    found = [
        each for dimension in SEGMENTS if len(parts := _parts(card, dimension, metric, variant)) > 1 for each in parts
    ]
    if len(found) < 2:
        return None
    raw = [relative.effect for *_, relative in found]
    shrunk = [row.shrunk.effect for _, row, _ in found if row.shrunk is not None]
    whole = len(shrunk) == len(found)
    return Picture(
        drawing="intervals",
        title=words("segments.title"),
        sentence=words(
            "segments.sentence" if whole else "segments.raw",
            metric=capitalised(words.named("metric", metric)),
            n=words.number(len(found)),
            low=words.share(min(raw), 1, signed=True),
            high=words.share(max(raw), 1, signed=True),
            shrunk_low=words.share(min(shrunk, default=0.0), 1, signed=True),
            shrunk_high=words.share(max(shrunk, default=0.0), 1, signed=True),
        ),
        note=words("segments.note" if whole else "segments.raw_note"),
        columns=tuple(
            words(f"column.{name}")
            for name in ("part", "readers", "effect", "interval", *(["shrunk"] if whole else []))
        ),
        rows=[_segment_cells(view, *each, whole=whole) for each in found],
        data={
            "zero": words("word.no_difference"),
            "rows": [_segment_row(view, variant, *each) for each in found],
        },
    )


def _parts(card: Scorecard, dimension: str, metric: str, variant: str) -> list[tuple[Slice, Effect, RelativeEffect]]:
    """The parts of one dimension that could be compared; one alone is no part."""
    return [
        (part, row, relative)
        for part in card.slices
        if part.dimension == dimension
        and (row := _row(part, metric, variant)) is not None
        and isinstance(relative := row.relative, RelativeEffect)
    ]


def _segment_cells(view: View, part: Slice, row: Effect, relative: RelativeEffect, *, whole: bool) -> list[str]:
    words, shrunk = view.words, row.shrunk
    cells = [
        part_title(part.dimension, part.value, view.words.language),
        words.number(sum(part.units.values())),
        words.share(relative.effect, 1, signed=True),
        words.share_range(relative.low, relative.high),
    ]
    return [*cells, words.share(shrunk.effect, 1, signed=True)] if whole and shrunk is not None else cells


def _segment_row(view: View, variant: str, part: Slice, row: Effect, relative: RelativeEffect) -> dict[str, Any]:
    """A part counts as clear only where it is with all parts counted, and after shrinkage too."""
    lead: RelativeEffect | Shrunk = row.shrunk or relative
    found: dict[str, Any] = {
        "label": part_title(part.dimension, part.value, view.words.language),
        "variant": variant,
        "proxy": False,
        "clear": is_clear(row) and (lead.low > 0 or lead.high < 0),
        "effect": lead.effect,
        "low": lead.low,
        "high": lead.high,
        "text": view.words.share(lead.effect, 1, signed=True),
    }
    if row.shrunk is None:
        return found
    return found | {"ghost": {"effect": relative.effect, "low": relative.low, "high": relative.high}}


def units_picture(view: View, history: Sequence[tuple[datetime, Scorecard]]) -> Picture | Unavailable:
    """Draw how many readers each side has had over time."""
    words = view.words
    looks = [(at, card.units) for at, card in history if any(card.units.values())]
    if len(looks) < 2:
        return view.missing("looks")
    last = looks[-1][1]
    parts = [words("readers.part", n=words.number(count), variant=view.scenario(name)) for name, count in last.items()]
    return Picture(
        drawing="units",
        title=words("units.title"),
        sentence=words("units.sentence", n=words.number(sum(last.values())), parts=words.together(parts)),
        columns=(words("column.at"), *(view.scenario(name) for name in last)),
        rows=[
            [words.moment(at), *(words.number(units.get(name, 0)) for name in last)] for at, units in thinned(looks, 24)
        ],
        data={
            "variants": [{"name": name, "label": view.scenario(name)} for name in last],
            "points": [
                {"at": iso(at), "variant": name, "count": units.get(name, 0)}
                for at, units in thinned(looks, 240)
                for name in last
            ],
        },
    )
