"""Plotting intervals in text: one line each, on one axis, with zero marked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from embellie.domain.scorecard import Effect, RelativeEffect, Scorecard
from embellie.measure.telling import leading_rows
from embellie.measure.telling_numbers import count_text, metric_name, percent_text

WIDTH = 48

MARGIN = "╎"
"""Where a guardrail's margin lies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An interval to be drawn, as shares: with a label before it, a note after it, and a mark on its axis."""

    label: str
    effect: float
    low: float
    high: float
    note: str = ""
    mark: float | None = None


def interval_plot(card: Scorecard, language: str = "en") -> list[str]:
    """Draw the relative effects of a scorecard with their intervals, a line each; nothing when there is none.

    By role, the primary metrics first; the adjusted row (`*`) instead of the unadjusted one; a guardrail's margin as `╎`.
    """
    return interval_lines(
        [line for row, _ in leading_rows(card.effects) if (line := _line_of(row, language))], language
    )


def series_plot(
    history: Sequence[tuple[datetime, Scorecard]], metric: str, variant: str, language: str = "en"
) -> list[str]:
    """Draw one metric's relative effect over time, a line per moment: the day it ends, the units so far, its interval.

    A moment without an interval is a line that says so.
    """
    lines: list[Line] = []
    early: list[str] = []
    for at, card in history:
        label = f"{at - timedelta(microseconds=1):%Y-%m-%d}  {count_text(sum(card.units.values()), language):>9}"
        rows = [row for row, _ in leading_rows(card.effects) if (row.metric, row.variant) == (metric, variant)]
        relative = rows[0].relative if rows and isinstance(rows[0], Effect) else None
        if isinstance(relative, RelativeEffect):
            lines.append(Line(label=label, effect=relative.effect, low=relative.low, high=relative.high))
        elif not lines:
            early.append(f"{label}  –")
    return early + interval_lines(lines, language)


def interval_lines(lines: Sequence[Line], language: str = "en") -> list[str]:
    r"""Draw intervals below one another on one axis, which the last line names.

    >>> print("\n".join(interval_lines([Line(label="reads", effect=0.02, low=0.0, high=0.04)])))
    reads  ┼───────────────────────●───────────────────────
           +0.0 %                                    +4.0 %
    """
    if not lines:
        return []
    marks = [line.mark for line in lines if line.mark is not None]
    low = min(0.0, *marks, *(line.low for line in lines))
    high = max(0.0, *marks, *(line.high for line in lines))
    margin = max(len(line.label) for line in lines)
    drawn = [f"{line.label:<{margin}}  {_cells(line, low, high)}  {line.note}".rstrip() for line in lines]
    left, right = (percent_text(100 * end, 50 * (high - low), language) for end in (low, high))
    return [*drawn, f"{'':<{margin}}  {left}{right:>{max(1, WIDTH - len(left))}}"]


def _line_of(row: object, language: str) -> Line | None:
    if not isinstance(row, Effect) or not isinstance(row.relative, RelativeEffect):
        return None
    mark = None
    if row.guardrail is not None and row.guardrail.margin > 0 and row.control_value:
        mark = -row.guardrail.margin / abs(row.control_value)
    name = metric_name(row.metric, language) + (" *" if row.adjusted else "")
    relative = row.relative
    return Line(label=f"{name}  {row.variant}", effect=relative.effect, low=relative.low, high=relative.high, mark=mark)


def _cells(line: Line, low: float, high: float) -> str:
    def place(value: float) -> int:
        return round((value - low) / (high - low) * (WIDTH - 1)) if high > low else 0

    cells = [" "] * WIDTH
    cells[place(0.0)] = "┊"
    for cell in range(place(line.low), place(line.high) + 1):
        cells[cell] = "┼" if cell == place(0.0) else "─"
    if line.mark is not None:
        cells[place(line.mark)] = MARGIN
    cells[place(line.effect)] = "●"
    return "".join(cells)
