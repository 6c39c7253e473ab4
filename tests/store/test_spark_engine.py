"""Spark by Spark Connect: what it reads, and what it says when it cannot."""

import socket
import sys
import threading
from datetime import UTC, date, datetime

import duckdb
import pytest

from embellie.domain.errors import EngineError, InputError, TableError
from embellie.store.engine_choice import open_engine
from embellie.store.event_columns import DEFINED
from embellie.store.lake_manifest import Manifest, Partition, write_manifest
from embellie.store.tables import open_table

SECRET = "s3cr3t"


def test_a_missing_extra_is_named(monkeypatch):
    """Without the client, the message says what to install."""
    monkeypatch.setitem(sys.modules, "pyspark", None)
    monkeypatch.setitem(sys.modules, "pyspark.sql.connect.session", None)
    monkeypatch.setitem(sys.modules, "grpc", None)
    with pytest.raises(EngineError, match=r"pip install 'embellie\[spark\]'"):
        open_table("sc://localhost::users")


def test_a_lake_must_be_named():
    """An engine that cannot guess where the lake is asks."""
    with pytest.raises(InputError, match="lake"):
        open_engine("sc://localhost")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE t AS SELECT 1::TINYINT AS small, 2::DECIMAL(9, 2) AS paid, 'a' AS \"the group\", true AS flag, TIMESTAMP '2026-03-29 02:30:00' AS \"at\", TIMESTAMPTZ '2026-03-29 02:30:00+00' AS zoned, DATE '2026-01-01' AS day"
    )
    connection.execute(f"COPY t TO '{folder}/one.parquet'")
    connection.execute(f"COPY t TO '{folder}/two.parquet'")
    connection.execute(f"CREATE TABLE events ({DEFINED})")
    for place in ("lake", "no_manifest"):
        (folder / place / "site=a" / "day=2026-01-01").mkdir(parents=True)
        for generation in (1, 2):
            file = f"{folder}/{place}/site=a/day=2026-01-01/events-{generation}.parquet"
            connection.execute(f"INSERT INTO events (seq) VALUES ({generation})")
            connection.execute(f"COPY events TO '{file}'")
        connection.execute("DELETE FROM events")
    kept = _partition(folder / "lake", 2)
    write_manifest(folder / "lake", Manifest(through=2, last_id="", last_site="a", generation=2, partitions=(kept,)))
    (folder / "numbers.csv").write_text("who,many\na,1.5\nb,x\n", encoding="utf-8")
    return folder


def _partition(lake, generation):
    file = f"site=a/day=2026-01-01/events-{generation}.parquet"
    return Partition(site="a", day=date(2026, 1, 1), events=2, file=file, bytes=(lake / file).stat().st_size)


@pytest.fixture(params=["spark_url", "sail_url"])
def url(request):
    return request.getfixturevalue(request.param)


@pytest.mark.engines
class TestSpark:
    """Spark, and Sail, which speaks its protocol."""

    def test_columns_have_duckdbs_types(self, url, files):
        """Types are told in one vocabulary; a glob reads all its files."""
        table = open_table(f"{url}::{files}/*o*e.parquet")
        assert dict(table.columns) == {
            "small": "TINYINT", "paid": "DECIMAL(9,2)", "the group": "VARCHAR", "flag": "BOOLEAN", "at": "TIMESTAMP",
            "zoned": "TIMESTAMP WITH TIME ZONE", "day": "DATE",
        }  # fmt: skip
        table.close()

    def test_a_folder_and_a_csv(self, url, files):
        """A CSV is text, so that a cell that is no number can be told."""
        table = open_table(f"{url}::{files}/numbers.csv")
        rows = table.rows("SELECT count(TRY_CAST(many AS DOUBLE)) AS n, max(who) AS w FROM source")
        table.close()
        assert rows == [{"n": 1, "w": "b"}]

    def test_times_are_utc(self, url, files):
        """A time is the same, zoned or not, whatever the zone of the server (here New York's) and of this machine."""
        table = open_table(f"{url}::{files}/one.parquet")
        sql = 'SELECT count(*) AS n FROM source WHERE "at" = $when AND CAST(zoned AS TIMESTAMP) = $when AND "at" = TIMESTAMP \'2026-03-29 02:30:00\''
        when = datetime(2026, 3, 29, 2, 30, tzinfo=UTC)
        assert table.rows(sql, {"when": when}) == table.rows(sql, {"when": when.replace(tzinfo=None)}) == [{"n": 1}]
        table.close()

    def test_a_parameter_is_never_part_of_the_sql(self, url, files):
        """A value that looks like SQL is a value."""
        table = open_table(f"{url}::{files}/one.parquet")
        evil = "\\'; DROP TABLE x; -- ` :y"
        assert table.rows("SELECT $x || 'y' AS t FROM source", {"x": evil}) == [{"t": evil + "y"}]
        table.close()

    def test_two_tables_do_not_see_each_other(self, url, files):
        """Each has a session of its own: `source` of one is not that of the other."""
        one, other = open_table(f"{url}::{files}/one.parquet"), open_table(f"{url}::{files}/numbers.csv")
        assert one.rows("SELECT count(*) AS n FROM source") == [{"n": 1}]
        assert other.rows("SELECT count(*) AS n FROM source") == [{"n": 2}]
        one.close()
        other.close()

    def test_several_threads_share_a_reader(self, url, files):
        """Queries of several threads come back whole."""
        table = open_table(f"{url}::{files}/numbers.csv")
        found: list[object] = []
        asking = [
            threading.Thread(target=lambda: found.append(table.rows("SELECT count(*) AS n FROM source")))
            for _ in range(6)
        ]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()
        table.close()
        assert found == [[{"n": 2}]] * 6

    def test_a_forgotten_session_is_opened_again(self, url, files):
        """A server that forgot the session is told once more what `source` is."""
        table = open_table(f"{url}::{files}/numbers.csv")
        table._reader._session.client.release_session()
        assert table.rows("SELECT count(*) AS n FROM source") == [{"n": 2}]
        table.close()

    def test_missing_files_and_tables_are_told(self, url, files):
        """A path or a table that is not there is named."""
        with pytest.raises(TableError, match="/nowhere"):
            open_table(f"{url}::/nowhere/*.parquet")
        with pytest.raises(TableError, match="`purchases`"):
            open_table(f"{url}::purchases")

    def test_an_unknown_column_is_told(self, url, files):
        """What the engine refuses is told in one line."""
        table = open_table(f"{url}::{files}/one.parquet")
        with pytest.raises(TableError) as caught:
            table.rows("SELECT nope FROM source")
        table.close()
        assert "nope" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert "stacktrace" not in str(caught.value)

    def test_a_lake_must_have_the_columns_of_the_log(self, url, files):
        """A folder that is no lake is refused; one that is can be asked."""
        with pytest.raises(TableError, match="no column `seq`"):
            open_engine(url, lake=f"{files}/one.parquet")
        reader = open_engine(url, lake=f"{files}/lake")
        assert reader.rows("SELECT count(*) AS n FROM events") == [{"n": 2}]
        reader.close()

    def test_a_lake_that_grows_is_looked_at_again(self, url, files):
        """What the manifest names is read, no more: not what was replaced, and soon what has come."""
        lake = files / "lake"
        reader = open_engine(url, lake=str(lake))
        first = Manifest(through=1, last_id="", last_site="a", generation=3, partitions=(_partition(lake, 1),))
        second = Manifest(through=2, last_id="", last_site="a", generation=4, partitions=(_partition(lake, 2),))
        found = []
        for manifest in (first, second):
            write_manifest(lake, manifest)
            found += reader.rows("SELECT count(*) AS n FROM events")
        reader.close()
        assert found == [{"n": 1}, {"n": 2}]


@pytest.mark.engines
def test_a_lake_seen_by_the_server_alone(spark_url, files):
    """Without a manifest to read from here, the last file of each day is taken."""
    reader = open_engine(spark_url, lake=f"{files}/no_manifest")
    assert reader.rows("SELECT count(*) AS n FROM events") == [{"n": 2}]
    reader.close()


@pytest.mark.engines
class TestNoServer:
    """What is said when nobody answers."""

    @pytest.fixture(autouse=True)
    def client(self):
        pytest.importorskip("pyspark", reason="Spark Connect is not installed: make test-all installs it.")

    @pytest.mark.parametrize("host", ["127.0.0.1:1", "no-such-host.invalid:15002"])
    def test_nobody_there(self, host):
        """An address where nobody answers is told at once, without the token."""
        with pytest.raises(EngineError) as caught:
            open_table(f"sc://{host}/;token={SECRET}::users")
        assert host in str(caught.value)
        assert SECRET not in str(caught.value)

    def test_no_address(self):
        """What is no address shows how one is written."""
        with pytest.raises(EngineError, match="sc://host:15002"):
            open_table("sc://::users")

    def test_another_server_there(self):
        """A server that speaks something else is not called for ten minutes."""
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            port = listening.getsockname()[1]
            stop = threading.Event()
            answering = threading.Thread(target=_hang_up, args=(listening, stop))
            answering.start()
            try:
                with pytest.raises(EngineError, match="Spark Connect server"):
                    open_table(f"sc://127.0.0.1:{port}::users")
            finally:
                stop.set()
                answering.join()


def _hang_up(listening, stop):
    listening.settimeout(0.1)
    while not stop.is_set():
        try:
            other, _ = listening.accept()
        except TimeoutError:
            continue
        other.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        other.close()
