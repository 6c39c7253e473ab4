"""The log moves into the lake while the server runs, in a process of its own."""

import os
import threading
from datetime import UTC, datetime

import pytest

from embellie.app.compacting import (
    FORGOTTEN,
    MARGIN,
    compact,
    compact_until,
    remove_forgotten_spills,
    seconds_to_next,
)
from embellie.app.log_keeping import Place, lake_line
from embellie.domain.errors import InputError
from embellie.store.analysis import Analysis
from embellie.store.lake import FOLDER
from embellie.store.log import FILE, SqliteLog
from embellie.testing.event_log_contract import NOON, a_read


@pytest.fixture
def log(tmp_path):
    with SqliteLog(tmp_path / FILE) as opened:
        opened.append([a_read(1), a_read(2)], received_at=NOON)
        yield opened


def test_closed_hours_move_into_the_lake_and_out_of_memory(log, tmp_path):
    """What arrived in hours that are over is in the lake, which says so in a line; what is arriving stays out."""
    assert lake_line(Place(log=log.path)) == ""
    log.append([a_read(3)], received_at=datetime.now(UTC))
    analysis = Analysis(log, lake=tmp_path / FOLDER)
    before = analysis.rows("SELECT * FROM events ORDER BY seq")
    done = compact(tmp_path)
    assert (done.files, done.events, done.too_recent) == (1, 2, 1)
    assert analysis.rows("SELECT * FROM events ORDER BY seq") == before
    assert analysis.through == 2
    assert lake_line(Place(log=log.path)) == "Lake: 2 events in 1 files; 1 came since."


def test_a_compaction_that_fails_is_told_and_changes_nothing(log, tmp_path):
    """The server goes on, and says what the export said; the one after it succeeds."""
    (tmp_path / FOLDER).write_text("in the way")
    with pytest.raises(InputError, match="cannot be written") as failed:
        compact(tmp_path)
    assert "embellie log export" in failed.value.hint
    stopped, told = threading.Event(), []

    def tell(line):
        told.append(line)
        stopped.set()

    compact_until(tmp_path, stopped, tell=tell)
    assert len(told) == 1
    assert told[0].startswith("The log could not be compacted")
    assert (tmp_path / FOLDER).read_text() == "in the way"


def test_it_waits_until_shortly_after_the_hour():
    """An hour is compacted once it is over, with a margin for what is still being written."""
    hour = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert seconds_to_next(hour) == MARGIN.total_seconds()
    assert seconds_to_next(hour + MARGIN) == 3600.0
    assert seconds_to_next(hour.replace(minute=59, second=30)) == 30 + MARGIN.total_seconds()


def test_what_killed_processes_left_behind_goes(tmp_path):
    """A folder untouched for longer than a day is removed; one still in use stays."""
    for name in (".spill-1", ".spill-2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "part.tmp").write_text("")
    now = datetime.now(UTC)
    os.utime(tmp_path / ".spill-1", ((now - FORGOTTEN).timestamp() - 1,) * 2)
    remove_forgotten_spills(tmp_path, now)
    assert [path.name for path in tmp_path.iterdir()] == [".spill-2"]
