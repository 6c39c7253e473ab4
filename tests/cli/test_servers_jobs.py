"""What a running server does beside answering: every job is started, and told to stop at its end."""

import threading
from types import SimpleNamespace

import pytest

from embellie.cli import serve_command
from embellie.cli.serve_command import _background


@pytest.mark.parametrize("job", ["compact_until", "keep_state_until", "retain_until", "follow_until"])
def test_each_server_keeps_its_own_files(monkeypatch, tmp_path, job):
    """Lake, state file, names past their time and erasures made elsewhere: none of the jobs is forgotten."""
    started, ended = threading.Event(), threading.Event()

    def until_stopped(*arguments, **_):
        started.set()
        next(each for each in arguments if isinstance(each, threading.Event)).wait(20)
        ended.set()

    for name in ("compact_until", "keep_state_until", "retain_until", "follow_until", "lead_until"):
        monkeypatch.setattr(serve_command, name, until_stopped if name == job else lambda *_, **__: None)
    newsroom = SimpleNamespace(
        data=tmp_path, folder=tmp_path, log=None, log_place=tmp_path / "log.sqlite", config=None, sites=()
    )
    with _background(newsroom):
        assert started.wait(20)
    assert ended.wait(20)
