"""Models by content: whatever fails or is killed, wherever, what is served is whole and was accepted."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from embellie.domain.errors import InputError, UnknownName
from embellie.store.models import ModelStore

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def keep(store, data, hours=0, *, state="accepted"):
    run = store.keep(data, {"what": "a test"}, state=state, now=NOON + timedelta(hours=hours))
    if state == "accepted":
        store.make_current(run.run)
    return run


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "models")


def test_an_accepted_model_serves_and_a_refused_one_never_does(store):
    """A refused run is kept beside its reasons, and the one before it goes on."""
    first = keep(store, b"first")
    refused = keep(store, b"second", 1, state="refused")
    assert store.current().run == first
    assert store.current().data == b"first"
    assert store.load(refused.model) == b"second"
    with pytest.raises(InputError, match="refused"):
        store.make_current(refused.run)
    assert [run.state for run in store.runs()] == ["accepted", "refused"]


def test_nothing_is_served_from_nothing(store):
    """A store that was never written to has no runs and no model."""
    assert store.current() is None
    assert store.runs() == []
    with pytest.raises(UnknownName):
        store.run("20260302T120000Z-00000000")


def test_the_same_bytes_are_one_model_of_two_runs(store):
    """Content names the model; each run is on record."""
    runs = [keep(store, b"same", hour) for hour in (0, 0, 1)]
    assert len({run.model for run in runs}) == 1
    assert len({run.run for run in runs}) == 3
    assert len(list(store.folder.glob("*.model"))) == 1


@pytest.mark.parametrize("damage", ["cut", "changed", "gone", "run gone", "run damaged"])
def test_a_damaged_model_gives_way_to_the_last_good_one(store, damage):
    """Bytes that are not those of their name are not served; the reason is told."""
    first = keep(store, b"first model")
    second = keep(store, b"second model", 1)
    model = store.folder / f"{second.model}.model"
    run = store.folder / "runs" / f"{second.run}.json"
    {
        "cut": lambda: model.write_bytes(b"second"),
        "changed": lambda: model.write_bytes(b"second_model"),
        "gone": model.unlink,
        "run gone": run.unlink,
        "run damaged": lambda: run.write_text('{"run": '),
    }[damage]()
    found = store.current()
    assert found.run == first
    assert found.data == b"first model"
    assert [name for name, _ in found.passed_over] == [second.run]
    assert found.passed_over[0][1]


def test_a_damaged_model_is_mended_by_training_it_again(store):
    """The same bytes kept again take the place of the damaged file."""
    run = keep(store, b"model")
    (store.folder / f"{run.model}.model").write_bytes(b"m")
    assert store.current() is None
    keep(store, b"model", 1)
    assert store.current().data == b"model"


def test_without_the_pointer_the_newest_accepted_run_serves(store):
    """The pointer can be lost: the runs say what was accepted."""
    keep(store, b"first")
    second = keep(store, b"second", 1)
    keep(store, b"third", 2, state="refused")
    (store.folder / "current.json").write_text("{")
    assert store.current().run == second


@pytest.mark.parametrize("step", range(1, 12))
def test_a_failure_at_any_step_leaves_the_former_model(store, monkeypatch, step):
    """Whichever call to the disk fails, the store reads as before it or as after it, never between."""
    first = keep(store, b"first")
    calls = {"n": 0}

    def failing(original):
        def call(*given, **named):
            calls["n"] += 1
            if calls["n"] == step:
                raise OSError("No space left.")
            return original(*given, **named)

        return call

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", failing(os.fsync))
        patched.setattr(Path, "replace", failing(Path.replace))
        try:
            second = keep(store, b"second", 1)
        except OSError:
            second = None
    found = store.current()
    assert (found.run, found.data) in [(first, b"first"), (store.runs()[-1], b"second")]
    if second is not None:
        assert found.run == second
    again = keep(store, b"third", 2)
    assert store.current().run == again


_WRITER = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from embellie.store.models import ModelStore
store, number = ModelStore(Path(sys.argv[1])), 0
print("ready", flush=True)
while True:
    number += 1
    data = f"model {number} ".encode() * 20_000
    run = store.keep(data, {"number": number}, state="accepted", now=datetime(2026, 3, 2, tzinfo=UTC) + timedelta(seconds=number))
    store.make_current(run.run)
    if number % 5 == 0:
        store.prune(keep=2)
"""


def test_it_survives_being_killed(tmp_path):
    """Killed twelve times at any moment while writing and pruning: what is current is whole each time."""
    folder = tmp_path / "models"
    keep(ModelStore(folder), b"first")
    for round_ in range(12):
        with subprocess.Popen([sys.executable, "-c", _WRITER, folder], stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout.readline() == "ready\n"
            time.sleep(0.01 + 0.013 * round_)
            writer.send_signal(signal.SIGKILL)
        found = ModelStore(folder).current()
        assert found is not None
        assert found.passed_over == ()
        assert found.run.about["number"] >= 1 if found.data != b"first" else True


def test_pruning_keeps_what_is_named_and_what_serves(store):
    """The last runs stay, those that serve or served just before, and whatever a release names."""
    runs = [keep(store, f"model {hour}".encode(), hour) for hour in range(8)]
    refused = [keep(store, f"bad {hour}".encode(), 10 + hour, state="refused") for hour in range(3)]
    gone = store.prune(keep=2, named={runs[0].model})
    left = {run.run for run in store.runs()}
    assert left == {runs[0].run, *(run.run for run in runs[5:]), *(run.run for run in refused[1:])}
    assert set(gone) == {run.run for run in [*runs, *refused]} - left
    assert {file.stem for file in store.folder.glob("*.model")} == {run.model for run in store.runs()}
    assert store.current().run == runs[-1]


def test_leftovers_of_the_killed_go_after_a_day(store):
    """Unfinished files do not pile up, and one being written is let be."""
    keep(store, b"model")
    old, young = store.folder / ".a.1.unfinished", store.folder / ".b.1.unfinished"
    for file in (old, young):
        file.write_bytes(b"")
    os.utime(old, (NOON.timestamp() - 90_000,) * 2)
    os.utime(young, (NOON.timestamp() - 60,) * 2)
    store.tidy(NOON)
    assert not old.exists()
    assert young.exists()
