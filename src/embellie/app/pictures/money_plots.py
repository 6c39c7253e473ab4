"""Money plots: what each scenario may bring, and what each answer is worth."""

from collections.abc import Mapping, Sequence

from embellie.app.pictures.canvas import TEXT, Canvas, Scale, scenario_paint, width_of, wrap
from embellie.app.pictures.exhibit import Exhibit
from embellie.app.pictures.voice import Voice
from embellie.domain.verdict import ScenarioValue, UnknownValue, Verdict

_PAD = 10.0
LEFT = 50.0
"""Where a drawing begins beside labels of money."""

_MOST_BARS = 9


def money_axis(canvas: Canvas, scale: Scale, top: float, bottom: float, voice: Voice) -> None:
    """Draw an axis of money under a picture, each label whole and clear of its neighbours; the line at 0 goes through."""
    ticks = scale.ticks(7 if not canvas.narrow else 4)
    right = -1e9
    for tick, label in zip(ticks, voice.ticks(ticks), strict=True):
        x, half = scale(tick), width_of(label, 12) / 2
        canvas.line((x, bottom), (x, bottom + 5), stroke="soft")
        at = min(max(x, half), canvas.width - half)
        if at - half > right + 6:
            canvas.text((at, bottom + 19), label, size=12, anchor="middle")
            right = at + half
    if scale.low < 0 < scale.high:
        canvas.line((scale(0), top), (scale(0), bottom), stroke="soft", dash="2 3")
        canvas.sink()
    canvas.height = max(canvas.height, bottom + 26)


# what each scenario may bring


def net_benefit(verdict: Verdict, quantiles: Mapping[str, Sequence[float]], voice: Voice) -> Exhibit:
    """Draw each scenario's net benefit as equally likely outcomes, its mean, and the line at 0."""
    best = next(value for value in verdict.scenarios if value.scenario == verdict.best)
    spread = best.net_benefit
    return Exhibit(
        key="net-benefit",
        title=voice("net_benefit.title"),
        sentence=voice(
            "net_benefit.certain" if spread.p05 == spread.p95 else "net_benefit.sentence",
            scenario=voice.scenario(best.scenario),
            mean=voice.money(spread.mean),
            low=voice.money_end(spread.p05),
            high=voice.money_end(spread.p95),
            p_best=voice.percent(best.p_best),
        ),
        note=voice("net_benefit.note", n=len(next(iter(quantiles.values())))),
        draw=lambda width: _dots(Canvas(width), verdict, quantiles, voice),
        columns=tuple(
            voice(f"column.{name}") for name in ("scenario", "mean", "range", "cost", "p_best", "p_loss", "regret")
        ),
        rows=[
            [
                voice.scenario(value.scenario),
                voice.money(value.net_benefit.mean),
                voice.money_range(value.net_benefit.p05, value.net_benefit.p95),
                voice.money(value.cost),
                voice.percent(value.p_best),
                voice.percent(value.p_loss),
                voice.money(value.expected_loss),
            ]
            for value in verdict.scenarios
        ],
    )


def _dots(canvas: Canvas, verdict: Verdict, quantiles: Mapping[str, Sequence[float]], voice: Voice) -> Canvas:
    values = [value for name in quantiles for value in quantiles[name]]
    values += [value.net_benefit.mean for value in verdict.scenarios]
    low, high = min(0.0, *values), max(0.0, *values)
    room = 0.04 * (high - low or 1.0)
    scale = Scale(low - room, high + room, _PAD, canvas.width - _PAD)
    radius, stacks = 8.0, _stacks(verdict, quantiles, scale, 8.0)
    while radius > 4 and max(level for stack in stacks.values() for _, _, level in stack) > 5:
        radius -= 0.5
        stacks = _stacks(verdict, quantiles, scale, radius)
    y = 0.0
    for place, value in enumerate(verdict.scenarios):
        y = _dot_row(canvas, value, stacks[value.scenario], scale, y, radius=radius, place=place, voice=voice)
    money_axis(canvas, scale, 4.0, y, voice)
    return canvas


def _stacks(
    verdict: Verdict, quantiles: Mapping[str, Sequence[float]], scale: Scale, radius: float
) -> dict[str, list[tuple[float, float, int]]]:
    """Stack dots where they would touch: value, place, level, by scenario."""
    zero, found = scale(0.0), {}
    for value in verdict.scenarios:
        drawn = quantiles[value.scenario]
        certain = value.net_benefit.p05 == value.net_benefit.p95
        columns: dict[int, int] = {}
        stack = []
        for outcome in [value.net_benefit.mean] if certain else sorted(drawn, key=lambda each: -abs(each - drawn[0])):
            column = round((scale(outcome) - zero) / (2 * radius))
            level = columns.get(column, 0)
            columns[column] = level + 1
            stack.append((outcome, zero + 2 * radius * column, level))
        found[value.scenario] = stack
    return found


def _dot_row(
    canvas: Canvas,
    value: ScenarioValue,
    stack: Sequence[tuple[float, float, int]],
    scale: Scale,
    top: float,
    *,
    radius: float,
    place: int,
    voice: Voice,
) -> float:
    name, certain = voice.scenario(value.scenario), value.net_benefit.p05 == value.net_benefit.p95
    said = voice(
        "net_benefit.row_certain" if certain else "net_benefit.row",
        mean=voice.money(value.net_benefit.mean),
        p_best=voice.percent(value.p_best),
    )
    below = width_of(name, 14, bold=True) + 10 + width_of(said, TEXT) > canvas.width
    canvas.names((0, top + 18), name, "" if below else said, size=14)
    if below:
        canvas.text((0, top + 35), said, halo=True)
    height = 2 * radius * (1 + max(level for _, _, level in stack))
    base = top + (44 if below else 28) + height
    fill = scenario_paint(value.scenario, place)
    for outcome, x, level in stack:
        opacity = 0.4 if outcome < -1e-9 else 1.0
        canvas.dot((x, base - radius - 2 * radius * level), radius - 0.8, fill=fill, opacity=opacity)
    canvas.line((0, base + 1), (canvas.width, base + 1), stroke="rule")
    if not certain:
        x = scale(value.net_benefit.mean)
        canvas.area([(x, base + 2), (x - 5, base + 10), (x + 5, base + 10)], fill="ink")
    return base + 14


# what each answer is worth


def worth(verdict: Verdict, voice: Voice) -> Exhibit | None:
    """Draw what knowing each unknown is worth at most, with its numerical error, and who could answer at what price."""
    if not verdict.unknowns:
        return None
    top = verdict.unknowns[0]
    matters = top.evppi.value > max(top.floor, verdict.noise_floor)
    return Exhibit(
        key="worth",
        title=voice("worth.title"),
        sentence=voice(
            "worth.sentence" if matters else "worth.nothing",
            ask=voice.ask(top.name),
            worth=voice.worth(top.evppi.value),
            evpi=voice.worth(verdict.evpi.value),
        ),
        note=voice("worth.note"),
        draw=lambda width: _bars(Canvas(width), verdict, voice),
        columns=tuple(voice(f"column.{name}") for name in ("unknown", "kind", "worth", "error", "open", "who")),
        rows=[
            [
                voice.ask(unknown.name),
                voice(f"kind.{unknown.kind or 'none'}"),
                voice.worth(unknown.evppi.value, max(unknown.floor, verdict.noise_floor)),
                f"± {voice.money(unknown.evppi.error)}",
                voice("word.open" if unknown.open else "word.settled"),
                who_could_answer(verdict, unknown.name, voice) or "–",
            ]
            for unknown in verdict.unknowns
        ],
    )


def who_could_answer(verdict: Verdict, name: str, voice: Voice) -> str:
    """Say who could answer: whoever was asked, and the studies that measure it, each from its least price."""
    known = voice.question.unknowns.get(name)
    found = [known.asked] if known is not None and known.asked else []
    for study in voice.question.studies.values():
        costs = [each.cost for each in verdict.studies if each.name == study.name]
        if study.measures == name and costs:
            key = "worth.study" if max(costs) > min(costs) else "worth.study_at"
            found.append(voice(key, study=voice.study(study.name), cost=voice.money(min(costs))))
    return "; ".join(found) if voice.language == "en" else " ; ".join(found)


def _bars(canvas: Canvas, verdict: Verdict, voice: Voice) -> Canvas:
    floor = verdict.noise_floor
    counting = [each for each in verdict.unknowns if each.evppi.value > max(each.floor, floor)]
    drawn = verdict.unknowns[: max(3, min(len(counting), _MOST_BARS))]
    most = max((each.evppi.value + each.evppi.error for each in drawn), default=0.0)
    scale = Scale(0.0, max(most, 0.2 * verdict.evpi.value, 1e-12), 0.0, canvas.width)
    y = 0.0
    for unknown in drawn:
        y = _bar(canvas, unknown, scale, y, verdict=verdict, voice=voice)
    rest = len(verdict.unknowns) - len(drawn)
    if rest:
        key = "worth.rest_nothing" if len(counting) <= len(drawn) else "worth.rest"
        canvas.text((0, y + 12), voice(key if rest > 1 else f"{key}_one", n=rest))
        y += 18
    canvas.height = y
    return canvas


def _bar(canvas: Canvas, unknown: UnknownValue, scale: Scale, top: float, *, verdict: Verdict, voice: Voice) -> float:
    floor = max(unknown.floor, verdict.noise_floor)
    value = voice.worth(unknown.evppi.value, floor)
    right = width_of(value, 14, bold=True)
    lines = wrap(voice.ask(unknown.name), canvas.width - right - 18, size=14, lines=3)
    y = canvas.words((0, top + 15), lines, fill="ink", size=14)
    canvas.text((canvas.width, top + 15), value, fill="ink", size=14, bold=True, anchor="end")
    y -= 8
    canvas.rect((0, y), (canvas.width, 10), fill="faint", radius=2)
    if unknown.evppi.value > floor:
        fill = "accent" if unknown.open else "status_quo"
        canvas.rect((0, y), (max(2.0, scale(unknown.evppi.value)), 10), fill=fill, radius=2)
        low, high = (scale(max(0.0, unknown.evppi.value + sign * unknown.evppi.error)) for sign in (-1, 1))
        if high - low > 3:
            canvas.curve([(low, y + 5), (high, y + 5)], stroke="ink", width=1)
            for x in (low, high):
                canvas.line((x, y + 1.5), (x, y + 8.5), stroke="ink")
    y += 10
    who = who_could_answer(verdict, unknown.name, voice)
    if unknown.evppi.value > floor:
        said = voice("word.open" if unknown.open else "worth.settled")
        said = f"{said} · {who}" if who else said
        y = canvas.words((0, y + 16), wrap(said, canvas.width, size=12.5, lines=2), size=12.5) - 14
    return y + 14


# what pictures of money share


def key_row(canvas: Canvas, names: Sequence[tuple[str, str]], top: float = 0.0) -> float:
    """Write a key: a mark in each paint and its name, broken into rows; return where what follows begins."""
    x, y = 0.0, top + 13
    for name, fill in names:
        wide = 17 + width_of(name)
        if x and x + wide > canvas.width:
            x, y = 0.0, y + 19
        canvas.rect((x, y - 9), (11, 9), fill=fill, radius=2)
        canvas.text((x + 16, y), name, fill="ink")
        x += wide + 16
    return y + 10


def value_grid(canvas: Canvas, scale: Scale, voice: Voice, *, left: float = 0.0, most: int = 5) -> None:
    """Draw lines of equal money with their labels on them, at the left; the line at 0 is the darkest."""
    ticks = scale.ticks(most)
    for tick, label in zip(ticks, voice.ticks(ticks), strict=True):
        y = scale(tick)
        canvas.line((left, y), (canvas.width, y), stroke="soft" if tick == 0 else "rule")
        canvas.text((left, y - 4), label, size=12, halo=True)
