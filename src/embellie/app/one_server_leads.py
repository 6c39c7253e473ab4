"""Leading: of several servers on one log, one looks at feeds, gates and models; when it goes, another takes over."""

import threading
from collections.abc import Sequence
from typing import Protocol

from embellie.store.log_place import LogPlace, PostgresPlace

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


class Alone:
    """The lead of a server that shares its log with no other."""

    def held(self) -> bool:
        """It leads."""
        return True

    def close(self) -> None:
        """There is nobody to leave it to."""


def lead_of(place: LogPlace) -> Lead:
    """Give the lead of a log: one's own, when it is a file."""
    if isinstance(place, PostgresPlace):
        from embellie.store.postgres_lead import PostgresLead

        return PostgresLead(place)
    return Alone()


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
