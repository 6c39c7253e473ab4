"""What one transaction of the log in PostgreSQL does: take numbers, accept, count duplicates, quarantine, keep the ledger."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import msgspec

from embellie.domain.event import Event
from embellie.domain.moment import micros
from embellie.ports import Receipt, Rejected
from embellie.store.log_records import Quarantined
from embellie.store.log_rows import Batch, Kept, Ledger, Row, cells_of, clean, conflict_of, conflicting
from embellie.store.postgres_line import driver

KEY_BYTES = 2_000
"""The longest site and id, together, that the index on them takes."""

_Key = tuple[str, str]

_BEGIN = "BEGIN"
_TURN = "SELECT last, erasure FROM {s}.log FOR UPDATE"
_COPY = "COPY {s}.events FROM STDIN"
_KNOWN = """
SELECT e.site, e.id, e.seq, e.kind, e.at, e.received_at, e.consent, e.schema, e.body FROM {s}.events AS e
JOIN (SELECT k ->> 0 AS site, k ->> 1 AS id FROM json_array_elements(%s::json) AS k) AS k ON e.site = k.site AND e.id = k.id
"""
_KEPT = """
SELECT count(*) FROM {s}.events AS e
JOIN (SELECT (k ->> 0)::bigint AS seq, k ->> 1 AS site, k ->> 2 AS id FROM json_array_elements(%s::json) AS k) AS k
ON e.seq = k.seq AND e.site = k.site AND e.id = k.id
"""
_EARLIER = "UPDATE {s}.events SET received_at = %s WHERE seq = %s"
_QUARANTINE = (
    "INSERT INTO {s}.quarantine (site, id, received_at, reason, path, payload) VALUES (%s, %s, %s, %s, %s, %s)"
)
_LEDGER = (
    "INSERT INTO {s}.ledger AS kept (site, hour, received, accepted, duplicates, quarantined)"
    " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (site, hour) DO UPDATE SET received = kept.received + excluded.received,"
    " accepted = kept.accepted + excluded.accepted, duplicates = kept.duplicates + excluded.duplicates,"
    " quarantined = kept.quarantined + excluded.quarantined"
)
_LAST = "UPDATE {s}.log SET last = %s, erasure = greatest(erasure, %s)"

Refusal = Callable[[int, Any, Batch], tuple[Batch, int]]
"""Takes out of a batch what may not be written, as of the log's last erasure; returns the rest, and how many those were."""


@dataclass(slots=True)
class Staged:
    """A transaction that lacks only its commit: what is new, after which number, and what to answer.

    `others` says that not everything in it was new, `erasure` is the number of the last erasure in it.
    """

    before: int
    new: Sequence[_Key]
    receipts: list[Receipt]
    ledger: Ledger
    others: bool = False
    erasure: int = 0

    @property
    def last(self) -> int:
        """The last number it takes."""
        return self.before + len(self.new)


@dataclass(slots=True)
class _Group:
    """What a group of batches comes to, decided here: whoever has the turn is alone, so what is known stays so."""

    before: int
    known: dict[_Key, Kept]
    new: dict[_Key, Row] = field(default_factory=dict)
    earlier: dict[int, int] = field(default_factory=dict)
    aside: list[tuple[str, str, int, str, str, str]] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)

    def take(self, row: Row) -> str | None:
        """Decide about one row: None when it is new, `""` for a duplicate, or why it conflicts with the one kept."""
        key = row[0], row[1]
        kept = self.known.get(key)
        if kept is None:
            self.new[key] = row
            self.known[key] = (self.before + len(self.new), row[2], row[3], row[4], row[5], row[6], row[10])
            self.ledger.add(row[0], row[4], received=1, accepted=1)
            return None
        conflict = conflict_of(row, kept)
        if not conflict and self.ledger.again(row, kept[3]):
            self.known[key] = (*kept[:3], row[4], *kept[4:])
            if key in self.new:
                self.new[key] = (*self.new[key][:4], row[4], *self.new[key][5:])
            else:
                self.earlier[kept[0]] = row[4]
        return conflict

    @property
    def erasure(self) -> int:
        """The number of the last erasure among what is new, 0 when there is none."""
        return self.before + len(self.new) if any(row[2] == "erasure" for row in self.new.values()) else 0

    def put_aside(self, rejected: Rejected, received_at: int, identity: str = "") -> None:
        """Quarantine one event, whose line in the ledger is another's business."""
        cells = cells_of(rejected, received_at=received_at, identity=identity)
        self.aside.append(tuple(_held(cell) for cell in cells))

    def receive(self, batch: Batch, refused_before: int = 0) -> Receipt:
        """Decide about a batch, of which so many were refused before."""
        for each in batch.rejected:
            self.put_aside(each, batch.received_at)
            self.ledger.add(_held(clean(each.site)), batch.received_at, received=1, quarantined=1)
        accepted: list[Event] = []
        refused = list(batch.rejected)
        duplicates, after = 0, self.before + len(self.new)
        for event, row, place in zip(batch.events, batch.rows, batch.places, strict=True):
            conflict = self.take(row)
            if conflict is None:
                accepted.append(event)
            elif conflict:
                refused.append(conflicting(event, place, conflict))
                self.put_aside(refused[-1], row[4], event.id)
                self.ledger.add(row[0], row[4], received=1, quarantined=1)
            else:
                duplicates += 1
        return Receipt(
            accepted=tuple(accepted),
            duplicates=duplicates,
            quarantined=tuple(refused),
            refused=refused_before,
            after=after,
            upto=self.before + len(self.new),
        )


def fitting(batch: Batch) -> Batch:
    """Reject alone what PostgreSQL could not hold: NUL in a name, a name beyond its index."""
    unfit = [place for place, row in enumerate(batch.rows) if not _fits(row)]
    if not unfit:
        return batch
    refused = list(batch.rejected)
    for place in unfit:
        reason = "A name in it holds NUL, or is too long, and cannot be written."
        refused.append(conflicting(batch.events[place], batch.places[place], reason))
    kept = [place for place in range(len(batch.rows)) if place not in set(unfit)]
    return Batch(
        [batch.events[place] for place in kept],
        [batch.rows[place] for place in kept],
        [batch.places[place] for place in kept],
        refused,
        batch.received_at,
    )


def _fits(row: Row) -> bool:
    if len(row[0]) + len(row[1]) > KEY_BYTES // 4 and len((row[0] + row[1]).encode()) > KEY_BYTES:
        return False
    return "\0" not in row[0] + row[1] + row[7] + row[8] + row[9]


def _held(cell: Any) -> Any:
    """Write NUL, which no text of PostgreSQL holds, as it is escaped."""
    return cell.replace("\0", "\\x00") if isinstance(cell, str) else cell


def stage(
    connection: Any, schema: str, batches: Sequence[Batch], *, careful: bool, refusal: Refusal | None = None
) -> Staged:
    """Write batches in one transaction up to its commit.

    Args:
        connection: In no transaction; left in one.
        schema: The schema, quoted.
        batches: What to write.
        careful: Look first which ids are taken. Otherwise all are held for new, the usual case, until one is not.
        refusal: Comes first, in the same transaction.
    """
    with connection.pipeline():
        connection.execute(_BEGIN)
        turn = connection.execute(_TURN.format(s=schema), prepare=True)
        connection.execute("SAVEPOINT group_of_batches")
    before, erasure = turn.fetchone()
    counts = [0] * len(batches)
    if refusal and erasure:
        admitted = [refusal(erasure, connection, batch) for batch in batches]
        batches, counts = [batch for batch, _ in admitted], [count for _, count in admitted]
        connection.execute("SAVEPOINT group_of_batches")  # what was refused stays counted, whatever is tried next
    keys = {(row[0], row[1]) for batch in batches for row in batch.rows}
    careful = careful or len(keys) < sum(len(batch.rows) for batch in batches)
    if not careful:
        group = _Group(before, {})
        receipts = [group.receive(batch, refused) for batch, refused in zip(batches, counts, strict=True)]
        try:
            _copy(connection, schema, group)
        except driver().errors.UniqueViolation:
            connection.execute("ROLLBACK TO group_of_batches")
            careful = True
    if careful:
        group = _Group(before, _known(connection, schema, keys))
        receipts = [group.receive(batch, refused) for batch, refused in zip(batches, counts, strict=True)]
        _copy(connection, schema, group)
    _put_down(connection, schema, group)
    others = any(receipt.duplicates or receipt.quarantined for receipt in receipts)
    return Staged(before, list(group.new), receipts, group.ledger, others, group.erasure)


def finish(connection: Any, schema: str, staged: Staged) -> None:
    """Write the ledger and the last number down, and commit: durable when this returns."""
    with connection.pipeline():
        for row in staged.ledger.rows():
            connection.execute(_LEDGER.format(s=schema), row, prepare=True)
        if staged.new:
            connection.execute(_LAST.format(s=schema), [staged.last, staged.erasure], prepare=True)
        connection.execute("COMMIT")


def leave(connection: Any, schema: str, batch: Batch, before: int) -> None:
    """Write a batch of what is new within a transaction that has the turn."""
    group = _Group(before, {})
    group.receive(batch)
    _copy(connection, schema, group)
    for row in group.ledger.rows():
        connection.execute(_LEDGER.format(s=schema), row)
    connection.execute(_LAST.format(s=schema), [before + len(group.new), group.erasure])


def was_committed(connection: Any, schema: str, staged: Staged) -> bool:
    """Find out whether a transaction whose answer was lost was committed: what was new in it then has its numbers.

    Whoever asks takes a turn, so that by now it has ended one way or the other. (The server's own word on transactions will not
    do: a crash may give the number of one that was lost to another.) Of one in which nothing was new it cannot be told.
    """
    with connection.transaction():
        connection.execute(_TURN.format(s=schema))
        asked = [(number, *key) for number, key in enumerate(staged.new, start=staged.before + 1)]
        found = connection.execute(_KEPT.format(s=schema), [msgspec.json.encode(asked).decode()]).fetchone()[0]
    return bool(asked) and found == len(asked)


def release(connection: Any, schema: str, good: Sequence[tuple[Quarantined, Batch]]) -> tuple[list[Event], int]:
    """Move mended events out of quarantine, in one transaction: each was received once, long ago."""
    connection.execute(_BEGIN)
    before, _ = connection.execute(_TURN.format(s=schema)).fetchone()
    numbers = [each.number for each, _ in good]
    there = {
        row[0]
        for row in connection.execute(f"SELECT number FROM {schema}.quarantine WHERE number = ANY(%s)", [numbers])
    }
    group = _Group(before, _known(connection, schema, {batch.rows[0][:2] for _, batch in good}))
    accepted: list[Event] = []
    gone: list[int] = []
    for each, batch in good:
        conflict = group.take(batch.rows[0]) if each.number in there else "gone"
        if conflict:
            continue
        gone.append(each.number)
        group.ledger.add(each.site, micros(each.received_at), received=-1, quarantined=-1)
        if conflict is None:
            accepted += batch.events
    _copy(connection, schema, group)
    _put_down(connection, schema, group)
    connection.execute(f"DELETE FROM {schema}.quarantine WHERE number = ANY(%s)", [gone])
    finish(connection, schema, Staged(before, list(group.new), [], group.ledger, erasure=group.erasure))
    return accepted, len(gone) - len(accepted)


def _known(connection: Any, schema: str, keys: Iterable[_Key]) -> dict[_Key, Kept]:
    asked = msgspec.json.encode(sorted(keys)).decode()
    rows = connection.execute(_KNOWN.format(s=schema), [asked], prepare=True).fetchall()
    return {(row[0], row[1]): row[2:] for row in rows}


def _copy(connection: Any, schema: str, group: _Group) -> None:
    if not group.new:
        return
    with connection.cursor() as cursor, cursor.copy(_COPY.format(s=schema)) as copying:
        for number, row in zip(count(group.before + 1), group.new.values()):
            copying.write_row((number, *row))


def _put_down(connection: Any, schema: str, group: _Group) -> None:
    """Write what is not new: earlier arrivals, and what is put aside."""
    with connection.cursor() as cursor:
        if group.earlier:
            rows = [(arrived, seq) for seq, arrived in group.earlier.items()]
            cursor.executemany(_EARLIER.format(s=schema), rows)
        if group.aside:
            cursor.executemany(_QUARANTINE.format(s=schema), group.aside)
