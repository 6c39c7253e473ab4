"""Slates over HTTP: which articles to show; what is the same for every reader of an article is written once."""

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec

from embellie.domain.article import Article, is_link
from embellie.domain.errors import InputError, unknown_name
from embellie.domain.slate import Slate, SlateItem, SlateRequest
from embellie.web.bots import bot_sign
from embellie.web.calls import Ask, Reply
from embellie.web.language import Language, Words
from embellie.web.messages import MAX_ITEMS, SlateItemAnswer, SlateQuery
from embellie.web.reasons import reason_text
from embellie.web.shared_slates import cache_headers, may_share, unchanged

if TYPE_CHECKING:
    from embellie.app.newsroom import Newsroom

MOST_WRITTEN = 20_000
"""How many items are kept as they were written: an article, for one reason."""

_JSON = "application/json"
_PRIVATE = ((b"cache-control", b"private, no-store"),)
_ENCODER = msgspec.json.Encoder()


async def slate(ask: Ask[SlateQuery, None]) -> Reply:
    """Say which articles to show."""
    query, newsroom, site = ask.query, ask.newsroom, ask.site()
    request = SlateRequest(
        site=site,
        placement=query.placement,
        n=_slots(ask, site),
        now=newsroom.clock(),
        article=query.article,
        reader=query.reader,
        visit=query.visit,
        # To send a reader's id is to say that they may be followed; `consent=none` takes it back.
        consent=query.consent or ("measurement" if query.reader else "none"),
        exclude=_names(query.exclude),
        visit_articles=_names(query.seen),
        language=query.language,
        bot=bot_sign(ask.headers.get(b"user-agent", b"")),
    )
    seconds = newsroom.config.server.shared_seconds
    if seconds >= 1.0 and ask.caller.public and may_share(request, key=query.key, headers=ask.headers):
        shared = ask.desk.shared_slates.answer(request, newsroom, seconds=seconds, written=written)
        _count(ask, shared.slate)
        headers = cache_headers(shared, request.now, seconds=seconds)
        if b"origin" not in ask.headers:
            headers = (*headers, (b"vary", b"Origin"))  # else it comes with the origin's own header
        if unchanged(shared.tag, ask.headers):
            return Reply(b"", _JSON, headers, 304)
        return Reply(shared.body, _JSON, headers)
    shown = newsroom.slate(request)
    _count(ask, shown)
    return Reply(written(shown, site, newsroom), _JSON, _PRIVATE)


def _count(ask: Ask[SlateQuery, None], shown: Slate) -> None:
    site, tally = ask.site(), ask.desk.tally
    tally.slates[site, shown.placement, shown.policy, shown.variant] += 1
    if shown.fallback:
        tally.fallbacks[site, shown.placement, shown.fallback] += 1


def _slots(ask: Ask[SlateQuery, None], site: str) -> int:
    """Tell how many articles are wanted; checks the placement on the way."""
    placements = ask.newsroom.sites[site].placements
    if ask.query.placement not in placements:
        raise unknown_name("placement", ask.query.placement[:80], placements, at="?placement")
    n = ask.query.n
    if n is None:
        return placements[ask.query.placement].slots
    if not 1 <= n <= MAX_ITEMS:
        raise InputError(f"`n` is {n}.", hint=f"Ask for 1 to {MAX_ITEMS} articles, or leave it out.", at="?n")
    return n


def _names(written: str) -> tuple[str, ...]:
    return tuple(name for name in written.split(",") if name) if written else ()


def written(shown: Slate, site: str, newsroom: "Newsroom") -> bytes:
    """Write a slate as JSON: what `SlateAnswer` is, byte by byte, from items written before."""
    language = newsroom.config.language
    articles = newsroom.named(site, [one.article for one in shown.items])
    items = [_WRITTEN.item(one, article, language) for one, article in zip(shown.items, articles, strict=True)]
    said = _ENCODER.encode
    return b"".join((
        b'{"schema":"embellie/slate/1","slate_id":', said(shown.slate_id), b',"placement":', said(shown.placement),
        b',"experiment":', said(shown.experiment or None), b',"variant":', said(shown.variant),
        b',"release":', said(shown.release), b',"items":[', b",".join(items), b"]}",
    ))  # fmt: skip


def item_answer(item: SlateItem, article: Article | None, language: Language) -> SlateItemAnswer:
    """Say one slot of a slate."""
    spoken = article.language[:2] if article else ""
    words = Words("fr" if spoken == "fr" else "en" if spoken == "en" else language)
    return SlateItemAnswer(
        article=item.article,
        position=item.position,
        # What the log holds from before addresses were checked must not run on a page now.
        url=article.url if article and is_link(article.url) else "",
        title=article.title if article else "",
        image=(article.image or None) if article and is_link(article.image) else None,
        reason=reason_text(words, item.reason, to="told"),
        reason_code=item.reason,
        propensity=item.propensity,
    )


class _WrittenItems:
    """Items as they were written, all but position and propensity; each holds as long as its article is the same record."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str, Language], tuple[Article, bytes, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def item(self, item: SlateItem, article: Article | None, language: Language) -> bytes:
        """Write one slot of a slate."""
        if article is None:
            return _ENCODER.encode(item_answer(item, None, language))
        key = (item.article, item.reason, language)
        kept = self._kept.get(key)
        if kept is None or kept[0] is not article:
            kept = self._write(key, item, article)
        chance = b"1.0" if item.propensity == 1.0 else _ENCODER.encode(item.propensity)
        return b"%b%d%b%b}" % (kept[1], item.position, kept[2], chance)

    def _write(self, key: tuple[str, str, Language], item: SlateItem, article: Article) -> tuple[Article, bytes, bytes]:
        told = item_answer(item, article, key[2])
        head = _ENCODER.encode({"article": told.article})[:-1] + b',"position":'
        about = {"url": told.url, "title": told.title, "image": told.image, "reason": told.reason}
        tail = b"," + _ENCODER.encode(about | {"reason_code": told.reason_code})[1:-1] + b',"propensity":'
        found = article, head, tail
        with self._lock:
            self._kept[key] = found
            if len(self._kept) > MOST_WRITTEN:
                self._kept.popitem(last=False)
        return found


_WRITTEN = _WrittenItems()
