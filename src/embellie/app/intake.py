"""Intake: one record as people send it, checked as strictly as an event of the log."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from embellie.domain.errors import InputError
from embellie.domain.event import Body, Event
from embellie.store.wire import event_from_wire

OLDEST = timedelta(days=7)
"""An event waits at most so long on a device before it is sent; one that says more happened at its bound."""

_HEADER = {"id": "-", "site": "-", "at": "2000-01-01T00:00:00Z"}


def body_from(kind: str, raw: object, *, at: str = "$") -> Body:
    """Read a record of a kind from decoded JSON.

    Args:
        kind: An event's kind: `article`, `rule`.
        raw: A JSON object with the kind's own fields.
        at: Its path in its document, for the error.

    Raises:
        InputError: With the path of the culprit, what was expected and what to do.
    """
    fields = {**raw, **_HEADER, "kind": kind} if isinstance(raw, Mapping) else raw
    try:
        return event_from_wire(fields, at=at).body
    except InputError as error:
        raise InputError(error.message, hint=error.hint, at=error.at, code=f"invalid_{kind}") from None


def on_server_clock(event: Event, *, sent_at: datetime, received_at: datetime) -> Event:
    """Put an event on the server's clock: as long before it was received as it happened before it was sent.

    `at = received_at − (sent_at − at)`, whatever the device's clock says, provided it runs at one speed; the time on the way
    counts as none. What is said to lie after its sending happened then; nothing lies more than `OLDEST` back.
    """
    age = min(max(sent_at - event.at, timedelta()), OLDEST)
    return replace(event, at=received_at - age)
