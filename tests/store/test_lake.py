"""The lake holds what the log holds, a file per site and day."""

import shutil
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from embellie.domain.errors import Busy, InputError
from embellie.domain.event import Event
from embellie.domain.reading import Erasure
from embellie.store import lake as lake_module
from embellie.store.analysis import Analysis
from embellie.store.event_columns import EVENT_COLUMNS
from embellie.store.lake import export
from embellie.store.lake_manifest import read_manifest
from embellie.store.log import FILE, SqliteLog
from embellie.testing.event_log_contract import NOON, a_click, a_read

DAY = timedelta(days=1)


@pytest.fixture
def log(tmp_path):
    with SqliteLog(tmp_path / FILE) as opened:
        yield opened


def erasure(reader: str, *, at=NOON) -> Event:
    return Event(id=f"x{reader}", site="gazette", at=at, body=Erasure(reader=reader))


def rows(lake: Path, what: str) -> list[tuple]:
    return duckdb.sql(f"SELECT {what} FROM read_parquet('{lake}/**/*.parquet', hive_partitioning = false)").fetchall()


def rows_of(exported, lake: Path) -> list[tuple]:
    assert exported.through == read_manifest(lake).through
    return sorted(rows(lake, "*"))


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
    """A file that went away or was cut short comes back whole, with what came since; the others stay."""
    log.append([a_read(1), a_read(2), a_read(3, at=NOON + DAY)], received_at=NOON)
    lake = tmp_path / "lake"
    whole = rows_of(export(log.path, lake), lake)
    day = lake / "site=gazette" / "day=2026-03-01"
    for harm in (Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-1])):
        (file,) = day.glob("*.parquet")
        harm(file)
        again = export(log.path, lake)
        assert ([str(each.day) for each in again.written], again.events) == (["2026-03-01"], 3)
        assert rows_of(again, lake) == whole
    log.append([a_read(9)], received_at=NOON)
    next(day.glob("*.parquet")).unlink()
    export(log.path, lake)
    assert rows(lake, "count(*), count(DISTINCT id)") == [(4, 4)]


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


class Killed(BaseException):
    """The process is no more: whatever it would do next does not happen."""


def dying_after(monkeypatch, steps: int):
    """Let so many changes to the file system happen, then none any more."""
    left = [steps]

    def or_die(act):
        def acting(*given, **named):
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return act(*given, **named)

        return acting

    for owner, name in (
        (Path, "mkdir"),
        (Path, "replace"),
        (Path, "unlink"),
        (Path, "rmdir"),
        (Path, "write_text"),
        (shutil, "rmtree"),
        (lake_module, "write_events"),
    ):
        monkeypatch.setattr(owner, name, or_die(getattr(owner, name)))
    return left


def test_a_kill_between_any_two_steps_loses_and_doubles_nothing(log, tmp_path, monkeypatch):
    """Whatever an export did before it died, scorecards see each event once, and the next export ends clean."""
    lake, everything = tmp_path / "lake", "SELECT seq, id FROM events ORDER BY seq"
    log.append([a_read(1), a_read(2, at=NOON + DAY)], received_at=NOON)
    export(log.path, lake)
    log.append([a_read(3), a_read(4, at=NOON + 2 * DAY), erasure("r1")], received_at=NOON)
    plain = Analysis(log).rows(everything)
    before = tmp_path / "before"
    shutil.copytree(lake, before)
    steps = 0
    while True:
        shutil.rmtree(lake)
        shutil.copytree(before, lake)
        with monkeypatch.context() as patches:
            left = dying_after(patches, steps)
            with suppress(Killed):
                export(log.path, lake)
            done = left[0] >= 0
        analysis = Analysis(log, lake=lake)
        assert analysis.rows(everything) == plain
        assert analysis.through in (2, 5)  # the lake as it was or as it was to be: never passed over as damaged
        export(log.path, lake)
        assert sorted(rows(lake, "seq, id")) == [tuple(row.values()) for row in plain]
        assert not [path for path in lake.rglob("*") if "unfinished" in path.name or "staging" in path.name]
        if done:
            break
        steps += 1
    assert steps > 10


def test_two_exports_at_once_take_turns(log, tmp_path):
    """The second is told that another is at work, and changes nothing."""
    log.append([a_read(1)], received_at=NOON)
    with lake_module.locked(tmp_path), pytest.raises(Busy, match="Another process is writing this lake"):
        export(log.path, tmp_path)
    assert export(log.path, tmp_path).events == 1


def test_another_logs_lake_is_not_mixed_with_ours(log, tmp_path):
    """It is refused, unless it is to be written anew: then nothing of the other is left."""
    lake = tmp_path / "lake"
    with SqliteLog(tmp_path / "other.sqlite") as other:
        other.append([a_read(7), a_read(8, at=NOON + 9 * DAY)], received_at=NOON)
        export(other.path, lake)
    log.append([a_read(1)], received_at=NOON)
    before = files(lake)
    with pytest.raises(InputError, match="another log") as refused:
        export(log.path, lake)
    assert "--anew" in refused.value.hint
    assert files(lake) == before
    export(log.path, lake, anew=True)
    assert rows(lake, "id") == [("e1",)]


def test_a_lake_of_an_older_version_is_written_again(log, tmp_path):
    """Files without a manifest, as an earlier version left them, make room for the new ones; strange files stay."""
    lake = tmp_path / "lake"
    day = lake / "site=gazette" / "day=2026-03-01"
    day.mkdir(parents=True)
    for name in ("events.parquet", "_mark", "notes.txt"):
        (day / name).write_text("old")
    log.append([a_read(1)], received_at=NOON)
    export(log.path, lake)
    assert sorted(path.name for path in day.iterdir()) == ["events-1.parquet", "notes.txt"]
    assert rows(lake, "id") == [("e1",)]


def test_the_files_have_the_columns_of_events(log, tmp_path):
    """Names and types are those of the relation that SQL sees, sorted by reader within a file."""
    log.append([a_read(number) for number in (4, 1, 6)], received_at=NOON)
    export(log.path, tmp_path / "lake")
    described = duckdb.sql(f"DESCRIBE SELECT * FROM read_parquet('{tmp_path}/lake/**/*.parquet')").fetchall()
    assert {row[0]: row[1] for row in described} == EVENT_COLUMNS | {"day": "DATE"}
    assert rows(tmp_path / "lake", "id") == [("e1",), ("e6",), ("e4",)]


def test_a_day_whose_readers_are_all_erased_is_gone(log, tmp_path):
    """A file of which nothing is left is removed; the day of the erasure itself stays."""
    lake = tmp_path / "lake"
    log.append([a_read(1)], received_at=NOON)
    export(log.path, lake)
    log.append([erasure("r1", at=NOON + DAY)], received_at=NOON)
    done = export(log.path, lake)
    assert ([str(each.day) for each in done.written], done.events) == (["2026-03-02"], 1)
    assert rows(lake, "kind") == [("erasure",)]
    assert not (lake / "site=gazette" / "day=2026-03-01").exists()


def test_what_is_past_the_first_open_hour_waits(log, tmp_path):
    """The lake is a beginning of the log: an older arrival written after a recent one is taken with it, later."""
    log.append([a_read(1)], received_at=NOON)
    log.append([a_read(2)], received_at=NOON + timedelta(hours=1))
    log.append([a_read(3)], received_at=NOON)
    early = export(log.path, tmp_path / "lake", before=NOON + timedelta(hours=1))
    assert (early.events, early.too_recent, early.through) == (1, 2, 1)
    assert export(log.path, tmp_path / "lake", before=NOON + timedelta(hours=2)).events == 3
