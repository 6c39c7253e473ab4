"""Compacting: while the server runs, what arrived in hours that are over moves into the lake, in a process of its own."""

import json
import re
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from embellie.app.lake_trouble import LakeTrouble, note_failure, note_success, seconds_after
from embellie.app.own_process import run_aside
from embellie.domain.errors import EmbellieError, InputError
from embellie.store.lake import FOLDER

MARGIN = timedelta(seconds=90)
"""How long after the hour an hour is compacted."""

FORGOTTEN = timedelta(days=1)
"""How long a process that is at work leaves its folder untouched at most."""

SPILL = ".spill-"
"""How the folders begin in which processes put aside what does not fit in memory, in the data folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compacted:
    """What a compaction did: files written, events in the lake, events that arrived too recently for it."""

    files: int
    events: int
    too_recent: int


def compact_until(
    data: Path, stopped: threading.Event, *, tell: Callable[[str], None], project: Path | None = None, lake: str = ""
) -> None:
    """Compact the log of a data folder into its lake, at once and after every hour, until stopped.

    Readers do not notice: it is done by another process, of low priority. When that fails or is killed the lake stays
    as it was, and it is tried again, after longer and longer, at the latest after the next hour. The same failure is told once.

    Args:
        data: The data folder, which holds the log.
        stopped: Set to end, which also ends a compaction under way.
        tell: Gets a line for each compaction that did something or failed.
        project: The folder of `embellie.toml`, which says what the lake is to keep ready.
        lake: The bucket's URL; `""` for the data folder.
    """
    trouble: LakeTrouble | None = None
    note_success(data)
    remove_forgotten_spills(data, datetime.now(UTC))
    while True:
        now = datetime.now(UTC)
        wait = seconds_to_next(now)
        try:
            done = compact(data, stopped=stopped, project=project, lake=lake)
        except (EmbellieError, OSError) as error:
            if trouble is None or not _alike(trouble.said, str(error)):
                tell(f"The log could not be compacted into the lake: {error}")
            trouble = note_failure(data, str(error), now=now, former=trouble)
            wait = min(wait, seconds_after(trouble.times))
        else:
            if done and trouble:
                minutes = (datetime.now(UTC) - trouble.since).total_seconds() / 60
                tell(
                    f"The lake is written again, after {minutes:,.0f} minutes and {trouble.times:,} tries; nothing is lost."
                )
            if done:
                trouble = None
                note_success(data)
            if done and done.files:
                tell(f"Compacted into the lake: {done.events:,} events, {done.files:,} files written.")
        if stopped.wait(wait):
            return


def compact(
    data: Path, *, stopped: threading.Event | None = None, project: Path | None = None, lake: str = ""
) -> Compacted | None:
    """Compact a data folder's log into its lake, in another process of low priority; None when stopped meanwhile.

    Raises:
        InputError: It failed, with what that process said.
    """
    where = lake or str(data / FOLDER)
    ended = run_aside(["log", "export", where, "--data", str(project or data), "--json"], stopped=stopped)
    if ended is None:
        return None
    if ended.code:
        raise InputError(
            f"The export ended with {ended.code}: {ended.errors.strip()[-500:] or 'it said nothing'}",
            hint=f"Try `embellie log export {where} --data {project or data}`.",
            at=where,
        )
    document: dict[str, Any] = json.loads(ended.said)
    return Compacted(
        files=len(document["written"]), events=int(document["events"]), too_recent=int(document["too_recent"])
    )


def remove_forgotten_spills(data: Path, now: datetime) -> None:
    """Remove what killed processes had put aside from memory: their folders, untouched for a day."""
    for folder in data.glob(f"{SPILL}*"):
        with suppress(OSError):
            if now.timestamp() - folder.stat().st_mtime > FORGOTTEN.total_seconds():
                shutil.rmtree(folder)


def _alike(said: str, other: str) -> bool:
    """Whether two failures are told in the same words, whatever was counted and timed.

    >>> _alike("refused after 1.25 s, 2 retries", "refused after 0.9 s, 2 retries")
    True
    """
    return re.sub(r"\d[\d.]*", "", said) == re.sub(r"\d[\d.]*", "", other)


def seconds_to_next(now: datetime) -> float:
    """Tell how long it is until shortly after the next full hour."""
    hour = now.replace(minute=0, second=0, microsecond=0) + MARGIN
    return ((hour if hour > now else hour + timedelta(hours=1)) - now).total_seconds()
