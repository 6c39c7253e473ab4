"""Cloud plot: what money is put in, for what comes out."""

from collections.abc import Mapping, Sequence

from embellie.app.pictures.canvas import Canvas, Scale, scenario_paint
from embellie.app.pictures.exhibit import Exhibit
from embellie.app.pictures.money_plots import LEFT, key_row, money_axis, value_grid
from embellie.app.pictures.voice import Voice
from embellie.domain.verdict import Verdict

Cloud = Mapping[str, Sequence[tuple[float, float]]]
"""Cost and benefit in some draws, by scenario."""


def cloud(verdict: Verdict, points: Cloud, voice: Voice) -> Exhibit | None:
    """Draw cost against benefit in some draws: what lies above the slope pays back."""
    spread = {name: pairs for name, pairs in points.items() if len(set(pairs)) > 1}
    if not any(cost for pairs in spread.values() for cost, _ in pairs):
        return None
    likely = max(
        (value for value in verdict.scenarios if value.scenario in spread), key=lambda value: value.net_benefit.mean
    )
    return Exhibit(
        key="cloud",
        title=voice("cloud.title"),
        sentence=voice(
            "cloud.sentence",
            scenario=voice.scenario(likely.scenario),
            cost=voice.money(likely.cost),
            benefit=voice.money(likely.net_benefit.mean + likely.cost),
            p=voice.percent(1 - likely.p_loss),
        ),
        note=voice("cloud.note", n=len(next(iter(spread.values())))),
        draw=lambda width: _cloud(Canvas(width), verdict, spread, voice),
        columns=tuple(voice(f"column.{name}") for name in ("scenario", "cost", "benefit", "p_back")),
        rows=[
            [
                voice.scenario(value.scenario),
                voice.money(value.cost),
                voice.money(value.net_benefit.mean + value.cost),
                voice.percent(1 - value.p_loss),
            ]
            for value in verdict.scenarios
        ],
    )


def _cloud(canvas: Canvas, verdict: Verdict, points: Cloud, voice: Voice) -> Canvas:
    order = [value.scenario for value in verdict.scenarios]
    paints = {name: scenario_paint(name, order.index(name)) for name in points}
    top = key_row(canvas, [(voice.scenario(name), paints[name]) for name in points])
    costs = sorted(cost for pairs in points.values() for cost, _ in pairs)
    gains = sorted(gain for pairs in points.values() for _, gain in pairs)
    far = costs[int(0.995 * (len(costs) - 1))]
    low, high = gains[int(0.005 * (len(gains) - 1))], gains[int(0.995 * (len(gains) - 1))]
    low, high = min(low, 0.0), max(high, 0.35 * far)
    room = 0.05 * (high - low)
    top += 12
    bottom = top + (230 if canvas.narrow else 300)
    x = Scale(0.0, 1.04 * far, LEFT, canvas.width - 8)
    y = Scale(low - room, high + room, bottom, top + 8)
    value_grid(canvas, y, voice)
    end = min(x.high, y.high)
    corners = [(0.0, 0.0), (end, end), (x.high, end), (x.high, y.low), (0.0, y.low)]
    canvas.area([(x(cost), y(gain)) for cost, gain in corners], fill="faint", opacity=0.6)
    canvas.sink()
    canvas.curve([(x(0), y(0)), (x(end), y(end))], stroke="ink", width=1.2, dash="4 3")
    for name, pairs in points.items():
        inside = [(x(cost), y(gain)) for cost, gain in pairs if cost <= x.high and y.low <= gain <= y.high]
        canvas.specks(inside, stroke=paints[name], size=4.2 if canvas.narrow else 4.8, opacity=0.42)
    for value in verdict.scenarios:
        if value.scenario in points:
            middle = x(value.cost), y(value.net_benefit.mean + value.cost)
            canvas.dot(middle, 6, fill=paints[value.scenario], ring="paper", ring_width=2)
    steep = end < x.high
    beside = (x(end) - 10, y(end) + 16) if steep else (canvas.width - 4, y(end) - 9)
    canvas.text(beside, voice("cloud.pays"), fill="ink", anchor="end", halo=True)
    beside = (x(end) + 2, y(end) + 34) if steep else (canvas.width - 4, y(end) + 20)
    canvas.text(beside, voice("cloud.loses"), fill="ink", anchor="start" if steep else "end", halo=True)
    money_axis(canvas, x, bottom, bottom, voice)
    canvas.text((canvas.width, bottom + 36), f"{voice('cloud.cost_axis')} →", size=12, anchor="end")
    canvas.text((0, top + 2), f"↑ {voice('cloud.gain_axis')}", size=12, halo=True)
    canvas.height = bottom + 42
    return canvas
