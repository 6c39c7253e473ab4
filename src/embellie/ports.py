"""All that the loop asks of the outside world, on one page."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from embellie.domain.event import Event
from embellie.domain.slate import Recommended, SlateRequest

Clock = Callable[[], datetime]
"""Tells the time, UTC and aware."""

ViewT_contra = TypeVar("ViewT_contra", contravariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A raw event that could not be accepted: its place in the batch, its payload, why, and where in it."""

    index: int
    payload: str
    reason: str
    at: str = ""
    site: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of a batch, once durable: `accepted` lists the events that are new, in order.

    `refused` counts those of readers who were erased: nothing of them is kept. The accepted have, in order, numbers after `after`
    up to `upto`; nothing else of the log lies between them.
    """

    accepted: tuple[Event, ...]
    duplicates: int
    quarantined: tuple[Rejected, ...]
    refused: int = 0
    after: int = field(default=0, compare=False)
    upto: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """One site and hour of the conservation ledger: received = accepted + duplicates + quarantined.

    Of those accepted or quarantined, `erased` have been removed since, with their reader or because their time was over.
    `refused` came under the id of an erased reader; they count as never received.
    """

    site: str
    hour: datetime
    received: int
    accepted: int
    duplicates: int
    quarantined: int
    erased: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """What a log holds of one reader: events by kind, and what was put aside that names them.

    `visits` are the visits that were theirs alone; `ids` those of their events.
    """

    kinds: Mapping[str, int]
    quarantined: int
    visits: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()

    @property
    def events(self) -> int:
        """How many events there are, of all kinds."""
        return sum(self.kinds.values())


class EventLog(Protocol):
    """The append-only truth. Everything else is a fold over it."""

    def submit(
        self, events: Sequence[Event], *, received_at: datetime, rejected: Sequence[Rejected] = ()
    ) -> "Future[Receipt]":
        """Queue a batch; the future resolves once it is durable.

        Args:
            events: The good ones. Each is written once by (site, id); the earliest `received_at` is kept. Another
                event under an id already taken is quarantined, linked to that id.
            received_at: When the batch arrived, UTC and aware; it replaces the events' own.
            rejected: Those that could not be decoded, to be quarantined in the same transaction.

        Raises:
            Busy: Too many events wait to be written.
            Conflict: The log is closed.
        """
        ...

    def append(self, events: Sequence[Event], *, received_at: datetime, rejected: Sequence[Rejected] = ()) -> Receipt:
        """Submit and wait."""
        ...

    def scan(self, *, after: int = 0, kinds: Iterable[str] = ()) -> Iterator[tuple[int, Event]]:
        """Read (sequence number, event) in the order of the log, up to the last one at the time of the call.

        Args:
            after: Only events with a higher sequence number.
            kinds: Only these kinds; all when none is named.

        Raises:
            EventError: An event cannot be read, for instance because a newer version wrote it.
        """
        ...

    def following(
        self, *, after: int, upto: int | None = None, limit: int, kinds: Iterable[str] = ()
    ) -> tuple[Sequence[Event], int]:
        """Read on, whoever wrote it: at most `limit` events after a number, up to another or to the end, of these kinds or of all.

        Returns:
            Them, in order, and up to which number that is all. Numbers never come late: once an event is seen, none before it
            appears any more.
        """
        ...

    def last(self) -> int:
        """The sequence number of the last event, 0 when empty."""
        ...

    def ledger(self) -> Sequence[LedgerRow]:
        """The conservation ledger, by site and hour."""
        ...

    def readers(self, site: str) -> Iterator[str]:
        """Name the readers a site's events are of, each once, in no order."""
        ...

    def of_reader(self, site: str, reader: str) -> Iterator[tuple[int, Event]]:
        """Read a reader's (sequence number, event) in order: those that name them, and those without a name of their visits."""
        ...

    def traces(self, site: str, reader: str) -> Traces:
        """Count what is kept of a reader, events and what was put aside."""
        ...

    def erase(self, site: str, reader: str, *, now: datetime) -> Traces:
        """Remove a reader's events, and what was put aside that names them, in one step; put their mark in the log.

        From then on events under that id are refused. Erasing again removes what is there, and adds no second mark.
        """
        ...

    def close(self) -> None:
        """Finish what is queued and let go of the file."""
        ...


@dataclass(frozen=True, slots=True)
class DailyView:
    """A relation computed from the events of each day on their own, so that a lake can keep it ready beside them.

    Its rows say the same however the events are parted: of two rows that could have been one, none is wrong.

    Attributes:
        name: What SQL calls it.
        sql: `SELECT … FROM events`, in DuckDB's dialect, without parameters; has the columns `site` and `reader`.
    """

    name: str
    sql: str


class AggregateReader(Protocol):
    """Runs SQL in DuckDB's dialect over the log (table `events`), so that only sums come back."""

    @property
    def elsewhere(self) -> bool:
        """Whether another process computes, and finds room for what it computes by itself."""
        ...

    @property
    def ready(self) -> Collection[DailyView]:
        """Relations beside `events` that lie ready, or nearly: asking them is quicker than asking `events`."""
        ...

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run one query; one dictionary per row."""
        ...


class Policy(Protocol[ViewT_contra]):
    """From a request and a view of the log's folds to articles, best first."""

    @property
    def name(self) -> str:
        """The word it is known by; a plain or class attribute will do."""
        ...

    def __call__(self, request: SlateRequest, view: ViewT_contra) -> Sequence[Recommended]:
        """Rank at least `request.n` articles if there are any."""
        ...
