"""Looking: how often results are looked at decides how wide an interval must be."""

import math
from dataclasses import dataclass

from embellie.domain.errors import InputError
from embellie.domain.scorecard import IntervalKind
from embellie.domain.unavailable import Unavailable
from embellie.stats.estimators import Difference, critical_value, two_sided_p
from embellie.stats.sequential import (
    BURN_IN,
    always_valid_p,
    always_valid_reach,
    group_bounds,
    root_of,
    tuned_rho,
)

PLANNED = 10_000
"""The units at which an always-valid interval is tightest, unless the plan says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """A plan of looks: once (`fixed`), at `looks` planned moments (`group_sequential`), or whenever (`always`).

    `planned` is the units of both sides at the planned end, fixed before the first look; at that size an `always`
    interval is tightest, and there a `group_sequential` plan has spent its whole error.
    """

    kind: IntervalKind = "fixed"
    looks: int = 1
    planned: int = PLANNED
    level: float = 0.95


@dataclass(frozen=True, slots=True)
class Reach:
    """How many standard errors the interval reaches to each side, and the p-value that goes with it."""

    standard_errors: float
    p_value: float


def parse_looking(text: str, *, planned: int | None = None) -> Looking:
    """Read `none`, `always` or `group:K`.

    >>> parse_looking("group:5", planned=100_000).looks
    5

    Raises:
        InputError: For anything else, or when `group:K` comes without the planned units.
    """
    if text == "none":
        return Looking()
    if text == "always":
        return Looking(kind="always", planned=planned or PLANNED)
    word, _, number = text.partition(":")
    if word != "group" or not number.isdigit() or not 1 <= int(number) <= 100:
        raise InputError(
            f"`{text}` is no plan of looks.", hint="Write `none`, `always`, or `group:5` for five planned looks."
        )
    if planned is None:
        raise InputError(
            f"`{text}` needs the planned number of units.",
            hint="Add for example `--planned 100000`: units of both sides at the last look, fixed before the first.",
        )
    return Looking(kind="group_sequential", looks=int(number), planned=planned)


def reach_at(looking: Looking, found: Difference, *, smaller_arm: int) -> Reach | Unavailable:
    """Say how far an interval reaches for a difference, and its p-value.

    `fixed`: Student's t with Welch's degrees of freedom. `always`: asymptotic confidence sequence, from 100 units per
    arm on. `group_sequential`: Lan–DeMets bounds at K equally spaced looks; the p-value is the smallest error at which
    the bound would be crossed.
    """
    alpha, z = 1.0 - looking.level, found.value / found.se
    if looking.kind == "fixed":
        return Reach(critical_value(looking.level, found.df), two_sided_p(z, found.df))
    if looking.kind == "always":
        if smaller_arm < BURN_IN:
            return Unavailable(
                f"An always-valid interval starts at {BURN_IN} units per variant; there are {smaller_arm}.",
                "Wait for traffic, then look again.",
                code="early_interval",
                values={"needed": str(BURN_IN), "units": str(smaller_arm)},
            )
        rho = tuned_rho(looking.planned, alpha=alpha)
        return Reach(always_valid_reach(found.n, rho, alpha=alpha), always_valid_p(z, found.n, rho))
    return _group_reach(looking, z, min(1.0, found.n / looking.planned), alpha)


def _group_reach(looking: Looking, z: float, fraction: float, alpha: float) -> Reach:
    # A look a little late is that look, not the next one.
    look = max(1, math.ceil(fraction * looking.looks - 0.05))
    fractions = (*(step / looking.looks for step in range(1, look)), fraction)

    def excess(log_alpha: float) -> float:
        return group_bounds(fractions, alpha=math.exp(log_alpha))[-1] - abs(z)

    low, high = math.log(1e-12), math.log(0.999)
    if excess(low) <= 0:
        p_value = math.exp(low)
    elif excess(high) >= 0:
        p_value = 1.0
    else:
        p_value = math.exp(root_of(excess, low, high, tolerance=1e-4))
    return Reach(group_bounds(fractions, alpha=alpha)[-1], p_value)
