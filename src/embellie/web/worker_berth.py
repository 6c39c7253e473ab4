"""Worker's berth: what a supervisor hands to one of its workers, and the line on which the worker tells it that it is alive."""

import faulthandler
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

READY, BEAT, LEAVING = b"r", b"b", b"l"
"""What a worker says on its line: it serves, its loop turns, it was told to stop."""

AVAILABLE = sys.platform != "win32"
"""Whether this system can hand an open port to another process by its number."""


class Berth(msgspec.Struct, frozen=True, kw_only=True):
    """One worker's: its number from 1, of how many, the handles it inherits, and the folder it shares with the others.

    `port` is the socket that all listen on, `line` leads to the supervisor, `stacks` is the file where it is to write where its
    threads stand.
    """

    schema: Literal["embellie/berth/1"] = "embellie/berth/1"
    number: int
    of: int
    port: int
    line: int
    stacks: int
    shared: str

    def __str__(self) -> str:
        return msgspec.json.encode(self).decode()

    @property
    def name(self) -> str:
        """How messages name it: its number, and the process it is now.

        >>> Berth(number=2, of=3, port=5, line=6, stacks=7, shared="/tmp/x").name.partition(" (")[0]
        'Worker 2'
        """
        return f"Worker {self.number} (process {os.getpid()})"

    @property
    def folder(self) -> Path:
        """The folder that the workers share, which goes with their supervisor."""
        return Path(self.shared)


def read_berth(text: str) -> Berth:
    """Read what `str` of a berth says."""
    return msgspec.json.decode(text, type=Berth)


class Pulse:
    """A worker's end of the line, and its promise to tell where its threads stand when it is asked (SIGUSR1)."""

    def __init__(self, berth: Berth) -> None:
        self._line = socket.socket(fileno=berth.line)
        self._line.setblocking(False)
        # Written by the handler itself, in C: it works also where no Python runs any more.
        faulthandler.register(signal.SIGUSR1, file=berth.stacks, all_threads=True, chain=False)

    def say(self, word: bytes) -> bool:
        """Say a word; False when nobody listens any more: the supervisor is gone, and the worker should go too."""
        try:
            self._line.send(word)
        except BlockingIOError:  # the supervisor sleeps; it will read what it was told before
            return True
        except OSError:
            return False
        return True


class Tending:
    """What a server process does for its supervisor, as its loop turns; nothing when it has none."""

    def __init__(self, pulse: Pulse | None = None, chores: Callable[[], None] = lambda: None) -> None:
        self._pulse, self._chores = pulse, chores

    def ready(self) -> None:
        """Tell that it serves."""
        self._say(READY)

    def turn(self) -> bool:
        """Tell that the loop turns, and do what is to be done now and then; False when it should stop."""
        self._chores()
        return self._say(BEAT)

    def leaving(self) -> None:
        """Tell that it is stopping: its loop may stand still from now on."""
        self._chores()
        self._say(LEAVING)

    def _say(self, word: bytes) -> bool:
        return self._pulse is None or self._pulse.say(word)
