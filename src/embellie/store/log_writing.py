"""What one transaction of the log does: accept, count duplicates, quarantine, and keep the ledger, all or nothing."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from embellie.domain.errors import EmbellieError
from embellie.domain.event import Event
from embellie.domain.moment import micros
from embellie.ports import Receipt, Rejected
from embellie.store.wire import body_from_text, body_to_text, event_to_wire

HOUR = 3_600_000_000
"""One hour in microseconds."""

_INSERT = (
    "INSERT INTO events (site, id, kind, at, received_at, consent, schema, reader, visit, article, body)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_NEW = _INSERT.replace("INSERT", "INSERT OR IGNORE", 1)
_EXISTING = "SELECT seq, kind, at, received_at, consent, schema, body FROM events WHERE site = ? AND id = ?"
_QUARANTINE = "INSERT INTO quarantine (site, id, received_at, reason, path, payload) VALUES (?, ?, ?, ?, ?, ?)"
_LEDGER = (
    "INSERT INTO ledger (site, hour, received, accepted, duplicates, quarantined) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (site, hour) DO UPDATE SET received = received + excluded.received,"
    " accepted = accepted + excluded.accepted, duplicates = duplicates + excluded.duplicates,"
    " quarantined = quarantined + excluded.quarantined"
)

Row = tuple[str, str, str, int, int, str, int, str, str, str, str]
"""An event as its columns: site, id, kind, at, received_at, consent, schema, reader, visit, article, body."""


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
        self._rows: defaultdict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0, 0, 0])

    def add(
        self, site: str, at: int, *, received: int = 0, accepted: int = 0, duplicates: int = 0, quarantined: int = 0
    ) -> None:
        """Add to the hour of `at` (µs)."""
        row = self._rows[site, at // HOUR]
        row[0] += received
        row[1] += accepted
        row[2] += duplicates
        row[3] += quarantined

    def write(self, connection: sqlite3.Connection) -> None:
        """Write it down, within the transaction that it describes."""
        connection.executemany(_LEDGER, [(site, hour, *row) for (site, hour), row in self._rows.items()])


def prepare(events: Sequence[Event], *, received_at: datetime, rejected: Sequence[Rejected]) -> Batch:
    """Turn events into rows; one that could not be read back is rejected alone.

    Those already rejected keep their places in the batch; the events take the others, in order.
    """
    arrived, refused = micros(received_at), list(rejected)
    kept: list[Event] = []
    rows: list[Row] = []
    places: list[int] = []
    for place, event in zip(_free_places(len(events), rejected), events, strict=True):
        try:
            rows.append(_row(event, arrived))
        except (ValueError, TypeError, OverflowError, EmbellieError) as error:
            refused.append(_unwritable(event, place, error))
            continue
        kept.append(event if event.received_at == received_at else replace(event, received_at=received_at))
        places.append(place)
    return Batch(kept, rows, places, refused, arrived)


def _free_places(count: int, rejected: Sequence[Rejected]) -> Iterable[int]:
    if not rejected:
        return range(count)
    taken = {each.index for each in rejected}
    free = [place for place in range(count + len(taken)) if place not in taken]
    return free[:count]


def _row(event: Event, arrived: int) -> Row:
    body, kind = event.body, event.kind
    text = body_to_text(body)
    if "null" in text:
        # NaN is written as null: what could not be read back must not enter.
        body_from_text(kind, text)
    for name in (event.site, event.id):
        name.encode()
    reader = body.unit if kind == "exposure" else getattr(body, "reader", "")  # type: ignore[union-attr]
    return (
        event.site,
        event.id,
        kind,
        micros(event.at),
        arrived,
        event.consent,
        event.schema,
        reader,
        getattr(body, "visit", ""),
        getattr(body, "article", ""),
        text,
    )


def _unwritable(event: Event, place: int, error: Exception) -> Rejected:
    reason = error.message if isinstance(error, EmbellieError) else f"Cannot be written: {error}."
    return Rejected(index=place, payload=repr(event), reason=reason, at="$", site=event.site)


Refusal = Callable[[sqlite3.Connection, Batch], tuple[Batch, int]]
"""Takes out of a batch what may not be written, and counts it; returns the rest, and how many those were."""


def write(connection: sqlite3.Connection, batches: Sequence[Batch], *, refusal: Refusal | None = None) -> list[Receipt]:
    """Write batches in one transaction, durable when this returns; `refusal` comes first, in the same transaction."""
    ledger = Ledger()
    connection.execute("BEGIN IMMEDIATE")
    try:
        admitted = [refusal(connection, batch) if refusal else (batch, 0) for batch in batches]
        receipts = [_write_batch(connection, batch, ledger, refused=refused) for batch, refused in admitted]
        ledger.write(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return receipts


def _write_batch(connection: sqlite3.Connection, batch: Batch, ledger: Ledger, *, refused: int) -> Receipt:
    for each in batch.rejected:
        quarantine(connection, each, received_at=batch.received_at)
        ledger.add(_clean(each.site), batch.received_at, received=1, quarantined=1)
    if _write_all_new(connection, batch.rows):
        for row in batch.rows:
            ledger.add(row[0], row[4], received=1, accepted=1)
        aside = tuple(batch.rejected)
        return Receipt(accepted=tuple(batch.events), duplicates=0, quarantined=aside, refused=refused)
    accepted: list[Event] = []
    put_aside = list(batch.rejected)
    duplicates = 0
    for event, row, place in zip(batch.events, batch.rows, batch.places, strict=True):
        conflict = write_one(connection, row, ledger)
        if conflict is None:
            accepted.append(event)
        elif conflict:
            put_aside.append(_conflicting(connection, event, place, conflict))
            ledger.add(row[0], row[4], received=1, quarantined=1)
        else:
            duplicates += 1
    return Receipt(accepted=tuple(accepted), duplicates=duplicates, quarantined=tuple(put_aside), refused=refused)


def _write_all_new(connection: sqlite3.Connection, rows: Sequence[Row]) -> bool:
    """Write rows at once when every one is new, the usual case; else leave no trace."""
    connection.execute("SAVEPOINT batch")
    try:
        connection.executemany(_INSERT, rows)
    except sqlite3.IntegrityError:
        connection.execute("ROLLBACK TO batch")
        return False
    finally:
        connection.execute("RELEASE batch")
    return True


def write_one(connection: sqlite3.Connection, row: Row, ledger: Ledger) -> str | None:
    """Write one row and its line in the ledger.

    Returns:
        None when it is new, `""` for a duplicate, or the reason why it conflicts with the one kept (the caller
        then quarantines it and adds that to the ledger).
    """
    site, identity, arrived = row[0], row[1], row[4]
    if connection.execute(_INSERT_NEW, row).rowcount:
        ledger.add(site, arrived, received=1, accepted=1)
        return None
    kept = connection.execute(_EXISTING, (site, identity)).fetchone()
    difference = _difference(row, kept)
    if difference:
        return f"The id `{identity}` is taken by another event: {difference} differs from event {kept[0]} of the log."
    if arrived < kept[3]:
        # The earliest arrival holds; the later one was the duplicate, in its own hour.
        connection.execute("UPDATE events SET received_at = ? WHERE seq = ?", (arrived, kept[0]))
        ledger.add(site, arrived, received=1, accepted=1)
        ledger.add(site, kept[3], accepted=-1, duplicates=1)
    else:
        ledger.add(site, arrived, received=1, duplicates=1)
    return ""


def _difference(row: Row, kept: tuple[int, str, int, int, str, int, str]) -> str:
    """Name what two events of one id disagree on, `""` when they tell the same.

    A UUIDv5 names the fact itself: told again later, its header's `at` and `consent` may differ. Any event's `at` may by up to
    an hour: it is reckoned from when a post was sent and received, and a post sent again takes another while on its way.
    """
    _, kind, at, _, consent, _, body = kept
    if row[2] != kind:
        return "`kind`"
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


def _conflicting(connection: sqlite3.Connection, event: Event, place: int, reason: str) -> Rejected:
    rejected = Rejected(index=place, payload=payload_of(event), reason=reason, at="$.id", site=event.site)
    arrived = micros(event.received_at) if event.received_at else 0
    quarantine(connection, rejected, received_at=arrived, identity=event.id)
    return rejected


def payload_of(event: Event) -> str:
    """Return an event as it would be sent, as JSON text."""
    flat = event_to_wire(event)
    del flat["received_at"]
    return json.dumps(flat, ensure_ascii=False)


def quarantine(connection: sqlite3.Connection, rejected: Rejected, *, received_at: int, identity: str = "") -> None:
    """Put one bad event aside, with its reason, its raw payload and the id it gave."""
    given = identity or _given_id(rejected.payload)
    cells = (rejected.site, given, received_at, rejected.reason, rejected.at, rejected.payload)
    connection.execute(_QUARANTINE, [_clean(cell) if isinstance(cell, str) else cell for cell in cells])


def _given_id(payload: str) -> str:
    try:
        raw = json.loads(payload)
    except (ValueError, RecursionError):
        return ""
    given = raw.get("id", "") if isinstance(raw, dict) else ""
    return given if isinstance(given, str) else ""


def _clean(text: str) -> str:
    """Keep what was sent, even what is no valid Unicode: lone surrogates are written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
