"""Intake: one record as people send it, checked as strictly as an event of the log."""

from collections.abc import Mapping

from embellie.domain.errors import InputError
from embellie.domain.event import Body
from embellie.store.wire import event_from_wire

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
