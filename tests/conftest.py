"""Servers for the tests marked `engines`: each is started once, on a free port, and stopped at the end."""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A throw-away PostgreSQL with a database `tests`."""
    folders = [*map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), os.environ.get("PATH", "")]
    initdb, server = (shutil.which(name, path=os.pathsep.join(folders)) for name in ("initdb", "postgres"))
    if not initdb or not server:
        pytest.skip("PostgreSQL is not installed: no `initdb` and `postgres`.")
    pytest.importorskip("psycopg", reason="psycopg is not installed: make test-all installs it.")
    folder = Path("/tmp") / f"embellie-postgres-{os.getpid()}"  # its user must be able to walk there
    folder.mkdir(mode=0o700)
    user: dict[str, object] = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        name = next((name for name in ("postgres", "nobody") if _exists(name)), "")
        if not name:
            pytest.skip("PostgreSQL does not run as root, and there is no other user.")
        user = {"user": name}
        shutil.chown(folder, name)
    port = free_port()
    subprocess.run(
        [initdb, "-D", folder / "data", "-U", "tester", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
        check=True, capture_output=True, cwd="/", **user,
    )  # fmt: skip
    options = ["-p", str(port), "-k", str(folder), "-h", "127.0.0.1", "-c", "fsync=off", "-c", "max_connections=20"]
    running = subprocess.Popen(
        [server, "-D", folder / "data", *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **user
    )
    try:
        _wait_for(port, running, seconds=30)
        url = f"postgresql://tester:not-told@127.0.0.1:{port}/tests"
        _create_database(url)
        yield url
    finally:
        _stop(running)
        shutil.rmtree(folder, ignore_errors=True)


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

    for _ in range(100):
        try:
            with psycopg.connect(url.replace("/tests", "/postgres"), autocommit=True) as connection:
                connection.execute("CREATE DATABASE tests")
                return
        except psycopg.OperationalError:
            time.sleep(0.1)
    pytest.fail("PostgreSQL accepts no connection.")


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
