"""Copying a log: from its file to PostgreSQL when one server is no longer enough, or back; and what to write in `embellie.toml` then."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embellie.app.log_keeping import Place, require_log
from embellie.store.archive import require_unused
from embellie.store.log import FILE
from embellie.store.log_place import LogPlace, PostgresPlace, log_place
from embellie.store.log_transfer import Transferred, transfer_log
from embellie.store.postgres_lead import unled
from embellie.store.postgres_line import without_password


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedLog:
    """A log copied: from where, where to, what, and in how many seconds."""

    source: LogPlace
    target: LogPlace
    done: Transferred
    seconds: float


def copy_log_to(
    place: Place,
    to: str,
    *,
    schema: str,
    progress: Callable[[int, int], None] | None = None,
    timer: Callable[[], float] = time.perf_counter,
) -> CopiedLog:
    """Copy the whole log to a folder or a database, with all its numbers; all of it or nothing. The log copied from stays.

    Args:
        place: The installation.
        to: A folder, which gets `log.sqlite`, or `postgresql://user@host/database`.
        schema: In PostgreSQL: the schema that is to hold it.
        progress: Told how far it is.
        timer: Tells seconds.

    Raises:
        InputError: There is no log, the target is no place for one, or the log holds what PostgreSQL cannot.
        Conflict: There is a log at the target, or someone wrote meanwhile.
        Busy: A server runs.
    """
    require_log(place)
    target = log_place(Path(), to, schema) if "://" in to else Path(to) / FILE
    if isinstance(place.log, Path):
        require_unused(place.log)
    began = timer()
    with unled(place.log) if isinstance(place.log, PostgresPlace) else nullcontext():
        done = transfer_log(place.log, target, progress=progress)
    return CopiedLog(source=place.log, target=target, done=done, seconds=timer() - began)


def storage_lines(target: LogPlace, *, data: Path) -> list[str]:
    """Write what `embellie.toml` must say from then on."""
    if isinstance(target, PostgresPlace):
        return ["[storage]", f'log = "{without_password(target.url)}"', f'schema = "{target.schema}"']
    folder = [] if target.parent.resolve() == data.resolve() else [f'data = "{target.parent}"']
    return [*folder, "# and no `log` under [storage]"]


def copy_document(copied: CopiedLog, *, data: Path) -> dict[str, Any]:
    """Return the JSON form (`embellie/log-copy/1`)."""
    return {
        "schema": "embellie/log-copy/1",
        "from": str(copied.source),
        "to": str(copied.target),
        "rows": copied.done.rows,
        "last": copied.done.last,
        "sha256": copied.done.sha256,
        "seconds": copied.seconds,
        "embellie_toml": storage_lines(copied.target, data=data),
    }
