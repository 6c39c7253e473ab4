"""What a running server does beside answering: every job is started where it leads, and told to stop at its end."""

import threading
from types import SimpleNamespace

import pytest

from embellie.app import server_jobs
from embellie.app.server_jobs import jobs_running
from embellie.store.log_place import PostgresPlace

OF_THE_LOG = ["sync_until", "gates_until", "train_until"]
OF_THE_FOLDER = ["compact_until", "keep_state_until", "retain_until", "follow_until"]


class Lead:
    """Held for good, or never."""

    def __init__(self, held: bool) -> None:
        self._held = held

    def held(self):
        return self._held

    def close(self):
        pass


def running(monkeypatch, tmp_path, *, log=None, lake="", leads=("log", "folder")):
    """Start the jobs of a server that leads its log, its folder, or both; return those that ran and were told to stop."""
    started, ended = {}, []

    def job(name):
        started[name] = threading.Event()

        def until_stopped(*arguments, **_):
            started[name].set()
            next(each for each in arguments if isinstance(each, threading.Event)).wait(20)
            ended.append(name)

        return until_stopped

    for name in (*OF_THE_LOG, *OF_THE_FOLDER):
        monkeypatch.setattr(server_jobs, name, job(name))
    monkeypatch.setattr(server_jobs, "lead_of", lambda _: Lead("log" in leads))
    monkeypatch.setattr(server_jobs, "lead_of_folder", lambda _: Lead("folder" in leads))
    newsroom = SimpleNamespace(
        data=tmp_path,
        folder=tmp_path,
        log=None,
        log_place=log or tmp_path / "log.sqlite",
        config=SimpleNamespace(storage=SimpleNamespace(lake=lake)),
        sites=(),
    )
    expected = [*(OF_THE_LOG if "log" in leads else ()), *(OF_THE_FOLDER if "folder" in leads else ())]
    if lake and "log" in leads and "folder" not in leads:
        expected.append("compact_until")
    if lake and "log" not in leads:
        expected = [name for name in expected if name != "compact_until"]
    with jobs_running(newsroom, tell=lambda _: None):
        for name in expected:
            assert started[name].wait(20), name
    assert sorted(ended) == sorted(expected)
    return sorted(ended)


def test_a_server_that_leads_forgets_no_job(monkeypatch, tmp_path):
    """Feeds, gates, training; lake, state file, names past their time and erasures made elsewhere."""
    assert running(monkeypatch, tmp_path) == sorted([*OF_THE_LOG, *OF_THE_FOLDER])


@pytest.mark.parametrize(("lake", "compacts"), [("", False), ("s3://news/lake", True)])
def test_a_lake_in_a_bucket_is_kept_by_who_leads_the_log(monkeypatch, tmp_path, lake, compacts):
    """One in the data folder is that folder's own, whoever leads the log."""
    place = PostgresPlace(url="postgresql://nowhere/news", schema="embellie")
    done = running(monkeypatch, tmp_path, log=place, lake=lake, leads=("log",))
    assert ("compact_until" in done) is compacts
    other = running(monkeypatch, tmp_path, log=place, lake=lake, leads=("folder",))
    assert ("compact_until" in other) is not compacts
