"""Keeping the state file: while the server runs, another process folds on from the last one and writes the next."""

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from embellie.app.building import scenario_releases, serve_models_from
from embellie.app.config import read_config, sites_of
from embellie.app.erased_readers import Erased
from embellie.app.kept_signals import signals_of_log
from embellie.app.own_process import run_aside
from embellie.app.warm_start import ENOUGH, FILE, Start, about, fold_log, keep, why_not
from embellie.domain.errors import EmbellieError, InputError
from embellie.domain.site import Site
from embellie.ports import EventLog
from embellie.recommend.signals import Signal
from embellie.store.log_place import holds_log, log_place, open_log
from embellie.store.state_file import look_at_state

LOOK_SECONDS = 60.0
"""How often is looked whether the file is due."""

MOST_AGE = 86_400.0
"""Seconds after which the file is written anew though little came: who withdrew their consent leaves it."""

FORGOTTEN = 3_600.0
"""Seconds after which a half-written file is taken for one that a killed process left."""

SHARE = 0.05
"""The most that writing takes of one core: after it took a minute, it rests for nineteen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A state file, as it was just written or found to be up to date, and the start that led to it."""

    start: Start
    bytes: int
    seconds: float


def keep_state(project: Path) -> Kept:
    """Fold a project's log from where its state file ends, and write the next one.

    Raises:
        ConfigError: `embellie.toml` is absent or wrong.
        InputError: There is no log yet, or the file cannot be written.
    """
    began = time.perf_counter()
    config = read_config(project)
    data, sites = project / config.data, sites_of(config)
    at = log_place(data, config.storage.log, config.storage.schema)
    if not holds_log(at):
        raise InputError("No log here yet.", hint="`embellie serve` or `embellie log import` writes one.", at=str(at))
    _remove_forgotten(data, datetime.now(UTC))
    serve_models_from(data)
    with open_log(at) as log:
        signals = signals_of_log(log, sites, scenario_releases(config).values())
        erased = Erased(log.marks.known)
        state, exposed, start = fold_log(log, sites=sites, signals=signals, file=data / FILE, erased=erased)
        # Written also when nothing came since: its age tells when it was last known to be right.
        if start.sequence:
            keep(data / FILE, log, state=state, exposed=exposed, sequence=start.sequence, sites=sites)
    size = (data / FILE).stat().st_size if start.sequence else 0
    return Kept(start=start, bytes=size, seconds=time.perf_counter() - began)


def _remove_forgotten(data: Path, now: datetime) -> None:
    for part in data.glob(f".{FILE}.*"):
        with suppress(OSError):
            if now.timestamp() - part.stat().st_mtime > FORGOTTEN:
                part.unlink()


def why_due(
    file: Path, log: EventLog, *, sites: dict[str, Site], signals: tuple[type[Signal], ...], now: datetime
) -> str:
    """Tell why another state file is to be written: `""` when it is not, `"erasure"` when it must be soon."""
    last = log.last()
    try:
        sequence, found = look_at_state(file)
        written = file.stat().st_mtime
    except (EmbellieError, OSError):
        return "none" if last >= ENOUGH or file.exists() else ""
    if next(iter(log.scan(after=min(sequence, last), kinds=("erasure",))), None):
        return "erasure"
    if why_not(found, sequence, log, wanted=about(sites, signals)):
        return "unfit"
    if last - sequence >= ENOUGH:
        return "behind"
    return "old" if last > sequence and now.timestamp() - written > MOST_AGE else ""


def keep_state_until(
    project: Path,
    log: EventLog,
    stopped: threading.Event,
    *,
    tell: Callable[[str], None],
    look_seconds: float = LOOK_SECONDS,
) -> None:
    """Write the state file of a project whenever it is due, until stopped.

    Readers do not notice: another process of low priority reads the log and folds. When it fails or is killed, the former file
    stays; only one that holds a reader erased since is then deleted.

    Args:
        project: The folder of `embellie.toml`.
        log: Its log, opened.
        stopped: Set to end, which also ends a writing under way.
        tell: Gets a line for each file that could not be written.
        look_seconds: How often to look.
    """
    config = read_config(project)
    file, sites = project / config.data / FILE, sites_of(config)
    rest = look_seconds
    while not stopped.wait(rest):
        rest = look_seconds
        try:
            signals = signals_of_log(log, sites, scenario_releases(config).values())
            due = why_due(file, log, sites=sites, signals=signals, now=datetime.now(UTC))
            if not due:
                continue
            began = time.monotonic()
            ended = run_aside(["log", "fold", "--project", str(project), "--json"], stopped=stopped)
            rest = max(look_seconds, (time.monotonic() - began) * (1 / SHARE - 1))
            if ended is not None and ended.code:
                tell(f"The state file could not be written: {ended.errors.strip()[-500:] or 'nothing was said'}")
                if due == "erasure":
                    file.unlink(missing_ok=True)
            elif ended is not None and (refused := json.loads(ended.said)["refused"]):
                tell(f"The state file was written from the log's beginning: {refused}")
        except (EmbellieError, OSError) as error:  # the log is closing, or busy: next time
            if not stopped.is_set():
                tell(f"The state file could not be written: {error}")
