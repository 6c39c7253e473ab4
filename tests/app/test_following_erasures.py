"""Who is erased by one server leaves the lakes and files of all, and the proof says which have followed."""

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from hashlib import blake2s
from pathlib import Path

import pytest
from click.testing import CliRunner

from embellie.app import following_erasures
from embellie.app.erasing import erase_reader, erasure_document
from embellie.app.following_erasures import follow_erasures, follow_until, other_servers
from embellie.app.log_keeping import export_log, ledger_document, place_of
from embellie.cli.main import cli
from embellie.domain.errors import UnknownName
from embellie.domain.event import Event
from embellie.domain.reading import Read
from embellie.store.lake_manifest import read_manifest
from embellie.store.leftovers import find_leftovers
from embellie.store.log import FILE, SqliteLog
from embellie.store.log_place import open_log
from embellie.store.postgres_lakes import NAME_FILE, lakes_of
from embellie.store.state_file import write_state

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINE, VISIT = "6f1c2f4e-9d2b-4f0a-8a35-0c1d7e5b9a11", "visit-of-mine-alone"
SHARED = "visit-of-two"


def act(number, reader, visit="", *, day=0):
    at = NOON + timedelta(days=day, seconds=number)
    return Event(id=f"event-{number}-{day}", site="gazette", at=at, body=Read(article="a1", reader=reader, visit=visit))


def run(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


@pytest.fixture
def servers(postgres_url, tmp_path):
    """Two servers on one log, each with a data folder of its own: a lake, and a snapshot of its memory."""
    schema = f"following_{blake2s(str(tmp_path).encode(), digest_size=8).hexdigest()}"
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
        text = f'data = "data"\n[sites.gazette]\n[storage]\nlog = "{postgres_url}"\nschema = "{schema}"\n'
        (folder / "embellie.toml").write_text(text)
    with open_log(place_of(folders[0]).log) as log:
        own = [act(1, MINE, VISIT), act(2, "", VISIT), act(3, MINE, SHARED), act(4, "another-one", SHARED)]
        log.append([*own, act(5, "", SHARED), act(6, "another-one"), act(7, MINE, day=1)], received_at=NOON)
    for folder in folders:
        compact(folder)
        write_state(folder / "data" / "state.bin", {"readers": [MINE]}, sequence=1)
    return folders


def compact(folder: Path):
    place = place_of(folder)
    follow_erasures(place, now=NOON)
    done = export_log(place, place.lake, complete_hours=False)
    follow_erasures(place, now=NOON)
    return done


def left_in(folder: Path) -> list:
    return find_leftovers(folder / "data", [MINE, VISIT, "event-1-0", "event-2-0", "event-3-0", "event-7-1"])


def test_with_a_file_there_is_nobody_to_follow(tmp_path):
    """No other server, nothing to wait for, no name made."""
    (tmp_path / "embellie.toml").write_text('data = "data"\n[sites.gazette]\n')
    with SqliteLog(tmp_path / "data" / FILE) as log:
        log.append([act(1, MINE)], received_at=NOON)
    place = place_of(tmp_path)
    assert follow_erasures(place, now=NOON) is None
    report = erase_reader(place, MINE, now=NOON, wait=60)
    assert (report.gone_everywhere, report.servers) == (True, ())
    assert not (tmp_path / "data" / NAME_FILE).exists()
    follow_until(tmp_path, tmp_path / "data", place.log, threading.Event(), tell=pytest.fail)
    assert json.loads(run("log", "lakes", "--data", tmp_path, "--json").output)["lakes"] == []
    assert isinstance(run("log", "lakes", "--forget", "x", "--data", tmp_path).exception, UnknownName)


@pytest.mark.engines
def test_the_other_lake_and_its_files_follow_and_the_proof_says_so(servers):
    """Not yet, then followed: by the mark alone, with their own visits, and nothing of anybody else's."""
    one, other = servers
    assert left_in(other)
    report = erase_reader(place_of(one), MINE, now=NOON)
    assert (report.gone, report.gone_everywhere) == (True, False)
    assert left_in(one) == []
    assert [(each.followed, "other/data" in each.place) for each in report.servers] == [(False, True)]
    document = erasure_document(report)
    assert (document["gone"], document["gone_everywhere"], document["servers"][0]["followed"]) == (True, False, False)
    assert MINE not in json.dumps(document)
    done = follow_erasures(place_of(other), now=NOON)
    assert (done.readers, done.events, done.states_removed, done.left) == (1, 4, 1, ())
    assert left_in(other) == []
    assert [each.followed for each in other_servers(place_of(one))] == [True]
    assert erase_reader(place_of(one), MINE, now=NOON).gone_everywhere
    again = follow_erasures(place_of(other), now=NOON)
    assert (again.readers, again.events) == (0, 0)


@pytest.mark.engines
def test_both_lakes_are_still_the_logs_own(servers):
    """Also the one that ended on an event of the erased reader: both go on, and hold what the log holds."""
    one, other = servers
    erase_reader(place_of(one), MINE, now=NOON)
    place = place_of(other)
    with open_log(place.log) as log:
        log.append([act(8, "another-one", day=2)], received_at=NOON)
        expected = [(seq, event.id) for seq, event in log.scan()]
    for folder in servers:
        assert compact(folder).through == expected[-1][0]
        assert lake_ids(folder) == expected
    assert ledger_document(place, verify=True)["imbalances"] == []


def lake_ids(folder):
    import duckdb

    lake = place_of(folder).lake
    files = [str(lake / each.file) for each in read_manifest(lake).partitions]
    return duckdb.sql(f"SELECT seq, id FROM read_parquet({files}, hive_partitioning = false) ORDER BY seq").fetchall()


@pytest.mark.engines
def test_what_the_lake_took_in_while_the_reader_was_erased_goes_too(servers, monkeypatch):
    """An export that had begun before writes them once more; nobody says that it is done before they are out again."""
    one, other = servers
    from embellie.store import lake

    place = place_of(other)
    with open_log(place.log) as log:
        log.append([act(9, MINE, "later", day=3), act(10, "another-one", day=4)], received_at=NOON)
    grow = lake._grow

    def erased_meanwhile(*arguments, **more):
        monkeypatch.setattr(lake, "_grow", grow)
        erase_reader(place_of(one), MINE, now=NOON)
        return grow(*arguments, **more)

    monkeypatch.setattr(lake, "_grow", erased_meanwhile)
    export_log(place, place.lake, complete_hours=False)
    assert find_leftovers(other / "data", ["event-9-3"])
    assert [each.followed for each in other_servers(place_of(one))] == [False]
    follow_erasures(place, now=NOON)
    assert find_leftovers(other / "data", ["event-9-3", MINE]) == []
    assert [each.followed for each in other_servers(place_of(one))] == [True]


@pytest.mark.engines
@pytest.mark.parametrize("step", ["erase_from_lake", "end_in_log", "remove_states", "find_leftovers", "note_lake"])
def test_killed_at_any_step_it_has_not_followed_and_finishes_later(servers, monkeypatch, step):
    """Whatever was done, the next call does the rest; until then the proof says `not yet`."""
    one, other = servers
    erase_reader(place_of(one), MINE, now=NOON)

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(following_erasures, step, killed)
        with pytest.raises(KeyboardInterrupt):
            follow_erasures(place_of(other), now=NOON)
    assert [each.followed for each in other_servers(place_of(one))] == [False]
    follow_erasures(place_of(other), now=NOON)
    assert left_in(other) == []
    assert [each.followed for each in other_servers(place_of(one))] == [True]


@pytest.mark.engines
def test_what_is_left_in_a_file_is_not_called_done(servers):
    """A file of somebody's in the data folder keeps the server from saying that it has followed."""
    one, other = servers
    (other / "data" / "notes.txt").write_text(f"asked by {MINE}")
    erase_reader(place_of(one), MINE, now=NOON)
    done = follow_erasures(place_of(other), now=NOON)
    assert [each.file for each in done.left] == ["notes.txt"]
    assert [each.followed for each in other_servers(place_of(one))] == [False]


@pytest.mark.engines
def test_a_running_server_follows_by_itself_while_the_command_waits(servers):
    """One is told at once when the other is done; a server that is no more is struck out."""
    one, other = servers
    stopped, told = threading.Event(), []
    place = place_of(other)
    following = threading.Thread(
        target=follow_until,
        args=(other, other / "data", place.log, stopped),
        kwargs={"tell": told.append, "look_seconds": 0.2},
    )
    following.start()
    try:
        done = run("reader", "erase", MINE, "--yes", "--wait", "60", "--data", one)
    finally:
        stopped.set()
        following.join()
    assert told == []
    assert done.exit_code == 0, done.output
    assert "its lake and files have followed" in done.output
    assert "PostgreSQL's own files may hold bytes" in done.output
    assert left_in(other) == []


@pytest.mark.engines
def test_a_server_that_is_away_is_named_until_it_is_struck_out(servers):
    """The command exits 1 and says who; the list of lakes does too."""
    one, other = servers
    name = (other / "data" / NAME_FILE).read_text().strip()
    done = run("reader", "erase", MINE, "--yes", "--wait", "0.2", "--vacuum-full", "--data", one)
    assert (done.exit_code, f"--forget {name}" in done.output) == (1, True)
    assert "written anew" in done.output
    listed = run("log", "lakes", "--data", one)
    assert (listed.exit_code, "has NOT followed" in listed.output) == (1, True)
    assert run("log", "lakes", "--forget", name, "--data", one).exit_code == 0
    assert run("reader", "erase", MINE, "--yes", "--data", one).exit_code == 0


@pytest.mark.engines
def test_a_running_server_says_that_it_is_there(servers, monkeypatch):
    """How recently it was heard of, and where its lake ends, stays true while it runs."""
    other = servers[1]
    place, stopped = place_of(other), threading.Event()
    monkeypatch.setattr(following_erasures, "HEARD_SECONDS", 0.0)
    later = NOON + timedelta(hours=1)
    export_log(place, place.lake, complete_hours=False)
    following = threading.Thread(
        target=follow_until,
        args=(other, other / "data", place.log, stopped),
        kwargs={"tell": pytest.fail, "look_seconds": 0.05, "clock": lambda: later},
    )
    following.start()
    name, until = (other / "data" / NAME_FILE).read_text().strip(), time.monotonic() + 20
    heard = NOON
    while heard == NOON and time.monotonic() < until:
        (heard,) = (each.heard_at for each in lakes_of(place.log).known if each.lake == name)
    stopped.set()
    following.join()
    assert heard == later
