"""Reader data: all that is kept of one reader, as they may ask for it."""

from contextlib import ExitStack
from datetime import datetime
from typing import Any

from embellie.app.log_keeping import Place, require_log
from embellie.domain.errors import InputError
from embellie.domain.moment import iso
from embellie.store.log_place import open_log
from embellie.store.log_records import KeptLog
from embellie.store.wire import event_to_wire


def reader_document(
    place: Place, reader: str, *, now: datetime, site: str = "", log: KeptLog | None = None
) -> dict[str, Any]:
    """Return every event kept of a reader, and what was put aside that names them (`embellie/reader/1`).

    Args:
        place: The installation.
        reader: The reader's id.
        now: The time, for the record.
        site: The site; every site the log knows, when left out.
        log: The log, where it is open already.

    Raises:
        InputError: No id, no log, or no such site.
    """
    if not reader:
        raise InputError("No reader is named.", hint="Give the id that the site's pages send as `reader`.")
    require_log(place)
    with ExitStack() as stack:
        opened = log or stack.enter_context(open_log(place.log))
        known = opened.sites()
        sites = known if not site else [site if site in known else place.site(site)]
        words = [(one, name) for one in sites for name in place.names(one, reader)]
        found = [event_to_wire(event) for one, name in words for _, event in opened.of_reader(one, name)]
        aside = [each for one, name in words for each in opened.quarantined_of(one, name)]
    return {
        "schema": "embellie/reader/1",
        "reader": reader,
        "sites": list(sites),
        "as_of": iso(now),
        "events": found,
        "put_aside": [
            {"site": each.site, "received_at": iso(each.received_at), "reason": each.reason, "payload": each.payload}
            for each in aside
        ],
    }
