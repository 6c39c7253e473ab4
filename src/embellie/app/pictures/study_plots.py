"""Study plots: how long to ask, and when to stop asking."""

from collections.abc import Sequence

from embellie.app.pictures.canvas import Canvas, Scale, nice_ticks, width_of, wrap
from embellie.app.pictures.exhibit import Exhibit
from embellie.app.pictures.money_plots import LEFT, key_row, value_grid
from embellie.app.pictures.voice import Voice
from embellie.domain.verdict import Boundary, Duration, FlatTop, Stopping, Verdict

_MOST_TOPS = 4


# how long


def flat_top(verdict: Verdict, voice: Voice) -> Exhibit | None:
    """Draw what a study is worth by how long it runs, the durations that lose little shaded, and stopping any week beside it."""
    tops = sorted(
        (top for top in verdict.tops if len(top.durations) > 1), key=lambda top: (-top.best.enbs, top.study, top.share)
    )
    if not tops:
        return None
    top = tops[0]
    weekly = next((each for each in verdict.stopping if (each.study, each.share) == (top.study, top.share)), None)
    weekly = weekly or next((each for each in verdict.stopping if each.study == top.study), None)
    pays = top.best.enbs > 0
    said = voice(
        "top.sentence" if pays else "top.never",
        study=voice.study(top.study),
        span=voice.span(top.low, top.high),
        best=voice.weeks(top.best.weeks),
        enbs=voice.worth(top.best.enbs),
    )
    if weekly is not None and weekly.enbs.value > top.best.enbs > 0:
        said += " " + voice(
            "top.weekly", weekly=voice.worth(weekly.enbs.value), weeks=voice.weeks(weekly.expected_weeks)
        )
    beside = [other for other in tops[1:] if other.study == top.study][: _MOST_TOPS - 1]
    return Exhibit(
        key="duration",
        title=voice("top.title"),
        sentence=said,
        note=voice("top.note"),
        draw=lambda width: _flat_top(Canvas(width), top, beside, weekly, voice),
        columns=tuple(voice(f"column.{name}") for name in ("study", "share", "best_weeks", "flat", "enbs")),
        rows=[
            [
                voice.study(each.study),
                voice.percent(each.share) if each.share else "–",
                voice.weeks(each.best.weeks),
                voice.span(each.low, each.high),
                voice.worth(each.best.enbs),
            ]
            for each in tops
        ],
    )


def _flat_top(canvas: Canvas, top: FlatTop, beside: Sequence[FlatTop], weekly: Stopping | None, voice: Voice) -> Canvas:
    name = voice("word.of_traffic", share=voice.percent(top.share)) if top.share else voice.study(top.study)
    tones = ("tone-2", "tone-3", "tone-4")
    keys = [(name, "accent")]
    keys += [
        (voice("word.of_traffic", share=voice.percent(other.share)), tone)
        for other, tone in zip(beside, tones, strict=False)
    ]
    keys += [(voice("top.weekly_key"), "sun")] if weekly else []
    start = key_row(canvas, keys)
    bottom = start + (200 if canvas.narrow else 230)
    last = _last(top, voice)
    worths = [each.enbs for line in (top, *beside) for each in line.durations if each.weeks <= last]
    worths += [weekly.enbs.value] if weekly else []
    low, high = _clipped(worths)
    room = 0.08 * (high - low or 1.0)
    x = Scale(0.0, last, LEFT, canvas.width - 12)
    y = Scale(low - room, high + 2.4 * room, bottom, start + 4)
    canvas.rect((x(top.low), start + 4), (max(x(top.high) - x(top.low), 2.0), bottom - start - 4), fill="accent-soft")
    value_grid(canvas, y, voice)
    if weekly:
        canvas.line((x(0), y(weekly.enbs.value)), (canvas.width, y(weekly.enbs.value)), stroke="sun", width=2.4)
    for other, tone in zip(beside, tones, strict=False):
        _worth_line(canvas, other.durations, x, y, stroke=tone, width=1.6)
    _worth_line(canvas, top.durations, x, y, stroke="accent", width=2.6)
    best = x(top.best.weeks), y(top.best.enbs)
    canvas.dot(best, 6, fill="accent", ring="paper", ring_width=2)
    label = f"{voice.weeks(top.best.weeks)}, {voice.worth(top.best.enbs)}"
    half = width_of(label, 14, bold=True) / 2
    at = min(max(best[0], x(0) + half), canvas.width - half)
    above = best[1] - 14
    if weekly and abs(y(weekly.enbs.value) - above + 5) < 12:
        above = y(weekly.enbs.value) - 9
    canvas.text((at, above), label, fill="ink", size=14, bold=True, anchor="middle", halo=True)
    weeks_axis(canvas, x, bottom, voice)
    return canvas


def _last(top: FlatTop, voice: Voice) -> float:
    """Return the last week to draw: well past the flat top and every design that was asked for."""
    asked = voice.question.studies.get(top.study)
    far = max(3.0 * top.high, 2.5 * top.best.weeks, 1.1 * max(asked.weeks, default=0.0) if asked else 0.0)
    weeks = sorted(each.weeks for each in top.durations)
    return next((week for week in weeks if week >= far), weeks[-1])


def _clipped(worths: Sequence[float]) -> tuple[float, float]:
    """Keep the picture on what matters: a very long study may lose far more than any could win."""
    high = max(0.0, *worths)
    return max(min(0.0, *worths), -1.2 * high if high > 0 else -1e18), high


def _worth_line(
    canvas: Canvas, durations: Sequence[Duration], x: Scale, y: Scale, *, stroke: str, width: float
) -> None:
    points = [(x(each.weeks), y(each.enbs)) for each in durations if each.enbs >= y.low and each.weeks <= x.high]
    canvas.curve(points, stroke=stroke, width=width)
    if len(points) <= 14:
        for point in points:
            canvas.dot(point, 3, fill=stroke)


def weeks_axis(canvas: Canvas, x: Scale, bottom: float, voice: Voice) -> None:
    """Draw an axis of weeks under a picture, its unit at the end."""
    unit = voice("word.weeks")
    room = canvas.width - width_of(unit, 12) - 8
    for tick in nice_ticks(x.low, x.high, 6 if canvas.narrow else 9):
        if tick == round(tick):
            canvas.line((x(tick), bottom), (x(tick), bottom + 5), stroke="soft")
            if x(tick) + width_of(voice.number(tick), 12) / 2 < room:
                canvas.text((x(tick), bottom + 19), voice.number(tick), size=12, anchor="middle")
    canvas.text((canvas.width, bottom + 19), unit, size=12, anchor="end")
    canvas.height = bottom + 26


# when to stop


def stopping(verdict: Verdict, voice: Voice) -> list[Exhibit]:
    """Draw, for each study one may end any week, which results so far are a reason to go on."""
    pays = [each for each in verdict.stopping if each.enbs.value > each.enbs.error]
    found = sorted(pays, key=lambda each: -each.enbs.value)
    drawn: dict[str, Stopping] = {}
    for each in found:
        if sum(boundary.low is not None for boundary in each.boundaries) > 1:
            drawn.setdefault(each.study, each)
    return [_stopping(verdict, each, voice) for each in drawn.values()][:2]


def _stopping(verdict: Verdict, stop: Stopping, voice: Voice) -> Exhibit:
    open_ = [each for each in stop.boundaries if each.low is not None and each.high is not None]
    measured = voice.question.studies[stop.study].measures if stop.study in voice.question.studies else ""
    ends = _choices(verdict, stop.study, measured)
    first, gain = open_[0], stop.enbs.value - stop.fixed
    return Exhibit(
        key=f"stopping-{''.join(letter if letter.isalnum() else '-' for letter in stop.study)}",
        title=voice("stop.title", study=voice.study(stop.study)),
        sentence=" ".join(
            [
                voice(
                    "stop.sentence",
                    weeks=voice.weeks(first.weeks),
                    low=voice.finely(measured, first.low or 0.0),
                    high=voice.finely(measured, first.high or 0.0),
                    expected=voice.weeks(stop.expected_weeks),
                ),
                *([voice("stop.gain", gain=voice.worth(gain))] if gain > stop.enbs.error else []),
            ]
        ),
        note=voice("stop.note"),
        draw=lambda width: _region(Canvas(width), stop, open_, measured, ends, voice=voice),
        columns=tuple(voice(f"column.{name}") for name in ("after", "stop_below", "stop_above")),
        rows=[
            [
                voice.weeks(each.weeks),
                "–" if each.low is None else voice.finely(measured, each.low),
                "–" if each.high is None else voice.finely(measured, each.high),
            ]
            for each in stop.boundaries
        ],
    )


def _choices(verdict: Verdict, study: str, measured: str) -> tuple[str, str]:
    """Return the best scenario where what is measured proves low, and where it proves high; empty when it cannot be told."""
    tips = sorted((tip for tip in verdict.tipping if tip.unknown == measured), key=lambda tip: tip.value)
    if tips:
        return tips[0].below, tips[-1].above
    curve = next((each for each in verdict.curves if each.unknown == measured), None)
    if curve is None:
        first = verdict.plan.first if verdict.plan is not None else None
        if first is None or first.study != study or len(first.branches) < 2:
            return "", ""
        return first.branches[0].then.live, first.branches[-1].then.live
    low, high = (
        max(curve.net_benefit, key=lambda name, end=end: curve.net_benefit[name][end])  # type: ignore[misc]
        for end in (0, -1)
    )
    return low, high


def _zone(verdict_best: str, voice: Voice, first: str) -> str:
    if not verdict_best:
        return voice("stop.enough")
    return voice("stop.keep" if verdict_best == first else "stop.ship", the=voice.the(verdict_best))


def _region(
    canvas: Canvas, stop: Stopping, open_: Sequence[Boundary], measured: str, ends: tuple[str, str], *, voice: Voice
) -> Canvas:
    lows = [(each.weeks, each.low or 0.0) for each in open_]
    highs = [(each.weeks, each.high or 0.0) for each in open_]
    least, most = min(low for _, low in lows), max(high for _, high in highs)
    room = 0.32 * (most - least or 1.0)
    top, bottom = 4.0, 224.0 if canvas.narrow else 264.0
    last = min(max(stop.most_weeks, lows[-1][0]), 1.3 * lows[-1][0] + 1)
    x = Scale(0.0, last, LEFT, canvas.width - 12)
    y = Scale(least - room, most + room, bottom, top)
    upper, lower = ([(x(week), y(value)) for week, value in line] for line in (highs, lows))
    canvas.area([*upper, *reversed(lower)], fill="accent-soft")
    for tick in nice_ticks(y.low, y.high, 5):
        canvas.line((0, y(tick)), (canvas.width, y(tick)), stroke="soft" if tick == 0 else "rule")
        canvas.text((0, y(tick) - 4), voice.quantity(measured, tick, unit=False), size=12, halo=True)
    canvas.curve(upper, stroke="accent", width=2.4)
    canvas.curve(lower, stroke="accent", width=2.4)
    if len(upper) <= 20:
        for point in (*upper, *lower):
            canvas.dot(point, 3.2, fill="accent", ring="paper", ring_width=1)
    baseline = next(iter(voice.question.scenarios))
    low_zone, high_zone = (_zone(end, voice, baseline) for end in ends)
    _zone_words(canvas, (canvas.width - 8, top + 20), high_zone, anchor="end")
    _zone_words(canvas, (canvas.width - 8, bottom - 12), low_zone, anchor="end", up=True)
    _go_on(canvas, upper, lower, voice("stop.go_on"))
    weeks_axis(canvas, x, bottom, voice)
    return canvas


def _go_on(
    canvas: Canvas, upper: Sequence[tuple[float, float]], lower: Sequence[tuple[float, float]], text: str
) -> None:
    """Name the region inside it, where it is high enough all along the word, or else beyond its tip."""
    wide = width_of(text, 14, bold=True)
    for at in range(len(upper)):
        start = upper[at][0] + 8
        over = [each for each in range(at, len(upper)) if upper[each][0] <= start + wide] or [at]
        ceiling, floor = max(upper[each][1] for each in over), min(lower[each][1] for each in over)
        if floor - ceiling > 26 and start + wide < upper[-1][0]:
            canvas.text((start, (ceiling + floor) / 2 + 5), text, fill="ink", size=14, bold=True)
            return
    x, y = upper[-1][0], (upper[-1][1] + lower[-1][1]) / 2
    end = x + 12 + wide > canvas.width
    canvas.text(
        (x - 4 if end else x + 10, y + (26 if end else 5)),
        text,
        fill="ink",
        size=14,
        bold=True,
        anchor="end" if end else "start",
        halo=True,
    )


def _zone_words(canvas: Canvas, place: tuple[float, float], text: str, *, anchor: str, up: bool = False) -> None:
    lines = wrap(text, 0.62 * canvas.width, size=14, lines=2, bold=True)
    x, y = place
    canvas.words(
        (x, y - (18 * (len(lines) - 1) if up else 0)), lines, fill="ink", size=14, anchor=anchor, bold=True, halo=True
    )
