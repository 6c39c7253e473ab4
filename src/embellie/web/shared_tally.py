"""Shared tally: what all workers of a server have counted together, whichever of them is asked.

Each writes what it counted into a file of its place, whole, twice a second; whoever is asked writes its own and adds up all files.
A worker that takes another's place goes on from the file it left. So what is told never goes backwards: a count that a killed
worker had not written down yet was told to nobody.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from embellie.web.metrics_text import Tally, counter_lines, resident_bytes
from embellie.web.supervising import FILE as SUPERVISOR_FILE
from embellie.web.supervising import Told
from embellie.web.worker_berth import Berth


class SharedTally:
    """A worker's tally, and the files of all.

    Args:
        berth: The worker's; alone in its process, a server has none and is told of nobody else.
        dropped: Tells how many events of what was shown this process has dropped so far.
    """

    def __init__(self, berth: Berth | None = None, *, dropped: Callable[[], int] = lambda: 0) -> None:
        self.own = Tally()
        self._dropped, self._counted = dropped, 0
        self._berth = berth
        self._written: bytes = b""
        if berth is not None:
            left = self._read(berth.number)
            if left:
                self.own.add(left["tally"])

    def write(self) -> None:
        """Write down what was counted; whoever else is asked tells it too."""
        self._count_dropped()
        if self._berth is None:
            return
        said = msgspec.json.encode({"tally": self.own.snapshot(), "resident": resident_bytes()})
        if said == self._written:
            return
        file = self._file(self._berth.number)
        beside = file.with_name(f".{file.name}.{os.getpid()}")
        with suppress(OSError):  # no room: the next time
            beside.write_bytes(said)
            beside.replace(file)
            self._written = said

    def all(self) -> tuple[Tally, float, str]:
        """Return what all have counted, the bytes they hold, and how often one was replaced, as Prometheus reads it."""
        self.write()
        if self._berth is None:
            return self.own, resident_bytes(), _fates(Told())
        together, resident = Tally(), 0.0
        for number in range(1, self._berth.of + 1):
            found = self._read(number)
            if found:
                together.add(found["tally"])
                resident += found["resident"]
        return together, resident, _fates(self._told(self._berth))

    def _count_dropped(self) -> None:
        """Add to the tally, which may go on from a former worker's, what this process has dropped since."""
        dropped = self._dropped()
        self.own.dropped += dropped - self._counted
        self._counted = dropped

    def workers(self) -> tuple[int, int]:
        """Tell how many workers serve, and how many there are to be."""
        if self._berth is None:
            return 1, 1
        return self._told(self._berth).serving, self._berth.of

    def _told(self, berth: Berth) -> Told:
        """Read what the supervisor says; until it says something, there is this worker."""
        with suppress(OSError, msgspec.DecodeError):
            return msgspec.json.decode((berth.folder / SUPERVISOR_FILE).read_bytes(), type=Told)
        return Told(serving=1)

    def _file(self, number: int) -> Path:
        if self._berth is None:
            raise ValueError("A server alone shares nothing.")
        return self._berth.folder / f"tally-{number}.json"

    def _read(self, number: int) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = msgspec.json.decode(self._file(number).read_bytes())
        except FileNotFoundError:
            return None
        return found


def _fates(told: Told) -> str:
    return counter_lines(
        "embellie_worker_restarts_total", "How often a worker that had ended was replaced.", told.restarts
    ) + counter_lines("embellie_worker_hangs_total", "How often a worker was killed because it hung.", told.hangs)
