"""Engine: DuckDB in memory, closed to the outside: it downloads nothing and counts time in UTC."""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np


def engine(*, threads: int = 0, memory: str = "", spill: Path | None = None) -> duckdb.DuckDBPyConnection:
    """Open an in-memory DuckDB.

    Args:
        threads: At most so many threads; 0 leaves it to DuckDB.
        memory: At most so much memory, such as `"2GiB"`; `""` leaves it to DuckDB.
        spill: The folder for what does not fit in memory; created by DuckDB when needed.
    """
    settings = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    connection = duckdb.connect(config=dict(settings))
    connection.execute("SET TimeZone = 'UTC'")
    if threads:
        connection.execute(f"SET threads = {int(threads)}")
    if memory:
        connection.execute(f"SET memory_limit = {literal(memory)}")
    if spill:
        connection.execute(f"SET temp_directory = {literal(str(spill))}")
    return connection


def name_table(connection: duckdb.DuckDBPyConnection, table: str, names: Sequence[str]) -> None:
    """Put texts in a table of one column, `name`, in the place of the one there was."""
    given = {"name": np.array([*names, ""], dtype=object)}  # never empty, so that the column's type can be told
    connection.register("given_names", given)
    connection.execute(f"CREATE OR REPLACE TABLE {quoted(table)} AS SELECT name FROM given_names WHERE name <> ''")
    connection.unregister("given_names")


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
