"""Plan tree: the plan drawn from its first step to its last, one step under the other, so that it reads on a phone too."""

from collections.abc import Iterator
from dataclasses import dataclass

from embellie.app.pictures.canvas import Canvas, scenario_paint, width_of, wrap
from embellie.app.pictures.exhibit import Exhibit
from embellie.app.pictures.voice import Voice
from embellie.domain.plan import Branch, Plan, Step
from embellie.domain.verdict import Verdict

_MOST_STEPS = 26


@dataclass(frozen=True, slots=True)
class _Node:
    """A step in its place: how deep it hangs, the branch that leads to it, and whether others of its kind follow."""

    step: Step
    depth: int
    branch: Branch | None
    measured: str
    parent: int


def plan_tree(verdict: Verdict, voice: Voice) -> Exhibit | None:
    """Draw the plan: each study, each scenario put in production, and what each outcome leads to."""
    plan = verdict.plan
    if plan is None:
        return None
    nodes = list(_walk(plan.first, voice))
    return Exhibit(
        key="plan",
        title=voice("plan.title"),
        sentence=voice(
            "plan.sentence" if plan.first.branches else "plan.at_once",
            value=voice.money(plan.value.value),
            leaves=sum(not node.step.branches for node in nodes),
        ),
        note=voice("plan.note") if plan.first.branches else "",
        draw=lambda width: _tree(Canvas(width), nodes, plan, verdict, voice),
        columns=tuple(voice(f"column.{name}") for name in ("when", "chance", "then", "worth_then")),
        rows=[
            [
                _condition(node, voice) or voice("word.today"),
                voice.percent(_reached(nodes, node)),
                "; ".join(_doing(node.step, voice)),
                _amount(node, plan, voice),
            ]
            for node in nodes
        ],
    )


def _amount(node: _Node, plan: Plan, voice: Voice) -> str:
    return voice.money(node.branch.value if node.branch else plan.value.value)


def _walk(first: Step, voice: Voice) -> Iterator[_Node]:
    """Go through the plan as it is read: each step, then what follows from each of its outcomes."""
    waiting: list[tuple[Step, int, Branch | None, str, int]] = [(first, 0, None, "", -1)]
    count = 0
    while waiting and count < _MOST_STEPS:
        step, depth, branch, measured, parent = waiting.pop()
        yield _Node(step, depth, branch, measured, parent)
        study = voice.question.studies.get(step.study)
        waiting += [
            (branch.then, depth + 1, branch, study.measures if study else "", count)
            for branch in reversed(step.branches)
        ]
        count += 1


def _reached(nodes: list[_Node], node: _Node) -> float:
    chance = 1.0
    while node.branch is not None:
        chance *= node.branch.chance
        node = nodes[node.parent]
    return chance


def _condition(node: _Node, voice: Voice) -> str:
    """Say when a branch is taken: `below 0.8 %`, `0.8 % to 2 %`, `above 2 %`."""
    if node.branch is None:
        return ""
    low, high = node.branch.low, node.branch.high
    ends = {
        name: "" if end is None else voice.about(node.measured, end, other)
        for name, end, other in (("low", low, high), ("high", high, low))
    }
    if node.branch.signals:
        return ", ".join(signal.replace("_", " ") for signal in node.branch.signals)
    if low is None and high is None:
        return voice("plan.whatever")
    key = "plan.below" if low is None else "plan.above" if high is None else "plan.between"
    return voice(key, **ends)


def _doing(step: Step, voice: Voice) -> list[str]:
    """Say what a step does, a line each: what goes live, and the study."""
    said = []
    if step.starts:
        said.append(voice("plan.start", the=voice.the(step.live)))
    elif step.stops:
        said.append(voice("plan.take_back", the=voice.the(step.live)))
    elif not step.study:
        said.append(voice("plan.keep", the=voice.the(step.live)))
    if step.study:
        design = voice.design(step.study, weeks=step.weeks, share=step.share, n=step.n)
        said.append(voice("plan.run_free" if not step.cost else "plan.run", design=design, cost=voice.money(step.cost)))
    return said


def _tree(canvas: Canvas, nodes: list[_Node], plan: Plan, verdict: Verdict, voice: Voice) -> Canvas:
    order = [value.scenario for value in verdict.scenarios]
    indent = 20.0 if canvas.narrow else 34.0
    deepest = max(node.depth for node in nodes)
    indent = min(indent, 0.28 * canvas.width / max(1, deepest))
    feet: list[float] = []
    y = 0.0
    for place, node in enumerate(nodes):
        left = indent * node.depth
        if node.branch is not None:
            y = _branch_words(canvas, node, left, y, voice)
            stem = left - indent + 9
            canvas.curve([(stem, feet[node.parent]), (stem, y + 16), (left, y + 16)], stroke="soft", width=1.3)
        y = _box(canvas, node, left, y, plan, order=order, voice=voice)
        feet.append(y)
        y += 8 if place + 1 < len(nodes) and nodes[place + 1].depth > node.depth else 12
    canvas.height = y - 8
    return canvas


def _branch_words(canvas: Canvas, node: _Node, left: float, top: float, voice: Voice) -> float:
    if node.branch is None:
        return top
    chance = voice("plan.chance", p=voice.percent(node.branch.chance))
    canvas.names((left + 2, top + 13), _condition(node, voice), chance)
    return top + 20


def _box(canvas: Canvas, node: _Node, left: float, top: float, plan: Plan, *, order: list[str], voice: Voice) -> float:
    step = node.step
    value = _amount(node, plan, voice)
    right = width_of(value, 13, bold=True)
    lines: list[tuple[str, bool]] = []
    room = canvas.width - left - 26
    for index, text in enumerate(_doing(step, voice)):
        first = room - right - 14 if index == 0 else room
        lines += [(line, not index) for line in wrap(text, first, bold=not index, lines=3)]
    height = 12 + 18 * len(lines)
    fill = scenario_paint(step.live, order.index(step.live) if step.live in order else 0)
    canvas.rect((left, top), (canvas.width - left, height), fill="faint" if step.study else "paper", radius=3)
    if not step.study:
        canvas.add(
            f'<rect x="{left + 0.5:.1f}" y="{top + 0.5:.1f}" width="{canvas.width - left - 1:.1f}" '
            f'height="{height - 1:.1f}" rx="3" fill="none" stroke="var(--rule,#dfdbd2)"/>'
        )
    canvas.rect((left, top), (5, height), fill=fill, radius=2)
    y = top + 20
    for line, bold in lines:
        canvas.text((left + 14, y), line, fill="ink", bold=bold)
        y += 18
    canvas.text((canvas.width - 8, top + 20), value, fill="ink", bold=True, anchor="end")
    return top + height
