"""Server's jobs: what a server does beside answering, in threads, and only where it leads."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from embellie.app.compacting import compact_until
from embellie.app.config import metrics_of
from embellie.app.following_erasures import follow_until
from embellie.app.one_server_leads import Job, Lead, lead_of, lead_of_folder, lead_until
from embellie.app.releasing import pass_gates
from embellie.app.retaining import retain_until
from embellie.app.state_keeping import keep_state_until
from embellie.app.syncing import sync_until
from embellie.app.training_job import train_until
from embellie.domain.errors import EmbellieError

if TYPE_CHECKING:
    from embellie.app.newsroom import Newsroom

GATE_SECONDS = 60.0

_JOIN_SECONDS = 8.0


@contextmanager
def jobs_running(newsroom: "Newsroom", *, tell: Callable[[str], None]) -> Iterator[None]:
    """Keep the catalogue in step with its feeds, let rollouts' gates look, fill the lake, keep the state file, forget what is past its time and train models.

    Of the processes on one log, one does what is to be done once; of those in one data folder, one keeps the lake and the state
    file that lie there, and finishes what was asked of both.
    """
    stopped = threading.Event()
    threads = [
        threading.Thread(target=lead_until, args=(lead, jobs, stopped), name=f"embellie-lead-{n}", daemon=True)
        for n, (lead, jobs) in enumerate(_led(newsroom, tell))
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        for thread in threads:
            thread.join(timeout=_JOIN_SECONDS)


def _led(newsroom: "Newsroom", tell: Callable[[str], None]) -> list[tuple[Lead, Sequence[Job]]]:
    folder, config = newsroom.folder, newsroom.config
    of_the_log: list[Job] = [
        partial(sync_until, newsroom),
        partial(gates_until, newsroom, tell=tell),
        partial(train_until, folder, config, tell=tell),
    ]
    of_the_folder: list[Job] = [
        partial(keep_state_until, folder, newsroom.log, tell=tell),
        partial(retain_until, folder, config, tell=tell),
        partial(_follow_until, newsroom, tell=tell),
    ]
    lake = config.storage.lake
    # A lake in a bucket is that of all servers; one in the folder is that of those who share the folder.
    (of_the_log if lake else of_the_folder).append(
        partial(compact_until, newsroom.data, tell=tell, project=folder, lake=lake)
    )
    place = newsroom.log_place
    if isinstance(place, Path):  # the log lies in the folder: who leads the one leads the other
        return [(lead_of(place), [*of_the_log, *of_the_folder])]
    return [(lead_of(place), of_the_log), (lead_of_folder(newsroom.data), of_the_folder)]


def _follow_until(newsroom: "Newsroom", stopped: threading.Event, *, tell: Callable[[str], None]) -> None:
    follow_until(newsroom.folder, newsroom.data, newsroom.log_place, stopped, tell=tell)


def gates_until(
    newsroom: "Newsroom", stopped: threading.Event, *, tell: Callable[[str], None], seconds: float = GATE_SECONDS
) -> None:
    """Let the gates of every rollout look, once a minute, until stopped."""
    while not stopped.wait(seconds):
        for site in newsroom.sites:
            try:
                _pass(newsroom, site, tell)
            except EmbellieError as error:
                tell(f"The gates of {site} could not look: {error}")


def _pass(newsroom: "Newsroom", site: str, tell: Callable[[str], None]) -> None:
    primary = next((one for one in metrics_of(newsroom.config) if one.role == "primary"), None)
    if primary:
        for changed in pass_gates(newsroom, site, metric=primary.metric, margin=primary.margin):
            tell(f"Rollout {changed.rollout}: {changed.state}, {changed.weight:.0%}. {changed.reason}")
