"""Diversity: a policy's best articles chosen one by one, each for its score and for what it adds; and what that costs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from embellie.domain.errors import InputError, unknown_name
from embellie.domain.slate import Recommended, SlateRequest
from embellie.ports import Policy
from embellie.recommend.exploring import Varied
from embellie.recommend.interleaving import DRAWN, policy_named
from embellie.recommend.popularity import Floats
from embellie.recommend.signals import Signal, signals_of
from embellie.recommend.state import SiteState, State
from embellie.recommend.texts import Texts

BY = ("section", "content")
"""What makes two articles alike: the same section, or the same subject."""

Likeness = Callable[[int], Floats]
"""How much each article of a pool is like one of them (its place), from 0 to 1."""


def most_marginal_first(scores: Floats, likeness: Likeness, *, relevance: float) -> list[int]:
    """Order a pool by maximal marginal relevance.

    Chosen next is the place i, among those left, with the most λ · rᵢ − (1 − λ) · max over the chosen j of sim(i, j), rᵢ being
    its score between the pool's least (0) and best (1); of equals, the earlier. (Carbonell and Goldstein, *The use of MMR*,
    SIGIR 1998.)

    Args:
        scores: One per place, best first.
        likeness: How alike one place and all are.
        relevance: λ, from 0 (only new things) to 1 (the order as it is).

    >>> same = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    >>> most_marginal_first(np.array([3.0, 2.5, 2.0]), lambda place: same[place], relevance=0.5)
    [0, 2, 1]
    """
    spread = float(scores.max(initial=0.0) - scores.min(initial=np.inf)) if len(scores) else 0.0
    value = relevance * ((scores - scores.min()) / spread if spread > 0.0 else np.ones(len(scores)))
    nearest = np.zeros(len(scores))
    left = np.ones(len(scores), np.bool_)
    order: list[int] = []
    for _ in range(len(scores)):
        worth = np.where(left, value - (1.0 - relevance) * nearest, -np.inf)
        chosen = int(np.argmax(worth))
        left[chosen] = False
        order.append(chosen)
        nearest = np.maximum(nearest, likeness(chosen))
    return order


def price(best: Sequence[Recommended], served: Sequence[Recommended]) -> float | None:
    """Return the share of the scores' sum that a slate gives up against the best one: with scores that are predicted reads, of reads.

    `None` when there is nothing to lose: no article, or scores that are no amounts (a sum of 0 or below, or a negative one).

    >>> best = [Recommended("a", "", 4.0), Recommended("b", "", 4.0)]
    >>> price(best, [best[0], Recommended("c", "", 3.0)])
    0.125
    """
    whole = sum(item.score for item in best)
    if whole <= 0.0 or min(item.score for item in (*best, *served)) < 0.0:
        return None
    return 1.0 - sum(item.score for item in served) / whole


@dataclass(frozen=True)
class Diverse:
    """Another policy's best articles, chosen so that they are not all alike (`most_marginal_first`).

    Deterministic when the policy is, so its propensities stay true. Scores stay the policy's own, and tell the price.

    Args:
        policy: The policy, with its settings as in `popular?half_life=6`.
        relevance: λ: 1 leaves the order as it is, 0 looks only at what is new in the slate.
        by: What makes two articles alike: `section`, or `content` (their words).
        pool: How many of its best articles are reordered; the rest follow.
    """

    name: ClassVar[str] = "diverse"

    policy: str = "affinity"
    relevance: float = 0.7
    by: str = "section"
    pool: int = 40

    def __post_init__(self) -> None:
        if self.by not in BY:
            wrong = unknown_name("likeness", self.by, BY)
            raise InputError(wrong.message, hint=wrong.hint, at="settings.by")
        if not 0.0 <= self.relevance <= 1.0 or self.pool < 2:
            raise InputError(
                f"`relevance` is {self.relevance:g} and `pool` {self.pool}.",
                hint="`relevance` lies from 0 to 1, and a pool holds two articles or more.",
                at="settings",
            )
        if self.policy.partition("?")[0] in (*DRAWN, self.name, "status_quo"):
            raise InputError(
                f"`diverse` cannot reorder `{self.policy}`.",
                hint="Name a policy that ranks by its own scores and is certain of what it shows; `exploring` may explore `diverse`.",
                at="settings.policy",
            )
        object.__setattr__(self, "_followed", policy_named(self.policy))

    @property
    def followed(self) -> Policy[State]:
        """The policy whose articles are reordered."""
        found: Policy[State] = getattr(self, "_followed")  # noqa: B009 - set on a frozen class
        return found

    @property
    def signals(self) -> tuple[type[Signal], ...]:
        """What it and its policy look at."""
        own: tuple[type[Signal], ...] = (Texts,) if self.by == "content" else ()
        return tuple(dict.fromkeys((*signals_of([self.followed]), *own)))

    @property
    def needs_sections(self) -> bool:
        """Whether it is its policy when no section is known."""
        return self.by == "section"

    def __call__(self, request: SlateRequest, view: State) -> Sequence[Recommended]:
        """Rank as the policy does, its best articles reordered."""
        ranking = self.followed(request, view)
        pool = list(ranking[: self.pool])
        if len(pool) < 2 or self.relevance == 1.0:
            return ranking
        site = view.site(request.site)
        rows = np.array(site.shelf.rows(item.article for item in pool), np.int64)
        scores = np.array([item.score for item in pool])
        order = most_marginal_first(scores, self._likeness(rows, site), relevance=self.relevance)
        return Varied([pool[place] for place in order], ranking)

    def _likeness(self, rows: NDArray[np.int64], site: SiteState) -> Likeness:
        if self.by == "content":
            return site.signal(Texts).likeness(rows)
        sections = site.shelf.section[rows]
        # Of an unknown section nothing is known to be alike.
        return lambda place: ((sections == sections[place]) & (sections != 0)).astype(np.float64)
