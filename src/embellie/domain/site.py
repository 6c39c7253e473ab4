"""Site: one newspaper, and the named spots of its pages."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A named spot that holds a slate of `slots` articles, at most `section_cap` of a section (0: no cap).

    `one_per_story` keeps two articles that tell the same story out of one slate, and one whose twin the reader knows. A policy
    that takes longer than `budget_ms` time and again rests for a while (0: it may take any time).
    """

    placement: str
    slots: int = 4
    section_cap: int = 0
    max_age_hours: float = 0.0
    one_per_story: bool = True
    budget_ms: float = 200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One newspaper; without `profiling`, nobody's own reads choose what they are shown, whatever they agreed to.

    `allow_private` lets its own feeds' and pages' names lead to private addresses.
    """

    site: str
    name: str
    url: str = ""
    languages: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    feeds: tuple[str, ...] = ()
    allow_private: bool = False
    editors_list: tuple[str, ...] = ()
    profiling: bool = True
    placements: Mapping[str, Placement] = field(default_factory=dict)
