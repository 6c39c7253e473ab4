"""Thompson: a policy's best articles and some fresh ones, each slate in the order of one guess at what they are worth."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from embellie.domain.errors import InputError
from embellie.domain.moment import micros
from embellie.domain.slate import Recommended, SlateRequest
from embellie.ports import Policy
from embellie.recommend.click_rates import PSEUDO_CLICKS, ClickRates
from embellie.recommend.interleaving import DRAWN, policy_named, request_coins
from embellie.recommend.popularity import Floats, Integers
from embellie.recommend.ranking import Ranking, Unread
from embellie.recommend.signals import Signal, signals_of
from embellie.recommend.state import SiteState, State

FRESH_CLICKS = 1.0
"""With `fresh_views = 0`, an article is fresh until it had impressions enough for so many clicks at the site's rate."""

_LEAST_SCORE = 0.01


class Drawn(Unread):
    """A ranking of which some articles stand first in another order; the rest follows, read only as far as someone reads.

    Args:
        first: What stands first.
        ranking: The whole ranking, those articles included.
    """

    def __init__(self, first: Sequence[Recommended], ranking: Sequence[Recommended]) -> None:
        self._items = list(first)
        self._length = len(ranking)
        names = {item.article for item in first}
        self._rest: Iterator[Recommended] = (item for item in ranking if item.article not in names)

    def __len__(self) -> int:
        return self._length

    def _item(self, index: int) -> Recommended:
        self._items.extend(islice(self._rest, max(0, index + 1 - len(self._items))))
        return self._items[index]


def drawn_orders(values: Floats, fresh: NDArray[np.bool_], *, allowed: Integers, protect: int) -> NDArray[np.integer]:
    """Order articles by each draw's values, best first, holding back the fresh ones.

    The first `protect` places go to articles that are not fresh; of the others, only the draw's best `allowed` fresh ones
    stand where their values put them. Those left over come last: where nothing else is left, they are better than nothing.

    Args:
        values: Draws × articles.
        fresh: Which articles are.
        allowed: How many fresh ones each draw may have before all others are used up.
        protect: Places.

    >>> values, fresh = np.array([[1.0, 4.0, 2.0, 3.0]]), np.array([False, True, False, True])
    >>> drawn_orders(values, fresh, allowed=np.array([1]), protect=1).tolist()
    [[2, 1, 0, 3]]
    """
    order = np.argsort(-values, axis=1)
    new = fresh[order]
    tier = np.ones(order.shape, np.int8)
    tier[~new & (np.cumsum(~new, axis=1) <= protect)] = 0
    tier[new & (np.cumsum(new, axis=1) > allowed[:, None])] = 2
    return np.take_along_axis(order, np.argsort(tier, axis=1, kind="stable"), axis=1)


@dataclass(frozen=True)
class Thompson:
    """Another policy's best articles, and some fresh ones, in the order of one draw of what each may be worth (Thompson sampling).

    An article's click rate when seen is believed to be Beta(a + clicks, b + impressions − clicks), counted by `ClickRates`. The
    prior is the site's own: a mean of `optimism` times its click rate, worth `pseudo_clicks` clicks at that rate, so an
    article with few impressions is not far from it, whatever the site's rate is. Each slate draws one click rate θ per
    article from its belief and ranks by

        s^trust · θ

    s being the policy's score. The policy says what this reader would like on this page, θ what readers do who see the article:
    the product pools the two opinions (logarithmic opinion pool), and needs no common scale.
    Of scores that are no amounts (one is negative) only the places count: s = 1 / place.

    At most a share `fresh_cap` of the slots, over many slates, goes to fresh articles, and none of the first `protect`, as long
    as there are others: an article is fresh until it had `fresh_views` examined impressions.

    The propensity of a slot has no closed form. The order is drawn 1 + `draws` times, the first is shown, and the propensity is
    the share of all those orders that have the same article there, the shown one included. Were it left out, a propensity could be 0.
    With it, the propensity of an article of true chance p is (1 + K) / (1 + draws), K binomial, and

        E[1 / propensity] = (1 − (1 − p)^(1 + draws)) / p

    so an importance weight misses 1/p by the chance that none of the orders had the article there: 0.03 % at p = 4 % and 200
    draws. All draws follow from the request. Sources: Thompson, Biometrika 1933; Chapelle and Li, NIPS 2011; the optimistic
    prior and the cap on fresh articles as in Mozilla's Merino, there Beta(188, 12500).

    Args:
        policy: The policy, with its settings as in `affinity?half_life=6`.
        pool: How many of its best articles take part; of its best fresh ones, `fresh_cap` times as many do in any case.
        fresh_cap: The share of slots for fresh articles, 0 to 1.
        protect: The first places, which fresh articles do not get.
        fresh_views: Examined impressions; 0 for as many as bring a click at the site's rate.
        optimism: How many times the site's click rate an unknown article is believed to have.
        pseudo_clicks: What the prior weighs, in clicks.
        trust: The exponent of the policy's score: below 1 where scores spread further than click rates do; 0 to look at those alone.
        draws: How many more orders the propensities are told by.
        salt: Another salt, other draws.
    """

    name: ClassVar[str] = "thompson"
    names_matter: ClassVar[bool] = True

    policy: str = "affinity"
    pool: int = 50
    fresh_cap: float = 0.25
    protect: int = 1
    fresh_views: float = 0.0
    optimism: float = 1.25
    pseudo_clicks: float = PSEUDO_CLICKS
    trust: float = 1.0
    draws: int = 200
    salt: str = ""

    def __post_init__(self) -> None:
        for what, wrong, hint in (
            (f"`pool` is {self.pool}", self.pool < 2, "A pool holds two articles or more."),
            (f"`fresh_cap` is {self.fresh_cap:g}", not 0 <= self.fresh_cap <= 1, "Write a share from 0 to 1."),
            (f"`protect` is {self.protect}", self.protect < 0, "Write how many places, 0 for none."),
            (f"`fresh_views` is {self.fresh_views:g}", self.fresh_views < 0, "Write impressions, or 0."),
            (
                f"`optimism` is {self.optimism:g}",
                not self.optimism > 0,
                "Write a factor above 0: 1 is the site's rate.",
            ),
            (f"`pseudo_clicks` is {self.pseudo_clicks:g}", not self.pseudo_clicks > 0, "Write clicks, above 0."),
            (f"`trust` is {self.trust:g}", self.trust < 0, "Write an exponent, 0 or above."),
            (f"`draws` is {self.draws}", self.draws < 1, "Draw once at least; 200 tell a chance of 4 % well."),
        ):
            if wrong:
                raise InputError(f"{what}.", hint=hint, at=f"settings.{what.split('`')[1]}")
        if self.policy.partition("?")[0] in DRAWN:
            raise InputError(
                f"`thompson` cannot vary `{self.policy}`: its slates are drawn already.",
                hint="Name a policy that is certain of what it shows.",
                at="settings.policy",
            )
        object.__setattr__(self, "_followed", policy_named(self.policy))

    @property
    def signals(self) -> tuple[type[Signal], ...]:
        """What it and its policy look at."""
        return tuple(dict.fromkeys((*signals_of([self._policy]), ClickRates)))

    @property
    def logs_features(self) -> bool:
        """Whether the policy's slates carry features."""
        return bool(getattr(self._policy, "logs_features", False))

    @property
    def _policy(self) -> Policy[State]:
        found: Policy[State] = getattr(self, "_followed")  # noqa: B009 - set on a frozen class
        return found

    def __call__(self, request: SlateRequest, view: State) -> Sequence[Recommended]:
        """Rank by one draw; what lies beyond the pool stands where the policy has it."""
        ranking, site = self._policy(request, view), view.site(request.site)
        rates, now = site.signal(ClickRates), micros(request.now)
        fresh = rates.examined(len(site.shelf)) < (self.fresh_views or FRESH_CLICKS / rates.rate(now))
        pool = self._pool(ranking, fresh, site)
        if len(pool) < 2:
            return ranking
        rows = np.array(site.shelf.rows(item.article for item in pool), np.int64)
        chance = np.random.Generator(np.random.PCG64(int.from_bytes(request_coins(request, self.salt))))
        # The coins come first: they say whether the broken part of a slot, of n · fresh_cap, is one more.
        coins = chance.random(1 + self.draws)
        orders = drawn_orders(
            self._guesses(pool, rates, rows, now, chance),
            fresh[rows],
            allowed=np.floor(self.fresh_cap * request.n + coins).astype(np.int64),
            protect=self.protect,
        )
        propensities = (orders == orders[0]).mean(axis=0)
        shown = zip(orders[0].tolist(), propensities.tolist(), strict=True)
        return Drawn([replace(pool[place], propensity=propensity) for place, propensity in shown], ranking)

    def _pool(self, ranking: Sequence[Recommended], fresh: NDArray[np.bool_], site: SiteState) -> list[Recommended]:
        """Take the policy's best articles, and its best fresh ones, those that the site knows."""
        best, more = list(ranking[: self.pool]), math.ceil(self.fresh_cap * self.pool)
        new = ranking.where(fresh)[:more] if isinstance(ranking, Ranking) else []
        once = {item.article: item for item in (*best, *new)}
        return [item for item in once.values() if site.shelf.row(item.article) is not None]

    def _guesses(
        self, pool: Sequence[Recommended], rates: ClickRates, rows: Integers, now: int, chance: np.random.Generator
    ) -> Floats:
        """Draw what each article may be worth: draws × articles, on a logarithmic scale."""
        rate = rates.rate(now)
        views, clicks = rates.counts(rows, now)
        weight = self.pseudo_clicks / rate
        won = self.optimism * self.pseudo_clicks + clicks
        # Where a slot is hardly looked at, an article may have more clicks than examined impressions.
        lost = np.maximum(weight + views - won, 1.0)
        drawn = chance.beta(won, lost, (1 + self.draws, len(pool)))
        guesses: Floats = np.log(np.maximum(drawn, 1e-300)) + self.trust * np.log(_amounts(pool))
        return guesses


def _amounts(pool: Sequence[Recommended]) -> Floats:
    """Return the policy's scores, none far below their mean; of scores that are no amounts, what the places say."""
    scores = np.array([item.score for item in pool])
    if not np.isfinite(scores).all() or scores.min() < 0.0 or scores.max() <= 0.0:
        return 1.0 / np.arange(1.0, len(pool) + 1.0)
    amounts: Floats = np.maximum(scores, _LEAST_SCORE * float(scores.mean()))
    return amounts
