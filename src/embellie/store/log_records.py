"""Log records: what a kept log tells beyond the contract of every log, whatever keeps it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, Self

from embellie.domain.event import Event
from embellie.ports import EventLog

Mend = Callable[["Quarantined"], Event]
"""Tries to read a quarantined event again; raises `EmbellieError` when it is still bad."""


@dataclass(frozen=True, slots=True)
class Tail:
    """A stretch of the log as parallel lists, in the order of the log.

    `at` and `received_at` are microseconds since 1970 UTC; `body` is the JSON text of the body's own fields;
    `reader`, `visit`, `article` are `""` when a kind has none; the reader of an `exposure` is its unit.
    """

    seq: list[int]
    id: list[str]
    site: list[str]
    kind: list[str]
    at: list[int]
    received_at: list[int]
    consent: list[str]
    reader: list[str]
    visit: list[str]
    article: list[str]
    body: list[str]

    def __len__(self) -> int:
        return len(self.seq)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A bad event put aside: why, where in it, what was sent, and the id it gave (`""` when none could be read)."""

    number: int
    site: str
    id: str
    received_at: datetime
    reason: str
    at: str
    payload: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What became of the quarantined events tried again."""

    accepted: tuple[Event, ...]
    duplicates: int
    still_quarantined: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Imbalance:
    """A site and hour for which the ledger and the log disagree on `what`."""

    site: str
    hour: datetime
    what: str
    ledger: int
    found: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PastTime:
    """What was past its time: events that lost their names, exposures that went, payloads put aside that went.

    `units` counts by (site, experiment) the readers whose exposure went.
    """

    nameless: int
    exposures: int
    quarantined: int
    units: Mapping[tuple[str, str], int]


class Marks(Protocol):
    """Makes the marks of erased readers: keyed hashes, by which an id can be refused and not be told."""

    def mark(self, site: str, reader: str) -> str:
        """Return the mark of a reader; the key is made when there is none."""
        ...

    def known(self, site: str, reader: str) -> str:
        """Return the mark of a reader; `""` when there is no key yet, so that nobody can have been marked."""
        ...


class KeptLog(EventLog, Protocol):
    """A log that an installation keeps, with what its operator and its analyses ask of it."""

    @property
    def marks(self) -> Marks:
        """Makes the marks of erased readers."""
        ...

    def __enter__(self) -> Self:
        """Leave it closed at the end."""
        ...

    def __exit__(self, *raised: object) -> None:
        """Close it."""
        ...

    def tail(self, after: int, limit: int = 50_000) -> Tail:
        """Read at most `limit` events after a sequence number as parallel lists: the fast way in bulk."""
        ...

    def verify(self) -> Sequence[Imbalance]:
        """Count the log anew, site by site and hour by hour; empty when the ledger tells the truth.

        What was erased since is taken off what the ledger says.
        """
        ...

    def quarantined(
        self, *, site: str | None = None, after: int = 0, limit: int = -1, newest: int = 0
    ) -> Sequence[Quarantined]:
        """Return what was put aside, oldest first.

        Args:
            site: Only of this site.
            after: Only those with a higher number.
            limit: At most so many, from the oldest; -1 for all.
            newest: When above 0, at most so many, from the newest.
        """
        ...

    def quarantine_size(self, *, site: str | None = None) -> int:
        """Count what was put aside; of one site, or of all."""
        ...

    def replay(self, mend: Mend, *, site: str | None = None) -> Replayed:
        """Try the quarantined events again; those now good are accepted with their own `received_at` and leave.

        Args:
            mend: Reads a quarantined event; raises `EmbellieError` when it is still bad, and it stays.
            site: Only those of this site.
        """
        ...

    def sites(self) -> Sequence[str]:
        """Name the sites of which something was received."""
        ...

    def names_with(self, parts: Sequence[str]) -> set[str]:
        """Find the readers and visits that have one of these texts as a part of their id."""
        ...

    def quarantined_of(self, site: str, reader: str) -> Sequence[Quarantined]:
        """Return what was put aside that names a reader, or a visit of theirs alone."""
        ...

    def look_past(self, before: Mapping[str, datetime], *, spare: Collection[int] = ()) -> PastTime:
        """Count what is past its time, and change nothing; see `forget_past`."""
        ...

    def forget_past(self, before: Mapping[str, datetime], *, spare: Collection[int] = ()) -> int:
        """Take the names out of what is past its time, or remove it; writers wait no longer than for a page of it.

        Args:
            before: By consent, the moment of arrival from which events keep their names.
            spare: The numbers of events that are left as they are: those on which lakes end.

        Returns:
            How many records were changed or removed.
        """
        ...

    def scrub(self) -> None:
        """Leave no room in which something once removed still stands, as far as that can be done while others write."""
        ...

    def write_anew(self) -> None:
        """Leave none of it at all; whoever writes or reads waits meanwhile."""
        ...
