"""Events as JSON: flat on the wire, a header and a typed body in the code."""

import re
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import msgspec

from embellie.domain.errors import EmbellieError, EventError, unknown_name, wrong_choice
from embellie.domain.event import KINDS, Body, Event
from embellie.domain.slate import Consent
from embellie.store.upcasting import FIRST, schema_of, upcast

_WHERE = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>[^`]+)`)?$", re.DOTALL)
_FIELDS = {kind: frozenset(field.name for field in fields(body)) for kind, body in KINDS.items()}


class _Header(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    site: str
    at: datetime
    received_at: datetime | None = None
    consent: Consent = "none"
    schema: int = 1


_HEADER_FIELDS = frozenset(_Header.__struct_fields__) | {"kind"}


def event_from_wire(raw: object, *, at: str = "$") -> Event:
    """Read one event from decoded JSON.

    Args:
        raw: A JSON object: the header's fields and the body's, side by side.
        at: The path of the event in its document, for the error.

    Raises:
        EventError: With the path of the culprit, what was expected and what to do.
    """
    if not isinstance(raw, Mapping):
        raise EventError(
            f"Expected an object, got `{type(raw).__name__}`.", hint="Send one JSON object per event.", at=at
        )
    kind = raw.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        wrong = unknown_name("event kind", str(kind), KINDS)
        raise EventError(wrong.message, hint=wrong.hint, at=f"{at}.kind")
    own = _FIELDS[kind]
    raw = _of_this_version(raw, kind, at)
    strange = [name for name in raw if name not in own and name not in _HEADER_FIELDS]
    if strange:
        wrong = unknown_name(f"field of `{kind}`", str(strange[0]), own | _HEADER_FIELDS)
        raise EventError(wrong.message, hint=wrong.hint, at=f"{at}.{strange[0]}")
    header = _convert({name: raw[name] for name in raw if name in _Header.__struct_fields__}, _Header, at)
    body: Body = _convert({name: raw[name] for name in raw if name in own}, KINDS[kind], at)
    _require_aware(body, at)
    try:
        return Event(
            id=header.id,
            site=header.site,
            at=header.at,
            received_at=header.received_at,
            consent=header.consent,
            schema=header.schema,
            body=body,
        )
    except EventError as error:
        raise EventError(error.message, hint=error.hint, at=error.at.replace("$", at, 1)) from None


def _of_this_version(raw: Mapping[str, Any], kind: str, at: str) -> Mapping[str, Any]:
    """Return a raw event with its own fields as this version knows them; one that names no version is of the first."""
    schema = raw.get("schema", FIRST)
    current = schema_of(kind)
    if schema == current or not isinstance(schema, int):
        return raw  # what is no number is refused with the header
    header = {name: value for name, value in raw.items() if name in _HEADER_FIELDS}
    own = {name: value for name, value in raw.items() if name not in _HEADER_FIELDS}
    try:
        return upcast(kind, schema, own) | header | {"schema": current}
    except EventError as error:
        raise EventError(error.message, hint=error.hint, at=error.at.replace("$", at, 1)) from None


def event_to_wire(event: Event) -> dict[str, Any]:
    """Return the flat JSON form of an event, times in ISO 8601 UTC."""
    header = {
        "id": event.id,
        "site": event.site,
        "kind": event.kind,
        "at": event.at.astimezone(UTC),
        "received_at": event.received_at.astimezone(UTC) if event.received_at else None,
        "consent": event.consent,
        "schema": schema_of(event.kind),
    }
    flat: dict[str, Any] = msgspec.to_builtins(body_to_wire(event.body) | header)
    return flat


def body_to_wire(body: Body) -> dict[str, Any]:
    """Return a body's own fields as JSON values."""
    plain: dict[str, Any] = msgspec.to_builtins(body)
    return plain


_BODIES: dict[str, msgspec.json.Decoder[Any]] = {kind: msgspec.json.Decoder(body) for kind, body in KINDS.items()}


_ENCODE = msgspec.json.Encoder().encode


def body_to_text(body: Body) -> str:
    """Write a body's own fields as JSON text, in one pass: how the log stores it."""
    return _ENCODE(body).decode()


def body_from_text(kind: str, text: str) -> Body:
    """Read back what `body_to_text` wrote.

    Raises:
        EventError: When the kind or a field does not fit.
    """
    try:
        body: Body = _BODIES[kind].decode(text)
    except (KeyError, msgspec.DecodeError, EmbellieError) as error:
        raise EventError(
            f"A stored `{kind}` cannot be read: {error}.", hint="Was the log written by a newer version?"
        ) from None
    return body


def _convert(raw: Mapping[str, Any], type_: Any, at: str) -> Any:
    try:
        return msgspec.convert(raw, type=type_)
    except EmbellieError as error:
        raise EventError(error.message, hint=error.hint, at=at) from None
    except msgspec.ValidationError as error:
        found = _WHERE.match(str(error))
        what = found["what"] if found else str(error)
        path = (found["path"] or "$") if found else "$"
        wrong = wrong_choice(what, field=path.rpartition(".")[2], type_=type_)
        message, hint = (wrong.message, wrong.hint) if wrong else (f"{what}.", "See the reference of events.")
        raise EventError(message, hint=hint, at=path.replace("$", at, 1)) from None


def _require_aware(body: Body, at: str) -> None:
    for field in fields(body):
        value = getattr(body, field.name)
        if isinstance(value, datetime) and value.tzinfo is None:
            raise EventError(
                f"`{field.name}` has no time zone.", hint="Write it in UTC, ending in `Z`.", at=f"{at}.{field.name}"
            )
