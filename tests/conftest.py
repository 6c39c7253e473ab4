"""Servers for the tests marked `engines`: each is started once, on a free port, and stopped at the end."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


class PostgresServer:
    """A throw-away PostgreSQL with a database `tests`."""

    def __init__(self, folder: Path) -> None:
        folders = [
            *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), os.environ.get("PATH", "")
        ]  # fmt: skip
        initdb, server = (shutil.which(name, path=os.pathsep.join(folders)) for name in ("initdb", "postgres"))
        if not initdb or not server:
            pytest.skip("PostgreSQL is not installed: no `initdb` and `postgres`.")
        pytest.importorskip("psycopg", reason="psycopg is not installed: make test-all installs it.")
        folder.mkdir(mode=0o700)
        self.folder, self._server, self._user = folder, server, {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            name = next((name for name in ("postgres", "nobody") if _exists(name)), "")
            if not name:
                pytest.skip("PostgreSQL does not run as root, and there is no other user.")
            self._user = {"user": name}
            shutil.chown(folder, name)
        self._port = free_port()
        subprocess.run(
            [initdb, "-D", folder / "data", "-U", "tester", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
            check=True, capture_output=True, cwd="/", **self._user,
        )  # fmt: skip
        self.url = f"postgresql://tester:not-told@127.0.0.1:{self._port}/tests"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = ["-p", str(self._port), "-k", str(self.folder), "-h", "127.0.0.1", "-c", "fsync=off", "-c", "max_connections=40"]  # fmt: skip
        self._running = subprocess.Popen(
            [self._server, "-D", self.folder / "data", *options],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **self._user,
        )  # fmt: skip
        _wait_for(self._port, self._running, seconds=30)
        _until_it_accepts(self.url)

    def stop(self, number: int = signal.SIGQUIT) -> None:
        """Stop it at once, as a crash would; `SIGTERM` in order."""
        self._running.send_signal(number)
        self._running.wait(timeout=20)

    def restart(self) -> None:
        """Crash, and start again."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """Stop it for good."""
        _stop(self._running)
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A throw-away PostgreSQL for all tests; its user must be able to walk to its folder."""
    server = PostgresServer(Path("/tmp") / f"embellie-postgres-{os.getpid()}")
    try:
        server.start()
        _create_database(server.url)
        yield server.url
    finally:
        server.remove()


@pytest.fixture
def postgres_server() -> Iterator[PostgresServer]:
    """A throw-away PostgreSQL for one test, which may stop it."""
    server = PostgresServer(Path("/tmp") / f"embellie-postgres-{os.getpid()}-own")
    try:
        server.start()
        _create_database(server.url)
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def spark_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Spark Connect server of Spark itself, on two threads; its home is `.venv-spark`, made by the Makefile."""
    if not shutil.which("java"):
        pytest.skip("Java is not installed: Spark needs Java 17.")
    home = next((ROOT / ".venv-spark").glob("lib/python*/site-packages/pyspark"), None)
    if home is None:
        pytest.skip("Spark is not installed: `make .venv-spark/.ready` installs it.")
    pytest.importorskip("pyspark", reason="Spark Connect is not installed: make test-all installs it.")
    folder, port = tmp_path_factory.mktemp("spark"), free_port()
    settings = {
        "spark.connect.grpc.binding.port": port,
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.sql.warehouse.dir": folder / "warehouse",
        "spark.sql.shuffle.partitions": 4,
        "spark.sql.session.timeZone": "America/New_York",  # a session must set its own
    }
    confs = [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen(
            [home / "bin/spark-submit", "--class", "org.apache.spark.sql.connect.service.SparkConnectServer",
             "--master", "local[2]", "--driver-memory", "1g", *confs, "spark-internal"],
            stdout=log, stderr=log, cwd=folder,
            env=os.environ | {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1"},
        )  # fmt: skip
        try:
            _wait_for(port, running, seconds=120)
            yield f"sc://127.0.0.1:{port}"
        finally:
            _stop(running)


@pytest.fixture(scope="session")
def sail_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of Sail, which speaks Spark's protocol."""
    sail = Path(sys.executable).parent / "sail"
    if not sail.is_file():
        pytest.skip("Sail is not installed: make test-all installs it.")
    pytest.importorskip("pyspark", reason="Spark Connect is not installed: make test-all installs it.")
    port = free_port()
    command = [sail, "spark", "server", "--ip", "127.0.0.1", "--port", str(port)]
    folder = tmp_path_factory.mktemp("sail")
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
    try:
        _wait_for(port, running, seconds=60)
        yield f"sc://127.0.0.1:{port}"
    finally:
        _stop(running)


def free_port() -> int:
    """Find a port nobody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def _wait_for(port: int, running: subprocess.Popen[bytes], *, seconds: float) -> None:
    for _ in range(int(seconds * 10)):
        if running.poll() is not None:
            pytest.fail(f"The server ended at once, with {running.returncode}.")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"The server does not answer after {seconds:g} s.")


def _stop(running: subprocess.Popen[bytes]) -> None:
    running.terminate()
    try:
        running.wait(timeout=20)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()


def _create_database(url: str) -> None:
    import psycopg

    with psycopg.connect(url.replace("/tests", "/postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE tests")


def _until_it_accepts(url: str) -> None:
    import psycopg

    for _ in range(300):
        try:
            psycopg.connect(url.replace("/tests", "/postgres")).close()
        except psycopg.OperationalError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("PostgreSQL accepts no connection.")


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
