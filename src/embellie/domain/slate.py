"""Slate: the ordered articles shown in one placement, and what asked for them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal

Consent = Literal["profiling", "measurement", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlateRequest:
    """What a policy is asked: which articles, for this reader, here, now?

    `article` is the page's own article (`""` on a page that is not one). `reader` and `visit` are
    pseudonymous, `""` before consent. `visit_articles` are those already opened in this visit, oldest first.
    `now` is UTC. `bot` is the sign by which it is no person who asks, `""` for a person.
    """

    site: str
    placement: str
    n: int
    now: datetime
    article: str = ""
    reader: str = ""
    visit: str = ""
    consent: Consent = "none"
    exclude: tuple[str, ...] = ()
    visit_articles: tuple[str, ...] = ()
    language: str = ""
    bot: str = ""


@dataclass(frozen=True, slots=True)
class Recommended:
    """One article a policy proposes, best first, with the reason a reader could be told.

    `propensity` is the chance that the policy shows this article at this position. `team` is whose choice it was, where two
    policies share a slate; `""` is nobody's.
    """

    article: str
    reason: str
    score: float = 0.0
    propensity: float = 1.0
    team: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlateItem:
    """One slot of a slate; `position` counts from 1."""

    article: str
    position: int
    propensity: float
    reason: str
    score: float = 0.0
    team: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slate:
    """What the server answered; an event of kind `served` carries it whole, even when empty."""

    kind: ClassVar[str] = "served"

    slate_id: str
    placement: str
    reader: str
    visit: str
    article: str
    variant: str
    release: str
    policy: str
    experiment: str = ""
    items: tuple[SlateItem, ...] = ()
    features: Mapping[str, float] = field(default_factory=dict)
