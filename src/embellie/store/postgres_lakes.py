"""PostgreSQL's lakes: of the servers on one log, which lake ends where, and which erasures each has followed."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from embellie.domain.errors import InputError, unknown_name
from embellie.domain.moment import micros, moment
from embellie.store.engine import quoted
from embellie.store.log_place import LogPlace, PostgresPlace
from embellie.store.postgres_line import driver
from embellie.store.postgres_log_tables import READING, connect, explain, holds_tables

NAME_FILE = "lake.id"
"""What a data folder is known by among the servers' lakes; it stays in the folder, and in no backup."""

_WRITING = {"statement_timeout": "30s", "lock_timeout": "10s"}
_NOTE = (
    "INSERT INTO {s}.lakes AS kept (lake, place, through, erasure, heard_at) VALUES (%s, %s, %s, %s, %s)"
    " ON CONFLICT (lake) DO UPDATE SET place = excluded.place, through = excluded.through,"
    " erasure = greatest(excluded.erasure, kept.erasure), heard_at = excluded.heard_at"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLake:
    """A lake, and the files beside it: where it is, the event it ends on, the last erasure it has followed, when it was heard of."""

    lake: str
    place: str
    through: int
    erasure: int
    heard_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Lakes:
    """All lakes of a log, and the number of the log's last erasure."""

    erasure: int
    known: tuple[KnownLake, ...]

    def behind(self, erasure: int) -> tuple[KnownLake, ...]:
        """Name those that have not followed an erasure."""
        return tuple(one for one in self.known if one.erasure < erasure)


def lake_name(data: Path) -> str:
    """Tell by which name a data folder is known; made when it has none.

    Raises:
        InputError: The folder cannot be written.
    """
    file = data / NAME_FILE
    with suppress(OSError):
        if name := file.read_text(encoding="utf-8").strip():
            return name
    try:
        data.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError), file.open("x", encoding="utf-8") as new:
            new.write(secrets.token_hex(8) + "\n")
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise InputError(
            f"The data folder cannot be written: {error.strerror or error}.",
            hint="Give a folder that this account may write to.",
            at=str(file),
        ) from None


def lakes_of(log: LogPlace) -> Lakes:
    """Tell the lakes of a log's servers; none where the log is a file, which has one."""
    if not isinstance(log, PostgresPlace):
        return Lakes(erasure=0, known=())
    with _connected(log, READING) as connection:
        if not holds_tables(connection, log.schema):
            return Lakes(erasure=0, known=())
        erasure = connection.execute(f"SELECT erasure FROM {quoted(log.schema)}.log").fetchone()[0]
        rows = connection.execute(
            f"SELECT lake, place, through, erasure, heard_at FROM {quoted(log.schema)}.lakes ORDER BY place, lake"
        ).fetchall()
    known = (
        KnownLake(lake=lake, place=place, through=through, erasure=passed, heard_at=moment(heard))
        for lake, place, through, passed, heard in rows
    )
    return Lakes(erasure=erasure, known=tuple(known))


def ends_of_lakes(log: LogPlace) -> frozenset[int]:
    """Name the events on which lakes of other servers end: by them a lake knows its log."""
    return frozenset(one.through for one in lakes_of(log).known)


def note_lake(log: PostgresPlace, lake: str, *, place: str, through: int, erasure: int, now: datetime) -> None:
    """Write down how far a lake is.

    Args:
        log: The log.
        lake: Its name.
        place: Where it is, for people.
        through: The number of the event it ends on.
        erasure: The number of an erasure: that one, and all before it, are followed.
        now: The time.
    """
    with _connected(log, _WRITING) as connection:
        connection.execute(_NOTE.format(s=quoted(log.schema)), [lake, place, through, erasure, micros(now)])


def forget_lake(log: PostgresPlace, lake: str) -> None:
    """Strike a lake out that is no more: nobody waits for it any longer.

    Raises:
        UnknownName: There is none of that name.
    """
    with _connected(log, _WRITING) as connection:
        gone = connection.execute(f"DELETE FROM {quoted(log.schema)}.lakes WHERE lake = %s", [lake]).rowcount
    if not gone:
        raise unknown_name("lake", lake, [one.lake for one in lakes_of(log).known])


@contextmanager
def _connected(log: PostgresPlace, settings: dict[str, str]) -> Iterator[Any]:
    connection = connect(log.url, settings)
    try:
        yield connection
    except driver().Error as error:
        raise explain(error, log.url) from None
    finally:
        connection.close()
