"""PostgreSQL's lead: of the servers that share a log one leads, which does what needs to be done once."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from embellie.domain.errors import Busy, EmbellieError
from embellie.store.engine import quoted
from embellie.store.log_place import PostgresPlace
from embellie.store.postgres_line import driver
from embellie.store.postgres_log_tables import READING, connect, holds_tables


class PostgresLead:
    """Holds the lead of a log, or waits for whoever holds it to go; it goes with the process, and with its connection.

    Args:
        place: The log.
    """

    def __init__(self, place: PostgresPlace) -> None:
        self._place = place
        self._connection: Any = None
        self._held = False

    def held(self) -> bool:
        """Whether this process leads, as of now; taken when nobody does. False where the database cannot be reached."""
        try:
            if self._connection is None or self._connection.closed:
                self._held = False
                self._connection = connect(self._place.url, READING)
            if self._held:
                self._connection.execute("SELECT 1")
            else:
                asked = "SELECT pg_try_advisory_lock(hashtext(%s))"
                self._held = self._connection.execute(asked, [f"embellie lead {self._place.schema}"]).fetchone()[0]
        except (EmbellieError, driver().Error):
            self.close()
        return self._held

    def close(self) -> None:
        """Leave it to others."""
        self._held = False
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@contextmanager
def unled(place: PostgresPlace) -> Iterator[None]:
    """Hold the lead, so that no server has it meanwhile; commands may still write.

    Raises:
        EngineError: The database cannot be reached.
        Busy: A server leads, so that one runs.
    """
    connect(place.url, READING).close()
    lead = PostgresLead(place)
    with closing(lead):
        if not lead.held():
            raise Busy("A server has the log open.", hint="Stop all servers first.", at=str(place), code="log_locked")
        yield


def is_used(place: PostgresPlace) -> bool:
    """Whether there is a log in which something was ever written.

    Raises:
        EngineError: The database cannot be reached.
    """
    with closing(connect(place.url, READING)) as connection:
        if not holds_tables(connection, place.schema):
            return False
        name = quoted(place.schema)
        sql = f"SELECT last > 0 OR EXISTS (SELECT 1 FROM {name}.ledger) FROM {name}.log"
        return bool(connection.execute(sql).fetchone()[0])
