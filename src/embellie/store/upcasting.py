"""Upcasting: events that an older version wrote, read as this version writes them.

What is in the log is never rewritten. An event carries the version of its kind's fields (`schema`); whoever changes the
fields of a kind adds one step here, from the version before, and every way of reading takes it: folds, analysis, the lake,
an event sent again by a page that still has the old widget. Steps are taken one after another: from 1 to 2, from 2 to 3.
An event of a version that is not known yet is refused rather than half understood.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from embellie.domain.errors import EventError

FIRST = 1

Upcast = Callable[[dict[str, Any]], dict[str, Any]]
"""Takes a body's fields as one version wrote them, and returns them as the next does."""

UPCASTS: dict[tuple[str, int], Upcast] = {}
"""By kind and version: the step to the next version. No kind has changed so far.

To change a kind's fields: change its record in `domain`, and add for instance
`("read", 1): lambda body: {**body, "new_field": "what it was before there was one"}`.
"""


def schema_of(kind: str) -> int:
    """Return the version in which this program writes a kind.

    >>> schema_of("read")
    1
    """
    if not UPCASTS:
        return FIRST
    return max((schema + 1 for known, schema in UPCASTS if known == kind), default=FIRST)


def upcast(kind: str, schema: int, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body's fields as this version knows them.

    Args:
        kind: What happened.
        schema: The version of its fields.
        body: The fields.

    Raises:
        EventError: A newer version wrote it, or there is no way from its version to this one's.
    """
    current, fields = schema_of(kind), dict(body)
    if not FIRST <= schema <= current:
        raise unknown_schema(kind, schema)
    for step in range(schema, current):
        known = UPCASTS.get((kind, step))
        if known is None:
            raise unknown_schema(kind, step)
        fields = known(fields)
    return fields


def upcast_text(kind: str, schema: int, text: str) -> str:
    """Do the same with a body as the log keeps it: JSON text, which stays as it is when it is of this version."""
    if schema == FIRST and not UPCASTS:
        return text
    if schema == schema_of(kind):
        return text
    return json.dumps(upcast(kind, schema, json.loads(text)), ensure_ascii=False)


def upcast_column(kinds: Sequence[str], schemas: Sequence[int], bodies: list[str]) -> list[str]:
    """Do the same with many events, given as parallel columns; costs nothing where all are of the first version."""
    if not bodies or (not UPCASTS and schemas.count(FIRST) == len(schemas)):
        return bodies
    return [upcast_text(*one) for one in zip(kinds, schemas, bodies, strict=True)]


def unknown_schema(kind: str, schema: int) -> EventError:
    """Say that an event is of a version that cannot be read here."""
    return EventError(
        f"This `{kind}` is of version {schema}; this program knows {FIRST} to {schema_of(kind)}.",
        hint="A newer version of embellie wrote it: upgrade this one.",
        at="$.schema",
    )
