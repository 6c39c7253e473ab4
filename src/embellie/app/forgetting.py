"""Forgetting again: what was erased after a backup was taken is erased from what was restored from it, by the marks alone."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from embellie.app.erasing import ErasureReport, erase_reader
from embellie.app.log_keeping import Place, require_log
from embellie.domain.moment import iso
from embellie.domain.reading import Erasure
from embellie.store.log_place import open_log


def erased_document(place: Place) -> dict[str, Any]:
    """Return who was erased, by mark (`embellie/erased/1`)."""
    require_log(place)
    with open_log(place.log) as log:
        found = [event for _, event in log.scan(kinds=(Erasure.kind,))]
    return {
        "schema": "embellie/erased/1",
        "erased": [
            {"site": event.site, "at": iso(event.at), "mark": event.body.mark}
            for event in found
            if isinstance(event.body, Erasure) and event.body.mark
        ],
    }


def erase_marked(place: Place, marks: Iterable[tuple[str, str]], *, now: datetime) -> list[ErasureReport]:
    """Erase whoever has one of these marks (site, mark) and is in the log; the key that made them must be the same."""
    require_log(place)
    wanted = set(marks)
    with open_log(place.log) as log:
        found = [
            (site, reader)
            for site in sorted({site for site, _ in wanted})
            for reader in list(log.readers(site))
            if (site, log.marks.known(site, reader)) in wanted
        ]
        return [erase_reader(place, reader, site=site, now=now, log=log) for site, reader in found]
