"""Event posts: what readers did is taken in, and answered once it is on disk."""

from dataclasses import dataclass
from typing import Any

from embellie.app.usual_posts import usual_post
from embellie.domain.event import KINDS, PUBLIC_KINDS
from embellie.web.calls import Ask, decode
from embellie.web.messages import MAX_EVENTS, EventBatch, Quarantined, ReceiptAnswer, SiteQuery
from embellie.web.problems import Forbidden, TooLarge
from embellie.web.settling import settled

EDITOR_KINDS = PUBLIC_KINDS | {"article", "conversion", "erasure", "rule"}
"""The kinds a token with the role `editor` may send; the others operate the system."""


@dataclass(frozen=True, slots=True)
class Post:
    """A post of events: as it is read in one go, where that can be done; and its text, for the patient way."""

    usual: Any
    text: bytes
    batch: EventBatch | None = None

    @property
    def lost(self) -> int:
        """How many events its sender had to drop before."""
        return int(self.usual.lost if self.batch is None else self.batch.lost)

    def patiently(self) -> EventBatch:
        """Read it so that each event can be looked at by itself."""
        return self.batch or decode(self.text, EventBatch)


def read_post(text: bytes) -> Post:
    """Read a post of events.

    Raises:
        Malformed: It is no JSON.
        InputError: It does not fit.
    """
    usual = usual_post(text)
    return Post(usual, text, None if usual is not None else decode(text, EventBatch))


async def events(ask: Ask[SiteQuery, Post]) -> ReceiptAnswer:
    """Take events in; answers once they are on disk."""
    site, post = ask.site(), ask.body
    receipt = await settled(_usual(ask, site) or _patient(ask, site))
    accepted = len(receipt.accepted)
    ask.desk.tally.received(
        site,
        accepted=accepted,
        duplicates=receipt.duplicates,
        quarantined=len(receipt.quarantined),
        lost=post.lost,
    )
    return ReceiptAnswer(
        accepted=accepted,
        duplicates=receipt.duplicates,
        quarantined=[Quarantined(index=one.index, reason=one.reason, at=one.at) for one in receipt.quarantined],
        refused=receipt.refused,
    )


def _usual(ask: Ask[SiteQuery, Post], site: str) -> Any:
    """Take in a post that was read in one go; None, and nothing is done, where that is not enough."""
    usual = ask.body.usual
    if usual is None:
        return None
    _check_count(len(usual.events))
    return ask.newsroom.receive_usual(usual, site=site, public=ask.caller.public)


def _patient(ask: Ask[SiteQuery, Post], site: str) -> Any:
    """Take in a post event by event: what is wrong with one is told, and the others are kept."""
    batch = ask.body.patiently()
    _check_count(len(batch.events))
    _check_kinds(ask, batch.events)
    for one in batch.events:
        if isinstance(one, dict):
            one.setdefault("site", site)
    return ask.newsroom.receive(batch.events, site=site, public=ask.caller.public, sent_at=batch.sent_at)


def _check_count(count: int) -> None:
    if count > MAX_EVENTS:
        raise TooLarge(
            f"{count} events in one post.", hint=f"Send at most {MAX_EVENTS}.", at="$.events", code="too_many_events"
        )


def _check_kinds(ask: Ask[SiteQuery, Post], raw: list[Any]) -> None:
    """Refuse a batch in which an editor's token operates the system."""
    if ask.caller.public or ask.caller.may("operator"):
        return
    for index, one in enumerate(raw):
        kind = one.get("kind") if isinstance(one, dict) else None
        if isinstance(kind, str) and kind in KINDS and kind not in EDITOR_KINDS:
            raise Forbidden(
                f"The role `{ask.caller.role}` may not send `{kind}`.",
                hint=f"Use a token with the role `operator`, or send: {', '.join(sorted(EDITOR_KINDS))}.",
                at=f"$.events[{index}].kind",
            )
