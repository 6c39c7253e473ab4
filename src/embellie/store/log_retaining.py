"""What time does to the log: events past their time lose reader and visit, or go where nothing else is in them."""

import json
import secrets
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from embellie.domain.moment import micros
from embellie.store.log_erasing import Connection, note
from embellie.store.log_records import PastTime
from embellie.store.log_rows import HOUR

PAGE = 2_000
"""So many events at most are changed in one transaction: writers wait no longer than for that."""

NAMELESS_KINDS = ("read", "click", "impression", "served", "conversion", "consent")
"""The kinds that still tell something without a name: they stay, under another id."""

_PAST = """
SELECT seq, kind, site, received_at, body FROM events
WHERE seq > ? AND consent = ? AND received_at < ? AND (reader <> '' OR visit <> '')
AND kind IN ('exposure', {kinds}) ORDER BY seq LIMIT ?
""".format(kinds=", ".join(f"'{kind}'" for kind in NAMELESS_KINDS))
_TAKEN = "SELECT site, id FROM events WHERE id IN ({marks})"
_NAMELESS = "UPDATE events SET id = ?, reader = '', visit = '', body = ? WHERE seq = ?"


class Past(NamedTuple):
    """An event past its time, as it stands in the log; `received_at` in microseconds."""

    seq: int
    kind: str
    site: str
    received_at: int
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Nameless:
    """An event as it stays: under which id, with which body."""

    seq: int
    id: str
    body: str


def look_past(connection: Connection, before: Mapping[str, datetime], *, spare: Collection[int] = ()) -> PastTime:
    """Count what is past its time, and change nothing.

    Args:
        connection: The log.
        before: By consent, the moment of arrival from which events keep their names.
        spare: The numbers of events that are left as they are: those on which lakes end.
    """
    nameless = exposures = 0
    units: Counter[tuple[str, str]] = Counter()
    for page in pages_past(connection, before, spare=spare):
        shown = [each for each in page if each.kind == "exposure"]
        units.update((each.site, str(json.loads(each.body).get("experiment", ""))) for each in shown)
        exposures += len(shown)
        nameless += len(page) - len(shown)
    aside = past_aside(connection, before)
    return PastTime(nameless=nameless, exposures=exposures, quarantined=len(aside), units=dict(units))


def pages_past(
    connection: Connection, before: Mapping[str, datetime], *, spare: Collection[int], size: int = PAGE
) -> Iterator[list[Past]]:
    """Find what is past its time, in the order of the log, so many at a time; what was found may be changed meanwhile."""
    spared = frozenset(spare)
    for consent, moment in before.items():
        after = 0
        while rows := connection.execute(_PAST, (after, consent, micros(moment), size)).fetchall():
            after = rows[-1][0]
            if page := [Past(*row) for row in rows if row[0] not in spared]:
                yield page


def past_aside(connection: Connection, before: Mapping[str, datetime]) -> list[tuple[int, str, int]]:
    """Find what was put aside longer ago than the shortest time for which names are kept: its consent cannot be told.

    Returns:
        Number, site and arrival (µs) of each.
    """
    if not before:
        return []
    moment = micros(max(before.values()))
    found: list[tuple[int, str, int]] = connection.execute(
        "SELECT number, site, received_at FROM quarantine WHERE received_at < ?", (moment,)
    ).fetchall()
    return found


def without_names(connection: Connection, page: Sequence[Past]) -> list[Nameless]:
    """Tell how events stay: with another id, which a sender may have taken; no reader, no visit."""
    ids = {each.seq: f"kept-{each.seq}" for each in page if each.kind != "exposure"}
    if not ids:
        return []
    marks = ", ".join("?" * len(ids))
    taken = set(connection.execute(_TAKEN.format(marks=marks), tuple(ids.values())).fetchall())
    return [
        Nameless(
            seq=each.seq,
            id=f"{ids[each.seq]}-{secrets.token_hex(8)}" if (each.site, ids[each.seq]) in taken else ids[each.seq],
            body=_without_names(each.body),
        )
        for each in page
        if each.seq in ids
    ]


def _without_names(body: str) -> str:
    said = json.loads(body)
    said |= {name: "" for name in ("reader", "visit") if name in said}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def forget_past(
    connection: sqlite3.Connection, before: Mapping[str, datetime], *, spare: Collection[int] = ()
) -> Iterator[int]:
    """Take the names out of what is past its time, page by page, each in a transaction of its own; yields how many each time.

    What was changed is overwritten in the file.
    """
    connection.execute("PRAGMA secure_delete = ON")
    try:
        for page in pages_past(connection, before, spare=spare):
            connection.execute("BEGIN IMMEDIATE")
            try:
                for one in without_names(connection, page):
                    connection.execute(_NAMELESS, (one.id, one.body, one.seq))
                for each in page:
                    if each.kind == "exposure":
                        gone = connection.execute("DELETE FROM events WHERE seq = ?", (each.seq,)).rowcount
                        note(connection, each.site, each.received_at // HOUR, accepted=gone)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            yield len(page)
        yield _forget_aside(connection, before)
    finally:
        connection.execute("PRAGMA secure_delete = OFF")


def _forget_aside(connection: sqlite3.Connection, before: Mapping[str, datetime]) -> int:
    connection.execute("BEGIN IMMEDIATE")
    try:
        rows = past_aside(connection, before)
        for number, site, arrived in rows:
            connection.execute("DELETE FROM quarantine WHERE number = ?", (number,))
            note(connection, site, arrived // HOUR, quarantined=1)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return len(rows)
