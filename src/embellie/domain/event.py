"""Event: one fact in the log. A common header, and a body whose type is the kind."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from embellie.domain.article import Article
from embellie.domain.errors import EventError
from embellie.domain.evidence import Evidence
from embellie.domain.experiment import Experiment, Exposure
from embellie.domain.question import QuestionFiled
from embellie.domain.reading import Click, ConsentChange, Conversion, Erasure, Impression, Read
from embellie.domain.release import Release
from embellie.domain.rollout import Rollout
from embellie.domain.rule import Rule
from embellie.domain.slate import Consent, Slate

Body = (
    Article
    | Slate
    | Exposure
    | Impression
    | Click
    | Read
    | Conversion
    | ConsentChange
    | Erasure
    | Release
    | Rollout
    | Experiment
    | Rule
    | QuestionFiled
    | Evidence
)

KINDS: dict[str, type[Body]] = {
    body.kind: body
    for body in (
        Article,
        Slate,
        Exposure,
        Impression,
        Click,
        Read,
        Conversion,
        ConsentChange,
        Erasure,
        Release,
        Rollout,
        Experiment,
        Rule,
        QuestionFiled,
        Evidence,
    )
}

PUBLIC_KINDS = frozenset({"impression", "click", "read", "consent"})
"""The kinds a page may send with the site's public key; all others need a token."""

NAMESPACE = uuid.UUID("7f1d3a52-1f6e-5b43-9c1e-0d6f1c1be111")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One fact. `at` is when it happened, `received_at` when it reached the log; both UTC and aware."""

    id: str
    site: str
    at: datetime
    body: Body
    received_at: datetime | None = None
    consent: Consent = "none"
    schema: int = 1

    def __post_init__(self) -> None:
        if self.at.tzinfo is not None and (self.received_at is None or self.received_at.tzinfo is not None):
            return
        for name in ("at", "received_at"):
            value = getattr(self, name)
            if value is not None and value.tzinfo is None:
                raise EventError(
                    f"`{name}` has no time zone: `{value.isoformat()}`.",
                    hint="Write it in UTC, ending in `Z`.",
                    at=f"$.{name}",
                )

    @property
    def kind(self) -> str:
        """The word for what happened."""
        return self.body.kind


def fact_id(*parts: str) -> str:
    """Name an event by the business fact it tells, so that telling it twice is one event (UUIDv5).

    >>> fact_id("gazette", "exposure", "first-light", "r1") == fact_id("gazette", "exposure", "first-light", "r1")
    True
    """
    return str(uuid.uuid5(NAMESPACE, "\x1f".join(parts)))


def new_id(now: datetime, entropy: bytes) -> str:
    """Mint a UUIDv7 from a time and 10 random bytes (RFC 9562).

    >>> from datetime import UTC
    >>> new_id(datetime(2026, 1, 1, tzinfo=UTC), bytes(10))
    '019b76da-a800-7000-8000-000000000000'
    """
    milliseconds = int(now.timestamp() * 1000)
    value = (milliseconds << 80) | int.from_bytes(entropy[:10], "big")
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
