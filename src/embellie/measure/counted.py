"""Counted: units known only by how many there were and how many did something."""

from collections.abc import Mapping
from typing import Any

from embellie.domain.errors import TableError
from embellie.measure.aggregates import Needs
from embellie.stats.moments import Moments


def yes_no_moments(units: int, did: Mapping[str, int]) -> Moments:
    """Return the moments of yes/no values from their counts: mean s/n, variance s(n − s)/(n(n − 1)).

    Covariances between different columns are unknown, so only means can be compared, not ratios.

    >>> sample = yes_no_moments(4, {"clicks": 1})
    >>> sample.mean("clicks"), sample.covariance("clicks", "clicks")
    (0.25, 0.25)
    """
    spread = {(name, name): s * (units - s) / (units * max(1, units - 1)) for name, s in did.items()} if units else {}
    return Moments(units, {name: s / units if units else 0.0 for name, s in did.items()}, spread)


def moments_from_counts(row: Mapping[str, Any], needs: Needs, *, trials: str, name: str) -> Moments:
    """Read one variant of a table of counts.

    Raises:
        TableError: A count is negative, broken, or above its units.
    """
    at = f"{name}, variant {row['variant']}"
    if row["least"] < 0 or not row["whole"]:
        raise TableError(f"`{trials}` is not a count of units.", hint="Give whole numbers from 0.", at=at)
    for place, column in enumerate(needs.names):
        if row[f"least{place}"] < 0 or not row[f"whole{place}"] or row[f"over{place}"] > 0:
            raise TableError(
                f"`{column}` is not a count of `{trials}` that did something.",
                hint=f"Give whole numbers from 0 to `{trials}`; a sum that can pass it needs a row per unit.",
                at=at,
            )
    return yes_no_moments(int(row["n"]), {column: int(row[f"s{place}"]) for place, column in enumerate(needs.names)})
