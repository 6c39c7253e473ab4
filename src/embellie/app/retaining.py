"""Retention: how long names are kept, by what readers agreed to; past that time events stay and tell of nobody."""

import calendar
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from embellie.app.config import Config, RetentionConfig, read_config
from embellie.app.forgotten_files import lake_held
from embellie.app.log_keeping import Place, require_log
from embellie.app.own_process import run_aside
from embellie.domain.errors import ConfigError, EmbellieError, InputError
from embellie.domain.experiment import Experiment
from embellie.domain.moment import iso
from embellie.store.lake_manifest import parse_manifest
from embellie.store.lake_retaining import forget_past_in_lake
from embellie.store.log_place import open_log
from embellie.store.log_records import PastTime
from embellie.store.postgres_lakes import ends_of_lakes

KEEP = "keep"
"""In the place of a duration: for as long as the log is."""

HOUR = 2
"""The hour (UTC) of the night at which the server looks: before models are trained."""

_DURATION = re.compile(r"(?P<count>\d+)\s*(?P<unit>d|days?|w|weeks?|months?|y|years?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retained:
    """What was past its time; `lake` counts the events written anew there. `done` unless it was only looked for."""

    before: Mapping[str, datetime]
    past: PastTime
    lake: int
    done: bool


def limits(retention: RetentionConfig, now: datetime) -> dict[str, datetime]:
    """Tell, by consent, the moment of arrival from which names are kept; a consent that keeps them for good is left out.

    Raises:
        ConfigError: A value is no duration.

    >>> limits(RetentionConfig(none="7d", measurement="13 months"), datetime(2026, 3, 31, tzinfo=UTC))[
    ...     "measurement"
    ... ].isoformat()
    '2025-02-28T00:00:00+00:00'
    """
    written = {"none": retention.none, "measurement": retention.measurement, "profiling": retention.profiling}
    return {name: before(value, now, at=f"retention.{name}") for name, value in written.items() if value != KEEP}


def before(value: str, now: datetime, *, at: str) -> datetime:
    """Go back from now by a duration: days, weeks, or months and years of the calendar.

    Raises:
        ConfigError: It is no duration.
    """
    found = _DURATION.fullmatch(value.strip())
    count = int(found["count"]) if found else 0
    if not found or not count:
        raise ConfigError(
            f"`{value}` is no time to keep names for.", hint=f"Write for example `13 months`, `7d`, or `{KEEP}`.", at=at
        )
    unit = found["unit"][0]
    if unit in "dw":
        return now - timedelta(days=count * (7 if unit == "w" else 1))
    months = now.year * 12 + now.month - 1 - count * (12 if unit == "y" else 1)
    year, month = divmod(months, 12)
    if year < 1:
        raise ConfigError(f"`{value}` is longer than there have been logs.", hint=f"Write `{KEEP}`.", at=at)
    last = calendar.monthrange(year, month + 1)[1]
    return now.replace(year=year, month=month + 1, day=min(now.day, last))


def retain(place: Place, retention: RetentionConfig, *, now: datetime, dry: bool = False) -> Retained:
    """Take the names out of what is past its time, in the log and the lake.

    Events stay, with another id, no reader and no visit, so that what was read stays counted; exposures, which tell nothing
    else, go, and so does what was put aside. Killed at any moment, it can be called again and finishes. Of several servers on
    one log each does so for its own lake; what is in the log is done by the first of them.

    Args:
        place: The installation.
        retention: How long names are kept.
        now: The time.
        dry: Only look.

    Raises:
        ConfigError: A value is no duration.
        InputError: There is no log, or the lake is damaged.
        Busy: The log or the lake stayed locked.
    """
    require_log(place)
    until = limits(retention, now)
    lake = place.open_lake()
    lake.is_there()
    with open_log(place.log) as log, lake_held(lake.folder):
        kept = lake.read()
        manifest = parse_manifest(kept.text) if kept else None
        spare = {*ends_of_lakes(place.log), manifest.through if manifest else 0}
        past = log.look_past(until, spare=spare)
        if dry:
            return Retained(before=until, past=past, lake=0, done=False)
        in_lake = forget_past_in_lake(lake, until)
        log.forget_past(until, spare=spare)
    return Retained(before=until, past=past, lake=in_lake, done=True)


def retention_document(found: Retained) -> dict[str, Any]:
    """Return the JSON form (`embellie/retention/1`)."""
    return {
        "schema": "embellie/retention/1",
        "done": found.done,
        "names_kept_from": {name: iso(moment) for name, moment in found.before.items()},
        "nameless": found.past.nameless,
        "exposures_removed": found.past.exposures,
        "quarantine_removed": found.past.quarantined,
        "lake_rewritten": found.lake,
        "experiments": [
            {"site": site, "experiment": experiment, "units": units}
            for (site, experiment), units in sorted(found.past.units.items())
        ],
    }


def lost_units_line(retention: RetentionConfig, experiment: Experiment, now: datetime, *, language: str) -> str:
    """Say that an experiment's first readers are not counted any more; `""` when all still are."""
    kept_from = max(limits(retention, now).values(), default=None)
    if kept_from is None or experiment.started_at is None or experiment.started_at >= kept_from:
        return ""
    day = f"{kept_from:%Y-%m-%d}"
    if language == "fr":
        return (
            f"`{experiment.experiment}` a commencé avant le {day} : les lecteurs arrivés avant ont pu perdre leur nom "
            "([retention] d’embellie.toml), et ne sont alors plus comptés."
        )
    return (
        f"`{experiment.experiment}` began before {day}: readers who came before that may have lost their names "
        "([retention] of embellie.toml), and are then no longer counted."
    )


def retain_until(
    folder: Path,
    config: Config,
    stopped: threading.Event,
    *,
    tell: Callable[[str], None],
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Every night, finish erasures that were asked for and take out names past their time, in a process of low priority.

    Args:
        folder: The project's folder.
        config: Its configuration.
        stopped: Set to end.
        tell: Gets a line when something was done or failed.
        clock: Tells the time.
    """
    while True:
        now = clock()
        at = now.replace(hour=HOUR, minute=0, second=0, microsecond=0)
        at = at if at > now else at + timedelta(days=1)
        if stopped.wait((at - now).total_seconds()):
            return
        for arguments in nightly(config):
            with suppress(OSError):
                ended = run_aside([*arguments, "--data", str(folder)], stopped=stopped)
                if ended and ended.code:
                    tell(f"`embellie {' '.join(arguments)}` ended with {ended.code}: {ended.errors.strip()[-500:]}")


def nightly(config: Config) -> list[list[str]]:
    """Name the commands of each night."""
    found = [["reader", "erase", "--pending"]]
    if config.retention != RetentionConfig():
        found.append(["log", "retain"])
    return found


def retention_of(folder: Path) -> RetentionConfig:
    """Read what a project's configuration says about retention.

    Raises:
        InputError: The folder has no `embellie.toml`.
    """
    try:
        return read_config(folder).retention
    except EmbellieError as error:
        raise InputError(
            error.message, hint="Give the project's folder: [retention] is in embellie.toml.", at=error.at
        ) from None
