"""Leading: of several servers on one log, one looks at feeds, gates, models and retention; when it goes, another takes over."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from embellie.store.file_lock import FileLead, who_leads
from embellie.store.log_place import LogPlace, PostgresPlace

FILE = "lead.lock"
"""The file in the data folder that the leading process holds."""

LOOK_SECONDS = 5.0
"""How often one looks whether one leads (still): so long may nobody, or two, do what is to be done once."""

_JOIN_SECONDS = 5.0


class Job(Protocol):
    """Something done in a thread until it is told to stop."""

    def __call__(self, stopped: threading.Event, /) -> None:
        """Do it."""
        ...


class Lead(Protocol):
    """Tells whether this process leads."""

    def held(self) -> bool:
        """Whether it does now; taken when nobody does."""
        ...

    def close(self) -> None:
        """Leave it to others."""
        ...


def lead_of(place: LogPlace) -> Lead:
    """Give the lead of a log: a lock in its database, or in its folder when it is a file."""
    if isinstance(place, PostgresPlace):
        from embellie.store.postgres_lead import PostgresLead

        return PostgresLead(place)
    return lead_of_folder(place.parent)


def lead_of_folder(data: Path) -> FileLead:
    """Give the lead of a data folder."""
    return FileLead(data / FILE)


def leader_of_folder(data: Path) -> int | None:
    """Tell which process leads in a data folder; None when none does."""
    return who_leads(data / FILE)


def lead_until(
    lead: Lead, jobs: Sequence[Job], stopped: threading.Event, *, look_seconds: float = LOOK_SECONDS
) -> None:
    """Do jobs, each in a thread, whenever this process leads, until stopped."""
    while not stopped.is_set():
        if lead.held():
            _lead(lead, jobs, stopped, look_seconds)
        stopped.wait(look_seconds)
    lead.close()


def _lead(lead: Lead, jobs: Sequence[Job], stopped: threading.Event, look_seconds: float) -> None:
    over = threading.Event()
    threads = [
        threading.Thread(target=job, args=(over,), name=f"embellie-job-{n}", daemon=True) for n, job in enumerate(jobs)
    ]
    for thread in threads:
        thread.start()
    while not stopped.wait(look_seconds):
        if not lead.held():
            break
    over.set()
    for thread in threads:
        thread.join(timeout=_JOIN_SECONDS)
