"""Doubt plot: the price of not knowing as evidence came in, and what the next study may leave of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from embellie.app.pictures.canvas import Canvas, Scale, wrap
from embellie.app.pictures.exhibit import Exhibit
from embellie.app.pictures.money_plots import LEFT, value_grid
from embellie.app.pictures.voice import Voice
from embellie.domain.verdict import Prospect, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The price of not knowing, once something had been found: its source in a word or two, and the EVPI from then on."""

    label: str
    evpi: float


def burn_down(verdict: Verdict, history: Sequence[Known], voice: Voice) -> Exhibit | None:
    """Draw the price of not knowing as evidence came in, and what the next study may leave of it."""
    prospect = verdict.prospect
    if prospect is None and len(history) < 2:
        return None
    points = list(history) or [Known(label=voice("word.today"), evpi=verdict.evpi.value)]
    said = []
    if len(points) > 1:
        key = "burn.past" if len(points) > 2 else "burn.past_one"
        fell = points[-1].evpi < 0.98 * points[0].evpi
        first, now = voice.worth(points[0].evpi), voice.worth(points[-1].evpi)
        said.append(voice(key if fell else "burn.flat", first=first, now=now, n=len(points) - 1))
    if prospect is not None:
        said.append(
            voice(
                "burn.fan",
                study=voice.design(prospect.study, weeks=prospect.weeks, share=prospect.share),
                now=voice.worth(prospect.now),
                mean=voice.worth(prospect.after.mean),
            )
        )
        if prospect.after.p95 > prospect.now * 1.02:
            said.append(voice("burn.may_rise", high=voice.worth(prospect.after.p95)))
    return Exhibit(
        key="burn-down",
        title=voice("burn.title" if len(points) > 1 else "burn.title_next"),
        sentence=" ".join(said),
        note=voice("burn.note"),
        draw=lambda width: _burn_down(Canvas(width), points, prospect, voice),
        columns=(voice("column.known"), voice("column.evpi")),
        rows=[
            *([each.label, voice.worth(each.evpi)] for each in points),
            *(
                [
                    [
                        voice(
                            "burn.after", study=voice.design(prospect.study, weeks=prospect.weeks, share=prospect.share)
                        ),
                        voice(
                            "burn.expected",
                            mean=voice.worth(prospect.after.mean),
                            low=voice.money_end(prospect.after.p05),
                            high=voice.money_end(prospect.after.p95),
                        ),
                    ]
                ]
                if prospect is not None
                else []
            ),
        ],
    )


def _burn_down(canvas: Canvas, points: Sequence[Known], prospect: Prospect | None, voice: Voice) -> Canvas:
    top, bottom = 10.0, 200.0 if canvas.narrow else 230.0
    most = max(each.evpi for each in points)
    if prospect is not None:
        most = max(most, prospect.after.p95, prospect.now)
    y = Scale(0.0, 1.12 * most or 1.0, bottom, top)
    value_grid(canvas, y, voice, most=4)
    left, right = LEFT, canvas.width - (92 if prospect is not None else 12)
    share = 1.0 if prospect is None else 0.5 if len(points) < 2 else 0.66
    step = share * (right - left) / max(1, len(points))
    now = left + step * len(points)
    outline = []
    for place, each in enumerate(points):
        outline += [(left + step * place, y(each.evpi)), (left + step * (place + 1), y(each.evpi))]
    canvas.area([(left, y(0)), *outline, (now, y(0))], fill="accent", opacity=0.13)
    if prospect is not None:
        _fan(canvas, prospect, (now, y(points[-1].evpi)), right, y=y, voice=voice)
    canvas.curve(outline, stroke="accent", width=2.6)
    canvas.dot((now, y(points[-1].evpi)), 5, fill="accent", ring="paper", ring_width=2)
    _step_labels(canvas, points, left, step, bottom)
    return canvas


def _step_labels(canvas: Canvas, points: Sequence[Known], left: float, step: float, bottom: float) -> None:
    """Name the steps; where they stand too close, the first and the last alone."""
    lowest, last = bottom + 19, len(points) - 1
    crowded = step < 60
    for place, each in enumerate(points):
        x = left + step * place
        canvas.line((x, bottom), (x, bottom + 5), stroke="soft")
        if not crowded or place in {0, last}:
            room = max(step * last if crowded and not place else step, 60) - 8
            lowest = max(lowest, canvas.words((x, bottom + 19), wrap(each.label, room, size=12, lines=2), size=12))
    canvas.height = max(canvas.height, lowest - 6)


def _fan(
    canvas: Canvas, prospect: Prospect, start: tuple[float, float], right: float, *, y: Scale, voice: Voice
) -> None:
    after = prospect.after
    canvas.area([start, (right, y(after.p95)), (right, y(after.p05))], fill="sun", opacity=0.28)
    canvas.curve([start, (right, y(after.mean))], stroke="ink", width=2, dash="5 4")
    canvas.dot((right, y(after.mean)), 5, fill="paper", ring="ink", ring_width=2)
    label = wrap(voice("burn.on_average", mean=voice.worth(after.mean)), 84, size=12.5, lines=3)
    canvas.words((right + 10, y(after.mean) - 8 * (len(label) - 1) + 4), label, fill="ink", size=12.5, halo=True)
    name = voice.weeks(prospect.weeks) if prospect.weeks else prospect.study
    canvas.line((right, y(0)), (right, y(0) + 5), stroke="soft")
    lines = wrap(voice("burn.after", study=name), 90, size=12, lines=2)
    last = canvas.words((right, y(0) + 19), lines, size=12)
    canvas.height = max(canvas.height, last - 6)
