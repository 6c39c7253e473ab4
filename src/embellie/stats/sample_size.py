"""Sample size: how many units it takes to see an effect, and what effect a number of units can show."""

import math

from scipy import special

from embellie.stats.sequential import always_valid_reach, tuned_rho


def units_per_arm(sd: float, effect: float, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return the units each of two equal arms needs: `2 (z_{1−α/2} + z_{power})² sd²/effect²`.

    Normal approximation, two-sided. At 5 % and 80 % the factor is 15.70, usually rounded up to 16.

    >>> math.ceil(units_per_arm(math.sqrt(0.05 * 0.95), 0.0025))
    119303
    """
    return 2.0 * (_reach(alpha, power) * sd / effect) ** 2


def rule_of_thumb(sd: float, effect: float) -> float:
    """Return `16 sd²/effect²`, the rule for 5 % and 80 % (Kohavi, Longbotham, Sommerfield and Henne 2009).

    >>> round(rule_of_thumb(math.sqrt(0.05 * 0.95), 0.05 * 0.05))
    121600
    """
    return 16.0 * (sd / effect) ** 2


def smallest_effect(sd: float, units: float, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return the smallest effect that two equal arms of `units` each detect with this power.

    >>> round(smallest_effect(1.0, units_per_arm(1.0, 0.1)), 12)
    0.1
    """
    return _reach(alpha, power) * sd * math.sqrt(2.0 / units)


def always_smallest_effect(sd: float, units: float, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return the smallest effect that two equal arms of `units` each detect by an interval that holds at every look.

    The interval is tightest at these units, and read there; who looks on the way may see it sooner.

    >>> round(always_smallest_effect(1.0, 10_000) / smallest_effect(1.0, 10_000), 2)
    1.38
    """
    reach = always_valid_reach(2.0 * units, tuned_rho(2.0 * units, alpha=alpha), alpha=alpha)
    return (reach + float(special.ndtri(power))) * sd * math.sqrt(2.0 / units)


def chance_above_margin(sd: float, units: float, margin: float, *, alpha: float = 0.05) -> float:
    """Return how probably an interval that holds at every look lies above `−margin` when there is no effect.

    Two equal arms of `units` each, the interval tightest there: `Φ(margin/se − reach)` with `se = sd √(2/units)`.

    >>> round(chance_above_margin(1.0, 10_000, 0.06), 3)
    0.886
    """
    reach = always_valid_reach(2.0 * units, tuned_rho(2.0 * units, alpha=alpha), alpha=alpha)
    return float(special.ndtr(margin / (sd * math.sqrt(2.0 / units)) - reach))


def _reach(alpha: float, power: float) -> float:
    return float(special.ndtri(1.0 - alpha / 2.0) + special.ndtri(power))
