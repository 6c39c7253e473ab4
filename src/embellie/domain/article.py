"""Article: what a newspaper publishes and a slate shows."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

ArticleState = Literal["live", "embargoed", "withdrawn"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """One article as the site last published it; an event of kind `article` carries it whole."""

    kind: ClassVar[str] = "article"

    article: str
    url: str = ""
    title: str = ""
    summary: str = ""
    section: str = ""
    tags: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    language: str = ""
    published_at: datetime | None = None
    updated_at: datetime | None = None
    expires_at: datetime | None = None
    image: str = ""
    paywalled: bool = False
    state: ArticleState = "live"

    def showable(self, now: datetime) -> bool:
        """Tell whether readers may be shown it at `now` (UTC)."""
        if self.state != "live":
            return False
        if self.expires_at is not None and self.expires_at <= now:
            return False
        return self.published_at is None or self.published_at <= now


def is_link(address: str) -> bool:
    """Tell whether a page may link to an address: `http`, `https`, a path of the site, or none; never a script.

    >>> is_link("https://gazette.example/a"), is_link("/a"), is_link(""), is_link("javascript:alert(1)")
    (True, True, True, False)
    """
    # Browsers drop these from an address before they read its scheme.
    plain = address.translate({9: None, 10: None, 13: None}).strip("".join(map(chr, range(33)))).lower()
    return plain.startswith(("https://", "http://", "/")) or not address
