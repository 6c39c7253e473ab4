"""Usual posts: what pages send, every event in perfect order, read from its text to events in one go.

Of a million posts nearly all are such. Where anything is otherwise (another kind, an unknown field, a time without a zone, another
site's event), nothing is read here, and the patient way (`intake`) looks at event after event: it alone knows what to say. Both ways
read the same text to the same events.
"""

from dataclasses import MISSING, fields
from datetime import datetime
from typing import Annotated, Any, Union, get_type_hints

import msgspec

from embellie.app.intake import Sender, timed
from embellie.domain.event import KINDS, PUBLIC_KINDS, Body, Event
from embellie.domain.slate import Consent
from embellie.store.upcasting import schema_of

Aware = Annotated[datetime, msgspec.Meta(tz=True)]

_HEADER: tuple[tuple[str, Any] | tuple[str, Any, Any], ...] = (
    ("id", str),
    ("at", Aware),
    ("site", str | msgspec.UnsetType, msgspec.UNSET),
    ("received_at", Aware | None, None),
    ("consent", Consent, "none"),
    ("schema", int, 1),
)


def _flat(kind: str) -> type[msgspec.Struct]:
    """Make the record of an event of a kind as it is sent: header and body side by side, nothing else."""
    body = KINDS[kind]
    hints = get_type_hints(body, include_extras=True)
    own = [
        (each.name, hints[each.name]) if each.default is MISSING else (each.name, hints[each.name], each.default)
        for each in fields(body)
    ]
    return msgspec.defstruct(
        f"Posted{body.__name__}", [*_HEADER, *own],
        kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag=kind, gc=False,
    )  # fmt: skip


_FLAT = {kind: _flat(kind) for kind in sorted(PUBLIC_KINDS)}
_BODIES: dict[type, type[Body]] = {flat: KINDS[kind] for kind, flat in _FLAT.items()}


_Post: Any = msgspec.defstruct(
    "UsualPost",
    [
        ("events", list[Union[tuple(_FLAT.values())]]),  # type: ignore[misc]  # noqa: UP007 -- of as many as there are
        ("sent_at", Aware | None, None),
        ("lost", Annotated[int, msgspec.Meta(ge=0, le=1_000_000)], 0),
    ],
    kw_only=True,
    forbid_unknown_fields=True,
)
_DECODER = msgspec.json.Decoder(_Post)


def usual_post(data: bytes) -> Any | None:
    """Read a post in which all is as it should be: its `events`, `sent_at`, `lost`; None for every other."""
    try:
        return _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def usual_events(post: Any, *, sender: Sender, now: datetime) -> list[Event] | None:
    """Return the events of such a post, received now; None when one is of another site or an older version, which only the patient way can tell."""
    site, sent_at, profiling, events = sender.site, post.sent_at, sender.profiling, []
    for one in post.events:
        if one.site != site and one.site is not msgspec.UNSET:
            return None
        body = _BODIES[type(one)]
        if one.schema != schema_of(body.kind):
            return None
        consent = one.consent
        event = _new(Event)
        # As `Event(…)`, in a third of the time: what its constructor would check, that its times have a zone, is known here.
        _set_id(event, one.id)
        _set_site(event, site)
        _set_at(event, one.at)
        _set_body(event, _convert(one, body, from_attributes=True))
        _set_received_at(event, now)
        _set_consent(event, "measurement" if consent == "profiling" and not profiling else consent)
        _set_schema(event, one.schema)
        events.append(event)
    if sent_at is not None or sender.simulated:
        return [timed(event, sender, sent_at=sent_at, now=now) for event in events]
    return events


_new, _convert = object.__new__, msgspec.convert
_set_id, _set_site, _set_at, _set_body, _set_received_at, _set_consent, _set_schema = (
    getattr(Event, name).__set__ for name in ("id", "site", "at", "body", "received_at", "consent", "schema")
)
