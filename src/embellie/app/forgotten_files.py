"""Forgotten files: what a data folder holds beside log and lake of readers who go, and how it goes; the lake held meanwhile."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path

from embellie.app.compacting import SPILL
from embellie.domain.errors import Busy, EmbellieError
from embellie.store.lake import locked
from embellie.store.leftovers import files_of
from embellie.store.state_file import is_state, look_at_state

LOCK_SECONDS = 120.0
"""How long an export that is writing the lake is waited for."""


@contextmanager
def lake_held(lake: Path) -> Iterator[None]:
    """Keep exports out meanwhile: one that is at work is waited for."""
    if not lake.is_dir():
        with nullcontext():
            yield
        return
    until = time.monotonic() + LOCK_SECONDS
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(locked(lake))
                break
            except Busy:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)
        yield


def remove_states(data: Path, *, before: int | None = None) -> int:
    """Remove what servers start from: they fold the log once more instead, and write another.

    Args:
        data: The data folder.
        before: Only what was written before this event of the log.
    """
    found = [path for path in files_of(data) if is_state(path) and (before is None or _sequence(path) < before)]
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)


def _sequence(path: Path) -> int:
    try:
        return look_at_state(path)[0]
    except EmbellieError:
        return -1


def remove_dead_spills(data: Path) -> None:
    """Remove what processes that are no more had put aside from memory."""
    for folder in data.glob(f"{SPILL}*"):
        number = folder.name.removeprefix(SPILL).partition("-")[0]
        if number.isdecimal() and not _lives(int(number)):
            shutil.rmtree(folder, ignore_errors=True)


def _lives(process: int) -> bool:
    with suppress(PermissionError):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
    return True
