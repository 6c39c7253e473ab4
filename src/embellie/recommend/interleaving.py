"""Interleaving: two policies draft one slate between them, each owning what it chose; to rank rankers, never for money."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import ClassVar, overload
from urllib.parse import parse_qsl

from embellie.domain.errors import InputError
from embellie.domain.moment import micros
from embellie.domain.release import setting_of
from embellie.domain.slate import Recommended, SlateRequest
from embellie.ports import Policy
from embellie.recommend.built_in import build_policy
from embellie.recommend.signals import Signal, signals_of
from embellie.recommend.state import State

DRAWN = ("exploring", "interleaved", "thompson")
"""The policies whose slates are drawn by chance: their propensities would be wrong once another policy reorders them."""

EXACT_ROUNDS = 12
"""Rounds whose propensities are exact; nobody reads that far."""


class Draft(Sequence[Recommended]):
    """A team draft of two rankings, drafted only as far as someone reads.

    Each round a coin says who picks first; then each ranking adds its best article that is not yet in, and owns it (`team`).
    When one has no more, the rest of the other belongs to neither. An article's propensity is its chance, over all coins,
    to stand at its position. Source: Radlinski, Kurup and Joachims, CIKM 2008.

    Args:
        rankings: Two rankings, best first.
        teams: The name of each.
        coin: Bytes whose bits are the coins, used again from the start when there are not enough.

    >>> one, other = ([Recommended(name, "new") for name in names] for names in ("abc", "bca"))
    >>> [(item.article, item.team, item.propensity) for item in Draft((one, other), ("x", "y"), coin=bytes([1]))]
    [('a', 'x', 0.5), ('b', 'y', 0.5), ('c', '', 1.0)]
    """

    def __init__(
        self, rankings: tuple[Sequence[Recommended], Sequence[Recommended]], teams: tuple[str, str], *, coin: bytes
    ):
        self._rankings = rankings
        self._teams = teams
        self._coin = coin
        self._drafted: list[Recommended] = []
        self._more = self._draft()

    def __bool__(self) -> bool:
        return bool(self._take(1))

    def __len__(self) -> int:
        return len(self._take(None))

    @overload
    def __getitem__(self, index: int) -> Recommended: ...
    @overload
    def __getitem__(self, index: slice) -> list[Recommended]: ...
    def __getitem__(self, index: int | slice) -> Recommended | list[Recommended]:
        if isinstance(index, int) and index >= 0:
            return self._take(index + 1)[index]
        if isinstance(index, slice) and index.stop is not None and index.stop >= 0 <= (index.start or 0):
            return self._take(index.stop)[index]
        return self._take(None)[index]

    def __iter__(self) -> Iterator[Recommended]:
        place = 0
        while len(self._take(place + 1)) > place:
            yield self._drafted[place]
            place += 1

    def _take(self, count: int | None) -> list[Recommended]:
        missing = None if count is None else max(0, count - len(self._drafted))
        self._drafted.extend(islice(self._more, missing))
        return self._drafted

    def _draft(self) -> Iterator[Recommended]:
        used: frozenset[str] = frozenset()
        chances = {used: 1.0}
        turn = 0
        while True:
            first = self._coin[turn // 8 % len(self._coin)] >> (turn % 8) & 1
            picked = self._round(used, 1 - first)
            if picked is None:
                break
            where, chances = self._spread(chances) if turn < EXACT_ROUNDS else ({}, {})
            for seat, (owner, item) in enumerate(picked):
                chance = where.get((seat, item.article), 0.5)
                yield replace(item, team=self._teams[owner], propensity=min(1.0, chance))
            used |= {item.article for _, item in picked}
            turn += 1
        yield from self._rest(used)

    def _round(
        self, used: frozenset[str], first: int
    ) -> tuple[tuple[int, Recommended], tuple[int, Recommended]] | None:
        """Let `first`, then the other, pick their best unused article; None when either has none."""
        one = self._best(first, used)
        if one is None:
            return None
        other = self._best(1 - first, used | {one.article})
        return None if other is None else ((first, one), (1 - first, other))

    def _best(self, side: int, used: frozenset[str]) -> Recommended | None:
        return next((item for item in self._rankings[side] if item.article not in used), None)

    def _spread(
        self, chances: dict[frozenset[str], float]
    ) -> tuple[dict[tuple[int, str], float], dict[frozenset[str], float]]:
        """Play a round from every state it can be in: each article's chance of either seat, and the states after."""
        where: dict[tuple[int, str], float] = {}
        after: dict[frozenset[str], float] = {}
        for used, chance in chances.items():
            for first in (0, 1):
                picked = self._round(used, first)
                if picked is None:
                    continue
                for seat, (_, item) in enumerate(picked):
                    where[seat, item.article] = where.get((seat, item.article), 0.0) + chance / 2
                names = used | {item.article for _, item in picked}
                after[names] = after.get(names, 0.0) + chance / 2
        return where, after

    def _rest(self, used: frozenset[str]) -> Iterator[Recommended]:
        seen = set(used)
        for ranking in self._rankings:
            for item in ranking:
                if item.article not in seen:
                    seen.add(item.article)
                    yield item


@dataclass(frozen=True)
class Interleaved:
    """Two policies drafting one slate: readers' reads then tell which ranks better, with far fewer readers than a split.

    The coins follow from the request, so the same request is drafted the same way again.

    Args:
        first: A policy, with its settings as in `popular?half_life=6`.
        second: Another.
        salt: Another salt, other coins.
    """

    name: ClassVar[str] = "interleaved"
    names_matter: ClassVar[bool] = True

    first: str = "popular"
    second: str = "affinity"
    salt: str = ""

    def __post_init__(self) -> None:
        if self.first == self.second:
            raise InputError(
                f"`interleaved` compares `{self.first}` with itself.", hint="Name two policies.", at="settings.second"
            )
        for text in (self.first, self.second):
            if text.partition("?")[0] == self.name:
                raise InputError("`interleaved` cannot draft for itself.", hint="Name two policies.", at="settings")
            if text.partition("?")[0] in DRAWN:
                raise InputError(
                    f"`interleaved` cannot draft `{text}`: its slates are drawn already.",
                    hint="Name two policies that are certain of what they show.",
                    at="settings",
                )
        object.__setattr__(self, "_policies", (policy_named(self.first), policy_named(self.second)))

    @property
    def signals(self) -> tuple[type[Signal], ...]:
        """The signals that the policies in it look at."""
        return signals_of(policy_named(name) for name in (self.first, self.second))

    @property
    def logs_features(self) -> bool:
        """Whether the slates of either carry features."""
        return any(getattr(one, "logs_features", False) for one in getattr(self, "_policies"))  # noqa: B009

    def __call__(self, request: SlateRequest, view: State) -> Sequence[Recommended]:
        """Draft the two rankings."""
        policies: tuple[Policy[State], Policy[State]] = getattr(self, "_policies")  # noqa: B009 - set on a frozen class
        one, other = (policy(request, view) for policy in policies)
        return Draft((one, other), (self.first, self.second), coin=request_coins(request, self.salt))


def request_coins(request: SlateRequest, salt: str) -> bytes:
    """Draw 256 coins from what is asked: the same request draws the same, so that a slate can be told again."""
    asked = (salt, request.site, request.placement, request.reader, request.visit, request.article)
    return hashlib.sha256("\x1f".join([*asked, str(micros(request.now))]).encode()).digest()


def policy_named(text: str) -> Policy[State]:
    """Build a policy of a policy's settings: `popular`, or `popular?half_life=6`."""
    name, _, query = text.partition("?")
    return build_policy(name, {key: setting_of(value) for key, value in parse_qsl(query, keep_blank_values=True)})
