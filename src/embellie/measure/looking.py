"""Looking: how often results are looked at decides how wide an interval must be."""

import math
from dataclasses import dataclass
from functools import lru_cache

from embellie.domain.errors import InputError
from embellie.domain.scorecard import IntervalKind
from embellie.domain.unavailable import Unavailable
from embellie.stats.estimators import Difference, critical_value, two_sided_p
from embellie.stats.sequential import (
    BURN_IN,
    BURN_IN_EFFECTIVE,
    BURN_IN_EVENTS,
    always_valid_log_e,
    always_valid_p,
    always_valid_reach,
    group_bound,
    group_p_value,
    one_sided_reach,
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
    """How many standard errors the interval reaches to each side, its kind, and the p-value and e-value that go with it."""

    standard_errors: float
    p_value: float
    kind: IntervalKind = "fixed"
    log_e: float | None = None


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


EARLY_OR_LATE = 0.1
"""A look so far from its planned moment, as a part of the time between two, is that look."""

OVERRUN = 1.25
"""The last look may come with so many times the planned units; later, the plan is over."""


def reach_at(
    looking: Looking,
    found: Difference,
    *,
    smaller_arm: int,
    fewest_events: float | None = None,
    effective: float | None = None,
    watched: bool = False,
) -> Reach | Unavailable:
    """Say how far an interval reaches for a difference, and its p-value.

    `fixed`: Student's t with Welch's degrees of freedom. `always`: asymptotic confidence sequence, from 100 units per
    arm on; for a share from 25 units per arm that did it and 25 that did not; for other metrics of unequal arms from 100 units
    of the smaller one divided by 1 + (sd/mean)². `group_sequential`: Lan–DeMets bounds at K
    equally spaced looks, each at the information it has; the repeated p-value. What an early end leaves unspent stays
    unspent, for it may have ended because of what was seen.

    Watched while traffic arrives, a group-sequential plan is looked at between its looks too: there, and long after the last,
    the interval is the one that holds at every look.

    Args:
        looking: The plan.
        found: The difference.
        smaller_arm: Units of the smaller arm.
        fewest_events: Of a share, the fewest units of an arm that did it, or did not.
        effective: Of unequal arms, units of the smaller one divided by 1 + (sd/mean)².
        watched: Whether results are looked at all the time.
    """
    alpha, z = 1.0 - looking.level, found.value / found.se
    if looking.kind == "fixed":
        return Reach(critical_value(looking.level, found.df), two_sided_p(z, found.df))
    if looking.kind == "group_sequential":
        fractions = looks_so_far(found.n / looking.planned, looks=looking.looks, watched=watched)
        if fractions is not None:
            bound = group_bound(fractions, alpha=alpha)
            return Reach(bound, group_p_value(z, fractions), "group_sequential")
    early = _early(smaller_arm, fewest_events, effective)
    if early is not None:
        return early
    rho = tuned_rho(looking.planned, alpha=alpha)
    return Reach(
        always_valid_reach(found.n, rho, alpha=alpha),
        always_valid_p(z, found.n, rho),
        "always",
        always_valid_log_e(z, found.n, rho),
    )


def _early(smaller_arm: int, fewest_events: float | None, effective: float | None) -> Unavailable | None:
    if smaller_arm < BURN_IN:
        return Unavailable(
            f"An always-valid interval starts at {BURN_IN} units per variant; there are {smaller_arm}.",
            "Wait for traffic, then look again.",
            code="early_interval",
            values={"needed": str(BURN_IN), "units": str(smaller_arm)},
        )
    if fewest_events is not None and fewest_events < BURN_IN_EVENTS:
        return Unavailable(
            f"An always-valid interval of a share starts at {BURN_IN_EVENTS} units per variant that did it, and as many "
            f"that did not; there are {fewest_events:.0f}.",
            "Wait for traffic, then look again.",
            code="few_events",
            values={"needed": str(BURN_IN_EVENTS), "units": f"{fewest_events:.0f}"},
        )
    if effective is not None and effective < BURN_IN_EFFECTIVE:
        return Unavailable(
            f"Of unequal variants, few heavy units decide: an always-valid interval starts when the smaller one weighs as much as "
            f"{BURN_IN_EFFECTIVE} equal units; it weighs {effective:.0f}.",
            "Wait for traffic, cap the metric, or give both variants the same share.",
            code="heavy_units",
            values={"needed": str(BURN_IN_EFFECTIVE), "units": f"{effective:.0f}"},
        )
    return None


def looks_so_far(fraction: float, *, looks: int, watched: bool) -> tuple[float, ...] | None:
    """Return the share of planned information at each look up to this one, or None where it is no planned look.

    Earlier looks count as made at their planned moments. A table is looked at because a look is due: then whatever its size,
    it is the look just due, or the first when none is. Watched, it is a look within a tenth of the way to the next one.

    >>> looks_so_far(0.41, looks=5, watched=True)
    (0.2, 0.41)
    >>> looks_so_far(0.5, looks=5, watched=True) is None
    True
    """
    place = fraction * looks
    if watched:
        look = min(round(place), looks)
        if look < 1 or (abs(place - look) > EARLY_OR_LATE and not 1.0 <= fraction <= OVERRUN):
            return None
    else:
        look = min(max(1, math.ceil(place - EARLY_OR_LATE)), looks)
    return (*(step / looks for step in range(1, look)), fraction)


@lru_cache(maxsize=256)
def margin_reach(looking: Looking, n: int) -> float:
    """Return how many standard errors a one-sided bound reaches that holds at every look, at `1 − level` on its side.

    The exact mixture over one side: at 5 %, a tenth narrower than the two-sided interval, which spends 2.5 % on each.

    >>> round(margin_reach(Looking(kind="always", planned=10_000), 10_000), 3)
    2.766
    """
    alpha = 1.0 - looking.level
    return one_sided_reach(n, tuned_rho(looking.planned, alpha=2.0 * alpha), alpha=alpha)
