"""The lake holds what the log holds, a file per site and day."""

from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from embellie.domain.errors import InputError
from embellie.store.lake import export
from embellie.store.log import FILE, SqliteLog
from embellie.testing.event_log_contract import NOON, a_click, a_read

DAY = timedelta(days=1)


@pytest.fixture
def log(tmp_path):
    with SqliteLog(tmp_path / FILE) as opened:
        yield opened


def rows(lake: Path, what: str) -> list[tuple]:
    return duckdb.sql(f"SELECT {what} FROM read_parquet('{lake}/**/*.parquet', hive_partitioning = false)").fetchall()


def files(lake: Path) -> dict[str, bytes]:
    return {str(path.relative_to(lake)): path.read_bytes() for path in lake.rglob("*") if path.is_file()}


def test_the_lake_holds_every_event_by_site_and_day(log, tmp_path):
    """Each event is in the file of its site and of its day in UTC, whole, sorted by time."""
    log.append(
        [a_read(2), a_read(1), a_click(1), a_read(3, at=NOON + DAY), a_read(1, site="l'été/x")], received_at=NOON
    )
    done = export(log.path, tmp_path / "lake")
    assert sorted(each.folder for each in done.written) == [
        "site=gazette/day=2026-03-01",
        "site=gazette/day=2026-03-02",
        "site=l%27%C3%A9t%C3%A9%2Fx/day=2026-03-01",
    ]
    assert rows(tmp_path / "lake" / "site=gazette", "id, kind, \"at\"::DATE::VARCHAR, reader, body->>'article'") == [
        ("e1", "read", "2026-03-01", "r1", "a1"),
        ("c1", "click", "2026-03-01", "r1", "a1"),
        ("e2", "read", "2026-03-01", "r2", "a2"),
        ("e3", "read", "2026-03-02", "r3", "a3"),
    ]
    assert done.events == 5
    assert not list((tmp_path / "lake").glob(".staging*"))


def test_exporting_again_changes_nothing(log, tmp_path):
    """The same log gives the same files; only a day with something new is written again."""
    log.append([a_read(1), a_read(2, at=NOON + DAY)], received_at=NOON)
    export(log.path, tmp_path / "lake")
    before = files(tmp_path / "lake")
    again = export(log.path, tmp_path / "lake")
    assert (again.written, again.unchanged, files(tmp_path / "lake")) == ((), 2, before)
    log.append([a_read(9)], received_at=NOON)
    third = export(log.path, tmp_path / "lake")
    assert ([str(each.day) for each in third.written], third.unchanged, third.events) == (["2026-03-01"], 1, 3)
    assert rows(tmp_path / "lake", "count(*)") == [(3,)]


def test_a_damaged_file_is_written_again(log, tmp_path):
    """A file that went away comes back; one without its mark, as after a crash midway, is replaced."""
    log.append([a_read(1)], received_at=NOON)
    lake = tmp_path / "lake"
    export(log.path, lake)
    day = lake / "site=gazette" / "day=2026-03-01"
    for name in ("events.parquet", "_mark"):
        (day / name).unlink()
        assert len(export(log.path, lake).written) == 1
    assert rows(lake, "count(*)") == [(1,)]


def test_only_what_arrived_before_is_taken(log, tmp_path):
    """An hour still open stays out, and is counted; once over, it joins its day."""
    log.append([a_read(1)], received_at=NOON)
    log.append([a_read(2)], received_at=NOON + timedelta(hours=1))
    early = export(log.path, tmp_path / "lake", before=NOON + timedelta(hours=1))
    assert (early.events, early.too_recent) == (1, 1)
    export(log.path, tmp_path / "lake")
    assert rows(tmp_path / "lake", "count(*)") == [(2,)]


def test_progress_goes_up_to_the_total(log, tmp_path):
    """It never goes back, and ends at the number of events written."""
    log.append([a_read(number) for number in range(10)], received_at=NOON)
    told: list[tuple[int, int]] = []
    export(log.path, tmp_path / "lake", progress=lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert told[-1] == (10, 10)


def test_a_log_that_is_not_there_or_a_folder_that_cannot_be(log, tmp_path):
    """The error names the path and what to do."""
    with pytest.raises(InputError, match="No log here yet"):
        export(tmp_path / "none.sqlite", tmp_path / "lake")
    log.append([a_read(1)], received_at=NOON)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        export(log.path, tmp_path / "file")
