"""A supervisor keeps its workers alive: who dies is replaced, who hangs is ended and replaced, who cannot start is not tried for ever."""

import logging
import os
import signal
import socket
import sys
import threading
import time

import pytest

from embellie.web.listening import listen
from embellie.web.supervising import Patience, Supervisor
from embellie.web.worker_berth import AVAILABLE

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="This system cannot hand an open port to another process.")

WORKER = """
import faulthandler, json, os, signal, socket, sys, time
berth = json.loads(sys.argv[1])
line = socket.socket(fileno=berth["line"])
faulthandler.register(signal.SIGUSR1, file=berth["stacks"], all_threads=True)
leaving = []
signal.signal(signal.SIGTERM, lambda *_: leaving.append(1))

def serve():
    line.send(b"r")
    open(os.path.join(sys.argv[2], f"{berth['number']}-{os.getpid()}"), "w").close()
    while not leaving:
        line.send(b"b")
        time.sleep(0.05)
    line.send(b"l")

def never_return():
    line.send(b"r")
    open(os.path.join(sys.argv[2], f"{berth['number']}-{os.getpid()}"), "w").close()
    time.sleep(600)

"""
PATIENCE = Patience(hang=2.0, stop=20.0, again=0.05, most=0.2, look=0.02)


def wait_for(what, seconds=20):
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "It did not come about in time."
        time.sleep(0.01)


class Watched:
    """A supervisor at work in a thread, and the workers that have served under it, as (number, process)."""

    def __init__(self, folder, script, workers=2, patience=PATIENCE):
        self.folder, self.port = folder, listen("127.0.0.1", 0)
        self.opened, self.code = [], None
        self.supervisor = Supervisor(
            lambda berth: [sys.executable, "-c", WORKER + script, str(berth), str(folder)],
            workers=workers,
            listening=self.port,
            on_ready=lambda: self.opened.append(1),
            patience=patience,
        )
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        self.code = self.supervisor.run()

    @property
    def served(self):
        found = sorted(self.folder.iterdir(), key=lambda file: file.stat().st_mtime_ns)
        return [tuple(int(part) for part in file.name.split("-")) for file in found]

    def stop(self):
        self.supervisor.stop()
        self.thread.join(20)
        assert not self.thread.is_alive()
        return self.code


@pytest.fixture
def watch(tmp_path):
    began = []

    def watch(script, **options):
        began.append(Watched(tmp_path, script, **options))
        return began[-1]

    yield watch
    for one in began:
        one.stop()


def alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_first_worker_starts_alone_and_the_others_when_it_serves(watch):
    """What it makes is there for them; and who waits for the server is told once."""
    watched = watch("serve()", workers=3)
    wait_for(lambda: len(watched.served) == 3)
    assert watched.served[0][0] == 1
    assert watched.opened == [1]


def test_told_to_stop_it_ends_all_its_workers_and_frees_the_port(watch):
    """Exit code 0, no process left, the port free."""
    watched = watch("serve()")
    wait_for(lambda: len(watched.served) == 2)
    where = watched.port.getsockname()
    assert watched.stop() == 0
    assert not any(alive(process) for _, process in watched.served)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(where, timeout=5)


def test_a_worker_that_dies_is_replaced(watch, caplog):
    """In its own place; and it is said which process ended, and by what."""
    watched = watch("serve()")
    wait_for(lambda: len(watched.served) == 2)
    number, process = watched.served[1]
    os.kill(process, signal.SIGKILL)
    wait_for(lambda: len(watched.served) == 3)
    assert watched.served[2][0] == number
    assert f"Worker {number} (process {process}) ended: by SIGKILL." in caplog.text


def test_a_worker_that_hangs_says_where_it_stands_and_is_replaced(watch, caplog):
    """One whose loop does not turn is killed, whatever it waits for; the other is left alone."""
    script = "serve() if berth['number'] == 2 or os.listdir(sys.argv[2]) else never_return()"
    watched = watch(script)
    wait_for(lambda: [number for number, _ in watched.served].count(1) == 2)
    (_, hung), other = watched.served[0], next(process for number, process in watched.served if number == 2)
    assert not alive(hung)
    assert alive(other)
    assert f"Worker 1 (process {hung}) gave no sign of life" in caplog.text
    assert "in never_return" in caplog.text


def test_workers_that_cannot_start_end_the_server_with_their_own_code(watch):
    """No second one is tried, and nobody is told that the server is ready."""
    watched = watch("sys.exit(2)")
    watched.thread.join(20)
    assert (watched.code, watched.opened, watched.served) == (2, [], [])


def test_a_worker_that_cannot_start_again_is_tried_later_and_later_while_another_serves(watch, caplog):
    """The one that serves goes on; the other's place is not given up."""
    watched = watch("serve() if berth['number'] == 1 else sys.exit(2)")
    wait_for(lambda: caplog.text.count("ended: with exit code 2") >= 4)
    told = [record.args[2] for record in caplog.records if "takes its place" in record.msg]
    assert told[:4] == [0.05, 0.1, 0.2, 0.2]
    assert watched.thread.is_alive()


def test_a_worker_that_does_not_stop_is_killed(watch, caplog):
    """The server ends all the same, and its code tells that one had to be."""
    caplog.set_level(logging.WARNING)
    script = "serve()\ntime.sleep(600)"
    watched = watch(script, workers=1, patience=Patience(stop=0.3, look=0.02))
    wait_for(lambda: watched.served)
    assert watched.stop() == 1
    assert "did not stop within" in caplog.text
