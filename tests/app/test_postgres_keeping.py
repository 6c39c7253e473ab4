"""What an operator does with a log in a file, they do with one in PostgreSQL: names go in time, backups, moving house."""

import json
import threading
from datetime import UTC, datetime, timedelta
from hashlib import blake2s

import pytest
from click.testing import CliRunner

from embellie.app.backing_up import back_up, restore
from embellie.app.config import RetentionConfig
from embellie.app.erasing import erase_reader
from embellie.app.forgetting import erased_document
from embellie.app.keys import Keys
from embellie.app.log_keeping import export_log, ledger_document, place_of
from embellie.app.project import start_project
from embellie.app.retaining import retain
from embellie.cli.main import cli
from embellie.domain.errors import Busy, Conflict
from embellie.store.lake_manifest import read_manifest
from embellie.store.log_place import holds_log, open_log
from embellie.store.postgres_lakes import NAME_FILE, note_lake
from embellie.store.postgres_lead import PostgresLead
from embellie.testing.event_log_contract import NOON, a_read
from embellie.testing.kept_log_contract import acts

NOW = datetime(2026, 6, 15, 2, tzinfo=UTC)
OLD = NOW - timedelta(days=90)
RETENTION = RetentionConfig(none="7d", measurement="2 months", profiling="2 months")

pytestmark = pytest.mark.engines


def run(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


@pytest.fixture
def make(postgres_url, tmp_path):
    """Start a project as `embellie init` does, with its log in a schema of its own, or in a file."""

    def start(name, *, postgres=True):
        folder = tmp_path / name
        start_project(folder)
        if postgres:
            schema = f"{name}_{blake2s(str(tmp_path).encode(), digest_size=8).hexdigest()}"
            with (folder / "embellie.toml").open("a") as file:
                file.write(f'\n[storage]\nlog = "{postgres_url}"\nschema = "{schema}"\n')
        return folder

    return start


def filled(folder, count=60):
    with open_log(place_of(folder).log) as log:
        log.append([a_read(number) for number in range(count)], received_at=NOON)
    Keys(folder / "embellie-data" / "keys.json", sites=["gazette"])
    return folder


def events(folder):
    with open_log(place_of(folder).log) as log:
        return list(log.scan())


def test_names_go_from_log_and_lake_and_the_lake_stays_its_own(make):
    """What `embellie init` writes works with PostgreSQL too; a lake, this server's or another's, ends on an event that stays."""
    folder = make("retained")
    place = place_of(folder)
    with open_log(place.log) as log:
        log.append(acts("old"), received_at=OLD)
        log.append(acts("older"), received_at=OLD - timedelta(days=1))
        log.append(acts("new"), received_at=NOW - timedelta(days=1))
        export_log(place, place.lake, complete_hours=False)
        note_lake(place.log, "another", place="elsewhere", through=3, erasure=0, now=NOW)
    dry = retain(place, RETENTION, now=NOW, dry=True)
    done = retain(place, RETENTION, now=NOW)
    again = retain(place, RETENTION, now=NOW)
    assert dry.past == done.past
    assert (done.past.nameless, done.past.exposures, done.lake) == (11, 2, 14)
    assert (again.past.nameless, again.lake) == (0, 0)
    found = dict(events(folder))
    assert found[3].id == "old-2"
    assert found[4].id == "kept-4"
    assert ledger_document(place, verify=True)["imbalances"] == []
    with open_log(place.log) as log:
        log.append([a_read(1)], received_at=NOW)
    assert export_log(place, place.lake, complete_hours=False).through == read_manifest(place.lake).through
    told = run("log", "retain", "--data", folder, "--json")
    assert (told.exit_code, json.loads(told.output)["done"]) == (0, True)


def test_writers_go_on_while_names_go(make):
    """Another server writes meanwhile, and is never refused."""
    folder = make("busy")
    place = place_of(folder)
    with open_log(place.log) as log:
        log.append([a_read(number) for number in range(4_000)], received_at=OLD)
    stop, written = threading.Event(), []

    def write():
        with open_log(place.log) as other:
            number = 10_000
            while not stop.is_set():
                written.append(len(other.append([a_read(number)], received_at=NOW).accepted))
                number += 1

    writing = threading.Thread(target=write)
    writing.start()
    try:
        done = retain(place, RETENTION, now=NOW)
    finally:
        stop.set()
        writing.join()
    assert done.past.nameless == 4_000
    assert set(written) == {1}
    assert ledger_document(place, verify=True)["imbalances"] == []


@pytest.mark.parametrize("back_to", ["PostgreSQL", "a file"])
def test_a_backup_is_restored_into_either_kind_of_log(make, tmp_path, back_to):
    """Taken while another writes; events, numbers, ledger, marks and keys come back, the lake does not need to."""
    folder = filled(make("saved"))
    erase_reader(place_of(folder), "r1", now=NOW)
    archive = back_up(place_of(folder), tmp_path / "b.tar", now=NOW, project=folder)
    assert {"data/log.sqlite", "data/erasure.key", "data/keys.json", "project/embellie.toml"} <= set(archive.parts)
    assert not [name for name in archive.parts if NAME_FILE in name]
    assert not list(tmp_path.glob(".b.tar*"))
    other = make("restored", postgres=back_to == "PostgreSQL")
    done = restore(tmp_path / "b.tar", other, now=NOW)
    assert (done.replaced, done.replaced_schema, done.erased_again) == (None, "", ())
    assert events(other) == events(folder)
    assert ledger_document(place_of(other), verify=True)["imbalances"] == []
    assert (other / "embellie-data" / "keys.json").read_bytes() == (folder / "embellie-data" / "keys.json").read_bytes()
    assert (other / "embellie-data" / "log.sqlite").exists() == (back_to == "a file")
    with open_log(place_of(other).log) as log:
        assert log.append([a_read(6)], received_at=NOW).refused == 1


def test_a_backup_of_a_file_is_restored_into_postgresql(make, tmp_path):
    """The configuration says where the log goes."""
    folder = filled(make("file", postgres=False))
    back_up(place_of(folder), tmp_path / "b.tar", now=NOW, project=folder)
    other = make("moved")
    restore(tmp_path / "b.tar", other, now=NOW)
    assert events(other) == events(folder)
    assert not (other / "embellie-data" / "log.sqlite").exists()


def test_a_log_that_is_there_is_set_aside_only_when_one_says_so(make, tmp_path):
    """In another schema, whole; who was erased since the backup is erased again."""
    folder = filled(make("kept"))
    place = place_of(folder)
    back_up(place, tmp_path / "b.tar", now=NOW, project=folder)
    erase_reader(place, "r1", now=NOW)
    marks = erased_document(place)["erased"]
    former = events(folder)
    for path in (folder / "embellie-data").rglob("*"):
        path.unlink() if path.is_file() else None
    for path in sorted((folder / "embellie-data").rglob("*"), reverse=True):
        path.rmdir()
    with pytest.raises(Conflict, match="PostgreSQL already"):
        restore(tmp_path / "b.tar", folder, now=NOW)
    assert events(folder) == former
    done = restore(tmp_path / "b.tar", folder, now=NOW, yes=True)
    assert [one.gone for one in done.erased_again] == [True]
    assert erased_document(place)["erased"][0]["mark"] == marks[0]["mark"]
    assert "r1" not in {getattr(event.body, "reader", "") for _, event in events(folder)}
    with open_log(type(place.log)(place.log.url, done.replaced_schema)) as aside:
        assert list(aside.scan()) == former


def test_a_server_that_runs_keeps_its_log(make, tmp_path):
    """Neither restored over nor copied from; nothing is left of the try."""
    folder = filled(make("served"))
    place = place_of(folder)
    back_up(place, tmp_path / "b.tar", now=NOW, project=folder)
    lead = PostgresLead(place.log)
    assert lead.held()
    before = sorted(tmp_path.iterdir()), events(folder)
    with pytest.raises(Busy, match="A server has the log open"):
        restore(tmp_path / "b.tar", folder, now=NOW, yes=True)
    assert isinstance(run("log", "copy", "--to", tmp_path / "elsewhere", "--data", folder).exception, Busy)
    lead.close()
    assert (sorted(tmp_path.iterdir()), events(folder)) == before


def test_an_interrupted_restore_leaves_nothing_half_done(make, tmp_path):
    """Stopped while the log is being written: no log, no data folder, no rubbish; the next try succeeds."""
    folder = filled(make("whole"))
    back_up(place_of(folder), tmp_path / "b.tar", now=NOW, project=folder)
    other = make("half")
    before = sorted(path.name for path in other.iterdir())

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore(tmp_path / "b.tar", other, now=NOW, progress=stop)
    assert not holds_log(place_of(other).log)
    assert sorted(path.name for path in other.iterdir()) == before
    restore(tmp_path / "b.tar", other, now=NOW)
    assert events(other) == events(folder)


def test_moving_house_by_the_command(make, postgres_url, tmp_path):
    """From the file to PostgreSQL and back: one is told what to write, never a password; a log that is there is refused."""
    folder = filled(make("mover", postgres=False))
    export_log(place_of(folder), place_of(folder).lake, complete_hours=False)
    schema = f"house_{blake2s(str(tmp_path).encode(), digest_size=8).hexdigest()}"
    told = run("log", "copy", "--to", postgres_url, "--schema", schema, "--data", folder)
    assert told.exit_code == 0, told.exception
    assert "not-told" not in told.output
    assert f'schema = "{schema}"' in told.output
    assert isinstance(
        run("log", "copy", "--to", postgres_url, "--schema", schema, "--data", folder).exception, Conflict
    )
    former = events(folder)
    with (folder / "embellie.toml").open("a") as file:
        file.write(f'\n[storage]\nlog = "{postgres_url}"\nschema = "{schema}"\n')
    assert events(folder) == former
    place = place_of(folder)
    assert export_log(place, place.lake, complete_hours=False).written == ()
    back = run("log", "copy", "--to", tmp_path / "back", "--data", folder, "--json")
    document = json.loads(back.output)
    assert (document["schema"], document["rows"]["events"]) == ("embellie/log-copy/1", 60)
    assert "no `log` under [storage]" in document["embellie_toml"][-1]
    assert (tmp_path / "back" / "log.sqlite").is_file()
