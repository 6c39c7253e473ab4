"""Known exposures: whom the log knows to be exposed, by the million, so that each is told once."""

from collections.abc import Iterable, Iterator, MutableSet
from typing import Any

Exposed = tuple[str, str, str, str]
"""Whom the log knows to be exposed: site, experiment, unit, variant."""


class KnownExposures(MutableSet[Exposed]):
    """A set of exposures, held by site, experiment and variant: about 100 bytes a unit, and its name.

    >>> known = KnownExposures([("gazette", "first", "ann", "heuristic"), ("gazette", "first", "bob", "status_quo")])
    >>> known.forget("gazette", "ann")
    >>> list(known)
    [('gazette', 'first', 'bob', 'status_quo')]
    """

    def __init__(self, facts: Iterable[Exposed] = ()) -> None:
        # Mappings rather than sets: they keep the order of the log, so that the same log gives the same file.
        self._units: dict[tuple[str, str, str], dict[str, None]] = {}
        for fact in facts:
            self.add(fact)

    def __contains__(self, fact: object) -> bool:
        if not isinstance(fact, tuple) or len(fact) != 4:
            return False
        site, experiment, unit, variant = fact
        return unit in self._units.get((site, experiment, variant), ())

    def __iter__(self) -> Iterator[Exposed]:
        for (site, experiment, variant), units in self._units.items():
            for unit in units:
                yield site, experiment, unit, variant

    def __len__(self) -> int:
        return sum(map(len, self._units.values()))

    def add(self, value: Exposed) -> None:
        """Take one in."""
        site, experiment, unit, variant = value
        self._units.setdefault((site, experiment, variant), {})[unit] = None

    def discard(self, value: Exposed) -> None:
        """Take one out, if it is in."""
        site, experiment, unit, variant = value
        self._units.get((site, experiment, variant), {}).pop(unit, None)

    def forget(self, site: str, unit: str) -> None:
        """Drop all exposures of one unit of a site: it was erased, and would be a new one if it came back."""
        for (where, _, _), units in self._units.items():
            if where == site:
                units.pop(unit, None)

    def snapshot(self) -> list[dict[str, Any]]:
        """Return all of them, by site, experiment and variant."""
        return [
            {"site": site, "experiment": experiment, "variant": variant, "units": list(units)}
            for (site, experiment, variant), units in self._units.items()
        ]

    def restore(self, snapshot: Iterable[dict[str, Any]]) -> None:
        """Become what gave a snapshot."""
        self._units = {
            (one["site"], one["experiment"], one["variant"]): dict.fromkeys(one["units"]) for one in snapshot
        }
