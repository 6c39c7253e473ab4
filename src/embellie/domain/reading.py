"""Reading: what readers do, as facts in the past tense. Impression, Click, Read, Conversion, consent and erasure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from embellie.domain.money import Money
from embellie.domain.slate import Consent


@dataclass(frozen=True, slots=True, kw_only=True)
class Impression:
    """An article of a slate could be seen: at least `share` of it for `seconds`; the thresholds are stored."""

    kind: ClassVar[str] = "impression"

    slate_id: str
    article: str
    position: int
    reader: str = ""
    visit: str = ""
    share: float = 0.0
    seconds: float = 0.0
    threshold_share: float = 0.5
    threshold_seconds: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """A reader chose an article of a slate."""

    kind: ClassVar[str] = "click"

    slate_id: str
    article: str
    position: int
    reader: str = ""
    visit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A reader spent time on an article; `scroll_depth` from 0 to 1, `referrer` a kind, never an address."""

    kind: ClassVar[str] = "read"

    article: str
    reader: str = ""
    visit: str = ""
    engaged_seconds: float = 0.0
    scroll_depth: float = 0.0
    referrer: Literal["", "direct", "internal", "recommendation", "search", "social", "other"] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """A business act: `goal` is `subscription`, `registration`, `ad_revenue`, …"""

    kind: ClassVar[str] = "conversion"

    goal: str
    reader: str = ""
    visit: str = ""
    article: str = ""
    amount: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentChange:
    """A reader gave, changed or withdrew consent."""

    kind: ClassVar[str] = "consent"

    reader: str
    state: Consent


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """A reader asked to be forgotten; once that is done, `mark` stands for them, and no id any more.

    `mark` is a keyed hash of the reader's id: it tells later events under that id, which are refused, and tells nobody who
    it was. `removed` counts by kind what was taken out of the log.
    """

    kind: ClassVar[str] = "erasure"

    reader: str = ""
    mark: str = ""
    removed: Mapping[str, int] = field(default_factory=dict)
