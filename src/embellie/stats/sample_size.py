"""Sample size: how many units it takes to see an effect, and what effect a number of units can show."""

import math

from scipy import special


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


def _reach(alpha: float, power: float) -> float:
    return float(special.ndtri(1.0 - alpha / 2.0) + special.ndtri(power))
