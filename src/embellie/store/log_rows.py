"""Log rows: events as a log stores them, and what it decides about each, whatever it stores them in."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from operator import itemgetter
from typing import Any

from embellie.domain.errors import EmbellieError, EventError
from embellie.domain.event import Event
from embellie.domain.moment import micros, moment
from embellie.ports import Rejected
from embellie.store.log_records import Mend, Quarantined, Tail
from embellie.store.upcasting import schema_of, upcast_column, upcast_text
from embellie.store.wire import body_from_text, body_to_text, event_to_wire

HOUR = 3_600_000_000
"""One hour in microseconds."""

Row = tuple[str, str, str, int, int, str, int, str, str, str, str]
"""An event as its columns: site, id, kind, at, received_at, consent, schema, reader, visit, article, body."""

Kept = tuple[int, str, int, int, str, int, str]
"""Of an event in the log: seq, kind, at, received_at, consent, schema, body."""

_UNWRITABLE = (ValueError, TypeError, OverflowError, EmbellieError)

_OF_VISITS = frozenset({"impression", "click", "read"})
"""Nearly all events: they have a reader, a visit and an article."""

_SITE_AND_ARRIVAL = itemgetter(0, 4)


@dataclass(frozen=True, slots=True)
class Batch:
    """Events ready to be written: `events`, `rows` and `places` (in the batch as received) run in parallel."""

    events: Sequence[Event]
    rows: Sequence[Row]
    places: Sequence[int]
    rejected: Sequence[Rejected]
    received_at: int

    def __len__(self) -> int:
        return len(self.rows) + len(self.rejected)


class Ledger:
    """What a transaction adds to the conservation ledger, by site and hour."""

    def __init__(self) -> None:
        self._rows: defaultdict[tuple[str, int], tuple[int, int, int, int]] = defaultdict(lambda: (0, 0, 0, 0))

    def add(
        self, site: str, at: int, *, received: int = 0, accepted: int = 0, duplicates: int = 0, quarantined: int = 0
    ) -> None:
        """Add to the hour of `at` (µs)."""
        before = self._rows[site, at // HOUR]
        self._rows[site, at // HOUR] = (
            before[0] + received,
            before[1] + accepted,
            before[2] + duplicates,
            before[3] + quarantined,
        )

    def accept(self, rows: Iterable[Row]) -> None:
        """Add rows that are all new."""
        for (site, arrived), count in Counter(map(_SITE_AND_ARRIVAL, rows)).items():
            self.add(site, arrived, received=count, accepted=count)

    def again(self, row: Row, kept_at: int) -> bool:
        """Add a duplicate of an event that arrived at `kept_at` (µs); tell whether this one arrived earlier.

        The earliest arrival holds; the later one was the duplicate, in its own hour.
        """
        site, arrived = row[0], row[4]
        if arrived >= kept_at:
            self.add(site, arrived, received=1, duplicates=1)
            return False
        self.add(site, arrived, received=1, accepted=1)
        self.add(site, kept_at, accepted=-1, duplicates=1)
        return True

    def rows(self) -> list[tuple[str, int, int, int, int, int]]:
        """List it: site, hour, received, accepted, duplicates, quarantined."""
        return [(site, hour, *counts) for (site, hour), counts in self._rows.items()]


def prepare(events: Sequence[Event], *, received_at: datetime, rejected: Sequence[Rejected]) -> Batch:
    """Turn events into rows; one that could not be read back is rejected alone.

    Those already rejected keep their places in the batch; the events take the others, in order.
    """
    arrived, refused = micros(received_at), list(rejected)
    if not rejected:
        with suppress(*_UNWRITABLE):  # nearly always all are good
            whole = [_row(event, arrived) for event in events]
            told = [each if each.received_at is received_at else _received(each, received_at) for each in events]
            return Batch(told, whole, range(len(whole)), refused, arrived)
    kept: list[Event] = []
    rows: list[Row] = []
    places: list[int] = []
    for place, event in zip(_free_places(len(events), rejected), events, strict=True):
        try:
            rows.append(_row(event, arrived))
        except _UNWRITABLE as error:
            refused.append(_unwritable(event, place, error))
            continue
        kept.append(event if event.received_at is received_at else _received(event, received_at))
        places.append(place)
    return Batch(kept, rows, places, refused, arrived)


def _received(event: Event, at: datetime) -> Event:
    """As `dataclasses.replace`, in half the time."""
    return Event(
        id=event.id,
        site=event.site,
        at=event.at,
        body=event.body,
        received_at=at,
        consent=event.consent,
        schema=event.schema,
    )


def _free_places(count: int, rejected: Sequence[Rejected]) -> Iterable[int]:
    if not rejected:
        return range(count)
    taken_places = {each.index for each in rejected}
    free = [place for place in range(count + len(taken_places)) if place not in taken_places]
    return free[:count]


def _row(event: Event, arrived: int) -> Row:
    body: Any = event.body
    kind = body.kind
    text = body_to_text(body)
    if "null" in text:
        # NaN is written as null: what could not be read back must not enter.
        body_from_text(kind, text)
    if not (event.site.isascii() and event.id.isascii()):
        (event.site + event.id).encode()
    if kind in _OF_VISITS:
        reader, visit, article = body.reader, body.visit, body.article
    else:
        reader = body.unit if kind == "exposure" else getattr(body, "reader", "")
        visit, article = getattr(body, "visit", ""), getattr(body, "article", "")
    return (
        event.site,
        event.id,
        kind,
        micros(event.at),
        arrived,
        event.consent,
        schema_of(kind),  # a body in memory is always of this version
        reader,
        visit,
        article,
        text,
    )


def _unwritable(event: Event, place: int, error: Exception) -> Rejected:
    reason = error.message if isinstance(error, EmbellieError) else f"Cannot be written: {error}."
    return Rejected(index=place, payload=repr(event), reason=reason, at="$", site=event.site)


def event_of(row: Sequence[Any]) -> Event:
    """Read an event back from its columns: seq, id, site, kind, at, received_at, consent, schema, body.

    Raises:
        EventError: It cannot be read, for instance because a newer version wrote it.
    """
    seq, identity, site, kind, at, arrived, consent, schema, body = row
    try:
        return Event(
            id=identity,
            site=site,
            at=moment(at),
            received_at=moment(arrived),
            consent=consent,
            schema=schema_of(kind),
            body=body_from_text(kind, upcast_text(kind, schema, body)),
        )
    except EventError as error:
        raise EventError(error.message, hint=error.hint, at=f"event {seq} of the log") from None


def tail_of(rows: Sequence[Sequence[Any]]) -> Tail:
    """Give rows as parallel lists: the columns of `Tail` in their order, then schema; bodies as this version writes them.

    Raises:
        EventError: A newer version wrote one of them.
    """
    if not rows:
        return Tail(*([] for _ in range(11)))
    *columns, schemas = ([*column] for column in zip(*rows, strict=True))
    tail = Tail(*columns)
    return replace(tail, body=upcast_column(tail.kind, schemas, tail.body))


def conflict_of(row: Row, kept: Kept) -> str:
    """Say why an event conflicts with the one kept under its id; `""` when they tell the same."""
    found = _difference(row, kept)
    if not found:
        return ""
    return f"The id `{row[1]}` is taken by another event: {found} differs from event {kept[0]} of the log."


def _difference(row: Row, kept: Kept) -> str:
    """Name what two events of one id disagree on, `""` when they tell the same.

    A UUIDv5 names the fact itself: told again later, its header's `at` and `consent` may differ. Any event's `at` may by up to
    an hour: it is reckoned from when a post was sent and received, and a post sent again takes another while on its way.
    """
    _, kind, at, _, consent, schema, body = kept
    if row[2] != kind:
        return "`kind`"
    body = upcast_text(kind, schema, body)
    if row[10] != body:
        ours, theirs = json.loads(row[10]), json.loads(body)
        changed = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
        if changed:
            return f"`{changed[0]}`"
    names_the_fact = len(row[1]) == 36 and row[1][14] == "5"
    if not names_the_fact and abs(row[3] - at) > HOUR:
        return "`at`"
    if not names_the_fact and row[5] != consent:
        return "`consent`"
    return ""


def conflicting(event: Event, place: int, reason: str) -> Rejected:
    """Reject an event whose id is taken, with all that it said."""
    return Rejected(index=place, payload=payload_of(event), reason=reason, at="$.id", site=event.site)


def payload_of(event: Event) -> str:
    """Return an event as it would be sent, as JSON text."""
    flat = event_to_wire(event)
    del flat["received_at"]
    return json.dumps(flat, ensure_ascii=False)


def cells_of(rejected: Rejected, *, received_at: int, identity: str = "") -> tuple[str, str, int, str, str, str]:
    """Give a bad event's columns in quarantine: site, the id it gave, received_at, reason, path, payload."""
    given = identity or _given_id(rejected.payload)
    return (
        clean(rejected.site),
        clean(given),
        received_at,
        clean(rejected.reason),
        clean(rejected.at),
        clean(rejected.payload),
    )


def _given_id(payload: str) -> str:
    try:
        raw = json.loads(payload)
    except (ValueError, RecursionError):
        return ""
    given = raw.get("id", "") if isinstance(raw, dict) else ""
    return given if isinstance(given, str) else ""


def clean(text: str) -> str:
    """Keep what was sent, even what is no valid Unicode: lone surrogates are written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def quarantined_of(row: Sequence[Any]) -> Quarantined:
    """Read a bad event back from its columns in quarantine: number, and those of `cells_of`."""
    number, site, identity, arrived, reason, path, payload = row
    return Quarantined(
        number=number, site=site, id=identity, received_at=moment(arrived), reason=reason, at=path, payload=payload
    )


def mended(page: Iterable[Quarantined], mend: Mend) -> Iterator[tuple[Quarantined, Batch]]:
    """Try to read bad events again; each that is good now comes as a batch of one, received when it first was."""
    for each in page:
        try:
            batch = prepare([mend(each)], received_at=each.received_at, rejected=())
        except EmbellieError:
            continue
        if batch.rows:
            yield each, batch
