"""Every engine gives the same sums, to 1e-9: files, data frames, PostgreSQL, Spark, Sail."""

import io
from pathlib import Path

import duckdb
import numpy as np
import pytest

from embellie.store.frame_engine import open_frame
from embellie.store.tables import open_table
from embellie.testing.engine_contract import EngineContract


class TestParquet(EngineContract):
    """A Parquet file of several row groups, read by DuckDB."""

    threads = 1

    def open(self, columns, folder):
        return open_table(str(parquet(columns, folder)))


class TestDatabaseFile(EngineContract):
    """A table of a DuckDB file."""

    threads = 1

    def open(self, columns, folder):
        path = folder / "t.duckdb"
        with duckdb.connect(str(path)) as connection:
            connection.register("given", dict(columns))
            connection.execute("CREATE TABLE t AS SELECT * FROM given")
        return open_table(f"duckdb:///{path}::t")


@pytest.mark.engines
class TestPandas(EngineContract):
    """A pandas frame, backwards in memory."""

    threads = 1

    def open(self, columns, folder):
        pd = pytest.importorskip("pandas")
        frame = pd.DataFrame(dict(columns))
        return open_frame(frame.astype({"y": "float64"})[::-1])


@pytest.mark.engines
class TestPolars(EngineContract):
    """A Polars frame of several pieces."""

    threads = 1

    def open(self, columns, folder):
        pl = pytest.importorskip("polars")
        return open_frame(pl.concat([pl.from_arrow(piece) for piece in pieces(columns)], rechunk=False))


@pytest.mark.engines
class TestArrow(EngineContract):
    """An Arrow table of several pieces."""

    threads = 1

    def open(self, columns, folder):
        pa = pytest.importorskip("pyarrow")
        return open_frame(pa.concat_tables(pieces(columns)))


@pytest.mark.engines
class TestPostgres(EngineContract):
    """A table of PostgreSQL."""

    def opened(self, request, columns, folder):
        psycopg = pytest.importorskip("psycopg")
        url = request.getfixturevalue("postgres_url")
        types = {"unit": "bigint", "variant": "text", "y": "double precision", "z": "integer", "x": "double precision"}
        with psycopg.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
            name = f"contract_{abs(hash(folder))}"
            cursor.execute(f"CREATE TABLE {name} ({', '.join(f'{key} {type_}' for key, type_ in types.items())})")
            with cursor.copy(f"COPY {name} ({', '.join(columns)}) FROM STDIN") as copy:
                text = io.StringIO()
                for row in zip(*(column.tolist() for column in columns.values()), strict=True):
                    text.write("\t".join("\\N" if value is None else str(value) for value in row) + "\n")
                copy.write(text.getvalue())
        return open_table(f"{url}::{name}")


@pytest.mark.engines
class TestSpark(EngineContract):
    """Parquet files on Spark."""

    def opened(self, request, columns, folder):
        url = request.getfixturevalue("spark_url")
        parquet(columns, folder, files=3)
        return open_table(f"{url}::{folder}/*.parquet")


@pytest.mark.engines
class TestSail(EngineContract):
    """Parquet files on Sail."""

    def opened(self, request, columns, folder):
        url = request.getfixturevalue("sail_url")
        parquet(columns, folder, files=3)
        return open_table(f"{url}::{folder}/*.parquet")


def parquet(columns, folder: Path, *, files: int = 1) -> Path:
    """Write a table as Parquet, in several row groups and files."""
    connection = duckdb.connect()
    given = {
        name: column if column.dtype != object or name == "variant" else numbers(column)
        for name, column in columns.items()
    }
    connection.register("given", given)
    connection.execute("CREATE TABLE t AS SELECT row_number() OVER () AS place, * FROM given")
    for number in range(files):
        path = folder / f"t{number}.parquet"
        connection.execute(
            f"COPY (SELECT * EXCLUDE (place) FROM t WHERE place % {files} = {number}) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 8192)"
        )
    connection.close()
    return folder / "t0.parquet"


def numbers(column):
    """Give a column of numbers and None to DuckDB as numbers."""
    return np.ma.array([0.0 if value is None else value for value in column], mask=[value is None for value in column])


def pieces(columns, *, rows: int = 7_001):
    """Cut a table into Arrow pieces."""
    import pyarrow as pa

    whole = pa.table(
        {name: pa.array(column.tolist() if column.dtype == object else column) for name, column in columns.items()}
    )
    return [whole.slice(start, rows) for start in range(0, whole.num_rows, rows)]
