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
class Features:
    """The numbers a policy looked at when it judged one article, `values` in the order of `names`.

    Each value is a 32-bit float in its shortest decimal form, so that what is written down is exactly what was used.
    `as_of` says what the policy knew then: how many articles, reads, clicks and consents of the site it had taken in.
    """

    names: tuple[str, ...]
    values: tuple[float, ...]
    as_of: int = 0


@dataclass(frozen=True, slots=True)
class Recommended:
    """One article a policy proposes, best first, with the reason a reader could be told.

    `propensity` is the chance that the policy shows this article at this position. `team` is whose choice it was, where two
    policies share a slate; `""` is nobody's. `features` are what the policy looked at, where that is to be remembered.
    """

    article: str
    reason: str
    score: float = 0.0
    propensity: float = 1.0
    team: str = ""
    features: Features | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SlateItem:
    """One slot of a slate; `position` counts from 1, `features` follow the slate's `feature_names`."""

    article: str
    position: int
    propensity: float
    reason: str
    score: float = 0.0
    team: str = ""
    features: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Slate:
    """What the server answered; an event of kind `served` carries it whole, even when empty.

    With `feature_names`, its items say what was known of them when they were chosen: after the site's first `as_of`
    articles, reads, clicks and consents, and the articles that the page said this visit had opened (`visit_articles`).
    `fallback` says what answered where the release assigned could not: `stable`, `popular`, `latest`, `editors` or `nothing`.
    `shared`: for whoever asked without saying who they are, any number of them; so what was done with it tells of no one showing.
    """

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
    feature_names: tuple[str, ...] = ()
    as_of: int = 0
    visit_articles: tuple[str, ...] = ()
    fallback: str = ""
    shared: bool = False
