"""Click logs become columns: ids stay text, times are exact, a bad row costs one row."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from embellie.domain.errors import TableError
from embellie.domain.event import Event
from embellie.domain.reading import Click, Read
from embellie.store.clicks import ClickTable, read_clicks
from embellie.store.log import SqliteLog

HEADER = "who,sitting,what,when\n"
SECOND = 1_000_000


def read(path: Path, **options) -> ClickTable:
    return read_clicks(path, reader="who", visit="sitting", article="what", at="when", **options)


def written(folder: Path, rows: str, name: str = "clicks.csv") -> Path:
    path = folder / name
    path.write_text(HEADER + rows, encoding="utf-8")
    return path


def test_rows_come_sorted_by_time_then_by_their_order_in_the_file(tmp_path):
    """Sorting is stable: rows of the same instant keep the order they were written in."""
    table = read(written(tmp_path, "r1,v1,c,30\nr1,v1,a,20\nr2,v2,b,20\nr1,v1,d,10\n"))
    assert list(table.article) == ["d", "a", "b", "c"]
    assert list(table.at) == [10 * SECOND, 20 * SECOND, 20 * SECOND, 30 * SECOND]


def test_long_ids_keep_every_digit(tmp_path):
    """An id of 19 digits, signed, or with leading zeros, is text and never a number."""
    table = read(written(tmp_path, "-8845298781299428018,007,9007199254740993,1465413032\n"))
    assert (table.reader[0], table.visit[0], table.article[0]) == ("-8845298781299428018", "007", "9007199254740993")


@pytest.mark.parametrize(
    ("when", "unit"),
    [
        ("1465413032", "s"),
        ("1465413032", "auto"),
        ("1465413032000", "ms"),
        ("1465413032000", "auto"),
        ("1465413032000000", "auto"),
        ("2016-06-08T19:10:32Z", "iso"),
        ("2016-06-08T21:10:32+02:00", "auto"),
        ("2016-06-08 19:10:32", "auto"),
    ],
)
def test_times_are_read_in_any_unit(tmp_path, when, unit):
    """Seconds, milliseconds and ISO 8601 give the same microseconds; without a zone it is UTC."""
    assert list(read(written(tmp_path, f"r,v,a,{when}\n"), unit=unit).at) == [1465413032 * SECOND]


def test_fractions_of_a_second_are_exact(tmp_path):
    """A decimal time is not rounded through a float."""
    assert list(read(written(tmp_path, "r,v,a,1465413032.123457\n")).at) == [1465413032123457]


def test_a_bad_row_is_left_out_alone_with_its_line(tmp_path):
    """Cut short, empty, unreadable or too long: each is named by line and reason, and the rest is kept."""
    table = read(written(tmp_path, "r,v,a,1\ncut,short\n,v,a,2\nr,v,b,soon\nr,v,c,3\nr,v,d,4,more\nr,v,e,5\n"))
    assert list(table.article) == ["a", "c", "e"]
    assert table.skipped == 4
    assert [row.line for row in table.reasons] == [3, 4, 5, 7]
    assert "`who` is empty" in table.reasons[1].reason
    assert "`soon` in `when`" in table.reasons[2].reason


def test_gzip_and_parquet_read_the_same(tmp_path):
    """The same clicks in CSV, compressed CSV and Parquet give the same columns."""
    path = written(tmp_path, "r1,v1,a,10\nr2,v2,b,5\n")
    packed = tmp_path / "clicks.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    parquet = tmp_path / "clicks.parquet"
    duckdb.sql(f"COPY (SELECT * FROM read_csv('{path}')) TO '{parquet}'")
    tables = [read(file) for file in (path, packed, parquet)]
    assert [list(table.article) for table in tables] == [["b", "a"]] * 3
    assert [list(table.at) for table in tables] == [[5 * SECOND, 10 * SECOND]] * 3


def test_typed_parquet_columns_are_understood(tmp_path):
    """Timestamps and whole-number ids of a Parquet file need no unit and lose nothing."""
    parquet = tmp_path / "clicks.parquet"
    duckdb.sql(
        f"COPY (SELECT 9223372036854775807 AS who, 12.0::DOUBLE AS sitting, 'a' AS what,"
        f" TIMESTAMP '2016-06-08 19:10:32.5' AS \"when\") TO '{parquet}'"
    )
    table = read(parquet)
    assert (table.reader[0], table.visit[0], table.at[0]) == ("9223372036854775807", "12", 1465413032_500_000)


def test_ids_that_lost_digits_are_refused(tmp_path):
    """A decimal column cannot hold an id of 19 digits: better no answer than merged readers."""
    parquet = tmp_path / "clicks.parquet"
    duckdb.sql(
        f"COPY (SELECT 8845298781299428018::DOUBLE AS who, 'v' AS sitting, 'a' AS what, 1 AS \"when\") TO '{parquet}'"
    )
    with pytest.raises(TableError, match="lost digits"):
        read(parquet)


def test_a_condition_keeps_some_rows(tmp_path):
    """`where` filters, and line numbers still count from the file."""
    table = read(written(tmp_path, "r,v,a,1\nr,v,b,2\nr,v,c,soon\n"), where="what <> 'a'")
    assert (list(table.article), [row.line for row in table.reasons]) == (["b"], [4])


def test_a_missing_column_is_named_with_those_there_are(tmp_path):
    """The error says which column, the nearest one, and all there are."""
    path = written(tmp_path, "r,v,a,1\n")
    with pytest.raises(TableError) as error:
        read_clicks(path, reader="whom", visit="sitting", article="what", at="when")
    assert "`whom`" in error.value.message
    assert "Did you mean `who`? Available: sitting, what, when, who." in error.value.hint


@pytest.mark.parametrize(
    ("rows", "options", "says"),
    [
        ("r,v,a,1465413032000\n", {"unit": "s"}, "None of its 1 rows"),
        ("r,v,a,1\n", {"where": "what = "}, "Cannot be read"),
    ],
)
def test_a_wrong_unit_or_condition_is_an_error(tmp_path, rows, options, says):
    """When nothing can be read, the first reason is given and where to look."""
    with pytest.raises(TableError, match=says):
        read(written(tmp_path, rows), **options)


def test_no_file_and_no_column_named(tmp_path):
    """Absent file or option: the error says what to give."""
    with pytest.raises(TableError, match="No such file"):
        read(tmp_path / "none.csv")
    with pytest.raises(TableError, match="--visit"):
        read_clicks(written(tmp_path, "r,v,a,1\n"), reader="who", article="what", at="when")


def test_an_empty_file_of_clicks_is_an_empty_table(tmp_path):
    """A header and no row is no error."""
    assert len(read(written(tmp_path, ""))) == 0


def test_the_projects_own_log_is_a_click_log(tmp_path):
    """Its `read` events are the clicks, in time order; nothing else counts."""
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    later = noon.replace(minute=1)
    with SqliteLog(tmp_path / "log.sqlite") as log:
        log.append(
            [
                Event(id="1", site="s", at=later, body=Read(article="b", reader="r", visit="v")),
                Event(id="2", site="s", at=noon, body=Read(article="a", reader="r", visit="v")),
                Event(id="3", site="s", at=noon, body=Click(slate_id="x", article="c", position=1)),
            ],
            received_at=later,
        )
        table = read_clicks(tmp_path / "log.sqlite")
    assert (list(table.article), list(table.visit)) == (["a", "b"], ["v", "v"])
    assert int(table.at[1] - table.at[0]) == 60 * SECOND
