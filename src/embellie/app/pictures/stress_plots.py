"""Stress plots: the answer again under harsher beliefs, and in what-if cases, side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from embellie.app.pictures.canvas import TEXT, Canvas, Scale, scenario_paint, width_of, wrap
from embellie.app.pictures.exhibit import Exhibit
from embellie.app.pictures.money_plots import key_row, money_axis
from embellie.app.pictures.voice import Voice
from embellie.domain.verdict import Spread, Stress, Stressed, Verdict

_MOST_ROWS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One answer: what was supposed, what follows, and each scenario's mean with its range where there is one."""

    label: str
    said: str
    evpi: float
    means: Mapping[str, float]
    ranges: Mapping[str, Spread] = field(default_factory=dict)


def stress(verdict: Verdict, voice: Voice) -> Exhibit | None:
    """Draw how the answer holds when every range is widened, and when every tail is made fat."""
    found = verdict.stress
    if found is None:
        return None
    base = _Row(
        label=voice("stress.base"),
        said=_said(verdict.verdict, verdict.next.scenario or verdict.best, voice),
        evpi=verdict.evpi.value,
        means={value.scenario: value.net_benefit.mean for value in verdict.scenarios},
    )
    rows = [base, *(_stressed(each, voice) for each in (*found.widened[: _MOST_ROWS - 2], found.fat))]
    return Exhibit(
        key="stress",
        title=voice("stress.title"),
        sentence=_stress_sentence(verdict, found, voice),
        note=voice("stress.note"),
        draw=lambda width: _rows(Canvas(width), verdict, rows, voice),
        columns=_columns("column.supposing", verdict, voice),
        rows=[_cells(row, verdict, voice) for row in rows],
    )


def _columns(first: str, verdict: Verdict, voice: Voice) -> tuple[str, ...]:
    heads = (voice(first), voice("column.verdict"), voice("column.evpi"))
    return (*heads, *(voice.scenario(value.scenario) for value in verdict.scenarios))


def _cells(row: _Row, verdict: Verdict, voice: Voice) -> list[str]:
    means = [row.means[value.scenario] for value in verdict.scenarios if value.scenario in row.means]
    return [row.label, row.said, voice.worth(row.evpi), *map(voice.money, means)]


def _stress_sentence(verdict: Verdict, found: Stress, voice: Voice) -> str:
    best = voice.the(verdict.best)
    if found.flips_at is None:
        said = [voice("stress.holds", best=best, tried=voice.number(found.tried))]
    else:
        said = [
            voice(
                "stress.flips",
                best=best,
                factor=voice.number(found.flips_at),
                becomes=voice.the(found.becomes) if found.becomes else "–",
            )
        ]
        if found.flips_at < 1.5:
            said.append(voice("stress.fragile"))
    if found.learns_at is not None and verdict.verdict != "learn_more":
        said.append(voice("stress.learns", factor=voice.number(found.learns_at)))
    if found.fat.scenario == verdict.best and found.fat.action == verdict.verdict:
        said.append(voice("stress.fat_same"))
    else:
        said.append(voice("stress.fat_other", said=_said(found.fat.action, found.fat.scenario, voice)))
    text = " ".join(said)
    return f"{text[0].upper()}{text[1:]}"


def _stressed(each: Stressed, voice: Voice) -> _Row:
    label = voice("stress.fat") if each.fat else voice("stress.widened", factor=voice.number(each.factor))
    said = _said(each.action, each.scenario, voice)
    return _Row(label=label, said=said, evpi=each.evpi, means=each.net_benefit)


def _said(action: str, scenario: str, voice: Voice) -> str:
    return voice(f"action.{action}", the=voice.the(scenario))


def cases(verdict: Verdict, voice: Voice) -> Exhibit | None:
    """Draw the answer in each what-if case, beside the answer as it stands."""
    if not verdict.cases:
        return None
    base = _Row(
        label=voice("case.base"),
        said=_said(verdict.verdict, verdict.next.scenario or verdict.best, voice),
        evpi=verdict.evpi.value,
        means={value.scenario: value.net_benefit.mean for value in verdict.scenarios},
        ranges={value.scenario: value.net_benefit for value in verdict.scenarios},
    )
    rows = [base]
    rows += [
        _Row(
            label=f"{case.case.replace('_', ' ')}: {', '.join(f'{name} = {text}' for name, text in case.sets.items())}",
            said=_said(case.action, case.best, voice),
            evpi=case.evpi.value,
            means={name: spread.mean for name, spread in case.net_benefit.items()},
            ranges=case.net_benefit,
        )
        for case in verdict.cases[: _MOST_ROWS - 1]
    ]
    others = [case for case in verdict.cases if case.best != verdict.best]
    key = "case.all" if not others else "case.one" if len(others) == 1 else "case.several"
    return Exhibit(
        key="cases",
        title=voice("case.title"),
        sentence=voice(
            key,
            n=len(others),
            total=len(verdict.cases),
            best=voice.the(verdict.best),
            case=others[0].case.replace("_", " ") if others else "",
            other=voice.the(others[0].best) if others else "",
        ),
        note=voice("case.note"),
        draw=lambda width: _rows(Canvas(width), verdict, rows, voice),
        columns=_columns("column.case", verdict, voice),
        rows=[_cells(row, verdict, voice) for row in rows],
    )


def _rows(canvas: Canvas, verdict: Verdict, rows: Sequence[_Row], voice: Voice) -> Canvas:
    order = [value.scenario for value in verdict.scenarios]
    low, high = _bounds(rows)
    room = 0.05 * (high - low or 1.0)
    scale = Scale(low - room, high + room, 8.0, canvas.width - 8)
    top = key_row(canvas, [(voice.scenario(name), scenario_paint(name, place)) for place, name in enumerate(order)])
    y = top
    for row in rows:
        y = _row(canvas, row, scale, y, order=order)
    money_axis(canvas, scale, top, y, voice)
    return canvas


def _values(row: _Row) -> list[float]:
    return [0.0, *row.means.values(), *(end for each in row.ranges.values() for end in (each.p05, each.p95))]


def _bounds(rows: Sequence[_Row]) -> tuple[float, float]:
    """Return the scale's ends: a harsh supposition may lie far outside, and must not press all the others together."""
    base = _values(rows[0])
    span = max(base) - min(base)
    every = [value for row in rows for value in _values(row)]
    return max(min(every), min(base) - 1.5 * span), min(max(every), max(base) + 1.5 * span)


def _row(canvas: Canvas, row: _Row, scale: Scale, top: float, *, order: Sequence[str]) -> float:
    right = width_of(row.said, bold=True)
    beside = width_of(row.label) + right + 18 <= canvas.width
    lines = wrap(row.label, canvas.width - (right + 18 if beside else 0), lines=2)
    y = canvas.words((0, top + 17), lines, fill="ink", halo=True)
    if beside:
        canvas.text((canvas.width, top + 17), row.said, fill="ink", bold=True, anchor="end", halo=True)
    else:
        said = wrap(row.said, canvas.width, bold=True, lines=2)
        y = canvas.words((0, y), said, fill="ink", bold=True, halo=True)
    y -= 1.32 * TEXT - 12
    several = len(row.ranges) > 1
    places = [name for name in order if name in row.means]
    for place, name in enumerate(places):
        fill = scenario_paint(name, order.index(name))
        at = y + (7 * place if several else 0)
        if name in row.ranges:
            spread = row.ranges[name]
            canvas.line((scale(spread.p05), at), (scale(spread.p95), at), stroke=fill, width=2.2)
        elif not place:
            canvas.line((0, at), (canvas.width, at), stroke="faint", width=1)
        mean, x = row.means[name], scale(row.means[name])
        if scale.low <= mean <= scale.high:
            canvas.dot((x, at), 5, fill=fill, ring="paper", ring_width=1.2)
        else:
            out, x = (-7, 9.0) if mean < scale.low else (7, canvas.width - 9)
            canvas.area([(x + out, at), (x - out / 2, at - 5), (x - out / 2, at + 5)], fill=fill)
    bottom = y + (7 * (len(places) - 1) if several else 0) + 13
    canvas.line((0, bottom), (canvas.width, bottom), stroke="faint")
    return bottom
