"""A server told to stop under load: it says so first, answers on, and closes the port last."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import httpx
import pytest

from embellie.app.newsroom import Newsroom

SOURCE = Path(__file__).parents[2] / "src"
DRAIN = 2.0
CONFIG = f"""
[server]
drain_seconds = {DRAIN}
[sites.gazette]
origins = ["https://gazette.example"]
[experiments.first-light]
"""


@pytest.fixture
def server(tmp_path):
    """A real server in a process of its own: the process, its address, its public key."""
    (tmp_path / "embellie.toml").write_text(CONFIG)
    command = [sys.executable, "-m", "embellie", "serve", str(tmp_path), "--port", "0", "--posts-per-second", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(SOURCE)})
    said = ""
    for line in process.stderr:
        said += line
        if line.startswith("Stop with"):
            break
    yield process, re.search(r"at (http://\S+)", said)[1], re.search(r"pk_[\w-]+", said)[0]
    if process.poll() is None:
        process.kill()
    process.wait(20)
    process.stderr.close()


class Load:
    """Readers and pages that go on until they are told that another server answers."""

    def __init__(self, address: str, key: str) -> None:
        self.stop, self.acknowledged, self.failed, self.answers = threading.Event(), set(), [], 0
        self._address, self._key = address, key
        self._threads = [threading.Thread(target=self._go) for _ in range(4)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self._threads:
            thread.join()

    def _go(self):
        with httpx.Client(base_url=self._address, params={"key": self._key}, timeout=10) as client:
            while not self.stop.is_set():
                one = str(uuid.uuid4())
                event = {"id": one, "kind": "read", "at": "2026-03-02T09:00:00Z", "article": "a1", "reader": one}
                try:
                    shown = client.get("/v1/slate", params={"placement": "article-bottom", "reader": one})
                    kept = client.post("/v1/events", content=json.dumps({"events": [event]}))
                except httpx.HTTPError as error:
                    self.failed.append(repr(error))
                    return
                if (shown.status_code, kept.status_code) != (200, 202):
                    self.failed.append(f"{shown.status_code} {kept.status_code}")
                self.acknowledged.add(one)
                self.answers += 2


def until(condition, *, seconds):
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return found


def test_under_load_every_request_is_answered_and_readiness_goes_first(server, tmp_path):
    """SIGTERM: /readyz says stopping while slates and events are answered on; then the port closes, and nothing is lost."""
    process, address, key = server

    def ready():
        return httpx.get(f"{address}/readyz", timeout=5)

    assert ready().status_code == 200
    with Load(address, key) as load:
        assert until(lambda: load.answers > 50, seconds=20)
        process.send_signal(signal.SIGTERM)
        assert until(lambda: ready().status_code == 503, seconds=5), "the port closed before anyone was told"
        told = ready()
        assert told.json()["error"]["code"] == "stopping"
        assert told.headers["connection"] == "close"
        assert httpx.get(f"{address}/healthz").status_code == 200
        before = load.answers
        assert until(lambda: load.answers > before + 8, seconds=DRAIN), "it stopped answering while it drained"
    assert load.failed == []
    assert process.wait(20) == 0
    with pytest.raises(httpx.ConnectError):
        ready()
    with Newsroom.open(tmp_path, threads=0) as newsroom:
        kept = {event.id for _, event in newsroom.log.scan(kinds=("read",))}
    assert load.acknowledged <= kept
