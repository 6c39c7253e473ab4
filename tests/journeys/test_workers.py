"""Several workers on one port and one data folder answer as one server, and go on when one of them dies or hangs."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from embellie.app.newsroom import Newsroom
from embellie.domain.article import Article
from embellie.web.worker_berth import AVAILABLE

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="This system cannot hand an open port to another process.")

CONFIG = """
[sites.gazette]
origins = ["https://gazette.example"]
[sites.gazette.placements.article-bottom]
section_cap = 0
[experiments.first-light]
[scenarios.status_quo]
policy = "status_quo"
[scenarios.heuristic]
policy = "affinity"
"""
SOURCE = Path(__file__).parents[2] / "src"


class Server:
    """A real server with workers, in processes of their own; `said` is what it wrote so far."""

    def __init__(self, folder: Path, *options: str, workers: int = 2, path: str = str(SOURCE)) -> None:
        command = [sys.executable, "-m", "embellie", "serve", str(folder), "--port", "0", "--posts-per-second", "0"]
        self.process = subprocess.Popen(
            [*command, "--workers", str(workers), *options],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
        )
        self.said, self.clients = "", []
        self.reading = threading.Thread(target=self.read)
        self.reading.start()
        self.wait_for("Stop with Ctrl-C")
        self.address = re.search(r"at (http://\S+)", self.said)[1]
        self.key = re.search(r"pk_[\w-]+", self.said)[0]
        found = re.search(r"role admin; said this once, so keep it: (\S+)", self.said)
        self.admin = found[1] if found else ""

    def read(self) -> None:
        for line in self.process.stderr:
            self.said += line

    def wait_for(self, words: str) -> None:
        wait_for(lambda: words in self.said or self.process.poll() is not None)
        assert words in self.said, self.said

    def client(self) -> httpx.Client:
        self.clients.append(httpx.Client(base_url=self.address, params={"key": self.key}, timeout=10))
        return self.clients[-1]

    def each_worker(self, workers: int = 2) -> dict[int, httpx.Client]:
        """A connection to each worker, by its process."""
        found: dict[int, httpx.Client] = {}

        def look() -> bool:
            client = self.client()
            process = client.get("/healthz").json()["process"]
            if process in found:
                client.close()
            found.setdefault(process, client)
            return len(found) == workers

        wait_for(look)
        return found

    def end(self, number: int) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(30)
        self.reading.join()
        self.process.stderr.close()
        for client in self.clients:
            client.close()
        return code


def wait_for(what, seconds=40):
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "It did not come about in time."
        time.sleep(0.02)


@pytest.fixture
def serve(tmp_path):
    (tmp_path / "embellie.toml").write_text(CONFIG)
    running = []

    def serve(*options, **more):
        running.append(Server(tmp_path, *options, **more))
        return running[-1]

    yield serve
    for one in running:
        one.end(signal.SIGTERM)


def publish(folder, count=30):
    now = datetime.now(UTC)
    with Newsroom.open(folder) as newsroom:
        articles = [
            Article(article=f"a{n}", title=f"News {n}", section="city", published_at=now - timedelta(minutes=n + 5))
            for n in range(count)
        ]
        newsroom.publish("gazette", articles).result()


def event(kind, reader, article, **more):
    return {
        "id": str(uuid.uuid4()), "kind": kind, "at": datetime.now(UTC).isoformat(), "article": article, "reader": reader,
        "visit": reader, "consent": "profiling", **more,
    }  # fmt: skip


def slate(client, reader):
    asked = {"placement": "article-bottom", "reader": reader, "visit": reader, "consent": "profiling"}
    answer = client.get("/v1/slate", params=asked).raise_for_status().json()
    return answer["variant"], [item["article"] for item in answer["items"]]


def counted(text, name):
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))


def test_one_worker_killed_under_load_loses_nothing_and_comes_back(serve, tmp_path):
    """`kill -9`: the other answers, all that was acknowledged is in the log once, no counter goes backwards."""
    publish(tmp_path)
    server = serve()
    workers = server.each_worker()
    admin = {"headers": {"Authorization": f"Bearer {server.admin}"}}
    acknowledged, failures, stop, metrics = set(), [], threading.Event(), []

    def post():
        client = server.client()
        while not stop.is_set():
            reads = [event("read", str(uuid.uuid4()), "a1") for _ in range(5)]
            try:
                answer = client.post("/v1/events", content=json.dumps({"events": reads}))
            except httpx.HTTPError:  # its worker is gone: another connection leads to one that is not
                client.close()
                client = server.client()
                continue
            if answer.status_code == 202 and answer.json()["accepted"] == 5:
                acknowledged.update(one["id"] for one in reads)
            else:
                failures.append(answer.text)
        client.close()

    posting = [threading.Thread(target=post) for _ in range(4)]
    for thread in posting:
        thread.start()
    wait_for(lambda: len(acknowledged) > 200)
    victim, other = workers
    metrics.append(workers[other].get("/metrics", **admin).raise_for_status().text)
    os.kill(victim, signal.SIGKILL)
    before = len(acknowledged)
    wait_for(lambda: len(acknowledged) > before + 200)
    metrics.append(workers[other].get("/metrics", **admin).text)
    server.wait_for(f"(process {victim}) ended: by SIGKILL")
    wait_for(lambda: counted(workers[other].get("/metrics", **admin).text, "embellie_workers ") == 2)
    again = server.each_worker()
    new = next(client for process, client in again.items() if process != other)
    metrics.append(new.get("/metrics", **admin).text)
    stop.set()
    for thread in posting:
        thread.join()
    metrics.append(workers[other].get("/metrics", **admin).text)
    assert victim not in again
    assert failures == []
    for name in ("embellie_events_total", "embellie_requests_total", "embellie_request_seconds_count"):
        found = [counted(text, name) for text in metrics]
        assert found == sorted(found)
        assert found[0] > 0
    assert counted(metrics[-1], "embellie_worker_restarts_total") == 1
    assert server.end(signal.SIGTERM) == 0
    with Newsroom.open(tmp_path) as newsroom:
        kept = [event.id for _, event in newsroom.log.scan(kinds=["read"])]
        assert acknowledged <= set(kept)
        assert len(kept) == len(set(kept))
        assert not list(newsroom.log.verify())


def test_what_one_worker_learns_the_others_know(serve, tmp_path):
    """A click, a new release, a token, a session, an erasure: it is the server's, whichever worker was told."""
    publish(tmp_path)
    server = serve()
    (one, first), (_, second) = server.each_worker().items()
    reader = next(name for name in (f"r{n}" for n in range(50)) if slate(first, name)[0] == "heuristic")
    shown = slate(second, reader)[1]
    click = event("click", reader, shown[0], slate_id="s", position=1)
    assert first.post("/v1/events", json={"events": [click]}).json()["accepted"] == 1
    wait_for(lambda: shown[0] not in slate(second, reader)[1], seconds=5)
    assert slate(first, reader)[1] == slate(second, reader)[1]

    admin = {"Authorization": f"Bearer {server.admin}"}
    made = first.post("/v1/tokens", json={"role": "operator", "name": "ops"}, headers=admin).raise_for_status().json()
    operator = {"Authorization": f"Bearer {made['secret']}"}
    order = {"policy": "popular", "settings": {}}
    release = second.post("/v1/releases", json=order, headers=operator).raise_for_status().json()["release"]
    known = first.get("/v1/releases", headers=operator).raise_for_status().json()["releases"]
    assert release in [known["release"] for known in known]

    entered = first.get("/login", params={"token": server.admin})
    assert entered.status_code == 303
    session = {"Cookie": entered.headers["set-cookie"].partition(";")[0], "Accept": "text/html"}
    assert second.get("/serve", headers=session).status_code == 200
    assert first.delete("/v1/tokens/ops", headers=admin).status_code == 200
    assert second.get("/v1/releases", headers=operator).status_code == 401

    first.delete(f"/v1/readers/{reader}", params={"site": "gazette"}, headers=admin).raise_for_status()
    wait_for(lambda: slate(second, reader)[0] != "heuristic", seconds=5)
    late = second.post("/v1/events", json={"events": [event("read", reader, "a1")]}).json()
    assert late["accepted"] == 0
    assert first.get("/healthz").json()["process"] == one


def test_a_reader_whom_two_workers_meet_at_once_is_exposed_once(serve, tmp_path):
    """Each thinks it is the first to show the variant; the log holds one exposure for each unit and experiment."""
    publish(tmp_path)
    server = serve()
    clients = list(server.each_worker().values())
    readers = [f"r{n}" for n in range(40)]
    with ThreadPoolExecutor(2) as pool:
        for reader in readers:
            told = list(pool.map(lambda client: slate(client, reader)[0], clients))  # noqa: B023
            assert told[0] == told[1]
    assert server.end(signal.SIGTERM) == 0
    with Newsroom.open(tmp_path) as newsroom:
        units = [event.body.unit for _, event in newsroom.log.scan(kinds=["exposure"])]
        assert sorted(units) == sorted(readers)
        assert newsroom.log.quarantine_size() == 0


def sleepy(folder):
    """A package that offers a policy which never returns for one reader; what to put on the path for it."""
    (folder / "sleepy.py").write_text(
        "import time\n"
        "from embellie.recommend.policies import Latest\n"
        "class Sleepy(Latest):\n"
        "    def __call__(self, request, state):\n"
        "        if request.visit == 'poisoned':\n"
        "            never_return()\n"
        "        return super().__call__(request, state)\n"
        "def never_return():\n"
        "    time.sleep(3600)\n"
    )
    info = folder / "sleepy-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sleepy\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[embellie.policies]\nsleepy = sleepy:Sleepy\n")
    return f"{SOURCE}{os.pathsep}{folder}"


def test_a_policy_that_never_returns_stops_one_worker_for_a_moment(serve, tmp_path):
    """The other answers meanwhile; the one that hangs says where it stands, is killed and comes back."""
    (tmp_path / "package").mkdir()
    path = sleepy(tmp_path / "package")
    config = CONFIG.replace('policy = "affinity"', 'policy = "sleepy"').replace('"status_quo"', '"sleepy"')
    config = config.replace("[experiments.first-light]", "[server]\nhang_seconds = 4")
    (tmp_path / "embellie.toml").write_text(config)
    server = serve(path=path)
    workers = server.each_worker()
    hung, other = workers
    asked = {"placement": "article-bottom", "visit": "poisoned"}
    with ThreadPoolExecutor(1) as pool:
        stuck = pool.submit(workers[hung].get, "/v1/slate", params=asked)
        answered = 0
        while not stuck.done():
            slate(workers[other], "r1")
            answered += 1
        with pytest.raises(httpx.HTTPError):
            stuck.result()
    assert answered > 10
    server.wait_for(f"(process {hung}) gave no sign of life for 4 s and was killed")
    server.wait_for("in never_return")
    assert hung not in server.each_worker()
    assert server.process.poll() is None


def test_workers_go_with_their_supervisor(serve):
    """`kill -9` of the process that watches over them: they finish and leave, and the port is free."""
    server = serve()
    workers = list(server.each_worker())
    host, port = server.address.removeprefix("http://").split(":")
    server.end(signal.SIGKILL)

    def gone():
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
        except ConnectionRefusedError:
            return not any(Path(f"/proc/{process}").exists() for process in workers)
        return False

    wait_for(gone)


def test_what_keeps_workers_from_starting_is_said_once(tmp_path):
    """The server ends with the worker's own error and code."""
    (tmp_path / "embellie.toml").write_text(CONFIG)
    (tmp_path / "embellie-data").mkdir()
    (tmp_path / "embellie-data" / "log.sqlite").write_text("this is no log, whatever its name says" * 100)
    command = [sys.executable, "-m", "embellie", "serve", str(tmp_path), "--port", "0", "--workers", "3"]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env=os.environ | {"PYTHONPATH": str(SOURCE)}
    )
    assert ended.returncode == 2
    assert ended.stderr.count("is not a log that can be read") == 1
    assert "Traceback" not in ended.stderr


def test_servers_started_apart_on_one_data_folder_are_one(serve, tmp_path):
    """Two servers, each on a port of its own: the same keys, one that leads, and no salt, key or event lost."""
    with ThreadPoolExecutor(2) as pool:
        servers = list(pool.map(lambda _: serve(workers=1), range(2)))
    assert servers[0].key == servers[1].key
    leader = tmp_path / "embellie-data" / "lead.lock"
    assert int(leader.read_text()) in [one.process.pid for one in servers]
    first = next(one for one in servers if one.process.pid == int(leader.read_text()))
    other = next(one for one in servers if one is not first)
    first.end(signal.SIGKILL)
    wait_for(lambda: leader.read_text().strip() == str(other.process.pid))
    assert other.end(signal.SIGTERM) == 0
