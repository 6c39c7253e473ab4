"""Shared slates: what is shown to whoever cannot be followed is the same for all of them for a moment, and any cache may keep it."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from embellie.domain.slate import Slate, SlateRequest

if TYPE_CHECKING:
    from embellie.app.newsroom import Newsroom
    from embellie.app.serving import Standing

KEPT = 5_000
"""How many shared slates are kept at most: of so many pages and placements."""

LONGEST_NAMES = 1_000
"""Characters of the ids in a request: one with more is answered by itself."""

ONE_ID = timedelta(hours=1)
"""As long as the same is shown it has the same `slate_id`, but at most so long."""

Key = tuple[str, str, int, str, tuple[str, ...], str]
Writer = Callable[[Slate, str, "Newsroom"], bytes]
Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Shared:
    """An answer for everybody: the slate, its bytes and their tag, what it rests on, since when and until when it serves."""

    slate: Slate
    body: bytes
    tag: bytes
    standing: "Standing"
    since: datetime
    until: datetime
    expires: datetime | None


def may_share(request: SlateRequest, *, key: str, headers: Mapping[bytes, bytes]) -> bool:
    """Tell whether an answer may be given to others too: nothing in the request says who asks.

    The public key must be in the address, as a cache tells requests apart by it; a token's answers are its own.
    """
    nobody = not (request.reader or request.visit or request.visit_articles)
    return (
        nobody
        and bool(key)
        and not (headers.keys() & {b"authorization", b"x-api-key"})
        and len(request.article) + len(request.language) + sum(map(len, request.exclude)) <= LONGEST_NAMES
    )


class SharedSlates:
    """Keeps the answers that are the same for all who cannot be followed, each for `seconds`.

    Dropped at once when an editor or an operator changes anything on the site, or an article is published or changed.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, Shared] = OrderedDict()

    def answer(self, request: SlateRequest, newsroom: "Newsroom", *, seconds: float, written: Writer) -> Shared:
        """Answer a request that names nobody (`may_share`), in the bytes that `written` makes of a slate."""
        request = replace(request, consent="none", bot="")
        key = (request.site, request.placement, request.n, request.article, request.exclude, request.language)
        standing, kept = newsroom.standing(request.site), self._kept.get(key)
        if kept is not None and kept.standing.same(standing) and kept.since <= request.now < kept.until:
            return kept
        before = kept if kept is not None and kept.since <= request.now < kept.since + ONE_ID else None
        slate = newsroom.shared_slate(request, before=before.slate if before else None)
        ends = [
            article.expires_at
            for article in newsroom.named(request.site, [item.article for item in slate.items])
            if article is not None and article.expires_at is not None
        ]
        expires, until = min(ends, default=None), request.now + timedelta(seconds=seconds)
        body = written(slate, request.site, newsroom)
        made = Shared(
            slate=slate,
            body=body,
            tag=f'"{hashlib.sha256(body).hexdigest()[:20]}"'.encode(),
            standing=standing,
            since=before.since if before and before.slate is slate else request.now,
            until=until if expires is None else min(until, expires),
            expires=expires,
        )
        self._kept[key] = made
        self._kept.move_to_end(key)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return made


def cache_headers(shared: Shared, now: datetime, *, seconds: float) -> Headers:
    """Say how long an answer may be kept: `seconds`, as much again while it is asked for anew, never past an article's end."""
    left = 2 * int(seconds) if shared.expires is None else int((shared.expires - now).total_seconds())
    fresh = max(0, min(int(seconds), left))
    stale = max(0, min(int(seconds), left - fresh))
    said = f"public, max-age={fresh}" + (f", stale-while-revalidate={stale}" if stale else "")
    return ((b"etag", shared.tag), (b"cache-control", said.encode()))


def unchanged(tag: bytes, headers: Mapping[bytes, bytes]) -> bool:
    """Tell whether the caller holds what has this tag; a tag that a cache made weak counts (RFC 9110, 13.1.2).

    >>> unchanged(b'"a"', {b"if-none-match": b'W/"b", W/"a"'}), unchanged(b'"a"', {b"if-none-match": b'"b"'})
    (True, False)
    """
    held = [one.strip().removeprefix(b"W/") for one in headers.get(b"if-none-match", b"").split(b",")]
    return tag in held or held == [b"*"]
