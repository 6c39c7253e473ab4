"""The log in SQLite keeps every promise of an event log."""

from pathlib import Path

from embellie.store.log import FILE, SqliteLog
from embellie.testing.event_log_contract import EventLogContract


class TestSqliteLog(EventLogContract):
    """The built-in log."""

    def open(self, folder: Path) -> SqliteLog:
        return SqliteLog(folder / FILE)
