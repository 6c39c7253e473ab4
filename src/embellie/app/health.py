"""Health: what runs but not as it should, before readers notice; a server that is degraded still answers."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from embellie.app.kept_models import find_model
from embellie.app.lake_trouble import trouble_of
from embellie.app.syncing import STATE_FILE, FeedMemory
from embellie.domain.errors import EmbellieError
from embellie.domain.moment import iso

if TYPE_CHECKING:
    from embellie.app.newsroom import Newsroom

LOW_BYTES = 1_000_000_000
LOW_SHARE = 0.05
"""A disk is nearly full when both less than this is free, and less than this share of it."""

STALE_INTERVALS = 6
STALE_AT_LEAST = timedelta(hours=1)
"""A feed is stale when it was not read for so many times its interval, and for so long."""


@dataclass(frozen=True, slots=True)
class Concern:
    """One thing that is not as it should be: a stable code, what it is, what to do."""

    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Health:
    """What was looked at, and what is of concern; nothing said here names a reader, a feed or a file."""

    concerns: tuple[Concern, ...]
    disk_free: int
    feeds_stale: int
    models_missing: int


def health_of(newsroom: "Newsroom") -> Health:
    """Look at the disk, the feeds, the models, and the policies that rest."""
    free, total = disk_of(newsroom.data)
    stale = {site: stale_feeds(newsroom, site) for site in newsroom.sites}
    missing = {site: missing_models(newsroom, site) for site in newsroom.sites}
    resting = {site: newsroom.resting(site) for site in newsroom.sites}
    return Health(
        concerns=(*_concerns(free, total, stale, missing, resting), *_lake_concerns(newsroom)),
        disk_free=free,
        feeds_stale=sum(stale.values()),
        models_missing=sum(missing.values()),
    )


def _concerns(
    free: int,
    total: int,
    stale: dict[str, int],
    missing: dict[str, int],
    resting: Mapping[str, Sequence[tuple[str, str]]],
) -> Iterator[Concern]:
    if disk_is_low(free, total):
        yield Concern("disk_low", f"{free / 1e6:.0f} MB are free for the data.", "Free some, before the log stops.")
    for site, count in stale.items():
        if count:
            yield Concern("feed_stale", f"{count} of the feeds of `{site}` have not been read for long.",
                          "See `embellie catalogue sync`.")  # fmt: skip
    for site, names in resting.items():
        if names:
            told = ", ".join(f"`{name}` on {placement}" for placement, name in names)
            yield Concern("policy_resting", f"Policies of `{site}` fail or are too slow, and others stand in: {told}.",
                          "See the server's messages, or roll back.")  # fmt: skip
    for site, count in missing.items():
        if count:
            yield Concern("model_missing", f"{count} placements of `{site}` are served without their model.",
                          "See `embellie recommend models`, or roll back.")  # fmt: skip


def _lake_concerns(newsroom: "Newsroom") -> Iterator[Concern]:
    trouble = trouble_of(newsroom.data, newsroom.clock())
    if trouble:
        yield Concern("lake_behind", f"The log could not be moved into the lake since {iso(trouble.since)}.",
                      "Nothing is lost; see the server's messages, and `embellie doctor`.")  # fmt: skip
    elif newsroom.analysis.cut_off:
        yield Concern("lake_unreachable", "The lake's bucket does not answer; scorecards are computed from what is here.",
                      "Nothing is lost; see `embellie doctor`.")  # fmt: skip


def disk_of(folder: Path) -> tuple[int, int]:
    """Return the bytes free and in all, where a folder is."""
    usage = shutil.disk_usage(folder)
    return usage.free, usage.total


def disk_is_low(free: int, total: int) -> bool:
    """Tell whether a disk is nearly full.

    >>> disk_is_low(500_000_000, 100_000_000_000), disk_is_low(500_000_000, 2_000_000_000)
    (True, False)
    """
    return free < LOW_BYTES and free < LOW_SHARE * total


def stale_feeds(newsroom: "Newsroom", site: str) -> int:
    """Count a site's feeds that were not read for long; those not yet tried are not late."""
    interval = timedelta(minutes=max(1.0, newsroom.config.sites[site].feed_minutes))
    allowed = max(STALE_INTERVALS * interval, STALE_AT_LEAST)
    states = FeedMemory(newsroom.data / STATE_FILE, site).read()
    known = [states[feed] for feed in newsroom.sites[site].feeds if feed in states]
    now = newsroom.clock()
    return sum(now - one.ok_at > allowed if one.ok_at else one.failures > STALE_INTERVALS for one in known)


def missing_models(newsroom: "Newsroom", site: str) -> int:
    """Count the placements whose stable release names a model that is not served, or could not be loaded again."""
    releases = {one.release: one for one in newsroom.releases(site)}
    named = {name: releases[name].model for name in newsroom.stable(site).values() if name in releases}
    gone = {name for name, model in named.items() if model and not _loads(newsroom.data, model)}
    if not gone:
        gone = set(newsroom.without_model(site))
    return sum(name in gone for name in newsroom.stable(site).values())


def _loads(data: Path, model: str) -> bool:
    try:
        find_model(data, model)
    except (EmbellieError, OSError):
        return False
    return True
