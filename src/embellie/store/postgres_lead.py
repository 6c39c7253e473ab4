"""PostgreSQL's lead: of the servers that share a log one leads, which does what needs to be done once."""

from typing import Any

from embellie.domain.errors import EmbellieError
from embellie.store.log_place import PostgresPlace
from embellie.store.postgres_line import driver
from embellie.store.postgres_log_tables import READING, connect


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
