"""Spark as an engine, by Spark Connect: a table or files as `source`, a lake as `events`; only sums come back."""

import logging
import re
import socket
import threading
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from embellie.domain.errors import EmbellieError, EngineError, TableError, unknown_name
from embellie.ports import DailyView
from embellie.store.event_columns import EVENT_COLUMNS
from embellie.store.lake_manifest import MANIFEST, Manifest, parse_manifest, read_manifest, stamp_of, view_files
from embellie.store.object_bucket import is_bucket_url, open_bucket
from embellie.store.tables import Table
from embellie.store.translating import NotPortable, translate

_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.caseSensitive": "false",
    "spark.sql.optimizer.excludedRules": "org.apache.spark.sql.catalyst.optimizer.PushdownPredicatesAndPruneColumnsForCTEDef",
}
"""What a session must agree on for SQL to mean the same; nothing here touches other sessions of the server."""

_TYPES = {
    "boolean": "BOOLEAN", "tinyint": "TINYINT", "smallint": "SMALLINT", "int": "INTEGER", "bigint": "BIGINT",
    "float": "FLOAT", "double": "DOUBLE", "string": "VARCHAR", "date": "DATE", "timestamp_ntz": "TIMESTAMP",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
}  # fmt: skip
"""Spark's types in DuckDB's words; others keep their name, in capitals."""

_CALLED = re.compile(r"sc://(?P<host>\[[^\]]+\]|[^:/;?@\s]+)(:(?P<port>\d+))?(?P<rest>[/;].*)?")


class SparkReader:
    """Run SQL in DuckDB's dialect on Spark, over one table or folder. Safe to share between threads.

    Args:
        url: `sc://host:port`, with Spark Connect's own parameters (`/;token=…;use_ssl=true`).
        table: `table`, `schema.table` or `catalog.schema.table`; or files that the server sees: a folder, or `/path/*.parquet`, `s3a://…`.
        relation: What the SQL calls it.
        views: Relations to use too where a lake keeps them.

    Raises:
        EngineError: The server cannot be reached, or does not let us in.
        TableError: There is no such table or file.
    """

    def __init__(self, url: str, table: str, *, relation: str, views: Sequence[DailyView] = ()) -> None:
        self._url, self._table, self._relation = url, table, relation
        self._views, self._ready = tuple(views), tuple[DailyView, ...]()
        self._host, self._port = _address(url)
        self._lock = threading.Lock()
        self._errors = _driver().errors
        self._session = self._connect()
        self.columns: Mapping[str, str] = {}
        self._booleans = frozenset[str]()
        try:
            self.columns = self._show()
            self._booleans = frozenset(name for name, type_ in self.columns.items() if type_ == "BOOLEAN")
        except BaseException:
            self.close()
            raise

    @property
    def place(self) -> str:
        """Where it runs, without a token."""
        return f"{self._host}:{self._port}"

    @property
    def elsewhere(self) -> bool:
        """The server computes."""
        return True

    @property
    def ready(self) -> Collection[DailyView]:
        """The views that the lake keeps of all its days, where its manifest can be read from here."""
        with self._lock:
            self._keep_up()
            return self._ready

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run one query; one dictionary per row. Only the parameters that the query names are passed on.

        Raises:
            NotPortable: It uses what is not translated.
            TableError: Spark refuses the query.
            EngineError: The connection is lost.
        """
        given = {name: _sent(value) for name, value in (parameters or {}).items()}
        casts = tuple((name, type_) for name, (_, type_) in sorted(given.items()) if type_)
        relations = tuple((name, f"`embellie_{name}`") for name in (self._relation, *(one.name for one in self._views)))
        translated = translate(sql, "spark", relations=relations, booleans=self._booleans, casts=casts)
        missing = [name for name in translated.parameters if name not in given]
        if missing:
            raise NotPortable(
                f"Parameter `${missing[0]}` has no value.", hint="Give every parameter that the SQL names."
            )
        used = {name: given[name][0] for name in translated.parameters}
        with self._lock:
            try:
                self._keep_up()
                return self._run(translated.sql, used)
            except EngineError:
                # A server forgets sessions that were idle for an hour, and all of them when it restarts: once more.
                self._session = self._connect()
                self._show()
                return self._run(translated.sql, used)

    def close(self) -> None:
        """End the session; the server goes on."""
        self._session.stop()

    def _connect(self) -> Any:
        driver = _driver()
        _knock(self._host, self._port)
        try:
            session = driver.session(connection=self._url)
            # By default a lost server is called for ten minutes; we open a new session once instead.
            session.client.set_retry_policies([])
            for name, value in _SETTINGS.items():
                session.conf.set(name, value)
        except self._errors as error:
            raise self._told(error) from None
        return session

    def _show(self) -> dict[str, str]:
        """Name the table or the files for this session alone; return its columns."""
        self._stamp = stamp_of(Path(self._table)) if self._relation == "events" else None
        try:
            frame = _read(self._session, self._table, lake=self._relation == "events")
            found = {field.name: field.dataType.simpleString() for field in frame.schema.fields}
            if found:
                frame.createOrReplaceTempView(f"embellie_{self._relation}")
            self._ready = tuple(view for view in self._views if self._show_view(view))
        except self._errors as error:
            raise self._told(error) from None
        if not found:
            raise TableError(
                f"There is nothing at `{self._table}`.",
                hint="The path is read by the server, not from here.",
                at=self.place,
            )
        return {name: _in_words_of_duckdb(type_) for name, type_ in found.items()}

    def _show_view(self, view: DailyView) -> bool:
        """Name a view that the lake keeps; whether it has all of it."""
        lake = Path(self._table)
        manifest = read_manifest(lake) if self._stamp else None
        files = list(view_files(lake, manifest, view).values()) if manifest else []
        if not manifest or not files or len(files) < len(manifest.partitions):
            return False
        self._session.read.parquet(*map(str, files)).createOrReplaceTempView(f"embellie_{view.name}")
        return True

    def _keep_up(self) -> None:
        """Look at the lake again where it has grown; unless its manifest can be read from here, each time."""
        if self._relation != "events" or not _is_path(self._table):
            return
        stamp = stamp_of(Path(self._table))
        if stamp is None or stamp != self._stamp:
            self._show()

    def _run(self, sql: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        try:
            found = self._session.sql(sql, args=dict(parameters) or None).toArrow()
        except self._errors as error:
            raise self._told(error) from None
        names = found.column_names
        columns = [column.to_pylist() for column in found.columns]
        return [dict(zip(names, map(_received, row), strict=True)) for row in zip(*columns, strict=True)]

    def _told(self, error: Exception) -> EmbellieError:
        """Tell what Spark (or what speaks its protocol) said, in one line, without a token."""
        if isinstance(error, EmbellieError):
            return error
        said = _first_line(str(error), self._url)
        whole = str(error)
        if "TABLE_OR_VIEW_NOT_FOUND" in whole:
            wrong = unknown_name("table", self._table, self._tables())
            return TableError(wrong.message, hint=wrong.hint, at=self.place)
        if "PATH_NOT_FOUND" in whole or ("does not exist" in whole and _is_path(self._table)):
            return TableError(
                f"No file `{self._table}`.", hint="The path is read by the server, not from here.", at=self.place
            )
        if (
            "PERMISSION_DENIED" in whole
            or "UNAUTHENTICATED" in whole
            or "AccessDenied" in whole
            or "Permission denied" in whole
        ):
            return EngineError(
                f"Spark at `{self.place}` does not let us in: {said}",
                hint="Check the token in the URL: `sc://host:port/;token=…`, and its rights.",
            )
        if any(word in whole for word in _LOST):
            return EngineError(
                f"Spark at `{self.place}` does not answer: {said}",
                hint="Is it a Spark Connect server (`start-connect-server.sh`), and does it run?",
            )
        return TableError(
            f"Spark refuses this query: {said}", hint="Check the table and the columns you named.", at=self.place
        )

    def _tables(self) -> list[str]:
        try:
            found = self._session.sql("SHOW TABLES").toArrow().to_pylist()
        except self._errors:  # the list of names is a help only
            return []
        names = [
            ".".join(filter(None, (row.get("namespace") or row.get("database"), row["tableName"]))) for row in found
        ]
        return [name for name in names if not name.startswith("embellie_")]


class SparkTable(Table):
    """A table, or files, of Spark, queried as `source`.

    Args:
        url: `sc://host:port`.
        table: A table's name, or files that the server sees.
    """

    def __init__(self, url: str, table: str) -> None:
        self._reader = SparkReader(url, table, relation="source")
        super().__init__(name=table, columns=self._reader.columns)

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run one query; one dictionary per row."""
        return self._reader.rows(sql, parameters)

    def close(self) -> None:
        """End the session."""
        self._reader.close()


def spark_events(url: str, *, lake: str, views: Sequence[DailyView] = ()) -> SparkReader:
    """Open the log's lake (a folder or address that the server sees, or a table), to be queried as `events`.

    Raises:
        TableError: A column is missing.
    """
    reader = SparkReader(url, lake, relation="events", views=views)
    missing = [name for name in EVENT_COLUMNS if name not in reader.columns]
    if missing:
        reader.close()
        raise TableError(
            f"The lake at `{lake}` has no column `{missing[0]}`.",
            hint="Is it the folder that `embellie log export` writes?",
            at=reader.place,
        )
    return reader


_LOST = (
    "UNAVAILABLE", "UNIMPLEMENTED", "SESSION_CLOSED", "SESSION_NOT_FOUND", "SESSION_CHANGED", "NO_ACTIVE_SESSION",
    "DEADLINE_EXCEEDED", "Connection reset", "Socket closed", "session not found", "is not running",
    "FILE_NOT_EXIST",
)  # fmt: skip
"""What Spark and Sail say when a server, or its memory of us, is gone."""


def _address(url: str) -> tuple[str, int]:
    found = _CALLED.fullmatch(url)
    if not found:
        raise EngineError("This is no address of Spark Connect.", hint="Write `sc://host:15002`.")
    return found["host"].strip("[]"), int(found["port"] or 15002)


def _knock(host: str, port: int) -> None:
    try:
        socket.create_connection((host, port), timeout=10).close()
    except OSError as error:
        why = "no host has this name" if isinstance(error, socket.gaierror) else "nobody answers there"
        raise EngineError(
            f"Cannot use Spark at `{host}:{port}`: {why}.",
            hint="Check the URL, and that a Spark Connect server runs there (`start-connect-server.sh`, or `sail spark server`).",
        ) from None


@dataclass(frozen=True, slots=True)
class _Driver:
    """Spark Connect's client: its session, and all it may raise."""

    session: Any
    errors: tuple[type[Exception], ...]


def _driver() -> _Driver:
    """Load the client; it warns of pandas, which nothing here uses, and logs each error it raises."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import grpc
            from pyspark.errors import PySparkException
            from pyspark.sql.connect.session import SparkSession
    except ImportError:
        raise EngineError(
            "Spark is asked for, but what speaks to it is not installed.",
            hint="Run `pip install 'embellie[spark]'`.",
            code="missing_extra",
        ) from None
    logging.getLogger("SQLQueryContextLogger").disabled = True
    return _Driver(SparkSession, (PySparkException, grpc.RpcError, OSError))


def _is_path(table: str) -> bool:
    return "/" in table or table.endswith((".parquet", ".csv"))


def _read(session: Any, table: str, *, lake: bool) -> Any:
    if not _is_path(table):
        return session.table(".".join(f"`{part}`" for part in table.split(".")))
    if table.endswith(".csv"):
        # As text, like every CSV: whoever reads numbers casts, and can say why not.
        return session.read.option("header", "true").csv(table)
    if not lake or table.endswith(".parquet"):
        return session.read.parquet(table)
    return session.read.parquet(*_lake_files(session, table))


def _lake_files(session: Any, lake: str) -> Sequence[str]:
    """List the lake's files: those its manifest names where it can be read from here, else the last of each day.

    A file that a later one replaced lies beside it for a while, and so may one that no manifest names yet.
    """
    manifest = read_manifest(Path(lake)) or _manifest_there(lake)
    if manifest is not None:
        return [f"{lake.rstrip('/')}/{each.file}" for each in manifest.partitions]
    every = f"{lake.rstrip('/')}/*/*/*.parquet"
    last: dict[str, tuple[int, str]] = {}
    for file in session.read.parquet(every).inputFiles():
        folder, _, name = file.rpartition("/")
        generation = int("".join(filter(str.isdigit, name)) or 0)
        last[folder] = max(last.get(folder, (-1, "")), (generation, file))
    return sorted(file for _, file in last.values()) or [every]


def _manifest_there(lake: str) -> Manifest | None:
    """Read a bucket's manifest from here: to Spark a file whose name begins with `_` is not there. None without what speaks to buckets.

    Raises:
        EngineError: The bucket cannot be read from here; without its manifest nobody knows which files count.
    """
    if not is_bucket_url(lake):
        return None
    try:
        kept = open_bucket(lake).read(MANIFEST)
    except EngineError as error:
        if error.code == "missing_extra":
            return None
        raise
    return parse_manifest(kept.text) if kept else None


def _in_words_of_duckdb(type_: str) -> str:
    return _TYPES.get(type_, "VARCHAR" if type_.startswith(("varchar", "char")) else type_.upper())


def _sent(value: Any) -> tuple[Any, str]:
    """Give a value as Spark takes it, with the type to read it as; a client would read a time by its own clock."""
    if isinstance(value, datetime):
        plain = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return plain.isoformat(sep=" "), "timestamp_ntz"
    if isinstance(value, date):
        return value.isoformat(), "date"
    return value, ""


def _received(value: Any) -> Any:
    """Give numbers as other engines do: a whole one as `int`, another as `float`."""
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        return int(value) if isinstance(exponent, int) and exponent >= 0 else float(value)
    return value


def _first_line(said: str, url: str) -> str:
    details = re.search(r'details = "([^"]*)"', said)
    lines = [line.strip() for line in (details[1] if details else said).splitlines() if line.strip()]
    first = re.sub(r"^\[[A-Z_.]+\] ", "", lines[0]) if lines else "it says nothing"
    for secret in re.findall(r"[;/&]\s*(?:token|x-[\w-]+|authorization)=([^;]+)", url):
        first = first.replace(secret, "…")
    return first.rstrip(".") + "."
