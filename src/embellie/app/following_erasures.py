"""Following erasures: who is erased by one server leaves the lakes and files of all; each writes down how far it has followed."""

import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from embellie.app.forgotten_files import lake_held, remove_dead_spills, remove_states
from embellie.app.log_keeping import Place
from embellie.app.own_process import run_aside
from embellie.domain.errors import EmbellieError, unknown_name
from embellie.domain.moment import iso
from embellie.domain.reading import Erasure
from embellie.store.lake import FOLDER as LAKE_FOLDER
from embellie.store.lake_erasing import erase_from_lake
from embellie.store.lake_following import end_in_log, marked_in_lake, own_visits_in_lake
from embellie.store.lake_manifest import parse_manifest, read_manifest
from embellie.store.leftovers import Leftover, find_leftovers
from embellie.store.log_place import LogPlace, PostgresPlace, open_log
from embellie.store.log_records import KeptLog
from embellie.store.object_lake import ObjectLake
from embellie.store.postgres_lakes import KnownLake, Lakes, forget_lake, lake_name, lakes_of, note_lake

LOOK_SECONDS = 10.0
"""How often a running server looks whether someone was erased."""

HEARD_SECONDS = 60.0
"""How often it says that it is there."""

BOUND = "a minute"
"""Within which a running server has followed, in words."""

_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """How far a server's lake and files have followed: up to which erasure; how many readers and events went just now.

    `left` are files in which one of them is still found: then it has not followed.
    """

    erasure: int
    readers: int = 0
    events: int = 0
    states_removed: int = 0
    left: tuple[Leftover, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherServer:
    """Another server's lake and files: whether they have followed an erasure."""

    lake: str
    place: str
    followed: bool
    heard_at: datetime


def follow_erasures(place: Place, *, now: datetime, log: KeptLog | None = None) -> Followed | None:
    """Take out of this server's lake and files whoever was erased by another one, and write down that it is done.

    What the log says of them is a mark: each reader of the lake is held against it. Killed at any moment, it can be called again.

    Args:
        place: The installation.
        now: The time.
        log: The log, where it is open already.

    Returns:
        None where the log is a file: then no other server can erase anyone.

    Raises:
        InputError: The lake is damaged.
        Busy: The lake stayed locked.
    """
    if not isinstance(place.log, PostgresPlace):
        return None
    with ExitStack() as stack:
        opened = log or stack.enter_context(open_log(place.log))
        name, lakes = lake_name(place.beside), lakes_of(place.log)
        passed = next((one.erasure for one in lakes.known if one.lake == name), 0)
        done = Followed(erasure=lakes.erasure)
        if lakes.erasure > passed:
            done = _follow(place, opened, after=passed, upto=lakes.erasure)
        kept = place.open_lake().read()
        manifest = parse_manifest(kept.text) if kept else None
        note_lake(
            place.log,
            name,
            place=f"{socket.gethostname()}:{place.beside.resolve()}",
            through=manifest.through if manifest else 0,
            erasure=passed if done.left else done.erasure,
            now=now,
        )
    return done


def _follow(place: Place, log: KeptLog, *, after: int, upto: int) -> Followed:
    lake, data = place.open_lake(), place.beside
    lake.is_there()
    marks: defaultdict[str, set[str]] = defaultdict(set)
    for _, event in log.scan(after=after, kinds=(Erasure.kind,)):
        if isinstance(event.body, Erasure) and event.body.mark:
            marks[event.site].add(event.body.mark)
    names: set[str] = set()
    readers = events = 0
    with lake_held(lake.folder):
        for site, wanted in sorted(marks.items()):
            for reader in marked_in_lake(lake, site, wanted, mark_of=log.marks.known):
                visits = own_visits_in_lake(lake, place.log, site=site, reader=reader)
                events += erase_from_lake(lake, place.log, site=site, reader=reader, visits=visits)
                readers += 1
                names |= {reader, *visits}
        end_in_log(lake, place.log)
    if isinstance(lake, ObjectLake):  # who erased them did so in the bucket: what is left here are copies
        lake.look_again()
        lake.stamp()
        lake.tidy(lake.manifest_for_reading())
    states = remove_states(data, before=upto)
    remove_dead_spills(data)
    left = find_leftovers(data, sorted(names), longer=log.names_with(sorted(names))) if names else []
    return Followed(erasure=upto, readers=readers, events=events, states_removed=states, left=tuple(left))


def other_servers(place: Place, *, wait: float = 0.0, poll_seconds: float = _POLL_SECONDS) -> tuple[OtherServer, ...]:
    """Tell which other servers have followed all erasures there are by now; wait for them, at most for so many seconds."""
    if not isinstance(place.log, PostgresPlace):
        return ()
    own, lakes = lake_name(place.beside), lakes_of(place.log)
    erasure, until = lakes.erasure, time.monotonic() + wait
    while time.monotonic() < until and any(one.lake != own for one in lakes.behind(erasure)):
        time.sleep(poll_seconds)
        lakes = lakes_of(place.log)
    return tuple(
        OtherServer(lake=one.lake, place=one.place, followed=one.erasure >= erasure, heard_at=one.heard_at)
        for one in lakes.known
        if one.lake != own
    )


def follow_until(
    folder: Path,
    data: Path,
    log: LogPlace,
    stopped: threading.Event,
    *,
    tell: Callable[[str], None],
    look_seconds: float = LOOK_SECONDS,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """While a server runs, follow erasures made by others, in a process of low priority, until stopped.

    Args:
        folder: The project's folder.
        data: Its data folder.
        log: Where the log is; with a file nothing is to be done.
        stopped: Set to end.
        tell: Gets a line when something failed.
        look_seconds: How often to look.
        clock: Tells the time.
    """
    if not isinstance(log, PostgresPlace):
        return
    while not stopped.wait(look_seconds):
        try:
            lakes = lakes_of(log)
            mine = next((one for one in lakes.known if one.lake == lake_name(data)), None)
            if mine is None or mine.erasure < lakes.erasure:
                # The state file goes on from the one before, so that the next start is a quick one.
                run_aside(["log", "fold", "--project", str(folder)], stopped=stopped)
                ended = run_aside(["log", "lakes", "--follow", "--project", str(folder)], stopped=stopped)
                if ended and ended.code:
                    tell(f"Erasures made by other servers were not followed: {ended.errors.strip()[-500:]}")
            elif clock() - mine.heard_at > timedelta(seconds=HEARD_SECONDS):
                _say_that_one_is_there(log, mine, data, now=clock())
        except (EmbellieError, OSError) as error:  # the database restarts: next time
            tell(f"Erasures made by other servers could not be followed: {error}")


def _say_that_one_is_there(log: PostgresPlace, mine: KnownLake, data: Path, *, now: datetime) -> None:
    manifest = read_manifest(data / LAKE_FOLDER)
    through = manifest.through if manifest else 0
    note_lake(log, mine.lake, place=mine.place, through=through, erasure=mine.erasure, now=now)


def lakes_of_place(place: Place) -> tuple[Lakes, str]:
    """Tell the lakes of an installation's servers, and the name of this one's."""
    lakes = lakes_of(place.log)
    return lakes, lake_name(place.beside) if lakes.known else ""


def forget_lake_of(place: Place, name: str) -> None:
    """Strike a lake out that is no more.

    Raises:
        UnknownName: There is none of that name.
    """
    if not isinstance(place.log, PostgresPlace):
        raise unknown_name("lake", name, [])
    forget_lake(place.log, name)


def lakes_document(lakes: Lakes, own: str, *, followed: Followed | None = None) -> dict[str, Any]:
    """Return the JSON form (`embellie/lakes/1`)."""
    return {
        "schema": "embellie/lakes/1",
        "erasure": lakes.erasure,
        "lakes": [
            {
                "lake": one.lake,
                "place": one.place,
                "own": one.lake == own,
                "through": one.through,
                "erasure": one.erasure,
                "followed": one.erasure >= lakes.erasure,
                "heard_at": iso(one.heard_at),
            }
            for one in lakes.known
        ],
        "just_now": {
            "readers": followed.readers,
            "events": followed.events,
            "left": [one.file for one in followed.left],
        }
        if followed
        else None,
    }
