"""Knowing plots: what would change the choice. Curves with their tipping points, the tornado, and who could know."""

from collections.abc import Sequence
from itertools import pairwise

from embellie.app.pictures.canvas import Canvas, Scale, fit, nice_ticks, scenario_paint, spread_out, width_of, wrap
from embellie.app.pictures.exhibit import Exhibit
from embellie.app.pictures.money_plots import LEFT, key_row, money_axis, value_grid
from embellie.app.pictures.voice import Voice, cut
from embellie.domain.verdict import Curve, Swing, TippingPoint, UnknownValue, Verdict

_MOST_CURVES = 3
_MOST_SWINGS = 8
_INSIDE = 0.01
"""The share of belief left out at each end of a curve, where nothing is believed to be."""

# curves


def curves(verdict: Verdict, voice: Voice) -> list[Exhibit]:
    """Draw what each scenario is worth by what an unknown may turn out to be, for the unknowns most worth knowing."""
    by_name = {curve.unknown: curve for curve in verdict.curves}
    order = [unknown.name for unknown in verdict.unknowns if unknown.name in by_name]
    order += [name for name in by_name if name not in order]
    return [_curve(verdict, by_name[name], voice) for name in order[:_MOST_CURVES]]


def _curve(verdict: Verdict, curve: Curve, voice: Voice) -> Exhibit:
    tips = tipping_of(verdict, curve.unknown)
    return Exhibit(
        key=f"curve-{''.join(letter if letter.isalnum() else '-' for letter in curve.unknown)}",
        title=voice.ask(curve.unknown),
        sentence=tipping_sentence(verdict, curve.unknown, tips, voice),
        note=voice("curve.note"),
        draw=lambda width: _draw_curve(Canvas(width), verdict, curve, tips, voice),
        columns=(
            voice("column.if_it_is"),
            voice("column.chance_below"),
            *(voice.scenario(name) for name in curve.net_benefit),
        ),
        rows=[
            [
                voice.quantity(curve.unknown, curve.values[at]),
                voice.percent(curve.chances[at]),
                *(voice.money(worth[at]) for worth in curve.net_benefit.values()),
            ]
            for at in _at_chances(curve, (0.05, 0.25, 0.5, 0.75, 0.95))
        ],
    )


def tipping_of(verdict: Verdict, name: str) -> list[TippingPoint]:
    """The tipping points of an unknown, from its low end to its high one."""
    return sorted((tip for tip in verdict.tipping if tip.unknown == name), key=lambda tip: tip.value)


def tipping_sentence(verdict: Verdict, name: str, tips: Sequence[TippingPoint], voice: Voice) -> str:
    """Say where the best scenario changes with an unknown, and how likely that is."""
    if not tips:
        return voice("tipping.none", best=voice.the(verdict.best))
    said = [
        voice(
            "tipping.sentence",
            above=voice.the(tip.above),
            below=voice.the(tip.below),
            value=voice.about(name, tip.value),
            p=voice.percent(tip.chance_above),
        )
        for tip in tips[:3]
    ]
    return " ".join(f"{text[0].upper()}{text[1:]}" for text in said)


def _at_chances(curve: Curve, chances: Sequence[float]) -> list[int]:
    return [min(range(len(curve.chances)), key=lambda at: abs(curve.chances[at] - chance)) for chance in chances]


def _inside(curve: Curve) -> list[int]:
    found = [at for at, chance in enumerate(curve.chances) if _INSIDE <= chance <= 1 - _INSIDE]
    return found if len(found) > 2 else list(range(len(curve.values)))


def _draw_curve(canvas: Canvas, verdict: Verdict, curve: Curve, tips: Sequence[TippingPoint], voice: Voice) -> Canvas:
    order = [value.scenario for value in verdict.scenarios]
    paints = {name: scenario_paint(name, order.index(name)) for name in curve.net_benefit}
    at = _inside(curve)
    at = at[:: max(1, len(at) // 90)] + ([at[-1]] if at else [])
    values = [curve.values[each] for each in at]
    x = Scale(values[0], values[-1], LEFT, canvas.width - 10)
    shown = [tip for tip in tips if values[0] <= tip.value <= values[-1]]
    top = key_row(canvas, [(voice.scenario(name), paints[name]) for name in curve.net_benefit])
    top += 20.0 * len(shown)
    bottom = top + (170 if canvas.narrow else 200)
    drawn = [worth[each] for worth in curve.net_benefit.values() for each in at]
    low, high = min(0.0, *drawn), max(0.0, *drawn)
    room = 0.06 * (high - low or 1.0)
    y = Scale(low - room, high + room, bottom, top + 10)
    value_grid(canvas, y, voice)
    strip = bottom + 50
    _tipping_lines(canvas, curve.unknown, shown, x, top=top, bottom=strip, voice=voice)
    for name, worth in curve.net_benefit.items():
        canvas.curve([(x(curve.values[each]), y(worth[each])) for each in at], stroke=paints[name], width=2.6)
    _belief(canvas, curve, at, x, top=bottom + 12, bottom=strip, paints=paints)
    _unknown_axis(canvas, curve.unknown, x, strip, voice)
    return canvas


def _tipping_lines(
    canvas: Canvas, name: str, tips: Sequence[TippingPoint], x: Scale, *, top: float, bottom: float, voice: Voice
) -> None:
    for row, tip in enumerate(tips):
        label = voice("tipping.label", above=voice.scenario(tip.above), value=voice.about(name, tip.value))
        label = fit(label, canvas.width, bold=True)
        y = top - 20 * (len(tips) - 1 - row) - 5
        place = x(tip.value)
        canvas.line((place, y + 5), (place, bottom), stroke="ink", width=1.2)
        half = width_of(label, 13, bold=True) / 2
        middle = min(max(place, half), canvas.width - half)
        canvas.text((middle, y), label, fill="ink", anchor="middle", bold=True, halo=True)


def _belief(
    canvas: Canvas, curve: Curve, at: Sequence[int], x: Scale, *, top: float, bottom: float, paints: dict[str, str]
) -> None:
    """Draw how likely each value is, in the paint of what would be best there."""
    heights = []
    for here, there in pairwise(at):
        step = curve.values[there] - curve.values[here]
        heights.append((curve.chances[there] - curve.chances[here]) / step if step > 0 else 0.0)
    most = max(heights, default=0.0) or 1.0
    run: list[tuple[float, float]] = []
    before = ""
    for index, height in enumerate(heights):
        here, there = at[index], at[index + 1]
        middle = (here + there) // 2
        best = max(curve.net_benefit, key=lambda name, place=middle: curve.net_benefit[name][place])  # type: ignore[misc]
        y = bottom - (bottom - top) * height / most
        if best != before and run:
            _fill(canvas, run, bottom, paints[before])
            run = [(run[-1][0], run[-1][1])]
        run += [(x((curve.values[here] + curve.values[there]) / 2), y)] if run else [(x(curve.values[here]), y)]
        before = best
    if run:
        run.append((x(curve.values[at[-1]]), run[-1][1]))
        _fill(canvas, run, bottom, paints[before])


def _fill(canvas: Canvas, run: Sequence[tuple[float, float]], bottom: float, fill: str) -> None:
    canvas.area([(run[0][0], bottom), *run, (run[-1][0], bottom)], fill=fill, opacity=0.55)


def _unknown_axis(canvas: Canvas, name: str, x: Scale, y: float, voice: Voice) -> None:
    canvas.line((0, y), (canvas.width, y), stroke="soft")
    right = -1e9
    for tick in nice_ticks(x.low, x.high, 4 if canvas.narrow else 6):
        label = voice.quantity(name, tick, unit=False)
        half = width_of(label, 12) / 2
        at = min(max(x(tick), half), canvas.width - half)
        canvas.line((x(tick), y), (x(tick), y + 5), stroke="soft")
        if at - half > right + 8:
            canvas.text((at, y + 19), label, size=12, anchor="middle")
            right = at + half
    canvas.height = y + 26
    if unit := voice.unit(name):
        canvas.text((canvas.width, y + 36), unit, size=12, anchor="end")
        canvas.height = y + 42


# the tornado


def tornado(verdict: Verdict, voice: Voice) -> Exhibit | None:
    """Draw by how much the best scenario leads, were each unknown at its low or at its high end."""
    swings = sorted(verdict.tornado, key=lambda each: -abs(each.at_p95 - each.at_p05))
    if not swings:
        return None
    flips = [swing for swing in swings if min(swing.at_p05, swing.at_p95) < 0]
    key = "tornado.none" if not flips else "tornado.one" if len(flips) == 1 else "tornado.several"
    first, rivals = swings[0], {swing.rival for swing in flips or swings}
    rival = voice.the(rivals.pop()) if len(rivals) == 1 else voice("tornado.another")
    return Exhibit(
        key="tornado",
        title=voice("tornado.title"),
        sentence=voice(
            key,
            n=len(flips),
            best=voice.the(first.best),
            ask=voice.ask((flips or swings)[0].unknown),
            rival=rival,
        ),
        note=voice("tornado.note", best=voice.the(first.best), rival=rival),
        draw=lambda width: _tornado(Canvas(width), verdict, swings[:_MOST_SWINGS], voice),
        columns=tuple(voice(f"column.{name}") for name in ("unknown", "at_low", "at_high")),
        rows=[
            [
                voice.ask(swing.unknown),
                *(
                    voice("tornado.cell", value=voice.quantity(swing.unknown, value), lead=voice.signed(lead))
                    for value, lead in zip(_ends(verdict, swing.unknown), (swing.at_p05, swing.at_p95), strict=True)
                ),
            ]
            for swing in swings
        ],
    )


def _ends(verdict: Verdict, name: str) -> tuple[float, float]:
    unknown = next((each for each in verdict.unknowns if each.name == name), None)
    return (unknown.posterior.p05, unknown.posterior.p95) if unknown else (0.0, 0.0)


def _tornado(canvas: Canvas, verdict: Verdict, swings: Sequence[Swing], voice: Voice) -> Canvas:
    order = [value.scenario for value in verdict.scenarios]
    leads = [lead for swing in swings for lead in (swing.at_p05, swing.at_p95)]
    low, high = min(0.0, *leads), max(0.0, *leads)
    room = 0.05 * (high - low or 1.0)
    scale = Scale(low - room, high + room, 8.0, canvas.width - 8)
    y = 0.0
    for swing in swings:
        y = _swing(canvas, verdict, swing, scale, y, order=order, voice=voice)
    money_axis(canvas, scale, 0.0, y + 4, voice)
    return canvas


def _swing(
    canvas: Canvas, verdict: Verdict, swing: Swing, scale: Scale, top: float, *, order: Sequence[str], voice: Voice
) -> float:
    low, high = _ends(verdict, swing.unknown)
    ends = voice("range", low=voice.quantity(swing.unknown, low, unit=False), high=voice.quantity(swing.unknown, high))
    beside = width_of(ends, 12.5)
    asked = voice.ask(swing.unknown)
    under = canvas.narrow and width_of(asked) + beside + 14 > canvas.width
    lines = wrap(asked, canvas.width - (0 if under else beside + 14), lines=2)
    y = canvas.words((0, top + 15), lines, fill="ink", halo=True)
    if under:
        canvas.text((0, y), ends, size=12.5, halo=True)
        y += 17
    else:
        canvas.text((canvas.width, top + 15), ends, size=12.5, anchor="end", halo=True)
    y -= 7
    ahead = scenario_paint(swing.best, order.index(swing.best) if swing.best in order else 0)
    behind = scenario_paint(swing.rival, order.index(swing.rival) if swing.rival in order else 1)
    left, right = sorted((swing.at_p05, swing.at_p95))
    canvas.rect((scale(left), y), (scale(min(right, 0.0)) - scale(left), 11), fill=behind, opacity=0.75)
    canvas.rect((scale(max(left, 0.0)), y), (scale(right) - scale(max(left, 0.0)), 11), fill=ahead)
    canvas.dot((scale(swing.at_p05), y + 5.5), 5, fill="paper", ring="ink")
    canvas.dot((scale(swing.at_p95), y + 5.5), 5, fill="ink", ring="paper")
    return y + 17


# who could know


def kinds(verdict: Verdict, voice: Voice) -> Exhibit | None:
    """Draw what each kind of people or thing could tell us, by what the answer is worth: readers, finance, models, the world."""
    by_kind: dict[str, list[UnknownValue]] = {}
    for unknown in verdict.unknowns:
        by_kind.setdefault(unknown.kind or "none", []).append(unknown)
    if len(by_kind) < 2:
        return None
    groups = sorted(by_kind.items(), key=lambda group: -max(each.evppi.value for each in group[1]))
    kind, first = groups[0]
    return Exhibit(
        key="kinds",
        title=voice("kinds.title"),
        sentence=voice(
            "kinds.sentence",
            kind=voice(f"kind.{kind}"),
            n=sum(unknown.open for unknown in verdict.unknowns),
            worth=voice.worth_up_to(first[0].evppi.value, verdict.noise_floor),
        ),
        note=voice("kinds.note"),
        draw=lambda width: _kinds(Canvas(width), verdict, groups, voice),
        columns=tuple(voice(f"column.{name}") for name in ("kind", "unknowns", "open", "dearest")),
        rows=[
            [
                voice(f"kind.{kind}"),
                str(len(group)),
                str(sum(unknown.open for unknown in group)),
                f"{voice.ask(group[0].name)} ({voice.worth(group[0].evppi.value, verdict.noise_floor)})",
            ]
            for kind, group in groups
        ],
    )


def _kinds(
    canvas: Canvas, verdict: Verdict, groups: Sequence[tuple[str, Sequence[UnknownValue]]], voice: Voice
) -> Canvas:
    most = max((unknown.evppi.value for unknown in verdict.unknowns), default=0.0)
    scale = Scale(0.0, 1.03 * most or 1.0, 8.0, canvas.width - 10)
    y = 0.0
    for kind, group in groups:
        opened = sum(unknown.open for unknown in group)
        count = voice("kinds.count" if len(group) > 1 else "kinds.count_one", n=len(group), open=opened)
        name = voice(f"kind.{kind}")
        name = f"{name[0].upper()}{name[1:]}"
        canvas.names((0, y + 16), name, count, size=14)
        line = y + 34
        canvas.line((0, line), (canvas.width, line), stroke="rule")
        places = spread_out([scale(max(0.0, unknown.evppi.value)) for unknown in group], 5.0, 8.0, canvas.width - 10)
        for place, unknown in zip(places, group, strict=True):
            canvas.dot(
                (place, line),
                6 if unknown.open else 4.5,
                fill="accent" if unknown.open else "status_quo",
                opacity=1.0 if unknown.open else 0.8,
                ring="paper",
            )
        top = group[0]
        y = line + 8
        if top.evppi.value > max(top.floor, verdict.noise_floor):
            label = cut(voice.ask(top.name), 60 if not canvas.narrow else 44)
            half = width_of(label, 12.5) / 2
            at = min(max(places[0], half), canvas.width - half)
            canvas.text((at, line + 22), label, size=12.5, anchor="middle")
            y += 24
    money_axis(canvas, scale, 0.0, y + 4, voice)
    return canvas
