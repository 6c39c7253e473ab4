"""Engine choice: which engine a URL names, for the log's events and for a table."""

import threading
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from embellie.domain.errors import EngineError, InputError
from embellie.ports import AggregateReader, DailyView
from embellie.store.postgres_line import POSTGRES
from embellie.store.tables import Table

SPARK = ("sc",)


def open_engine(url: str, *, lake: str = "", views: Sequence[DailyView] = ()) -> AggregateReader:
    """Open the engine that computes scorecards from the log: SQL in DuckDB's dialect over `events`.

    Args:
        url: `sc://host:port` (Spark, Sail, whatever speaks Spark Connect) or `postgresql://…`.
        lake: For Spark the lake's folder as the server sees it (`/data/lake`, `s3a://…`) or a table; for PostgreSQL the
            table, `events` when empty.
        views: Relations beside `events` to use where the lake keeps them.

    Raises:
        EngineError: It is no engine, cannot be reached, or its extra is missing.
        TableError: There is no such lake, or it lacks a column.
    """
    scheme = url.partition("://")[0]
    if scheme in POSTGRES:
        from embellie.store.postgres_engine import postgres_events

        return postgres_events(url, table=lake)
    if scheme in SPARK:
        if not lake:
            raise InputError(
                "Spark needs to know where the lake is.",
                hint='Write `[analysis] lake = "…"`: a folder the server sees.',
            )
        from embellie.store.spark_engine import spark_events

        return spark_events(url, lake=lake, views=views)
    raise EngineError(
        f"`{scheme}` is no engine this version knows.",
        hint="Use `sc://host:port` or `postgresql://user@host/database`.",
    )


class EngineOnUse:
    """An engine that is opened when it is first asked: a server starts whether or not the engine is up.

    Args:
        url: As for `open_engine`.
        lake: As for `open_engine`.
        views: As for `open_engine`.
    """

    def __init__(self, url: str, *, lake: str = "", views: Sequence[DailyView] = ()) -> None:
        self._url, self._lake, self._views = url, lake, tuple(views)
        self._lock = threading.Lock()
        self._engine: AggregateReader | None = None

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run one query; opens the engine first, again each time until that succeeds."""
        return self._opened().rows(sql, parameters)

    @property
    def elsewhere(self) -> bool:
        """Every engine is a server."""
        return True

    @property
    def ready(self) -> Collection[DailyView]:
        """What lies ready there; opens the engine first."""
        return self._opened().ready

    def _opened(self) -> AggregateReader:
        with self._lock:
            if self._engine is None:
                self._engine = open_engine(self._url, lake=self._lake, views=self._views)
            return self._engine


def open_remote_table(url: str, name: str) -> Table | None:
    """Open a table of PostgreSQL or Spark; `None` where the URL names neither.

    Raises:
        EngineError: It cannot be reached, or its extra is missing.
        TableError: There is no such table.
    """
    scheme = url.partition("://")[0]
    if scheme in POSTGRES:
        from embellie.store.postgres_engine import PostgresTable

        return PostgresTable(url, name)
    if scheme in SPARK:
        from embellie.store.spark_engine import SparkTable

        return SparkTable(url, name)
    return None
