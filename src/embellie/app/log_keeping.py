"""Keeping the log: import click logs, export the lake, replay what was put aside, check the ledger."""

import json
import os
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from embellie.app.analysing import views_of
from embellie.app.choosing import choose
from embellie.app.compacting import SPILL
from embellie.app.config import FILE as CONFIG_FILE
from embellie.app.config import read_config, salted_sites
from embellie.app.pseudonyms import FILE as SALTS_FILE
from embellie.app.pseudonyms import Pseudonyms
from embellie.domain.errors import ConfigError, EngineError, EventError, InputError, unknown_name
from embellie.domain.event import KINDS, PUBLIC_KINDS, Event, fact_id
from embellie.domain.moment import iso, moment
from embellie.domain.reading import Read
from embellie.domain.slate import Consent
from embellie.ports import DailyView, Receipt, Rejected
from embellie.store.clicks import BadRow, ClickTable, Unit, is_log, read_clicks
from embellie.store.lake import FOLDER as LAKE_FOLDER
from embellie.store.lake import Exported, export
from embellie.store.lake_manifest import parse_manifest
from embellie.store.lake_place import open_lake
from embellie.store.lake_storage import FolderLake, LakeStorage
from embellie.store.log import FILE
from embellie.store.log_place import LogPlace, holds_log, log_place, open_log
from embellie.store.log_records import Imbalance, KeptLog, Quarantined, Replayed
from embellie.store.object_lake import ObjectLake, open_object_lake
from embellie.store.wire import event_from_wire

__all__ = ["ClickTable", "LogPlace", "Unit", "read_clicks"]

Progress = Callable[[int, int], None]
"""Told how many of how many are done."""

_BATCH = 2_000
_IN_FLIGHT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an installation keeps its log, the sites it names, and what its lake keeps ready.

    Without `embellie.toml` no site is known, and a lake goes on keeping what it does.
    """

    log: LogPlace
    sites: tuple[str, ...] = ()
    views: tuple[DailyView, ...] | None = None
    data: Path | None = None
    """The data folder, where it is not the log's own."""

    salted: tuple[str, ...] = ()
    lake_url: str = ""
    """The bucket in which the lake lies; `""` for the data folder."""

    lake_cache_gb: float = 20.0

    @property
    def beside(self) -> Path:
        """The data folder, with what is kept beside the log."""
        return self.data or (self.log.parent if isinstance(self.log, Path) else Path())

    @property
    def lake(self) -> Path:
        """Where the server keeps the log's lake, or copies of what lies in a bucket."""
        return self.beside / LAKE_FOLDER

    def open_lake(self) -> FolderLake | ObjectLake:
        """Open the lake, in the data folder or in a bucket."""
        return open_lake(self.beside, self.lake_url, clock=_now, cache_gb=self.lake_cache_gb)

    def names(self, site: str, reader: str) -> tuple[str, ...]:
        """Tell under which words a site may keep a reader: the one its pages send, and the one made of it."""
        if site not in self.salted:
            return (reader,)
        pseudonyms = Pseudonyms(self.beside / SALTS_FILE, salted=self.salted, now=datetime.now(UTC))
        return (reader, pseudonyms.of(site, reader))

    def site(self, given: str) -> str:
        """Choose the site: the given one, or the only one there is.

        Raises:
            UnknownName: No such site in `embellie.toml`.
            InputError: There are several, or none is known: one must be named.
        """
        return given if given and not self.sites else choose("site", given, self.sites)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What became of the rows of a click log."""

    clicks: int
    accepted: int
    duplicates: int
    quarantined: int
    bad_rows: tuple[BadRow, ...] = ()


def place_of(folder: Path) -> Place:
    """Find the log of a project's folder (with `embellie.toml`) or of a data folder.

    Raises:
        ConfigError: `embellie.toml` is wrong, or the folder holds neither it nor a log.
    """
    if (folder / CONFIG_FILE).is_file():
        config = read_config(folder)
        data = folder / config.data
        log = log_place(data, config.storage.log, config.storage.schema)
        own = None if isinstance(log, Path) else data
        return Place(
            log=log,
            sites=tuple(config.sites),
            views=views_of(config),
            data=own,
            salted=salted_sites(config),
            lake_url=config.storage.lake,
            lake_cache_gb=config.storage.lake_cache_gb,
        )
    if (folder / FILE).is_file():
        return Place(log=folder / FILE)
    raise ConfigError(
        f"Neither `{CONFIG_FILE}` nor a log in this folder.",
        hint="Give the project's folder or its data folder with `--data`; `embellie init` starts a project.",
        at=str(folder),
    )


def import_clicks(
    place: Place,
    file: Path,
    *,
    site: str,
    columns: dict[str, str],
    unit: Unit = "auto",
    where: str = "",
    consent: Consent = "none",
    progress: Progress | None = None,
) -> Imported:
    """Bring a click log into the log as `read` events; importing it again adds nothing.

    Args:
        place: The installation.
        file: CSV (`.gz` too) or Parquet.
        site: The site the clicks belong to.
        columns: The columns of `reader`, `visit`, `article` and `at`.
        unit: What the times are written in.
        where: A condition in SQL that a row must meet.
        consent: What the readers had agreed to when the clicks were recorded.
        progress: Told how far it is.

    Raises:
        TableError: The file or a column is wrong.
        InputError: The file is itself a log: its reads have ids of their own, and would count twice.
    """
    if is_log(file):
        raise InputError(
            f"`{file.name}` is a log, not a table of clicks: its reads have ids of their own.",
            hint="To evaluate on it, give it to `embellie recommend evaluate --log`.",
            at=str(file),
        )
    table = read_clicks(file, **columns, unit=unit, where=where)
    with open_log(place.log) as log:
        known = {(each.at, each.payload) for each in log.quarantined(site=site)} if table.reasons else set()
        bad = [each for each in _rejected(table.reasons, file, site) if (each.at, each.payload) not in known]
        receipts = _submit_all(log, table, bad, site=site, consent=consent, progress=progress)
    return Imported(
        clicks=len(table),
        accepted=sum(len(receipt.accepted) for receipt in receipts),
        duplicates=sum(receipt.duplicates for receipt in receipts),
        quarantined=sum(len(receipt.quarantined) for receipt in receipts),
        bad_rows=table.reasons,
    )


def _submit_all(
    log: KeptLog,
    table: ClickTable,
    bad: Sequence[Rejected],
    *,
    site: str,
    consent: Consent,
    progress: Progress | None,
) -> list[Receipt]:
    """Submit batch by batch, a few in flight, so that preparing and writing overlap and little waits in memory."""
    now = datetime.now(UTC)
    receipts: list[Receipt] = []
    flying: deque[Future[Receipt]] = deque()
    if bad:
        flying.append(log.submit([], received_at=now, rejected=bad))
    done = 0
    for batch in _batches(read_events(table, site=site, consent=consent)):
        flying.append(log.submit(batch, received_at=now))
        if len(flying) > _IN_FLIGHT:
            receipts.append(flying.popleft().result())
        done += len(batch)
        if progress:
            progress(done, len(table))
    return receipts + [future.result() for future in flying]


def _batches(events: Iterator[Event]) -> Iterator[list[Event]]:
    batch: list[Event] = []
    for event in events:
        batch.append(event)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def read_events(table: ClickTable, *, site: str, consent: Consent = "none") -> Iterator[Event]:
    """Turn clicks into `read` events, named by the fact: site, reader, visit, article, time, and which of its repeats."""
    seen: Counter[tuple[str, str, str, int]] = Counter()
    columns = (table.reader.tolist(), table.visit.tolist(), table.article.tolist(), table.at.tolist())
    for fact in zip(*columns, strict=True):
        reader, visit, article, at = fact
        seen[fact] += 1
        yield Event(
            id=fact_id(site, "read", reader, visit, article, str(at), str(seen[fact])),
            site=site,
            at=moment(at),
            consent=consent,
            body=Read(article=article, reader=reader, visit=visit),
        )


def _rejected(rows: Sequence[BadRow], file: Path, site: str) -> Iterator[Rejected]:
    for index, row in enumerate(rows):
        payload = json.dumps(dict(row.cells), ensure_ascii=False)
        yield Rejected(index=index, payload=payload, reason=row.reason, at=f"{file.name}:{row.line}", site=site)


def export_log(
    place: Place,
    folder: Path | LakeStorage,
    *,
    complete_hours: bool = True,
    anew: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Write the log as Parquet, a file per site and day; by default only what arrived in hours that are over.

    Args:
        place: The installation.
        folder: The lake, in a folder or where else it lies.
        complete_hours: Leave out what arrived in the hour that is not over yet.
        anew: Write every file again, from the log alone.
        progress: Told how far it is.

    Raises:
        InputError: There is no log, the folder cannot be written, or it holds another log's lake.
        Busy: Another process is writing this lake.
    """
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    before = hour if complete_hours else None
    return export(place.log, folder, before=before, anew=anew, views=place.views, progress=progress)


@contextmanager
def lake_named(place: Place, named: str) -> Iterator[LakeStorage]:
    """Open the lake that a folder's path or a bucket's URL names; copies of one that is not the installation's go afterwards.

    Raises:
        InputError: The URL names no bucket.
        EngineError: What speaks to buckets is not installed.
    """
    if "://" not in named:
        yield FolderLake(Path(named))
    elif named.rstrip("/") == place.lake_url.rstrip("/"):
        yield place.open_lake()
    else:
        with tempfile.TemporaryDirectory(prefix=f"{SPILL}{os.getpid()}-", dir=place.beside) as folder:
            yield open_object_lake(named, Path(folder), clock=_now)


def lake_line(place: Place) -> str:
    """Say in one line what the lake holds of the log; `""` when there is no lake."""
    try:
        kept = place.open_lake().read()
    except EngineError as error:
        return f"Lake: {error.message}"
    manifest = parse_manifest(kept.text) if kept else None
    if manifest is None:
        return ""
    with open_log(place.log) as log:
        after = max(0, log.last() - manifest.through)
    return f"Lake: {manifest.events:,} events in {len(manifest.partitions):,} files; {after:,} came since."


def replay_log(place: Place, *, kinds: Collection[str] = PUBLIC_KINDS) -> Replayed:
    """Try again what was put aside; what is now good is accepted with the time it was first received.

    Args:
        place: The installation.
        kinds: Only events of these kinds. By default those that a page may send: what else was put aside may
            come from someone who had no right to send it.

    Raises:
        UnknownName: No such kind.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise unknown_name("event kind", kind, KINDS)
    require_log(place)
    with open_log(place.log) as log:
        return log.replay(lambda each: mend(each, kinds=kinds, sites=place.sites))


def mend(quarantined: Quarantined, *, kinds: Collection[str], sites: Collection[str] = ()) -> Event:
    """Read a quarantined event as it would be read today.

    Raises:
        EventError: It is still bad, not of these kinds, or not of the site that sent it.
    """
    try:
        raw = json.loads(quarantined.payload)
    except (ValueError, RecursionError):
        raise EventError("Not valid JSON.", hint="It stays in quarantine.") from None
    if isinstance(raw, dict) and not raw.get("site"):
        raw["site"] = quarantined.site
    event = event_from_wire(raw)
    if event.kind not in kinds:
        raise EventError(f"A `{event.kind}` is not among the kinds to replay.", hint="Name it with `--kind`.")
    if event.site != quarantined.site or (sites and event.site not in sites):
        raise EventError(f"It names the site `{event.site}`.", hint="It stays in quarantine.", at="$.site")
    return event


def ledger_document(place: Place, *, verify: bool = False) -> dict[str, Any]:
    """Give the conservation ledger as plain values; with `verify`, the log is counted anew."""
    require_log(place)
    with open_log(place.log) as log:
        rows, wrong = log.ledger(), log.verify() if verify else []
    names = ("received", "accepted", "duplicates", "quarantined", "erased", "refused")
    totals = {name: sum(getattr(row, name) for row in rows) for name in names}
    return {
        "schema": "embellie/ledger/1",
        "rows": [
            {
                "site": row.site,
                "hour": iso(row.hour),
                "received": row.received,
                "accepted": row.accepted,
                "duplicates": row.duplicates,
                "quarantined": row.quarantined,
                "erased": row.erased,
                "refused": row.refused,
            }
            for row in rows
        ],
        "total": totals,
        "verified": verify,
        "imbalances": [_imbalance(each) for each in wrong],
    }


def _imbalance(each: Imbalance) -> dict[str, Any]:
    return {
        "site": each.site,
        "hour": iso(each.hour),
        "what": each.what,
        "ledger": each.ledger,
        "found": each.found,
    }


def quarantine_document(place: Place, *, site: str = "", limit: int = 50) -> dict[str, Any]:
    """Give the last events put aside as plain values, newest first."""
    require_log(place)
    with open_log(place.log) as log:
        rows = log.quarantined(site=site or None, newest=limit)
        total = log.quarantine_size(site=site or None)
    return {
        "schema": "embellie/quarantine/1",
        "total": total,
        "events": [
            {
                "number": each.number,
                "site": each.site,
                "id": each.id,
                "received_at": iso(each.received_at),
                "reason": each.reason,
                "at": each.at,
                "payload": each.payload,
            }
            for each in reversed(rows)
        ],
    }


def require_log(place: Place) -> None:
    """Refuse to go on where there is no log.

    Raises:
        InputError: There is none.
    """
    if not holds_log(place.log):
        raise InputError(
            "No log here yet.", hint="`embellie serve` or `embellie log import` writes one.", at=str(place.log)
        )


def _now() -> datetime:
    return datetime.now(UTC)
