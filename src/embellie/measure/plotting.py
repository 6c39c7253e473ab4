"""Plotting intervals in text: one line each, on one axis, with zero marked."""

from embellie.domain.scorecard import Effect, RelativeEffect, Scorecard
from embellie.measure.telling import metric_name, percent_text

WIDTH = 48


def interval_plot(card: Scorecard, language: str = "en") -> list[str]:
    """Draw the relative effects of a scorecard with their intervals, a line each; nothing when there is none."""
    drawn = [
        (_label(row, language), row.relative)
        for row in card.effects
        if isinstance(row, Effect) and isinstance(row.relative, RelativeEffect)
    ]
    if not drawn:
        return []
    low = min(0.0, *(each.low for _, each in drawn))
    high = max(0.0, *(each.high for _, each in drawn))
    margin = max(len(label) for label, _ in drawn)
    lines = [f"{label:<{margin}}  {_line(each, low, high)}" for label, each in drawn]
    left, right = (percent_text(100 * end, 50 * (high - low), language) for end in (low, high))
    return [*lines, f"{'':<{margin}}  {left}{right:>{max(1, WIDTH - len(left))}}"]


def _label(row: Effect, language: str) -> str:
    name = metric_name(row.metric, language) + (" *" if row.adjusted else "")
    return f"{name}  {row.variant}"


def _line(effect: RelativeEffect, low: float, high: float) -> str:
    def place(value: float) -> int:
        return round((value - low) / (high - low) * (WIDTH - 1)) if high > low else 0

    cells = [" "] * WIDTH
    cells[place(0.0)] = "┊"
    for cell in range(place(effect.low), place(effect.high) + 1):
        cells[cell] = "┼" if cell == place(0.0) else "─"
    cells[place(effect.effect)] = "●"
    return "".join(cells)
