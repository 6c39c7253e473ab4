"""What one transaction of the log in SQLite does: accept, count duplicates, quarantine, keep the ledger; all or nothing."""

import sqlite3
from collections.abc import Callable, Sequence
from itertools import chain

from embellie.domain.event import Event
from embellie.domain.moment import micros
from embellie.ports import Receipt, Rejected
from embellie.store.log_file import VERSION
from embellie.store.log_records import Quarantined
from embellie.store.log_rows import Batch, Ledger, Row, cells_of, clean, conflict_of, conflicting

_ROW = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT = (
    f"INSERT INTO events (site, id, kind, at, received_at, consent, schema, reader, visit, article, body) VALUES {_ROW}"
)
# Each statement lets go of the interpreter once: row by row, a busy loop would take it from the writer at every row.
_INSERT_MANY = {count: _INSERT + f", {_ROW}" * (count - 1) for count in (200, 50, 10, 1)}
_INSERT_NEW = _INSERT.replace("INSERT", "INSERT OR IGNORE", 1)
_EXISTING = "SELECT seq, kind, at, received_at, consent, schema, body FROM events WHERE site = ? AND id = ?"
_QUARANTINE = "INSERT INTO quarantine (site, id, received_at, reason, path, payload) VALUES (?, ?, ?, ?, ?, ?)"
_LEDGER = (
    "INSERT INTO ledger (site, hour, received, accepted, duplicates, quarantined) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (site, hour) DO UPDATE SET received = received + excluded.received,"
    " accepted = accepted + excluded.accepted, duplicates = duplicates + excluded.duplicates,"
    " quarantined = quarantined + excluded.quarantined"
)


Admitted = tuple[Batch, int]
"""What may be written of a batch, and how many may not."""

Refusal = Callable[[sqlite3.Connection, Sequence[Batch]], Sequence[Admitted]]
"""Takes out of batches what may not be written, and counts it."""


def write(connection: sqlite3.Connection, batches: Sequence[Batch], *, refusal: Refusal | None = None) -> list[Receipt]:
    """Write batches in one transaction, durable when this returns; `refusal` comes first, in the same transaction."""
    ledger = Ledger()
    connection.execute("BEGIN IMMEDIATE")
    try:
        admitted = refusal(connection, batches) if refusal else [(batch, 0) for batch in batches]
        receipts = _write_group(connection, admitted, ledger, after=_last(connection))
        write_ledger(connection, ledger)
        if not any(batch.rows or batch.rejected for batch in batches):
            # Nothing to write is how one asks whether the log takes writes: the header's page is written as it is.
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return receipts


def _last(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0])


def write_ledger(connection: sqlite3.Connection, ledger: Ledger) -> None:
    """Write the ledger down, within the transaction that it describes."""
    connection.executemany(_LEDGER, ledger.rows())


def _write_group(
    connection: sqlite3.Connection, group: Sequence[Admitted], ledger: Ledger, *, after: int
) -> list[Receipt]:
    """Write batches at once when all their events are new, the usual case; else by halves, down to the batch with one that is not."""
    if len(group) == 1:
        (batch, refused), *_ = group
        return [_write_batch(connection, batch, ledger, refused=refused, after=after)]
    rows = [row for batch, _ in group for row in batch.rows]
    if not _write_all_new(connection, rows):
        half = len(group) // 2
        first = _write_group(connection, group[:half], ledger, after=after)
        return first + _write_group(connection, group[half:], ledger, after=first[-1].upto)
    ledger.accept(rows)
    receipts, following = [], len(rows)
    last = _last(connection)
    for batch, refused in group:
        following -= len(batch.rows)
        upto = last - following if batch.rows else after
        receipts.append(_all_accepted(connection, batch, ledger, refused=refused, numbers=(after, upto)))
        after = upto
    return receipts


def _all_accepted(
    connection: sqlite3.Connection, batch: Batch, ledger: Ledger, *, refused: int, numbers: tuple[int, int]
) -> Receipt:
    """Tell of a batch whose rows are written, after which number and up to which."""
    _put_rejected_aside(connection, batch, ledger)
    after, upto = numbers
    aside = tuple(batch.rejected)
    return Receipt(
        accepted=tuple(batch.events), duplicates=0, quarantined=aside, refused=refused, after=after, upto=upto
    )


def _put_rejected_aside(connection: sqlite3.Connection, batch: Batch, ledger: Ledger) -> None:
    for each in batch.rejected:
        connection.execute(_QUARANTINE, cells_of(each, received_at=batch.received_at))
        ledger.add(clean(each.site), batch.received_at, received=1, quarantined=1)


def _write_batch(connection: sqlite3.Connection, batch: Batch, ledger: Ledger, *, refused: int, after: int) -> Receipt:
    if _write_all_new(connection, batch.rows):
        ledger.accept(batch.rows)
        numbers = (after, _last(connection) if batch.rows else after)
        return _all_accepted(connection, batch, ledger, refused=refused, numbers=numbers)
    _put_rejected_aside(connection, batch, ledger)
    accepted: list[Event] = []
    put_aside = list(batch.rejected)
    duplicates = 0
    for event, row, place in zip(batch.events, batch.rows, batch.places, strict=True):
        conflict = write_one(connection, row, ledger)
        if conflict is None:
            accepted.append(event)
        elif conflict:
            put_aside.append(_put_aside(connection, event, place, conflict))
            ledger.add(row[0], row[4], received=1, quarantined=1)
        else:
            duplicates += 1
    return Receipt(
        accepted=tuple(accepted),
        duplicates=duplicates,
        quarantined=tuple(put_aside),
        refused=refused,
        after=after,
        upto=_last(connection) if accepted else after,
    )


def _write_all_new(connection: sqlite3.Connection, rows: Sequence[Row]) -> bool:
    """Write rows at once when every one is new, the usual case; else leave no trace."""
    if not rows:
        return True
    connection.execute("SAVEPOINT batch")
    try:
        done = 0
        for count, statement in _INSERT_MANY.items():
            while done + count <= len(rows):
                connection.execute(statement, tuple(chain.from_iterable(rows[done : done + count])))
                done += count
    except sqlite3.IntegrityError:
        connection.execute("ROLLBACK TO batch")
        connection.execute("RELEASE batch")
        return False
    # Not after any other error: a full disk ends the transaction, and that must be what is told.
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
    conflict = conflict_of(row, kept)
    if not conflict and ledger.again(row, kept[3]):
        connection.execute("UPDATE events SET received_at = ? WHERE seq = ?", (arrived, kept[0]))
    return conflict


def _put_aside(connection: sqlite3.Connection, event: Event, place: int, reason: str) -> Rejected:
    rejected = conflicting(event, place, reason)
    arrived = micros(event.received_at) if event.received_at else 0
    connection.execute(_QUARANTINE, cells_of(rejected, received_at=arrived, identity=event.id))
    return rejected


def write_mended(connection: sqlite3.Connection, good: Sequence[tuple[Quarantined, Batch]]) -> tuple[list[Event], int]:
    """Move mended events out of quarantine, in one transaction: each was received once, long ago."""
    accepted: list[Event] = []
    duplicates = 0
    ledger = Ledger()
    connection.execute("BEGIN IMMEDIATE")
    try:
        for each, batch in good:
            gone = connection.execute("SELECT 1 FROM quarantine WHERE number = ?", (each.number,)).fetchone() is None
            conflict = "gone" if gone else write_one(connection, batch.rows[0], ledger)
            if conflict:
                continue
            connection.execute("DELETE FROM quarantine WHERE number = ?", (each.number,))
            ledger.add(each.site, micros(each.received_at), received=-1, quarantined=-1)
            if conflict is None:
                accepted += batch.events
            else:
                duplicates += 1
        write_ledger(connection, ledger)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return accepted, duplicates
