"""Lake trouble: since when the log could not be moved into the lake; written down, so that every process of a server knows."""

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from embellie.domain.moment import iso

FILE = "lake.trouble"
"""The file in the data folder; it is there while there is trouble."""

_FIRST_SECONDS, _LONGEST_SECONDS = 60.0, 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeTrouble:
    """Since when it fails, how often in a row, and what was said last."""

    since: datetime
    times: int
    said: str


def note_failure(data: Path, said: str, *, now: datetime, former: LakeTrouble | None) -> LakeTrouble:
    """Write down that it failed; a folder that cannot be written is no further trouble."""
    trouble = LakeTrouble(since=former.since if former else now, times=(former.times if former else 0) + 1, said=said)
    with suppress(OSError):
        unfinished = data / f".{FILE}.unfinished"
        unfinished.write_text(json.dumps({"since": iso(trouble.since), "times": trouble.times, "said": said}) + "\n")
        unfinished.replace(data / FILE)
    return trouble


def note_success(data: Path) -> None:
    """Strike it out."""
    with suppress(OSError):
        (data / FILE).unlink(missing_ok=True)


def trouble_of(data: Path, now: datetime) -> LakeTrouble | None:
    """Read what a data folder says; None when all is well, or when nobody has tried for so long that another server leads now."""
    try:
        if now.timestamp() - (data / FILE).stat().st_mtime > 2 * _LONGEST_SECONDS:
            return None
        said = json.loads((data / FILE).read_text(encoding="utf-8"))
        return LakeTrouble(
            since=datetime.fromisoformat(said["since"]), times=int(said["times"]), said=str(said["said"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def seconds_after(times: int) -> float:
    """Tell how long to wait after so many failures in a row.

    >>> [seconds_after(times) for times in (1, 2, 3, 7, 50)]
    [60.0, 120.0, 240.0, 3600.0, 3600.0]
    """
    return min(_FIRST_SECONDS * 2.0 ** min(times - 1, 10), _LONGEST_SECONDS)
