"""Operating checks: what an operator would want to know before election night, of the machine, the data and the servers."""

import importlib.util
import json
import os
import stat
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

from embellie.app.config import Config, sites_of
from embellie.app.doctor_words import Finding, finding
from embellie.app.health import STALE_AT_LEAST, STALE_INTERVALS, disk_is_low, disk_of
from embellie.app.kept_models import find_model
from embellie.app.keys import FILE as KEYS_FILE
from embellie.app.last_backup import last_backup
from embellie.app.syncing import STATE_FILE as FEEDS_FILE
from embellie.app.syncing import FeedMemory, fetcher_of
from embellie.domain.errors import EmbellieError
from embellie.domain.release import Release
from embellie.store.fetching import Ask
from embellie.store.lake_manifest import parse_manifest
from embellie.store.lake_place import open_lake
from embellie.store.log_place import LogPlace, PostgresPlace, holds_log, log_place, open_log
from embellie.store.log_records import KeptLog

FEW_FILES = 4_096
MOST_COUNTED = 3_000_000
"""Events up to which the ledger is counted anew; some seconds."""

LARGE_WAL = 512_000_000
LAKE_HOURS = 6
BACKUP_DAYS = 2
KEYS_DAYS = 365
FULL_SOON_DAYS, FULL_NOW_DAYS = 30, 3
PACE_DAYS = 7
CLOCK_SECONDS, CLOCK_WRONG_SECONDS = 5, 60
_ANYWHERE = {"0.0.0.0", "::", ""}  # noqa: S104 -- read, not bound


def before_start(folder: Path, config: Config, *, language: str = "en") -> Iterator[Finding]:
    """Look at what may be wrong before a server starts: only what costs nothing, and asks nobody else."""
    data = folder / config.data
    yield from _exposure(config, language)
    yield from _settings(config, language)
    yield from _files(language)
    if data.is_dir():
        yield from _writable(data, config.data, language)
        yield from _keys(data, language, now=datetime.now(UTC))


def operating(folder: Path, config: Config, *, language: str = "en", now: datetime | None = None) -> Iterator[Finding]:
    """Look at everything but what only other machines can tell (see `online`)."""
    now, data = now or datetime.now(UTC), folder / config.data
    yield from before_start(folder, config, language=language)
    if data.is_dir():
        yield from _log(folder, config, language, now=now)
        yield from _feeds(data, config, language, now=now)
        yield from _backup(data, config, language, now=now)
    yield from _server(config, language)


def _exposure(config: Config, language: str) -> Iterator[Finding]:
    if not config.server.auth:
        yield finding("anyone_may", "error", "server.auth", language)


def _settings(config: Config, language: str) -> Iterator[Finding]:
    for site, one in config.sites.items():
        for name, placement in one.placements.items():
            if not placement.budget_ms:
                yield finding("no_budget", "warning", f"sites.{site}.placements.{name}", language)
    if {config.retention.none, config.retention.measurement, config.retention.profiling} == {"keep"}:
        yield finding("names_kept_for_good", "warning", "retention", language)
    if config.server.traces and importlib.util.find_spec("opentelemetry") is None:
        yield finding("traces_without_extra", "error", "server.traces", language)


def _files(language: str) -> Iterator[Finding]:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    few = limit != resource.RLIM_INFINITY and limit < FEW_FILES
    yield finding("few_files" if few else "enough_files", "warning" if few else "ok", "files", language, limit=limit)


def _writable(data: Path, name: str, language: str) -> Iterator[Finding]:
    if not os.access(data, os.W_OK | os.X_OK):
        yield finding("data_not_writable", "error", "data", language, name=name)


def _keys(data: Path, language: str, *, now: datetime) -> Iterator[Finding]:
    file = data / KEYS_FILE
    try:
        found = file.stat()
        tokens = len(json.loads(file.read_text(encoding="utf-8")).get("tokens", {}))
    except (OSError, ValueError):
        return
    if os.name == "posix" and stat.S_IMODE(found.st_mode) & 0o077:
        yield finding("keys_open", "error", KEYS_FILE, language, mode=f"{stat.S_IMODE(found.st_mode):o}")
        return
    days = (now - datetime.fromtimestamp(found.st_mtime, UTC)).days
    old = tokens and days > KEYS_DAYS
    yield finding(
        "keys_old" if old else "keys_fine", "warning" if old else "ok", KEYS_FILE, language, tokens=tokens, days=days
    )


def _log(folder: Path, config: Config, language: str, *, now: datetime) -> Iterator[Finding]:
    data = folder / config.data
    place = log_place(data, config.storage.log, config.storage.schema)
    try:
        if not holds_log(place):
            yield from _disk(data, language)
            return
        with open_log(place) as log:
            yield from _disk(data, language, daily=_daily_bytes(log, place, now=now))
            yield from _ledger(log, language)
            yield from _lake(log, data, config, language, now=now)
            yield from _models(log, data, language)
    except EmbellieError as error:
        yield finding("log_unreadable", "error", "log", language, said=error.message, hint=error.hint)
        return
    if isinstance(place, PostgresPlace):
        from embellie.store.postgres_looking import look_at_postgres

        yield from _postgres(look_at_postgres(place), language)
    elif (wal := place.with_name(f"{place.name}-wal")).is_file() and wal.stat().st_size > LARGE_WAL:
        yield finding("wal_large", "warning", wal.name, language, size=_size(wal.stat().st_size))


def _daily_bytes(log: KeptLog, place: LogPlace, *, now: datetime) -> float:
    """Reckon how much a log in a file grows in a day, by its events of the last days and what each has taken so far."""
    last = log.last()
    if isinstance(place, PostgresPlace) or not last:
        return 0.0
    since = now - timedelta(days=PACE_DAYS)
    recent = [row for row in log.ledger() if row.hour >= since]
    if not recent:
        return 0.0
    days = max((now - min(row.hour for row in recent)) / timedelta(days=1), 1.0)
    return sum(row.accepted for row in recent) / days * place.stat().st_size / last


def _disk(data: Path, language: str, *, daily: float = 0.0) -> Iterator[Finding]:
    free, total = disk_of(data)
    told = {"free": _size(free), "daily": _size(daily), "days": f"{free / daily:,.0f}" if daily else ""}
    if disk_is_low(free, total):
        yield finding("disk_low", "error", "disk", language, **told)
    elif daily and free / daily < FULL_SOON_DAYS:
        level = "error" if free / daily < FULL_NOW_DAYS else "warning"
        yield finding("disk_fills", level, "disk", language, **told)  # type: ignore[arg-type]
    else:
        yield finding("disk_growth" if daily else "disk_fine", "ok", "disk", language, **told)


def _ledger(log: KeptLog, language: str) -> Iterator[Finding]:
    events = f"{log.last():,}"
    if log.last() > MOST_COUNTED:
        yield finding("ledger_long", "ok", "ledger", language, events=events)
    elif wrong := log.verify():
        hours = len({(one.site, one.hour) for one in wrong})
        yield finding("ledger_wrong", "error", "ledger", language, hours=hours)
    else:
        yield finding("ledger_balances", "ok", "ledger", language, events=events)


def _lake(log: KeptLog, data: Path, config: Config, language: str, *, now: datetime) -> Iterator[Finding]:
    if config.analysis.lake:  # elsewhere, and someone else's to fill
        return
    try:
        kept = open_lake(data, config.storage.lake, clock=lambda: now, cache_gb=config.storage.lake_cache_gb).read()
    except EmbellieError:  # the bucket does not answer, or cannot be asked: said where it is tried
        return
    manifest = parse_manifest(kept.text) if kept else None
    through, last = manifest.through if manifest else 0, log.last()
    oldest = log.tail(through, 1)
    hours = (now.timestamp() * 1e6 - oldest.received_at[0]) / 3.6e9 if oldest.seq else 0.0
    if hours > LAKE_HOURS:
        told = {"events": f"{last - through:,}", "hours": f"{hours:,.0f}"}
        yield finding("lake_behind", "warning", "lake", language, **told)
    elif manifest is not None:
        yield finding("lake_in_step", "ok", "lake", language)


def _models(log: KeptLog, data: Path, language: str) -> Iterator[Finding]:
    named = {
        event.body.release: event.body.model
        for _, event in log.scan(kinds=("release",))
        if isinstance(event.body, Release) and event.body.model
    }
    missing = []
    for release, model in named.items():
        try:
            find_model(data, model)
        except (EmbellieError, OSError):
            missing.append(release)
    for release in missing:
        yield finding("model_missing", "warning", "models", language, name=release)
    if len(named) > len(missing):
        yield finding("models_load", "ok", "models", language, count=len(named) - len(missing))


def _feeds(data: Path, config: Config, language: str, *, now: datetime) -> Iterator[Finding]:
    for site, one in config.sites.items():
        allowed = max(STALE_INTERVALS * timedelta(minutes=max(1.0, one.feed_minutes)), STALE_AT_LEAST)
        states = FeedMemory(data / FEEDS_FILE, site).read()
        fresh = 0
        for place, feed in enumerate(one.feeds, start=1):
            state, about = states.get(feed), f"sites.{site}.feeds[{place}]"
            if state is None:
                continue
            if state.ok_at is None and state.failures > STALE_INTERVALS:
                yield finding("feed_failing", "warning", about, language, failures=state.failures)
            elif state.ok_at is not None and now - state.ok_at > allowed:
                hours = f"{(now - state.ok_at) / timedelta(hours=1):,.0f}"
                yield finding("feed_stale", "warning", about, language, hours=hours)
            else:
                fresh += 1
        if fresh:
            yield finding("feeds_read", "ok", f"sites.{site}.feeds", language, count=fresh)


def _backup(data: Path, config: Config, language: str, *, now: datetime) -> Iterator[Finding]:
    if config.storage.log:
        return  # the database's own affair
    at = last_backup(data)
    if at is None:
        yield finding("no_backup", "warning", "backup", language)
    elif now - at > timedelta(days=BACKUP_DAYS):
        yield finding("backup_old", "warning", "backup", language, days=(now - at).days)
    else:
        yield finding("backup_fresh", "ok", "backup", language, hours=f"{(now - at) / timedelta(hours=1):.0f}")


def _server(config: Config, language: str, *, seconds: float = 3.0) -> Iterator[Finding]:
    """Ask the server of this project, if one runs on this machine, how it is."""
    host = "127.0.0.1" if config.server.host in _ANYWHERE else config.server.host
    address = f"http://{f'[{host}]' if ':' in host else host}:{config.server.port}"
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=seconds) as answer:  # noqa: S310 -- http, and ours
            said = json.load(answer)
        if not isinstance(said, dict) or "ready" not in said:
            return
        for one in said.get("concerns", []):
            told = {"address": address, "said": one["message"], "hint": one["hint"]}
            yield finding("server_degraded", "warning", "server", language, **told)
        if not said.get("concerns"):
            yield finding("server_ready", "ok", "server", language, address=address)
    except urllib.error.HTTPError as error:
        try:
            told = json.load(error)["error"]
        except (ValueError, KeyError, TypeError):
            return  # something else listens there
        finally:
            error.close()
        yield finding(
            "server_not_ready", "error", "server", language, address=address, said=told["message"], hint=told["hint"]
        )
    except (OSError, ValueError):
        yield finding("server_absent", "ok", "server", language, address=address)


def _postgres(found: "object", language: str) -> Iterator[Finding]:
    from embellie.store.postgres_looking import PostgresLook

    if not isinstance(found, PostgresLook):
        return
    told = {"version": found.version, "used": found.used, "most": found.most}
    crowded = found.used > 0.8 * found.most
    code = "postgres_crowded" if crowded else "postgres_fine"
    yield finding(code, "warning" if crowded else "ok", "storage.log", language, **told)
    for what in found.lacking:
        yield finding("postgres_may_not", "error", "storage.log", language, user=found.user, what=what)
    for name, seconds in found.behind:
        yield finding("postgres_lags", "warning", "storage.log", language, name=name, seconds=f"{seconds:,.0f}")


def online(config: Config, *, language: str = "en", clock: Callable[[], datetime] | None = None) -> Iterator[Finding]:
    """Read each site's feeds once: do they answer, and what do their clocks say?"""
    now = clock or (lambda: datetime.now(UTC))
    told: set[str] = set()
    for site, one in sites_of(config).items():
        for place, feed in enumerate(one.feeds, start=1):
            about = f"sites.{site}.feeds[{place}]"
            (found,) = fetcher_of(one).all([Ask(url=feed)])
            if found.error or found.status >= 400:
                said = {"said": found.error or f"HTTP {found.status}.", "hint": ""}
                yield finding("feed_silent", "warning", about, language, **said)
                continue
            yield finding("feed_answers", "ok", about, language)
            host = urlsplit(feed).hostname or feed
            if found.date and host not in told:
                told.add(host)
                yield from _clock(found.date, now(), host, language)


def _clock(date: str, answered: datetime, host: str, language: str) -> Iterator[Finding]:
    try:
        ahead = (answered - parsedate_to_datetime(date).astimezone(UTC)).total_seconds()
    except (ValueError, TypeError):
        return
    if abs(ahead) <= CLOCK_SECONDS:
        yield finding("clock_right", "ok", "clock", language, seconds=CLOCK_SECONDS, host=host)
        return
    ways = ("en avance", "en retard") if language == "fr" else ("ahead of", "behind")
    yield finding(
        "clock_off", "error" if abs(ahead) > CLOCK_WRONG_SECONDS else "warning", "clock", language,
        seconds=f"{abs(ahead):,.0f}", way=ways[ahead < 0], host=host,
    )  # fmt: skip


def _size(count: float) -> str:
    """Write a number of bytes.

    >>> _size(1.5e9), _size(2e6)
    ('1.5 GB', '2 MB')
    """
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return f"{count:.0f} B"
