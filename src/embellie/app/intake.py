"""Intake: what people and pages send, checked as strictly as an event of the log, and put on the server's clock."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from embellie.domain.article import Article, is_link
from embellie.domain.errors import EventError, InputError
from embellie.domain.event import PUBLIC_KINDS, Body, Event
from embellie.domain.reading import Erasure
from embellie.ports import Rejected
from embellie.store.wire import event_from_wire

OLDEST = timedelta(days=7)
"""An event waits at most so long on a device before it is sent; one that says more happened at its bound."""

SIMULATED_APART = timedelta(days=1)
"""A browser's clock farther than this from simulated time tells a person's time, not a simulated reader's."""

_HEADER = {"id": "-", "site": "-", "at": "2000-01-01T00:00:00Z"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who sends events: with a key of which site, whether only the public one, and whether its readers are invented.

    `profiling` tells whether the site builds profiles at all: where it does not, consent to them is not written down.
    """

    site: str
    public: bool
    simulated: bool = False
    profiling: bool = True


def take_in(
    raw: Sequence[object], *, sender: Sender, now: datetime, sent_at: datetime | None = None
) -> tuple[list[Event], list[Rejected]]:
    """Read a batch of raw events; a bad one is rejected alone, the others are kept.

    Args:
        raw: Decoded JSON values, one per event.
        sender: Whose batch it is.
        now: When it arrived.
        sent_at: When it left, by the sender's clock; each `at` is then put on the server's.
    """
    events: list[Event] = []
    rejected: list[Rejected] = []
    for index, one in enumerate(raw):
        try:
            event = _admit(event_from_wire(one, at=f"$.events[{index}]"), sender, at=f"$.events[{index}]")
        except EventError as error:
            payload = json.dumps(one, ensure_ascii=False, default=str)
            reason = f"{error.message} {error.hint}".strip()
            rejected.append(Rejected(index=index, payload=payload, reason=reason, at=error.at, site=sender.site))
            continue
        if event.consent == "profiling" and not sender.profiling:
            event = replace(event, consent="measurement")
        events.append(timed(event, sender, sent_at=sent_at, now=now))
    return events, rejected


def timed(event: Event, sender: Sender, *, sent_at: datetime | None, now: datetime) -> Event:
    """Put an event on the server's clock, where it is known when its post left, and in simulated time where readers are."""
    if sent_at is not None:
        event = on_server_clock(event, sent_at=sent_at, received_at=now)
    return _in_simulated_time(event, now) if sender.simulated else event


def _admit(event: Event, sender: Sender, *, at: str) -> Event:
    if event.site != sender.site:
        raise EventError(
            f"Site `{event.site}` is not the key's site.",
            hint=f"Send it with the key of `{event.site}`, or write `{sender.site}`.",
            at=f"{at}.site",
        )
    if sender.public and event.kind not in PUBLIC_KINDS:
        raise EventError(
            f"A public key may not send `{event.kind}`.",
            hint=f"Use an API token, or send one of: {', '.join(sorted(PUBLIC_KINDS))}.",
            at=f"{at}.kind",
        )
    _require_links(event.body, at=at)
    if isinstance(event.body, Erasure) and not event.body.reader:
        raise EventError("It names no reader.", hint="Write whom to forget as `reader`.", at=f"{at}.reader")
    return event


def _require_links(body: Body, *, at: str) -> None:
    """Refuse an article whose address or picture would run a script on the page that shows it.

    Raises:
        EventError: With the path of the address.
    """
    if not isinstance(body, Article):
        return
    for name, address in (("url", body.url), ("image", body.image)):
        if not is_link(address):
            raise EventError(
                f"`{address[:80]}` is no address of a web page.",
                hint="Write it in full, with `https://`, or as a path of the site, `/…`.",
                at=f"{at}.{name}",
            )


def _in_simulated_time(event: Event, now: datetime) -> Event:
    """A person's browser among simulated readers tells another time than theirs: take the simulated one."""
    return replace(event, at=now) if abs(event.at - now) > SIMULATED_APART else event


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
        body = event_from_wire(fields, at=at).body
        _require_links(body, at=at)
    except InputError as error:
        raise InputError(error.message, hint=error.hint, at=error.at, code=f"invalid_{kind}") from None
    return body


def on_server_clock(event: Event, *, sent_at: datetime, received_at: datetime) -> Event:
    """Put an event on the server's clock: as long before it was received as it happened before it was sent.

    `at = received_at − (sent_at − at)`, whatever the device's clock says, provided it runs at one speed; the time on the way
    counts as none. What is said to lie after its sending happened then; nothing lies more than `OLDEST` back.
    """
    age = min(max(sent_at - event.at, timedelta()), OLDEST)
    return replace(event, at=received_at - age)
