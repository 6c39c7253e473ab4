"""Switchback tables: a plan to follow, and what came of it, from a table with a row or more per period."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from embellie.app.number_columns import read_columns
from embellie.domain.errors import TableError, unknown_name
from embellie.domain.unavailable import Unavailable
from embellie.measure.switchbacks import (
    Switchback,
    SwitchbackDesign,
    carries_further,
    design_switchback,
    planned_arms,
    read_switchback,
    switchback_picture,
    switchback_sentences,
)
from embellie.stats.switchback import SwitchbackEstimate

__all__ = [
    "design_switchback",
    "plan_rows",
    "plan_switchback_document",
    "switchback_document",
    "switchback_from_table",
    "switchback_picture",
    "switchback_sentences",
]


def switchback_from_table(
    source: str,
    *,
    time: str,
    arm: str,
    outcome: str,
    carry_over: int,
    every: int = 0,
    treatment: str = "",
    baseline: float | None = None,
    seed: int = 0,
) -> Switchback:
    """Read a switchback from a table; rows of one period are averaged.

    Args:
        source: As `open_table` reads it.
        time: The column that names and orders periods: numbers, or times.
        arm: The column of the arm; two values.
        outcome: The column of the outcome.
        carry_over: Periods that an arm reaches on.
        every: Coins fell every so many periods; 0: at the points that are best for this carry-over.
        treatment: The value of `arm` that is the treatment; the later one in the alphabet when left out.
        baseline: See `switchback_effect`.
        seed: Of the sample of paths.

    Raises:
        TableError: A column is missing, a cell is no number, an arm is not one of two, or a period has two arms.
        InputError: The arm changes where the design throws no coin, or there are too few periods.
    """
    found = read_columns(source, numbers=[outcome], texts=[time, arm], order=time)
    name = Path(source).name
    arms = sorted(set(found.texts[arm]))
    if len(arms) != 2:
        raise TableError(f"Column `{arm}` has {len(arms)} values.", hint="A switchback has two arms.", at=name)
    treatment = treatment or arms[1]
    if treatment not in arms:
        raise unknown_name("arm", treatment, arms, at="--treatment")
    (control,) = (one for one in arms if one != treatment)
    sums: dict[str, tuple[float, int, str]] = {}
    for period, which, value in zip(found.texts[time], found.texts[arm], found.numbers[outcome], strict=True):
        total, count, before = sums.get(period, (0.0, 0, which))
        if before != which:
            raise TableError(
                f"Period `{period}` has both arms.", hint="Switch between periods, not within one.", at=name
            )
        sums[period] = (total + value, count + 1, which)
    design = design_switchback(len(sums), carry_over=carry_over, every=every)
    return read_switchback(
        design,
        [total / count for total, count, _ in sums.values()],
        [which == treatment for _, _, which in sums.values()],
        control=control,
        treatment=treatment,
        baseline=baseline,
        seed=seed,
    )


def plan_rows(design: SwitchbackDesign, *, seed: int, control: str, treatment: str) -> list[tuple[int, str, bool]]:
    """Return each period, its arm, and whether a coin was thrown for it."""
    arms = planned_arms(design, seed=seed)
    points = set(design.points)
    return [(period, treatment if on else control, period in points) for period, on in enumerate(arms, start=1)]


def plan_switchback_document(
    design: SwitchbackDesign, rows: Sequence[tuple[int, str, bool]], *, seed: int
) -> dict[str, Any]:
    """Return the JSON form of a plan (`embellie/switchback_plan/1`)."""
    return {
        "schema": "embellie/switchback_plan/1",
        "periods": design.periods,
        "carry_over": design.carry_over,
        "points": list(design.points),
        "seed": seed,
        "arms": [arm for _, arm, _ in rows],
    }


def switchback_document(told: Switchback) -> dict[str, Any]:
    """Return the JSON form (`embellie/switchback/1`)."""
    return {
        "schema": "embellie/switchback/1",
        "control": told.control,
        "treatment": told.treatment,
        "verdict": told.verdict,
        "effect": _figures(told.found),
        "interval": {"level": 0.95, "unit": "path"},
        "periods": told.design.periods,
        "carry_over": told.design.carry_over,
        "points": list(told.design.points),
        "carries_further": {
            "state": "unknown" if told.carries is None else "alarm" if carries_further(told) else "fine",
            "statistic": told.carries,
            "with_one_more": None if told.longer is None else asdict(told.longer),
        },
    }


def _figures(found: SwitchbackEstimate | Unavailable) -> dict[str, Any]:
    return dict(found.document()) if isinstance(found, Unavailable) else asdict(found)
