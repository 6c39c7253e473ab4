"""A server killed under load loses nothing that it acknowledged, and its ledger balances."""

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

CONFIG = """
[sites.gazette]
origins = ["https://gazette.example"]
[experiments.first-light]
"""
SOURCE = Path(__file__).parents[2] / "src"


class Server:
    """A real server in a process of its own."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "embellie", "serve", str(folder), "--port", "0", "--posts-per-second", "0"]
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(SOURCE)}
        )
        self.said: list[str] = []
        for line in self.process.stderr:
            self.said.append(line)
            if line.startswith("Stop with"):
                break
        text = "".join(self.said)
        assert "Stop with" in text, text
        self.address = re.search(r"at (http://\S+)", text)[1]
        self.key = re.search(r"pk_[\w-]+", text)[0]

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        code = self.process.wait(20)
        self.said.append(self.process.stderr.read())
        self.process.stderr.close()
        return code


def load(server: Server, stop: threading.Event, acknowledged: set[str], problems: list[str]) -> None:
    """Post batches and ask for slates until the server is gone; note what was acknowledged."""
    with httpx.Client(base_url=server.address, params={"key": server.key}, timeout=5) as client:
        while not stop.is_set():
            ids = [str(uuid.uuid4()) for _ in range(10)]
            batch = [
                {"id": one, "kind": "read", "at": "2026-03-02T09:00:00Z", "article": "a1", "reader": one, "consent": "measurement"}
                for one in ids
            ]  # fmt: skip
            try:
                client.get("/v1/slate", params={"key": server.key, "placement": "article-bottom", "reader": ids[0]})
                answer = client.post("/v1/events", content=json.dumps({"events": [*batch, {"kind": "bad"}]}))
            except httpx.HTTPError:
                return
            if answer.status_code != 202 or answer.json()["accepted"] != 10:
                problems.append(answer.text)
                return
            acknowledged.update(ids)


def kill_rounds(folder: Path, rounds: int, *, seconds: float) -> None:
    (folder / "embellie.toml").write_text(CONFIG)
    acknowledged: set[str] = set()
    problems: list[str] = []
    for _ in range(rounds):
        server, stop = Server(folder), threading.Event()
        before = len(acknowledged)
        posting = [threading.Thread(target=load, args=(server, stop, acknowledged, problems)) for _ in range(4)]
        for thread in posting:
            thread.start()
        time.sleep(seconds)
        server.end(signal.SIGKILL)
        stop.set()
        for thread in posting:
            thread.join()
        assert problems == []
        assert len(acknowledged) > before
    newsroom = Newsroom.open(folder)
    kept = [event.id for _, event in newsroom.log.scan(kinds=["read"])]
    assert acknowledged <= set(kept)
    assert len(kept) == len(set(kept))
    rows = newsroom.ledger()
    assert all(row.received == row.accepted + row.duplicates + row.quarantined for row in rows)
    assert sum(row.accepted for row in rows) == sum(newsroom.counts("gazette").values())
    newsroom.close()


def test_what_was_acknowledged_survives_a_kill(tmp_path):
    """One `kill -9` under load: every acknowledged event is in the log once, and the ledger balances."""
    kill_rounds(tmp_path, 1, seconds=0.7)


@pytest.mark.slow
def test_what_was_acknowledged_survives_many_kills(tmp_path):
    """Six kills of the same folder, at different moments."""
    kill_rounds(tmp_path, 6, seconds=1.7)


def test_a_server_told_to_stop_finishes_and_says_so(tmp_path):
    """SIGTERM: exit 0; started again it keeps its keys and prints no token, and the port in use is explained."""
    (tmp_path / "embellie.toml").write_text(CONFIG)
    server = Server(tmp_path)
    port = server.address.rpartition(":")[2]
    assert "role admin" in "".join(server.said)
    link = re.search(r"http://\S+/login\?token=\S+", "".join(server.said))[0]
    assert httpx.get(link).status_code == 303
    command = [sys.executable, "-m", "embellie", "serve", str(tmp_path), "--port", port]
    second = subprocess.run(
        command, capture_output=True, text=True, timeout=30, env=os.environ | {"PYTHONPATH": str(SOURCE)}, check=False
    )
    assert second.returncode == 1
    assert f"Port {port} is in use" in second.stderr
    assert f"process {server.process.pid}" in second.stderr
    assert f"--port {int(port) + 1}" in second.stderr
    assert "Traceback" not in second.stderr
    assert server.end(signal.SIGTERM) == 0
    assert "Everything received is in the log" in server.said[-1]
    assert "Traceback" not in server.said[-1]
    again = Server(tmp_path)
    assert again.key == server.key
    assert "role admin" not in "".join(again.said)
    assert again.end(signal.SIGINT) == 0
