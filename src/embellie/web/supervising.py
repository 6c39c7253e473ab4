"""Supervising: several workers on one port, each a process; who dies is replaced, who hangs is ended and replaced.

The supervisor holds the port and nothing else: no log, no state, no thread. So there is little in it that can fail, and what
fails in a worker cannot reach it.
"""

import logging
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec

from embellie.domain.errors import ConfigError
from embellie.web.worker_berth import AVAILABLE, LEAVING, READY, Berth

logger = logging.getLogger("embellie.workers")

FILE = "supervisor.json"
"""What the supervisor tells its workers, in the folder they share."""

_MOST_TOLD = 20_000
_STACKS_SECONDS = 1.0


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """How the workers fare: how many serve, and how often one was started again, and for having hung."""

    serving: int = 0
    restarts: int = 0
    hangs: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a supervisor waits, in seconds.

    `hang` for a sign of life; `stop` for a worker told to stop; `again` before a worker that ended is started again, twice that the
    next time and so on, up to `most`; a worker that lived for `steady` begins anew.
    """

    hang: float = 10.0
    stop: float = 25.0
    again: float = 0.5
    most: float = 30.0
    steady: float = 60.0
    look: float = 0.25


@dataclass(slots=True)
class _Worker:
    number: int
    process: "subprocess.Popen[bytes] | None" = None
    line: socket.socket | None = None
    stacks: IO[bytes] | None = None
    due: float = float("inf")
    started: float = 0.0
    heard: float = 0.0
    stop_by: float = float("inf")
    ready: bool = False
    falls: int = 0
    hung: bool = False

    @property
    def name(self) -> str:
        return f"Worker {self.number} (process {self.process.pid if self.process else '–'})"


def require_workers_here() -> None:
    """Refuse several workers where the system cannot share a port between them.

    Raises:
        ConfigError: This is Windows.
    """
    if not AVAILABLE:
        raise ConfigError(
            "Several workers cannot share a port on this system.",
            hint="Leave `workers` at 1; or start a server for each port, on a log in PostgreSQL.",
            at="[server] workers",
        )


class Supervisor:
    """Keeps workers alive until told to stop (SIGTERM, SIGINT).

    The first one is started alone: what it makes for all (a state file, what the configuration declares) is there for the others,
    and what keeps it from starting is said once.

    Args:
        command: Gives the command of a worker with a berth.
        workers: How many.
        listening: The port, bound and listening; it is closed when the supervisor stops.
        on_ready: Called once, when the first worker serves.
        patience: How long to wait for what.
    """

    def __init__(
        self,
        command: Callable[[Berth], Sequence[str]],
        *,
        workers: int,
        listening: socket.socket,
        on_ready: Callable[[], None] = lambda: None,
        patience: Patience | None = None,
    ) -> None:
        self._command, self._listening, self._on_ready = command, listening, on_ready
        self._patience = patience or Patience()
        self._workers = [_Worker(number) for number in range(1, workers + 1)]
        self._lines = selectors.DefaultSelector()
        self._shared = Path()
        self._looked = 0.0
        self._opened = False
        self._stopping = False
        self._signals: list[int] = []
        self._code = 0
        self._restarts = self._hangs = 0
        self._told: Told | None = None

    def run(self) -> int:
        """Start the workers and keep them alive; the exit code: 0 when told to stop, a worker's own when none can start."""
        with tempfile.TemporaryDirectory(prefix="embellie-workers-") as shared, self._heeding_signals():
            self._shared = Path(shared)
            self._looked = time.monotonic()
            self._workers[0].due = self._looked
            try:
                while not (self._stopping and all(one.process is None for one in self._workers)):
                    self._turn()
            finally:
                self._leave_nobody()
        return self._code

    def stop(self) -> None:
        """Stop as at a SIGTERM; may be called from another thread."""
        self._signals.append(signal.SIGTERM)

    def _turn(self) -> None:
        self._hear()
        now = time.monotonic()
        if now - self._looked > self._patience.hang / 2:  # we slept ourselves, as a whole machine may
            for one in self._workers:
                one.heard = max(one.heard, now)
        self._looked = now
        self._heed()
        for one in self._workers:
            if one.process is not None:
                self._look_at(one, now)
            elif one.due <= now and not self._stopping:
                self._start(one)
        self._tell_workers()

    def _hear(self) -> None:
        if not self._lines.get_map():
            time.sleep(self._patience.look)
            return
        for key, _ in self._lines.select(self._patience.look):
            one: _Worker = key.data
            try:
                said = key.fileobj.recv(4096)  # type: ignore[union-attr]
            except BlockingIOError:
                continue
            except OSError:
                said = b""
            if not said:
                self._lines.unregister(key.fileobj)
                continue
            now = time.monotonic()
            one.heard = now
            if READY in said and not one.ready:
                one.ready = True
                self._open(now)
            if LEAVING in said:
                one.stop_by = min(one.stop_by, now + self._patience.stop)

    def _open(self, now: float) -> None:
        """The first worker serves: tell so, and start the others."""
        if self._opened:
            return
        self._opened = True
        for other in self._workers[1:]:
            other.due = now
        self._on_ready()

    def _heed(self) -> None:
        """Do what we were told by signals: stop, and at the second Ctrl-C at once."""
        while self._signals:
            number = self._signals.pop(0)
            again = self._stopping
            self._stop_all()
            for one in self._workers:
                if again and number == signal.SIGINT and one.process is not None:
                    one.process.send_signal(signal.SIGINT)

    def _stop_all(self) -> None:
        if self._stopping:
            return
        self._stopping = True
        self._listening.close()  # with the last worker's the port is free
        by = time.monotonic() + self._patience.stop
        for one in self._workers:
            if one.process is not None:
                one.stop_by = min(one.stop_by, by)
                one.process.terminate()

    def _look_at(self, one: _Worker, now: float) -> None:
        process = one.process
        if process is None:
            return
        code = process.poll()
        if code is not None:
            self._ended(one, code, now)
        elif now > one.stop_by:
            logger.warning("%s did not stop within %.0f s, and was killed.", one.name, self._patience.stop)
            self._code = self._code or 1
            process.kill()
            one.stop_by = float("inf")
        elif one.ready and one.stop_by == float("inf") and not one.hung and now - one.heard > self._patience.hang:
            self._end_hung(one, process)

    def _end_hung(self, one: _Worker, process: "subprocess.Popen[bytes]") -> None:
        one.hung = True
        self._hangs += 1
        stood = _stacks_of(process, one.stacks)
        process.kill()
        logger.error(
            "%s gave no sign of life for %.0f s and was killed. %s",
            one.name,
            self._patience.hang,
            f"Where its threads stood:\n{stood}" if stood else "It could not say where its threads stood.",
        )

    def _ended(self, one: _Worker, code: int, now: float) -> None:
        name, ready, lived = one.name, one.ready, now - one.started
        hung = one.hung
        self._let_go(one)
        if self._stopping:
            return
        if not ready and not any(other.ready for other in self._workers):
            self._code = code if code > 0 else 1
            if code <= 0:
                logger.error("%s ended before it served: %s.", name, how_it_ended(code))
            self._stop_all()
            return
        one.falls = 1 if lived > self._patience.steady else one.falls + 1
        wait = 0.0 if hung else min(self._patience.most, self._patience.again * 2 ** (one.falls - 1))
        one.due = now + wait
        self._restarts += 1
        logger.warning("%s ended: %s. Another takes its place in %.1f s.", name, how_it_ended(code), wait)

    def _start(self, one: _Worker) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        stacks = tempfile.TemporaryFile()  # noqa: SIM115 -- closed when the worker is let go
        berth = Berth(
            number=one.number,
            of=len(self._workers),
            port=self._listening.fileno(),
            line=theirs.fileno(),
            stacks=stacks.fileno(),
            shared=str(self._shared),
        )
        with theirs:
            process = subprocess.Popen(  # noqa: S603 -- our own program
                list(self._command(berth)),
                stdin=subprocess.DEVNULL,
                pass_fds=(berth.port, berth.line, berth.stacks),
                start_new_session=True,  # Ctrl-C is the supervisor's, which passes it on once
            )
        one.process, one.line, one.stacks = process, ours, stacks
        one.ready = one.hung = False
        one.due, one.stop_by = float("inf"), float("inf")
        one.started = one.heard = time.monotonic()
        self._lines.register(ours, selectors.EVENT_READ, one)

    def _let_go(self, one: _Worker) -> None:
        if one.line is not None:
            with suppress(KeyError, ValueError):
                self._lines.unregister(one.line)
            one.line.close()
        if one.stacks is not None:
            one.stacks.close()
        one.process = one.line = one.stacks = None
        one.ready = False

    def _leave_nobody(self) -> None:
        for one in self._workers:
            if one.process is not None:
                one.process.kill()
                one.process.wait()
                self._let_go(one)
        self._lines.close()
        self._listening.close()

    def _tell_workers(self) -> None:
        told = Told(serving=sum(one.ready for one in self._workers), restarts=self._restarts, hangs=self._hangs)
        if told != self._told:
            beside = self._shared / f".{FILE}"
            with suppress(OSError):
                beside.write_bytes(msgspec.json.encode(told))
                beside.replace(self._shared / FILE)
                self._told = told

    @contextmanager
    def _heeding_signals(self) -> Iterator[None]:
        here = threading.current_thread() is threading.main_thread()
        numbers = (signal.SIGTERM, signal.SIGINT) if here else ()
        before = {number: signal.signal(number, lambda got, _: self._signals.append(got)) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def how_it_ended(code: int) -> str:
    """Tell how a process ended, from its exit code as `subprocess` has it.

    >>> how_it_ended(-9), how_it_ended(2)
    ('by SIGKILL', 'with exit code 2')
    """
    if code >= 0:
        return f"with exit code {code}"
    try:
        return f"by {signal.Signals(-code).name}"
    except ValueError:
        return f"by signal {-code}"


def _stacks_of(process: "subprocess.Popen[bytes]", file: IO[bytes] | None) -> str:
    """Ask a process where its threads stand, and give it a moment to write it."""
    if file is None or sys.platform == "win32":
        return ""
    process.send_signal(signal.SIGUSR1)
    size, until = -1, time.monotonic() + _STACKS_SECONDS
    while time.monotonic() < until:
        time.sleep(0.1)
        found = os.fstat(file.fileno()).st_size
        if found and found == size:
            break
        size = found
    file.seek(0)
    return file.read(_MOST_TOLD).decode("utf-8", "replace").strip()
