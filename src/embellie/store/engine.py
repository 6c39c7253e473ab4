"""Engine: DuckDB in memory, closed to the outside: it downloads nothing and counts time in UTC."""

import duckdb


def engine(*, threads: int = 0) -> duckdb.DuckDBPyConnection:
    """Open an in-memory DuckDB; at most so many threads, 0 leaves it to DuckDB."""
    settings = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    connection = duckdb.connect(config=dict(settings))
    connection.execute("SET TimeZone = 'UTC'")
    if threads:
        connection.execute(f"SET threads = {int(threads)}")
    return connection


def quoted(name: str) -> str:
    """Write a name of a column or table as SQL does.

    >>> quoted('the "best" one')
    '"the ""best"" one"'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Write a text as SQL does, where no parameter can stand.

    >>> literal("l'été")
    "'l''été'"
    """
    return "'" + text.replace("'", "''") + "'"
