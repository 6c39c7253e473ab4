"""Editorial rules: what no policy may break, applied last, always."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from embellie.domain.moment import micros
from embellie.domain.rule import Rule
from embellie.domain.site import Placement
from embellie.domain.slate import Recommended, SlateRequest
from embellie.recommend.policies import EDITORS_CHOICE
from embellie.recommend.ranking import Ranking
from embellie.recommend.state import SiteState, State

_PATIENCE = 32


def apply_rules(
    ranking: Sequence[Recommended], *, request: SlateRequest, state: State, rules: Sequence[Rule], placement: Placement
) -> list[Recommended]:
    """Make a slate of a ranking: at most `request.n` articles, in order, none of them forbidden.

    Never: the page's own article; what the reader has read, before (with consent to profiling) or in this visit;
    what the caller excludes; what is withdrawn, embargoed, expired or not yet published; what the site does not
    know; what is banned; another language than the request's (else the page's; `"*"` mixes); the same twice.
    Of the policy's own choice, moreover: nothing older than `placement.max_age_hours`, at most
    `placement.section_cap` of one section (0: no cap) and what caps allow. Unknown sections are not capped.
    What editors chose themselves (a pin, their list) is exempt from age and cap, but counts towards it. Whatever falls out is refilled from the
    rest of the ranking. A ranking that shows nothing stays empty: pins do not make a status quo.

    Args:
        ranking: A policy's ranking, best first; read only as far as needed.
        request: What was asked; its `now` decides.
        state: The folds.
        rules: The site's rules; those that do not hold here and now are ignored.
        placement: The spot on the page.
    """
    if not ranking or request.n < 1:
        return []
    holding = [rule for rule in rules if rule.holds(request.placement, request.now)]
    gate = _Gate(request, state.site(request.site), holding, placement)
    pinned = _pinned(gate, holding)
    rest = gate.choose(ranking)
    slate: list[Recommended] = []
    while len(slate) < request.n:
        item = pinned.pop(len(slate) + 1, None) or next(rest, None)
        if item is None:
            # The ranking ran out before the pins' positions: they close up.
            slate += [pinned[position] for position in sorted(pinned)]
            break
        slate.append(item)
    return slate[: request.n]


def _pinned(gate: "_Gate", rules: Sequence[Rule]) -> dict[int, Recommended]:
    """Give each allowed pin its position; of two for one position, the first by name, the other comes next."""
    found: dict[int, Recommended] = {}
    pins = (rule for rule in rules if rule.action == "pin" and rule.position <= gate.request.n)
    for pin in sorted(pins, key=lambda rule: (rule.position, rule.rule)):
        if not gate.allows(pin.article):
            continue
        position = pin.position
        while position in found:
            position += 1
        found[position] = Recommended(pin.article, "pinned")
        gate.take(pin.article)
    return found


class _Gate:
    """Decides article by article, remembering what is already in the slate."""

    def __init__(self, request: SlateRequest, site: SiteState, rules: Sequence[Rule], placement: Placement) -> None:
        self.request = request
        self._shelf = site.shelf
        self._now = micros(request.now)
        self._language = site.language(request)
        self._gone = {*site.read_rows(request), *site.shelf.rows((request.article, *request.exclude))}
        bans = [rule for rule in rules if rule.action == "ban"]
        self._gone.update(site.shelf.rows(ban.article for ban in bans if ban.article))
        self._banned_sections = {ban.section for ban in bans if ban.section and not ban.article}
        self._caps = {rule.section: rule.limit for rule in sorted(rules, key=_strictest_last) if rule.action == "cap"}
        self._cap = placement.section_cap
        self._taken: Counter[str] = Counter()
        self._oldest = 0
        if placement.max_age_hours > 0.0:
            self._oldest = micros(request.now - timedelta(hours=placement.max_age_hours))

    def allows(self, article: str) -> bool:
        """Tell whether an article may be in the slate at all."""
        row = self._shelf.row(article)
        if row is None or row in self._gone or not self._shelf.is_showable(row, self._now):
            return False
        if self._shelf.section_of(row) in self._banned_sections:
            return False
        return not self._language or self._shelf.speaks(row, self._language)

    def take(self, article: str) -> None:
        """Count an article in: it cannot come twice, and its section has one more."""
        (row,) = self._shelf.rows((article,))
        self._gone.add(row)
        self._taken[self._shelf.section_of(row)] += 1

    def choose(self, ranking: Sequence[Recommended]) -> Iterator[Recommended]:
        """Let the allowed ones of a ranking pass, in order."""
        refused = 0
        for item in ranking:
            if self.allows(item.article) and (item.reason == EDITORS_CHOICE or self._fits(item.article)):
                refused = 0
                self.take(item.article)
                yield item
                continue
            refused += 1
            if refused >= _PATIENCE and isinstance(ranking, Ranking):
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
        words = enumerate(shelf.sections.words)
        shut = [code for code, word in words if word in self._banned_sections or not self._has_room(word)]
        return mask & ~np.isin(shelf.section, shut)

    def _fits(self, article: str) -> bool:
        (row,) = self._shelf.rows((article,))
        if self._shelf.published[row] < self._oldest:
            return False
        return self._has_room(self._shelf.section_of(row))

    def _has_room(self, section: str) -> bool:
        limits = [cap for cap in (self._cap, self._caps.get(section, 0), self._caps.get("", 0)) if cap]
        return not section or not limits or self._taken[section] < min(limits)


def _strictest_last(rule: Rule) -> int:
    return -rule.limit
