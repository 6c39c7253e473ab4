"""Editorial rules: what no policy may break, applied last, always."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from embellie.domain.moment import micros
from embellie.domain.rule import MOST_BOOST, Rule
from embellie.domain.site import Placement
from embellie.domain.slate import Recommended, SlateRequest
from embellie.recommend.favouring import Boosts, Floors, boosted
from embellie.recommend.policies import EDITORS_CHOICE
from embellie.recommend.ranking import Narrowing
from embellie.recommend.state import SiteState, State
from embellie.recommend.stories import Stories

_PATIENCE = 32


def apply_rules(
    ranking: Sequence[Recommended], *, request: SlateRequest, state: State, rules: Sequence[Rule], placement: Placement
) -> list[Recommended]:
    """Make a slate of a ranking: at most `request.n` articles, in order, none of them forbidden.

    Never: the page's own article; what the reader has read, before (with consent to profiling) or in this visit;
    what the caller excludes; what is withdrawn, embargoed, expired or not yet published; what the site does not
    know; what is banned or under an editors' embargo; another language than the request's (else the page's; `"*"` mixes); the same twice.
    Of the policy's own choice, moreover: nothing older than `placement.max_age_hours`, at most
    `placement.section_cap` of one section (0: no cap) and what caps allow; with `placement.one_per_story`, one article of a
    story, and none of a story of which the reader is on, has read, or is shown (`exclude`) another, as far as the state keeps
    `Stories`. Unknown sections are not capped.
    What editors chose themselves (a pin, their list) is exempt from age, cap and story, but counts towards them. Whatever
    falls out is refilled from the rest of the ranking. A ranking that shows nothing stays empty: pins do not make a status quo.

    Within all that, boosts reorder the policy's own choice (`favouring.boosted`, among what may be shown), and floors are met
    where otherwise the last chance would pass, by the section's best by the policy's order.

    Args:
        ranking: A policy's ranking, best first; read only as far as needed.
        request: What was asked; its `now` decides.
        state: The folds.
        rules: The site's rules; those that do not hold here and now are ignored.
        placement: The spot on the page.
    """
    if not ranking or request.n < 1:
        return []
    holding = [rule for rule in rules if rule.holds(request.placement, request.now)] if rules else []
    gate = _Gate(request, state.site(request.site), holding, placement)
    pinned = _pinned(gate, holding)
    floors = Floors(holding, n=request.n, pinned={at: gate.section_of(item.article) for at, item in pinned.items()})
    rest = gate.choose(gate.favour(ranking, Boosts(holding)))
    slate: list[Recommended] = []
    while len(slate) < request.n:
        position = len(slate) + 1
        kept = _kept(gate, floors.due(position), ranking) if floors and position not in pinned else None
        item = pinned.pop(position, None) or kept or next(rest, None)
        if item is None:
            # The ranking ran out before the pins' positions: they close up.
            slate += [pinned[position] for position in sorted(pinned)]
            break
        if floors:
            floors.meet(gate.section_of(item.article))
        slate.append(item)
    return slate[: request.n]


def _kept(gate: "_Gate", sections: Sequence[str], ranking: Sequence[Recommended]) -> Recommended | None:
    """Fill a place kept for one of some sections, the first that has anything to show."""
    for section in sections:
        item = next(gate.choose(gate.only(ranking, section)), None)
        if item is not None:
            return item if item.reason == EDITORS_CHOICE else replace(item, reason=f"floor:{section}")
    return None


def _pinned(gate: "_Gate", rules: Sequence[Rule]) -> dict[int, Recommended]:
    """Give each allowed pin its position; of two for one position, the first by name, the other comes next."""
    found: dict[int, Recommended] = {}
    pins = (rule for rule in rules if rule.action == "pin" and rule.position <= gate.request.n)
    for pin in sorted(pins, key=lambda rule: (rule.position, rule.rule)):
        row = gate.row(pin.article)
        if row is None or not gate.allows(row):
            continue
        position = pin.position
        while position in found:
            position += 1
        found[position] = Recommended(pin.article, "pinned")
        gate.take(row)
    return found


class _Gate:
    """Decides article by article, remembering what is already in the slate."""

    def __init__(self, request: SlateRequest, site: SiteState, rules: Sequence[Rule], placement: Placement) -> None:
        self.request = request
        self._shelf = site.shelf
        self._now = micros(request.now)
        self._language = site.language(request)
        self._gone = set(site.left_out(request))
        stories = site.signals.get(Stories) if placement.one_per_story else None
        self._stories = stories if isinstance(stories, Stories) else None
        self._told = self._stories.among(self._gone) if self._stories else set()
        embargoes = (rule.article for rule in rules if rule.action == "embargo")
        self._gone.update(site.shelf.rows(embargoes))
        bans = [rule for rule in rules if rule.action == "ban"]
        self._gone.update(site.shelf.rows(ban.article for ban in bans if ban.article))
        self._banned_sections = {ban.section for ban in bans if ban.section and not ban.article}
        self._caps = {rule.section: rule.limit for rule in sorted(rules, key=_strictest_last) if rule.action == "cap"}
        self._cap = placement.section_cap
        self._taken: dict[str, int] = {}
        self._oldest = 0
        if placement.max_age_hours > 0.0:
            self._oldest = micros(request.now - timedelta(hours=placement.max_age_hours))

    def allows(self, row: int) -> bool:
        """Tell whether an article may be in the slate at all."""
        if row in self._gone or not self._shelf.is_showable(row, self._now):
            return False
        if self._banned_sections and self._shelf.section_of(row) in self._banned_sections:
            return False
        return not self._language or self._shelf.speaks(row, self._language)

    def row(self, article: str) -> int | None:
        """Return an article's row."""
        return self._shelf.row(article)

    def take(self, row: int) -> None:
        """Count an article in: it cannot come twice, and its section has one more."""
        self._gone.add(row)
        section = self._shelf.section_of(row)
        self._taken[section] = self._taken.get(section, 0) + 1
        if self._stories:
            self._told.add(self._stories.of(row))

    def section_of(self, article: str) -> str:
        """Return an article's section, `""` when unknown."""
        row = self._shelf.row(article)
        return "" if row is None else self._shelf.section_of(row)

    def favour(self, ranking: Sequence[Recommended], boosts: Boosts) -> Iterable[Recommended]:
        """Let boosts reorder what may be shown of a ranking; without any, it stays as it is."""
        if not boosts:
            return ranking
        mask = self._open()
        if isinstance(ranking, Narrowing):
            ranking = ranking.where(mask)

        def passes(item: Recommended) -> bool:
            row = self._shelf.row(item.article)
            return row is not None and (bool(mask[row]) or item.reason == EDITORS_CHOICE)

        def factor(item: Recommended) -> float:
            (row,) = self._shelf.rows((item.article,))
            if item.reason == EDITORS_CHOICE:
                return 1.0
            return boosts.factor(self._shelf.articles[row])

        return boosted(filter(passes, ranking), factor, most=MOST_BOOST)

    def only(self, ranking: Sequence[Recommended], section: str) -> Iterable[Recommended]:
        """Return what a ranking holds of a section."""
        if isinstance(ranking, Narrowing):
            return ranking.where(self._open() & (self._shelf.section == self._shelf.sections.find(section)))
        return (item for item in ranking if self.section_of(item.article) == section)

    def choose(self, ranking: Iterable[Recommended]) -> Iterator[Recommended]:
        """Let the allowed ones of a ranking pass, in order."""
        refused = 0
        for item in ranking:
            row = self._shelf.row(item.article)
            if row is not None and self.allows(row) and (item.reason == EDITORS_CHOICE or self._fits(row)):
                refused = 0
                self.take(row)
                yield item
                continue
            refused += 1
            if refused >= _PATIENCE and isinstance(ranking, Narrowing):
                # A full section may hold thousands: leave them all out at once rather than one by one.
                yield from self.choose(ranking.where(self._open()))
                return

    def _open(self) -> NDArray[np.bool_]:
        """Tell of every article whether it could still pass."""
        shelf = self._shelf
        mask = shelf.showable(self._now) & (shelf.published >= self._oldest)
        if self._language:
            mask &= shelf.in_language(self._language)
        mask[list(self._gone)] = False
        if self._stories:
            mask &= ~self._stories.tells(self._told, len(mask))
        words = enumerate(shelf.sections.words)
        shut = [code for code, word in words if word in self._banned_sections or not self._has_room(word)]
        return mask & ~np.isin(shelf.section, shut)

    def _fits(self, row: int) -> bool:
        if self._shelf.published[row] < self._oldest:
            return False
        if self._stories and self._told and (story := self._stories.of(row)) and story in self._told:
            return False
        return self._has_room(self._shelf.section_of(row))

    def _has_room(self, section: str) -> bool:
        if not section:
            return True
        if not self._caps:
            return not self._cap or self._taken.get(section, 0) < self._cap
        limits = [cap for cap in (self._cap, self._caps.get(section, 0), self._caps.get("", 0)) if cap]
        return not limits or self._taken.get(section, 0) < min(limits)


def _strictest_last(rule: Rule) -> int:
    return -rule.limit
