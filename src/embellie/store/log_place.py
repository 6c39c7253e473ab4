"""Log place: where an installation's log is kept, a file or a database; opened without caring which."""

from dataclasses import dataclass, field
from pathlib import Path

from embellie.store.clicks import is_log
from embellie.store.log import FILE, SqliteLog
from embellie.store.log_records import KeptLog
from embellie.store.postgres_line import check_log_url, place_of


@dataclass(frozen=True, slots=True)
class PostgresPlace:
    """A log in PostgreSQL: the URL, which is never shown whole, and the schema that holds its tables."""

    url: str = field(repr=False)
    schema: str

    def __str__(self) -> str:
        return f"{place_of(self.url)}, schema {self.schema}"

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return str(self)


LogPlace = Path | PostgresPlace
"""Where a log is."""


def log_place(data: Path, url: str, schema: str) -> LogPlace:
    """Tell where an installation keeps its log: where the URL says, or else in a file of the data folder.

    Raises:
        InputError: It is no URL of PostgreSQL.
    """
    if not url:
        return data / FILE
    check_log_url(url)
    return PostgresPlace(url, schema)


def open_log(place: LogPlace) -> KeptLog:
    """Open a log, created when absent.

    Raises:
        InputError: What is there is no log, or cannot hold one.
        Busy: Another process keeps the file locked.
        EngineError: PostgreSQL cannot be reached or does not let us in, or its extra is missing.
    """
    if isinstance(place, Path):
        return SqliteLog(place)
    from embellie.store.postgres_log import PostgresLog

    return PostgresLog(place.url, schema=place.schema)


def holds_log(place: LogPlace) -> bool:
    """Whether there is a log yet.

    Raises:
        EngineError: PostgreSQL cannot be reached or does not let us in, or its extra is missing.
    """
    if isinstance(place, Path):
        return is_log(place)
    from embellie.store.postgres_log import is_there

    return is_there(place.url, place.schema)
