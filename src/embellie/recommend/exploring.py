"""Exploring: a policy's slate, and now and then its best articles in any order, with the true chance of each."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from embellie.domain.errors import InputError
from embellie.domain.slate import Recommended, SlateRequest
from embellie.ports import Policy
from embellie.recommend.interleaving import DRAWN, policy_named, request_coins
from embellie.recommend.ranking import Unread
from embellie.recommend.signals import Signal, signals_of
from embellie.recommend.state import State


class Varied(Unread):
    """A ranking whose first articles stand in another order; the rest is read only as far as someone reads.

    Args:
        first: What stands first instead.
        ranking: The whole ranking.
    """

    def __init__(self, first: Sequence[Recommended], ranking: Sequence[Recommended]) -> None:
        self._first, self._ranking = first, ranking

    def __len__(self) -> int:
        return len(self._ranking)

    def _item(self, index: int) -> Recommended:
        return self._first[index] if index < len(self._first) else self._ranking[index]


@dataclass(frozen=True)
class Exploring:
    """Another policy, but in a share of slates its best articles stand in any order: so that other policies can be valued.

    An article of the pool stands at position k with chance `(1 − ε)·[the policy has it at k] + ε / pool`; beyond the pool the
    policy is followed. The draw follows from the request. Source: ε-greedy, Sutton and Barto, *Reinforcement Learning*, 2.2.

    Args:
        policy: The policy, with its settings as in `popular?half_life=6`.
        epsilon: The share of slates that explore, above 0 and at most 1.
        pool: How many of its best articles may come to stand anywhere.
        salt: Another salt, other draws.
    """

    name: ClassVar[str] = "exploring"
    names_matter: ClassVar[bool] = True

    policy: str = "popular"
    epsilon: float = 0.05
    pool: int = 20
    salt: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.epsilon <= 1 or self.pool < 2:
            raise InputError(
                f"`epsilon` is {self.epsilon:g} and `pool` {self.pool}.",
                hint="`epsilon` lies above 0 and at most at 1, and a pool holds two articles or more.",
                at="settings",
            )
        if self.policy.partition("?")[0] in DRAWN:
            raise InputError(
                f"`exploring` cannot vary `{self.policy}`: its slates are drawn already.",
                hint="Name a policy that is certain of what it shows.",
                at="settings.policy",
            )
        object.__setattr__(self, "_followed", policy_named(self.policy))

    @property
    def signals(self) -> tuple[type[Signal], ...]:
        """The signals that the policies in it look at."""
        return signals_of(policy_named(name) for name in (self.policy,))

    @property
    def logs_features(self) -> bool:
        """Whether the policy's slates carry features."""
        return bool(getattr(getattr(self, "_followed"), "logs_features", False))  # noqa: B009 - set on a frozen class

    def __call__(self, request: SlateRequest, view: State) -> Sequence[Recommended]:
        """Rank as the policy does, or its best articles in any order."""
        followed: Policy[State] = getattr(self, "_followed")  # noqa: B009 - set on a frozen class
        ranking = followed(request, view)
        pool = list(ranking[: self.pool])
        if len(pool) < 2:
            return ranking
        draw = random.Random(request_coins(request, self.salt))
        order = list(range(len(pool)))
        if draw.random() < self.epsilon:
            draw.shuffle(order)
        by_chance = self.epsilon / len(pool)
        stood = [
            replace(pool[place], propensity=by_chance + (1 - self.epsilon) * (place == position))
            for position, place in enumerate(order)
        ]
        return Varied(stood, ranking)
