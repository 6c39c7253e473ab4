"""The log's tables in PostgreSQL, how they are opened or created, and errors that teach when they cannot be."""

from typing import Any

from embellie.domain.errors import Busy, EmbellieError, EngineError, InputError
from embellie.store.engine import quoted
from embellie.store.postgres_line import driver, first_line, hidden, place_of, refusal

VERSION = 1
OLDEST = 130_000
"""The oldest PostgreSQL that will do; older ones are looked after by nobody."""

SCHEMA = "embellie"
"""The schema that holds the tables, when none is named."""

WRITING = {"statement_timeout": "30s", "lock_timeout": "10s", "idle_in_transaction_session_timeout": "5s"}
"""Whoever dies in the middle of a transaction, or hangs, lets the other servers go on after this."""

READING = {"statement_timeout": "10min", "default_transaction_read_only": "on"}

# One row: whoever holds it writes, so that numbers become visible in their own order. Rows that change at every commit
# leave room beside themselves: the new version then needs no entry in an index.
_TABLES = """
CREATE TABLE {s}.log (
  one     BOOLEAN PRIMARY KEY DEFAULT true CHECK (one),
  product TEXT NOT NULL,
  version INTEGER NOT NULL,
  last    BIGINT NOT NULL,
  erasure BIGINT NOT NULL
) WITH (fillfactor = 10);
CREATE TABLE {s}.events (
  seq         BIGINT PRIMARY KEY,
  site        TEXT COLLATE "C" NOT NULL,
  id          TEXT COLLATE "C" NOT NULL,
  kind        TEXT COLLATE "C" NOT NULL,
  at          BIGINT NOT NULL,
  received_at BIGINT NOT NULL,
  consent     TEXT NOT NULL,
  schema      INTEGER NOT NULL,
  reader      TEXT COLLATE "C" NOT NULL,
  visit       TEXT COLLATE "C" NOT NULL,
  article     TEXT COLLATE "C" NOT NULL,
  body        TEXT NOT NULL
);
CREATE TABLE {s}.quarantine (
  number      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  site        TEXT COLLATE "C" NOT NULL,
  id          TEXT COLLATE "C" NOT NULL,
  received_at BIGINT NOT NULL,
  reason      TEXT NOT NULL,
  path        TEXT NOT NULL,
  payload     TEXT NOT NULL
);
CREATE TABLE {s}.ledger (
  site        TEXT COLLATE "C" NOT NULL,
  hour        BIGINT NOT NULL,
  received    BIGINT NOT NULL,
  accepted    BIGINT NOT NULL,
  duplicates  BIGINT NOT NULL,
  quarantined BIGINT NOT NULL,
  PRIMARY KEY (site, hour),
  CHECK (received = accepted + duplicates + quarantined)
) WITH (fillfactor = 50);
CREATE TABLE {s}.erased (
  site        TEXT COLLATE "C" NOT NULL,
  hour        BIGINT NOT NULL,
  accepted    BIGINT NOT NULL,
  quarantined BIGINT NOT NULL,
  refused     BIGINT NOT NULL,
  PRIMARY KEY (site, hour)
);
CREATE TABLE {s}.erasure_key (
  one BOOLEAN PRIMARY KEY DEFAULT true CHECK (one),
  key TEXT NOT NULL
);
INSERT INTO {s}.log (product, version, last, erasure) VALUES ('embellie', {version}, 0, 0);
"""

INDEXES = """
CREATE UNIQUE INDEX events_by_id ON events (site, id);
CREATE INDEX events_by_kind ON events (kind, seq);
"""
"""The indexes; the `search_path` is the log's schema."""

INDEXES_GONE = "DROP INDEX events_by_id, events_by_kind"

LAKES = """
CREATE TABLE IF NOT EXISTS {s}.lakes (
  lake     TEXT PRIMARY KEY,
  place    TEXT NOT NULL,
  through  BIGINT NOT NULL,
  erasure  BIGINT NOT NULL,
  heard_at BIGINT NOT NULL
) WITH (fillfactor = 50);
"""
"""The lakes of the log's servers: where each ends, and the last erasure it has followed."""


def connect(url: str, settings: dict[str, str]) -> Any:
    """Connect, each statement a transaction of its own unless one is begun.

    Raises:
        EngineError: The server cannot be reached, does not let us in, or its extra is missing.
    """
    psycopg = driver()
    try:
        connection = psycopg.connect(
            url,
            autocommit=True,
            application_name="embellie log",
            connect_timeout=5,
            client_encoding="UTF8",
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
            tcp_user_timeout=20_000,
        )
    except psycopg.Error as error:
        raise refusal(error, url=url) from None
    try:
        connection.execute("; ".join(f"SET {name} = '{value}'" for name, value in settings.items()))
        # Whatever the database's habit is: what is acknowledged is on disk.
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )
    except psycopg.Error as error:
        connection.close()
        raise explain(error, url) from None
    return connection


def prepare_tables(connection: Any, url: str, schema: str) -> None:
    """Create the tables where there are none; of servers that start together, one does.

    Raises:
        InputError: The schema holds something else, a newer log, or the database is not in UTF-8.
        EngineError: The server is too old, or this user may not.
    """
    psycopg = driver()
    try:
        if connection.info.server_version < OLDEST:
            raise EngineError(
                f"PostgreSQL at `{place_of(url)}` is of version {connection.info.server_version // 10_000}.",
                hint=f"A log needs {OLDEST // 10_000} or newer.",
            )
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise InputError(
                f"The database is encoded in {encoding}.",
                hint="Make one with `CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0`.",
                at=place_of(url),
            )
        if not holds_tables(connection, schema):
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"embellie log {schema}"])
                if not holds_tables(connection, schema):
                    _create(connection, url, schema)
        check(connection, url, schema)
        if not holds_tables(connection, schema, table="lakes"):  # a log from before lakes were known
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"embellie log {schema}"])
                connection.execute(LAKES.format(s=quoted(schema)))
    except psycopg.Error as error:
        raise explain(error, url) from None


def holds_tables(connection: Any, schema: str, *, table: str = "log") -> bool:
    """Whether there is a log in a schema."""
    # Not `to_regclass`, which remembers within a transaction that there was none.
    sql = "SELECT 1 FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace WHERE nspname = %s AND relname = %s"
    return connection.execute(sql, [schema, table]).fetchone() is not None


def check(connection: Any, url: str, schema: str) -> None:
    """Look whether it is a log that this version can read.

    Raises:
        InputError: It is another program's, or was written by a newer embellie.
    """
    psycopg = driver()
    try:
        row = connection.execute(f"SELECT product, version FROM {quoted(schema)}.log").fetchone()
    except psycopg.errors.UndefinedColumn:
        row = None
    if row is None or row[0] != "embellie":
        raise InputError(
            f"The schema `{schema}` holds tables of another program.",
            hint="Name another schema, or another database.",
            at=place_of(url),
        )
    if row[1] > VERSION:
        raise InputError(
            f"The log was written by a newer embellie (log version {row[1]}, this one reads {VERSION}).",
            hint="Upgrade embellie.",
            at=place_of(url),
        )


def _create(connection: Any, url: str, schema: str) -> None:
    found = connection.execute(
        "SELECT relname FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace WHERE nspname = %s"
        " AND relname IN ('events', 'quarantine', 'ledger', 'erased', 'erasure_key')",
        [schema],
    ).fetchone()
    if found:
        raise InputError(
            f"The schema `{schema}` has a table `{found[0]}`, but no log.",
            hint="Name another schema, or another database.",
            at=place_of(url),
        )
    exists = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [schema]).fetchone()
    if not exists:
        connection.execute(f"CREATE SCHEMA {quoted(schema)}")
    connection.execute(_TABLES.format(s=quoted(schema), version=VERSION) + LAKES.format(s=quoted(schema)))
    connection.execute(f"SET LOCAL search_path = {quoted(schema)}")
    connection.execute(INDEXES)


_PASSING = {"55P03", "57014", "57P01", "57P02", "57P03", "57P05", "25P03", "25P04"}


def is_passing(error: Exception) -> bool:
    """Whether trying again may help: the line was cut, the server restarts, or another transaction was in the way."""
    state = str(getattr(error, "sqlstate", None) or "")
    if not state:
        return isinstance(error, (driver().OperationalError, driver().InterfaceError))
    return state[:2] in {"08", "40", "53"} or state in _PASSING


def explain(error: Exception, url: str) -> EmbellieError:
    """Turn what PostgreSQL says about the log into what a person can do."""
    said, place = first_line(hidden(str(error), url)), place_of(url)
    state = str(getattr(error, "sqlstate", None) or "")
    if state == "53100":
        return Busy(
            "The disk of the log's PostgreSQL is full; nothing of this batch was kept.",
            hint="Free some space; the sender may try again.",
            at=place,
            code="disk_full",
        )
    if is_passing(error):
        return Busy(
            f"The log's PostgreSQL does not answer: {said}",
            hint="Retry after 1 second; what was not acknowledged may be sent again.",
            at=place,
            code="log_unreachable",
        )
    if state == "42501":
        return EngineError(
            f"PostgreSQL does not let this user keep a log: {said}",
            hint="Grant it CREATE on the database, or USAGE on the schema and all on its tables.",
            at=place,
        )
    if state == "25006":
        return EngineError(
            "This PostgreSQL is a copy that may only be read.", hint="Give the URL of the server that writes.", at=place
        )
    if state in {"42P01", "3F000", "42703"}:
        return InputError(
            f"The log's tables are gone, or are others: {said}", hint="Restore them from a backup.", at=place
        )
    return EngineError(f"The log's PostgreSQL refuses this: {said}", hint="See the server's own log.", at=place)
