"""The state file is written aside when it is due, and never stands in the way of anything."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from embellie.app import state_keeping
from embellie.app.config import read_config, sites_of
from embellie.app.newsroom import Newsroom
from embellie.app.own_process import Ended
from embellie.app.project import examine
from embellie.app.state_keeping import MOST_AGE, keep_state, keep_state_until, why_due
from embellie.app.warm_start import FILE
from embellie.domain.errors import InputError
from embellie.domain.event import Event
from embellie.domain.reading import Erasure, Read
from embellie.recommend.stories import Stories
from embellie.store.log import SqliteLog
from embellie.store.state_file import look_at_state

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SOURCE = Path(__file__).parents[2] / "src"


def reads(first, count):
    return [
        Event(id=f"e{n}", site="gazette", at=NOON, consent="profiling", body=Read(article=f"a{n % 9}", reader=f"r{n}", visit=f"v{n}"))
        for n in range(first, first + count)
    ]  # fmt: skip


def erased(reader):
    return [Event(id=f"erase-{reader}", site="gazette", at=NOON, body=Erasure(reader=reader))]


@pytest.fixture
def project(tmp_path):
    """A project whose log holds a hundred reads."""
    (tmp_path / "embellie.toml").write_text("[sites.gazette]\n[experiments.first-light]\n")
    with Newsroom.open(tmp_path):
        pass
    with SqliteLog(tmp_path / "embellie-data" / "log.sqlite") as log:
        log.append(reads(0, 100), received_at=NOON)
        yield tmp_path, log, tmp_path / "embellie-data" / FILE


def due(project, *, now=None, signals=(Stories,), sites=None):
    folder, log, file = project
    known = sites if sites is not None else sites_of(read_config(folder))
    return why_due(file, log, sites=known, signals=signals, now=now or datetime.now(UTC))


def test_without_a_log_there_is_nothing_to_fold(tmp_path):
    """The command says so."""
    (tmp_path / "embellie.toml").write_text("[sites.gazette]\n")
    with pytest.raises(InputError, match="No log here yet"):
        keep_state(tmp_path)


def test_a_small_log_needs_no_file_and_a_long_one_does(project, monkeypatch):
    """Folding a few events takes no time; from so many on, the start would."""
    assert due(project) == ""
    monkeypatch.setattr(state_keeping, "ENOUGH", 100)
    assert due(project) == "none"


def test_a_file_is_due_when_it_is_behind_old_unfit_or_holds_an_erased_reader(project, monkeypatch):
    """And not otherwise: one event more is no reason, until a day has passed."""
    folder, log, file = project
    kept = keep_state(folder)
    assert (kept.start.taken, kept.start.sequence) == (0, log.last())
    assert due(project) == ""
    tomorrow = datetime.now(UTC) + timedelta(seconds=MOST_AGE + 60)
    assert due(project, now=tomorrow) == ""
    log.append(reads(100, 1), received_at=NOON)
    assert due(project) == ""
    assert due(project, now=tomorrow) == "old"
    assert due(project, sites={}) == "unfit"
    monkeypatch.setattr(state_keeping, "ENOUGH", 1)
    assert due(project) == "behind"
    log.append(erased("r7"), received_at=NOON)
    assert due(project) == "erasure"
    assert b"r7" in file.read_bytes()
    again = keep_state(folder)
    assert (again.start.taken, again.start.folded) == (kept.start.sequence, 2)
    assert due(project) == ""


def test_a_running_server_has_it_written_aside(project):
    """After an erasure, by another process, without being told how; the file is then up to date."""
    folder, log, file = project
    keep_state(folder)
    log.append(erased("r7"), received_at=NOON)
    told, stopped = [], threading.Event()
    thread = threading.Thread(
        target=keep_state_until, args=(folder, log, stopped), kwargs={"tell": told.append, "look_seconds": 0.05}
    )
    thread.start()
    deadline = time.monotonic() + 60
    while look_at_state(file)[0] < log.last() and time.monotonic() < deadline:
        time.sleep(0.05)
    stopped.set()
    thread.join()
    assert look_at_state(file)[0] == log.last()
    assert told == []
    assert [one.name for one in file.parent.glob("*state*")] == [FILE]


@pytest.mark.parametrize(("late", "left"), [(erased("r7"), False), (reads(200, 60), True)])
def test_a_file_that_cannot_be_renewed_is_deleted_if_it_holds_an_erased_reader(project, monkeypatch, late, left):
    """The disk is full, say: a file that is only behind stays, for it still saves time."""
    folder, log, file = project
    monkeypatch.setattr(state_keeping, "ENOUGH", 50)
    keep_state(folder)
    log.append(late, received_at=NOON)
    told, stopped = [], threading.Event()

    def fail(arguments, *, stopped):
        stopped.set()
        return Ended(code=2, said="", errors="Error: The state cannot be written: No space left on device.")

    monkeypatch.setattr(state_keeping, "run_aside", fail)
    keep_state_until(folder, log, stopped, tell=told.append, look_seconds=0.01)
    assert file.exists() == left
    assert "No space left" in told[0]


def test_killed_while_it_writes_the_former_file_stays(project):
    """`kill -9` of the writing process, at several moments: the next start takes up the former file, or the new one, whole."""
    folder, log, file = project
    keep_state(folder)
    former, first = look_at_state(file)[0], file.read_bytes()
    log.append(reads(1000, 500), received_at=NOON)
    script = (
        "import os, sys, signal\n"
        "import embellie.store.state_file as s\n"
        "from embellie.app.state_keeping import keep_state\n"
        "from pathlib import Path\n"
        "crc, fsync = s.zlib.crc32, os.fsync\n"
        "def die(*a): os.kill(os.getpid(), signal.SIGKILL)\n"
        "if sys.argv[2] == 'encoding': s.zlib.crc32 = die\n"
        "if sys.argv[2] == 'flushing': os.fsync = die\n"
        "if sys.argv[2] == 'replacing': Path.replace = die\n"
        "keep_state(Path(sys.argv[1]))\n"
    )
    for moment in ("encoding", "flushing", "replacing"):
        ended = subprocess.run(
            [sys.executable, "-c", script, str(folder), moment],
            env=os.environ | {"PYTHONPATH": str(SOURCE)},
            check=False,
        )
        assert ended.returncode == -signal.SIGKILL
        assert file.read_bytes() == first
    with Newsroom.open(folder) as newsroom:
        assert (newsroom.started.taken, newsroom.started.refused) == (former, "")
    left = sorted(file.parent.glob(f".{FILE}.*"))
    assert left
    for part in left:
        os.utime(part, (0, 0))
    keep_state(folder)
    assert not sorted(file.parent.glob(f".{FILE}.*"))


def test_the_command_says_what_it_did(project):
    """As a line, and as a document."""
    from click.testing import CliRunner

    from embellie.cli.main import cli

    folder, log, _ = project
    said = CliRunner().invoke(cli, ["log", "fold", "--project", str(folder)])
    assert f"up to event {log.last():,}" in said.output, said.output
    said = CliRunner().invoke(cli, ["log", "fold", "--project", str(folder), "--json"])
    document = json.loads(said.output)
    assert document["schema"] == "embellie/log-fold/1"
    assert (document["taken"], document["folded"], document["refused"]) == (log.last(), 0, "")


def test_the_doctor_says_from_where_the_next_start_goes_on(project):
    """Nothing of a log that needs no file; the event of one that has a file; what to do about one that is damaged."""
    folder, log, file = project

    def found():
        return [(one.level, one.message) for one in examine(folder) if one.about == FILE]

    assert found() == []
    keep_state(folder)
    assert found() == [("ok", f"The next start folds the log from event {log.last():,} on.")]
    file.write_bytes(b"damaged")
    assert found() == [("warning", "This is no state file that this version writes.")]
