"""The log in SQLite keeps every promise of an event log."""

from pathlib import Path

from embellie.store.log import FILE, SqliteLog
from embellie.testing.kept_log_contract import KeptLogContract


class TestSqliteLog(KeptLogContract):
    """The built-in log."""

    def open(self, folder: Path) -> SqliteLog:
        return SqliteLog(folder / FILE)
