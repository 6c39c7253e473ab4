"""The lake in a bucket of S3's API, served here by moto: through the command line and by a server, cut off and back again."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest

from embellie.app.checking_lake import try_bucket
from embellie.app.compacting import compact_until
from embellie.app.lake_trouble import trouble_of
from embellie.store.analysis import Analysis
from embellie.store.log import FILE, SqliteLog
from embellie.store.object_bucket import open_bucket
from embellie.store.object_lake import ObjectLake, open_object_lake
from embellie.testing.event_log_contract import NOON, a_read
from embellie.testing.lake_storage_contract import LakeStorageContract

pytestmark = [pytest.mark.engines, pytest.mark.filterwarnings("ignore")]

CONFIG = """
[storage]
lake = "{url}"

[sites.gazette]
"""


def now():
    return datetime.now(UTC)


@pytest.fixture
def s3(monkeypatch):
    """A server of S3's API with one bucket, and an environment that leads to it."""
    pytest.importorskip("obstore", reason="obstore is not installed: the extra `object-storage`.")
    moto = pytest.importorskip("moto.server", reason="moto is not installed: see requirements/engines.in.")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "AKIAHUSH",
        "AWS_SECRET_ACCESS_KEY": "hush-hush",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    import boto3

    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1")
    client.create_bucket(Bucket="news")
    yield client
    try:
        urllib.request.urlopen(
            urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST"), timeout=5
        ).close()
        server.stop()
    except OSError:
        pass  # stopped by the test


class TestS3(LakeStorageContract):
    @pytest.fixture(autouse=True)
    def _serve(self, s3):
        """Each test has a bucket of its own."""

    def open(self, folder):
        return ObjectLake(open_bucket("s3://news/lake of the gazette"), folder / "lake", clock=now)


def embellie(*arguments, cwd):
    """Run a command as one would; what it says, and its exit code."""
    done = subprocess.run(
        [sys.executable, "-m", "embellie", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert "hush" not in (done.stdout + done.stderr).lower()
    return done


@pytest.fixture
def project(tmp_path):
    (tmp_path / "embellie.toml").write_text(CONFIG.format(url="s3://news/lake"))
    data = tmp_path / "embellie-data"
    data.mkdir()
    with SqliteLog(data / FILE) as log:
        log.append([a_read(n) for n in range(40)], received_at=NOON)
    return tmp_path


def test_from_export_to_erasure(s3, project):
    """Exported, counted, a reader erased, and nothing of theirs is in any object; and what doctor says of the bucket."""
    done = embellie("log", "export", "s3://news/lake", "--json", cwd=project)
    assert json.loads(done.stdout)["events"] == 40, done.stderr
    assert "40 events" in embellie("log", "ledger", cwd=project).stdout
    gone = embellie("reader", "erase", "r1", "--yes", "--json", cwd=project)
    if gone.returncode == 2:  # no question is asked where there is nobody to answer
        gone = embellie("reader", "erase", "r1", "--json", cwd=project)
    assert gone.returncode == 0, gone.stderr
    fresh = open_object_lake("s3://news/lake", project / "fresh", clock=now)
    fresh.is_there()
    listed = fresh.list()
    fresh.bring({name: one.bytes for name, one in listed.items()})
    import duckdb

    files = [str(project / "fresh" / name) for name in listed if "/events-" in name]
    (counted,) = duckdb.sql(f"SELECT count(*) FILTER (reader = 'r1'), count(*) FROM read_parquet({files})").fetchall()
    assert counted[0] == 0
    assert counted[1] >= 32
    assert [one.done for one in try_bucket("s3://news/lake")] == [True] * 5
    assert try_bucket("s3://no-such-bucket/lake")[0].done is False


def test_another_bucket_can_be_exported_to(s3, project):
    done = embellie("log", "export", "s3://news/a-copy", "--json", cwd=project)
    assert json.loads(done.stdout)["events"] == 40, done.stderr
    assert not list((project / "embellie-data").glob(".spill-*"))


def test_cut_off_the_server_goes_on_and_catches_up(s3, project, monkeypatch):
    """Nobody answers: it is said once and written down; then somebody does, and the lake holds all there is."""
    import threading

    data, url, right = project / "embellie-data", "s3://news/lake", os.environ["AWS_ENDPOINT_URL"]
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("embellie.app.compacting.seconds_after", lambda times: 0.1)
    told, stopped = [], threading.Event()
    thread = threading.Thread(
        target=compact_until, args=(data, stopped), kwargs={"tell": told.append, "project": project, "lake": url}
    )
    thread.start()
    until = time.monotonic() + 120

    def times():
        trouble = trouble_of(data, datetime.now(UTC))
        return trouble.times if trouble else 0

    while times() < 2 and time.monotonic() < until:
        time.sleep(0.1)
    assert times() >= 2
    assert len(told) == 1
    assert "hush" not in told[0].lower()
    monkeypatch.setenv("AWS_ENDPOINT_URL", right)
    while times() and time.monotonic() < until:
        time.sleep(0.1)
    stopped.set()
    thread.join(60)
    assert any("written again" in line for line in told)
    with SqliteLog(data / FILE) as log:
        analysis = Analysis(log, lake=open_object_lake(url, project / "reader", clock=now))
        assert analysis.rows("SELECT count(*) AS n FROM events") == [{"n": 40}]
        assert analysis.through == 40
        analysis.close()


def test_two_servers_in_their_own_folders_race(s3, project):
    """Each exports while the other does, many times over: the lake is always whole, and one is told where both wrote."""
    import threading

    from embellie.domain.errors import Busy
    from embellie.store.lake import export

    data = project / "embellie-data"
    outcomes = []
    with SqliteLog(data / FILE) as log:
        for turn in range(6):
            log.append([a_read(1000 + turn)], received_at=NOON + timedelta(hours=turn))

            def go(name):
                try:
                    export(data / FILE, open_object_lake("s3://news/raced", project / name, clock=now))
                    outcomes.append("done")
                except Busy as error:
                    outcomes.append(error.code)

            both = [threading.Thread(target=go, args=(name,)) for name in ("one", "two")]
            for each in both:
                each.start()
            for each in both:
                each.join()
            alone = Analysis(log)
            lake = Analysis(log, lake=open_object_lake("s3://news/raced", project / f"reader-{turn}", clock=now))
            counted = "SELECT kind, count(*) AS n, count(DISTINCT id) AS ids FROM events GROUP BY kind"
            assert lake.rows(counted) == alone.rows(counted)
            assert lake.through == 41 + turn
            lake.close()
            alone.close()
    assert set(outcomes) <= {"done", "lake_moved"}
    assert outcomes.count("done") >= 6
