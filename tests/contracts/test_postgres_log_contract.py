"""The log in PostgreSQL keeps every promise of an event log."""

from hashlib import blake2s
from pathlib import Path

import pytest

from embellie.store.postgres_log import PostgresLog
from embellie.testing.kept_log_contract import KeptLogContract


@pytest.mark.engines
class TestPostgresLog(KeptLogContract):
    """The log of several servers; a schema for each test."""

    @pytest.fixture(autouse=True)
    def _server(self, postgres_url: str) -> None:
        self.url = postgres_url

    def open(self, folder: Path) -> PostgresLog:
        name = blake2s(str(folder).encode(), digest_size=8).hexdigest()
        return PostgresLog(self.url, schema=f"log_{name}")
