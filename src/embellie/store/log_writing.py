"""What one transaction of the log in SQLite does: accept, count duplicates, quarantine, keep the ledger; all or nothing."""

import sqlite3
from collections.abc import Callable, Sequence

from embellie.domain.event import Event
from embellie.domain.moment import micros
from embellie.ports import Receipt, Rejected
from embellie.store.log_file import VERSION
from embellie.store.log_records import Quarantined
from embellie.store.log_rows import Batch, Ledger, Row, cells_of, clean, conflict_of, conflicting

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


Refusal = Callable[[sqlite3.Connection, Batch], tuple[Batch, int]]
"""Takes out of a batch what may not be written, and counts it; returns the rest, and how many those were."""


def write(connection: sqlite3.Connection, batches: Sequence[Batch], *, refusal: Refusal | None = None) -> list[Receipt]:
    """Write batches in one transaction, durable when this returns; `refusal` comes first, in the same transaction."""
    ledger = Ledger()
    connection.execute("BEGIN IMMEDIATE")
    try:
        admitted = [refusal(connection, batch) if refusal else (batch, 0) for batch in batches]
        receipts, last = [], _last(connection)
        for batch, refused in admitted:
            receipts.append(_write_batch(connection, batch, ledger, refused=refused, after=last))
            last = receipts[-1].upto
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


def _write_batch(connection: sqlite3.Connection, batch: Batch, ledger: Ledger, *, refused: int, after: int) -> Receipt:
    for each in batch.rejected:
        connection.execute(_QUARANTINE, cells_of(each, received_at=batch.received_at))
        ledger.add(clean(each.site), batch.received_at, received=1, quarantined=1)
    if _write_all_new(connection, batch.rows):
        for row in batch.rows:
            ledger.add(row[0], row[4], received=1, accepted=1)
        aside = tuple(batch.rejected)
        upto = _last(connection) if batch.rows else after
        return Receipt(
            accepted=tuple(batch.events), duplicates=0, quarantined=aside, refused=refused, after=after, upto=upto
        )
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
    connection.execute("SAVEPOINT batch")
    try:
        connection.executemany(_INSERT, rows)
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
