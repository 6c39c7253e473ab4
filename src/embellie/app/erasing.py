"""Erasing a reader: out of the log, the quarantine, the lake and what is kept beside them, and the proof that they are gone."""

import os
import re
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from embellie.app.following_erasures import OtherServer, follow_erasures, other_servers
from embellie.app.forgotten_files import lake_held, remove_dead_spills, remove_states
from embellie.app.log_keeping import Place, require_log
from embellie.domain.errors import InputError
from embellie.domain.event import Event, new_id
from embellie.domain.experiment import Exposure
from embellie.domain.moment import iso
from embellie.domain.reading import Erasure
from embellie.ports import Traces
from embellie.store.lake_erasing import erase_from_lake, lake_rows
from embellie.store.leftovers import SHORT, Leftover, files_of, find_leftovers
from embellie.store.log import FILE as LOG_FILE
from embellie.store.log_place import open_log
from embellie.store.log_records import KeptLog

SEARCHED = 100
"""How many ids that are no UUIDs are looked for byte by byte; with more of them the log's file is written anew instead."""

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """How many records of a reader a place holds."""

    log: int
    quarantine: int
    lake: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.log + self.quarantine + self.lake


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteErasure:
    """What was done on one site: records before and after, and which experiments lose their unit."""

    site: str
    mark: str
    before: Held
    after: Held
    traces: Traces
    experiments: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureReport:
    """An erasure and its proof.

    `kept_on` are sites that hold the id still, because only another one was named. `searched` files were looked through for
    `names` ids, `left` are those in which one was found. `scrubbed` when the log was written anew. `servers` are the others on one
    log in PostgreSQL (`in_database`), with lakes of their own.
    """

    sites: tuple[SiteErasure, ...]
    kept_on: tuple[str, ...]
    states_removed: int
    searched: int
    names: int
    left: tuple[Leftover, ...]
    scrubbed: bool
    seconds: float
    servers: tuple[OtherServer, ...] = ()
    in_database: bool = False

    @property
    def gone(self) -> bool:
        """Whether nothing is left in the log, and in this server's lake and files."""
        return not self.left and not any(one.after.total for one in self.sites)

    @property
    def gone_everywhere(self) -> bool:
        """Whether the lakes and files of all other servers on the log have followed, too."""
        return self.gone and all(one.followed for one in self.servers)


def erase_reader(
    place: Place,
    reader: str,
    *,
    now: datetime,
    site: str = "",
    log: KeptLog | None = None,
    wait: float = 0.0,
    rewrite: bool = False,
    timer: Callable[[], float] = time.perf_counter,
) -> ErasureReport:
    """Erase a reader everywhere in the data folder, now, and look whether they are gone.

    Killed at any moment, it can be called again and finishes; called once more, it changes nothing. What it begins with is an
    `erasure` event, so what was begun is also seen by `erase_pending`.

    Args:
        place: The installation.
        reader: The reader's id.
        now: The time.
        site: The site; every site that the log knows, when left out.
        log: The log, where it is open already.
        wait: How many seconds to wait for other servers, whose lakes and files follow by themselves.
        rewrite: Also write the tables in PostgreSQL anew, so that the database's files do not hold what is gone; all wait meanwhile.
        timer: Tells seconds.

    Raises:
        InputError: No id, no log, or no such site.
        Busy: The log or the lake stayed locked.
    """
    if not reader:
        raise InputError("No reader is named.", hint="Give the id that the site's pages send as `reader`.")
    require_log(place)
    started = timer()
    with ExitStack() as stack:
        opened = log or stack.enter_context(open_log(place.log))
        sites = _sites(place, opened, reader, site)
        words = [(one, name) for one in sites for name in place.names(one, reader)]
        again = any(_is_marked(opened, one, name) for one, name in words)
        done = [_erase_on(place, opened, one, name, now=now) for one, name in words]
        kept_on = tuple(one for one in opened.sites() if one not in sites and opened.traces(one, reader).events)
        data = place.beside
        states = remove_states(data)
        remove_dead_spills(data)
        names = () if kept_on else _names(sorted({name for _, name in words}), done)
        # A second call does not know any more which visits were theirs: the file is written anew for certain.
        scrub = again or len([one for one in _names_of(done) if not _UUID.fullmatch(one)]) > SEARCHED
        if scrub:
            opened.scrub()
        left = _leftovers(data, opened, names)
        if any(one.file.startswith(LOG_FILE) for one in left):
            scrub = True
            opened.scrub()
            left = _leftovers(data, opened, names)
        if rewrite:
            opened.write_anew()
        follow_erasures(place, now=now, log=opened)
        servers = other_servers(place, wait=wait)
    return ErasureReport(
        sites=tuple(done),
        kept_on=kept_on,
        states_removed=states,
        searched=len(files_of(data)),
        names=len(names),
        left=tuple(left),
        scrubbed=(scrub and isinstance(place.log, Path)) or rewrite,
        seconds=timer() - started,
        servers=servers,
        in_database=not isinstance(place.log, Path),
    )


def erase_pending(place: Place, *, now: datetime) -> list[ErasureReport]:
    """Finish every erasure that was asked for, by an `erasure` event or by a call that was killed."""
    require_log(place)
    with open_log(place.log) as log:
        asked = {
            (event.site, event.body.reader)
            for _, event in log.scan(kinds=(Erasure.kind,))
            if isinstance(event.body, Erasure) and event.body.reader
        }
        return [erase_reader(place, reader, site=site, now=now, log=log) for site, reader in sorted(asked)]


def _sites(place: Place, log: KeptLog, reader: str, site: str) -> list[str]:
    """Choose the sites: the one named, else those that know the reader; all when none does, to refuse what may yet come."""
    known = sorted({*place.sites, *log.sites()})
    if site:
        return [site] if site in known else [place.site(site)]
    return [one for one in known if any(_knows(log, one, name) for name in place.names(one, reader))] or known


def _knows(log: KeptLog, site: str, reader: str) -> bool:
    traces = log.traces(site, reader)
    return bool(traces.events or traces.quarantined) or _is_marked(log, site, reader)


def _is_marked(log: KeptLog, site: str, reader: str) -> bool:
    mark = log.marks.known(site, reader)
    return bool(mark) and any(
        event.site == site and isinstance(event.body, Erasure) and event.body.mark == mark
        for _, event in log.scan(kinds=(Erasure.kind,))
    )


def _erase_on(place: Place, log: KeptLog, site: str, reader: str, *, now: datetime) -> SiteErasure:
    lake = place.open_lake()
    before = log.traces(site, reader)
    exposures = {
        (event.body.experiment, event.body.variant)
        for _, event in log.of_reader(site, reader)
        if isinstance(event.body, Exposure)
    }
    if before.events:
        asked = Event(id=new_id(now, os.urandom(10)), site=site, at=now, body=Erasure(reader=reader))
        log.append([asked], received_at=now)
    there = lake.is_there()
    with lake_held(lake.folder):
        in_lake = 0
        if there:
            in_lake = lake_rows(lake, site=site, reader=reader, visits=before.visits)
            erase_from_lake(lake, place.log, site=site, reader=reader, visits=before.visits)
        gone = log.erase(site, reader, now=now)
        left_in_lake = lake_rows(lake, site=site, reader=reader, visits=before.visits) if there else 0
    after = log.traces(site, reader)
    return SiteErasure(
        site=site,
        mark=log.marks.mark(site, reader),
        before=Held(log=before.events, quarantine=before.quarantined, lake=in_lake),
        after=Held(log=after.events, quarantine=after.quarantined, lake=left_in_lake),
        traces=gone,
        experiments=tuple(sorted(exposures)),
    )


def _names_of(done: Sequence[SiteErasure]) -> set[str]:
    return {name for one in done for name in (*one.traces.visits, *one.traces.ids)}


def _names(readers: Sequence[str], done: Sequence[SiteErasure]) -> tuple[str, ...]:
    """Choose the ids to look for: the reader's, the visits', and the events', as far as they can be looked for in time."""
    visits = sorted({visit for one in done for visit in one.traces.visits})
    ids = sorted({name for one in done for name in one.traces.ids})
    fast = [name for name in (*visits, *ids) if _UUID.fullmatch(name)]
    slow = [name for name in (*visits, *ids) if not _UUID.fullmatch(name) and len(name.encode()) >= SHORT]
    return (*readers, *fast, *slow[:SEARCHED])


def _leftovers(data: Path, log: KeptLog, names: Sequence[str]) -> list[Leftover]:
    if not names:
        return []
    found = find_leftovers(data, names)
    others = [name for name in names if not _UUID.fullmatch(name)]
    if found and others:
        # Perhaps only as a part of a longer id, which is someone else's.
        found = find_leftovers(data, names, longer=log.names_with(others))
    return found


def erasure_document(report: ErasureReport) -> dict[str, Any]:
    """Return the JSON form (`embellie/erasure/1`). It does not repeat the id: it may be kept."""
    return {
        "schema": "embellie/erasure/1",
        "gone": report.gone,
        "sites": [
            {
                "site": one.site,
                "mark": one.mark,
                "before": _held_document(one.before),
                "after": _held_document(one.after),
                "events": dict(one.traces.kinds),
                "visits": len(one.traces.visits),
                "experiments": [
                    {"experiment": experiment, "variant": variant, "units": 1}
                    for experiment, variant in one.experiments
                ],
            }
            for one in report.sites
        ],
        "kept_on": list(report.kept_on),
        "state_files_removed": report.states_removed,
        "files": {
            "searched": report.searched,
            "ids": report.names,
            "left": [{"file": one.file, "count": one.count} for one in report.left],
            "log_written_anew": report.scrubbed,
        },
        "gone_everywhere": report.gone_everywhere,
        "servers": [
            {"lake": one.lake, "place": one.place, "followed": one.followed, "heard_at": iso(one.heard_at)}
            for one in report.servers
        ],
        "database_files_may_hold_it": report.in_database and not report.scrubbed,
        "seconds": report.seconds,
    }


def _held_document(held: Held) -> dict[str, int]:
    return {"log": held.log, "quarantine": held.quarantine, "lake": held.lake}
