"""What one transaction of the log in SQLite does: accept, count duplicates, quarantine, keep the ledger; all or nothing."""

import sqlite3
from collections.abc import Callable, Sequence
from itertools import chain

from embellie.domain.event import Event
from embellie.domain.moment import micros
from embellie.ports import Receipt, Rejected
from embellie.store.log_rows import Batch, Ledger, Row, cells_of, clean, conflict_of, conflicting
from embellie.store.own_writes import OwnWrites

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


def write(
    connection: sqlite3.Connection, batches: Sequence[Batch], own: OwnWrites, *, refusal: Refusal | None = None
) -> list[Receipt]:
    """Write batches in one transaction, durable when this returns.

    `own` is told which numbers they took; `refusal` comes first, in the same transaction.
    """
    ledger = Ledger()
    connection.execute("BEGIN IMMEDIATE")
    written = None
    try:
        before = _last(connection)
        admitted = refusal(connection, batches) if refusal else [(batch, 0) for batch in batches]
        receipts = _write_group(connection, admitted, ledger)
        write_ledger(connection, ledger)
        last = _last(connection)
        own.begin(before + 1)
        connection.execute("COMMIT")
        written = last
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    finally:
        own.end(written)
    return receipts


def _last(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0])


def write_ledger(connection: sqlite3.Connection, ledger: Ledger) -> None:
    """Write the ledger down, within the transaction that it describes."""
    connection.executemany(_LEDGER, ledger.rows())


def _write_group(connection: sqlite3.Connection, group: Sequence[Admitted], ledger: Ledger) -> list[Receipt]:
    """Write batches at once when all their events are new, the usual case; else by halves, down to the batch with one that is not."""
    if len(group) == 1:
        (batch, refused), *_ = group
        return [_write_batch(connection, batch, ledger, refused=refused)]
    rows = [row for batch, _ in group for row in batch.rows]
    if not _write_all_new(connection, rows):
        half = len(group) // 2
        return [receipt for part in (group[:half], group[half:]) for receipt in _write_group(connection, part, ledger)]
    ledger.accept(rows)
    return [_all_accepted(connection, batch, ledger, refused=refused) for batch, refused in group]


def _all_accepted(connection: sqlite3.Connection, batch: Batch, ledger: Ledger, *, refused: int) -> Receipt:
    """Tell of a batch whose rows are written."""
    _put_rejected_aside(connection, batch, ledger)
    return Receipt(accepted=tuple(batch.events), duplicates=0, quarantined=tuple(batch.rejected), refused=refused)


def _put_rejected_aside(connection: sqlite3.Connection, batch: Batch, ledger: Ledger) -> None:
    for each in batch.rejected:
        connection.execute(_QUARANTINE, cells_of(each, received_at=batch.received_at))
        ledger.add(clean(each.site), batch.received_at, received=1, quarantined=1)


def _write_batch(connection: sqlite3.Connection, batch: Batch, ledger: Ledger, *, refused: int) -> Receipt:
    if _write_all_new(connection, batch.rows):
        ledger.accept(batch.rows)
        return _all_accepted(connection, batch, ledger, refused=refused)
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
    return Receipt(accepted=tuple(accepted), duplicates=duplicates, quarantined=tuple(put_aside), refused=refused)


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
    conflict = conflict_of(row, kept)
    if not conflict and ledger.again(row, kept[3]):
        connection.execute("UPDATE events SET received_at = ? WHERE seq = ?", (arrived, kept[0]))
    return conflict


def _put_aside(connection: sqlite3.Connection, event: Event, place: int, reason: str) -> Rejected:
    rejected = conflicting(event, place, reason)
    arrived = micros(event.received_at) if event.received_at else 0
    connection.execute(_QUARANTINE, cells_of(rejected, received_at=arrived, identity=event.id))
    return rejected
