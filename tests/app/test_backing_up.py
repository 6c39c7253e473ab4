"""A backup is whole, is taken while others write, and does not bring back who was erased."""

import shutil
import tarfile
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from embellie.app.backing_up import back_up, restore
from embellie.app.erasing import erase_reader
from embellie.app.forgetting import erased_document
from embellie.app.keys import Keys
from embellie.app.log_keeping import Place, ledger_document, place_of
from embellie.domain.errors import Busy, Conflict, InputError
from embellie.store.archive import check_archive
from embellie.store.leftovers import find_leftovers
from embellie.store.log import FILE, SqliteLog
from embellie.store.models import ModelStore
from embellie.testing.event_log_contract import NOON, a_read

NOW = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with events, keys, a model, and a lake that need not be kept."""
    folder = tmp_path / "gazette"
    folder.mkdir()
    (folder / "embellie.toml").write_text('data = "data"\n[sites.gazette]\n')
    (folder / "question.toml").write_text('question = "Why?"\n')
    with SqliteLog(folder / "data" / FILE) as log:
        log.append([a_read(number) for number in range(100)], received_at=NOON)
    Keys(folder / "data" / "keys.json", sites=["gazette"])
    ModelStore(folder / "data" / "models" / "gazette").keep(b"weights", {}, state="accepted", now=NOW)
    (folder / "data" / "lake").mkdir()
    (folder / "data" / "lake" / "big.parquet").write_bytes(b"again")
    return folder


def saved(project: Path, file: Path):
    return back_up(place_of(project), file, now=NOW, project=project)


def events(project: Path) -> list[str]:
    with SqliteLog(project / "data" / FILE) as log:
        return [event.id for _, event in log.scan()]


def test_what_is_restored_elsewhere_is_what_was_saved(project, tmp_path):
    """Log, ledger, keys, models, configuration and question; the lake is written again from the log."""
    archive = saved(project, tmp_path / "b.tar")
    assert not [name for name in archive.parts if "lake" in name]
    done = restore(tmp_path / "b.tar", tmp_path / "new", now=NOW)
    assert done.project_files == ("embellie.toml", "question.toml")
    for name in ("data/keys.json", "question.toml"):
        assert (tmp_path / "new" / name).read_bytes() == (project / name).read_bytes()
    assert events(tmp_path / "new") == events(project)
    assert ledger_document(place_of(tmp_path / "new"), verify=True)["imbalances"] == []
    runs = ModelStore(tmp_path / "new" / "data" / "models" / "gazette").runs()
    assert [run.state for run in runs] == ["accepted"]
    assert (tmp_path / "b.tar").stat().st_mode & 0o077 == 0


def test_it_is_of_one_moment_while_others_write(project, tmp_path):
    """The copy's ledger balances, and it holds a beginning of what was written."""
    stop = threading.Event()

    def write() -> None:
        with SqliteLog(project / "data" / FILE) as log:
            number = 1_000
            while not stop.is_set():
                log.append([a_read(number + each) for each in range(50)], received_at=NOON)
                number += 50

    writing = threading.Thread(target=write)
    writing.start()
    try:
        archive = saved(project, tmp_path / "b.tar")
    finally:
        stop.set()
        writing.join()
    restore(tmp_path / "b.tar", tmp_path / "new", now=NOW)
    found = events(tmp_path / "new")
    assert events(project)[: len(found)] == found
    assert archive.through >= 100
    assert ledger_document(place_of(tmp_path / "new"), verify=True)["imbalances"] == []


def test_a_damaged_archive_is_refused_before_anything_is_touched(project, tmp_path):
    """One byte changed, cut short, or something else altogether."""
    file = tmp_path / "b.tar"
    saved(project, file)
    whole = file.read_bytes()
    before = events(project)
    place = whole.index(b"SQLite format 3") + 5_000
    for content in (
        whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :],
        whole[: len(whole) // 2],
        b"something else",
    ):
        file.write_bytes(content)
        with pytest.raises(InputError, match="no whole backup"):
            restore(file, project, now=NOW, yes=True)
    assert events(project) == before


def test_a_data_folder_is_set_aside_only_when_one_says_so(project, tmp_path):
    """Without `yes` nothing happens; with it the former folder stays beside the new one."""
    saved(project, tmp_path / "b.tar")
    with SqliteLog(project / "data" / FILE) as log:
        log.append([a_read(500)], received_at=NOON)
    with pytest.raises(Conflict, match="data folder already"):
        restore(tmp_path / "b.tar", project, now=NOW)
    done = restore(tmp_path / "b.tar", project, now=NOW, yes=True)
    assert len(events(project)) == 100
    with SqliteLog(done.replaced / FILE) as former:
        assert len(list(former.scan())) == 101


def test_a_log_that_is_open_is_not_replaced(project, tmp_path):
    """A running server would go on writing to what was set aside."""
    saved(project, tmp_path / "b.tar")
    with SqliteLog(project / "data" / FILE), pytest.raises(Busy, match="has the log open"):
        restore(tmp_path / "b.tar", project, now=NOW, yes=True)


def test_who_was_erased_since_is_erased_again(project, tmp_path):
    """From the log that is replaced, or from the list that was kept of erasures."""
    saved(project, tmp_path / "b.tar")
    erase_reader(place_of(project), "r1", now=NOW)
    marks = [(one["site"], one["mark"]) for one in erased_document(place_of(project))["erased"]]
    done = restore(tmp_path / "b.tar", project, now=NOW, yes=True)
    assert [one.gone for one in done.erased_again] == [True]
    assert "r1" not in {event.body.reader for event in scanned(project)}
    shutil.copytree(project, tmp_path / "other")
    shutil.rmtree(tmp_path / "other" / "data")
    (tmp_path / "other" / "data").mkdir()
    shutil.copy(project / "data" / "erasure.key", tmp_path / "other" / "data")
    done = restore(tmp_path / "b.tar", tmp_path / "other", now=NOW, yes=True, erased=marks)
    assert [one.gone for one in done.erased_again] == [True]
    assert find_leftovers(tmp_path / "other" / "data", ["r1"]) == []


def scanned(project: Path) -> list:
    with SqliteLog(project / "data" / FILE) as log:
        return [event for _, event in log.scan(kinds=["read"])]


def test_the_archive_says_what_is_in_it(project, tmp_path):
    """Any tar program reads it; the manifest comes first; checking it gives the same sums."""
    archive = saved(project, tmp_path / "b.tar")
    with tarfile.open(tmp_path / "b.tar") as tar:
        names = tar.getnames()
    assert names[0] == "manifest.json"
    assert set(names[1:]) == set(archive.parts)
    assert check_archive(tmp_path / "b.tar") == archive


def test_nothing_is_left_when_it_fails(tmp_path):
    """No log, no archive, no rubbish beside it."""
    with pytest.raises(InputError, match="No log here"):
        back_up(Place(log=tmp_path / FILE), tmp_path / "out" / "b.tar", now=NOW)
    assert not (tmp_path / "out").exists()
