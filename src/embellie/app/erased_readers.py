"""Erased readers: known by their marks alone, forgotten by what is folded, and served like someone without a name."""

from collections.abc import Callable, MutableSet
from dataclasses import replace

from embellie.domain.event import Event
from embellie.domain.reading import Erasure
from embellie.domain.slate import SlateRequest
from embellie.recommend.state import State

MarkOf = Callable[[str, str], str]
"""Tells the mark of a site's reader; `""` when nobody can have been marked."""


def nobody(_: str, __: str) -> str:
    """Mark no reader."""
    return ""


class Erased:
    """The erased readers of an installation, as the log tells them.

    Args:
        mark_of: Tells a reader's mark.
    """

    def __init__(self, mark_of: MarkOf) -> None:
        self._mark_of = mark_of
        self._marks: set[tuple[str, str]] = set()
        self._told: set[str] = set()
        self.alive = False
        """Whether the state holds what a log held before: then a mark's reader may be in it. A whole replay meets nobody."""

    def __contains__(self, who: tuple[str, str]) -> bool:
        site, reader = who
        return bool(self._marks and reader) and (site, self._mark_of(site, reader)) in self._marks

    def __len__(self) -> int:
        return len(self._marks)

    def note(self, event: Event) -> None:
        """Take note of an erasure that a state has taken in already."""
        self._told.add(event.id)
        if isinstance(event.body, Erasure) and event.body.mark:
            self._marks.add((event.site, event.body.mark))

    def forget(self, event: Event, state: State, exposed: MutableSet[tuple[str, str, str, str]]) -> Event | None:
        """Forget an erased reader in a state and among the exposed; return what is left for the state to take in.

        None when the event was told before.

        A mark alone names nobody: each reader of whom something is kept is marked, and held against it.
        """
        body = event.body
        if not isinstance(body, Erasure) or event.id in self._told:
            return None
        self._told.add(event.id)
        gone = {body.reader} if body.reader else set()
        if body.mark:
            self._marks.add((event.site, body.mark))
            if self.alive:
                known = state.site(event.site).readers() | {one[2] for one in exposed if one[0] == event.site}
                gone |= {reader for reader in known if self._mark_of(event.site, reader) == body.mark}
                for reader in gone:
                    state.kept(event.site).erase(reader)
        exposed -= {one for one in exposed if one[0] == event.site and one[2] in gone}
        # This state has heard what was removed; one folded anew has not, and counts it from the mark.
        return replace(event, body=replace(body, removed={})) if self.alive else event

    def purge(self, state: State) -> None:
        """Forget all erased readers in a state, whenever they were erased."""
        for site in {site for site, _ in self._marks}:
            for reader in state.site(site).readers():
                if (site, reader) in self:
                    state.kept(site).erase(reader)

    def nameless(self, request: SlateRequest) -> SlateRequest:
        """Take the id of an erased reader out of a request."""
        if not self._marks or (request.site, request.reader) not in self:
            return request
        return replace(request, reader="", visit="", consent="none")
