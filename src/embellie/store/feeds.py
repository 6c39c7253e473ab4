"""Feeds: RSS and Atom to articles, and articles to RSS and Atom."""

import contextlib
import io
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Literal
from xml.etree import ElementTree as ET
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

import feedparser
from feedparser.encodings import convert_to_utf8

from embellie.domain.article import Article
from embellie.domain.errors import InputError
from embellie.domain.moment import iso
from embellie.store.article_texts import canonical, plain, shortened, web_address, when, without_html

logger = logging.getLogger(__name__)

ATOM = "http://www.w3.org/2005/Atom"
TOMBSTONES = "http://purl.org/atompub/tombstones/1.0"
DUBLIN_CORE = "http://purl.org/dc/elements/1.1/"
TERMS = "http://purl.org/dc/terms/"
MEDIA = "http://search.yahoo.com/mrss/"

MOST_ATTRIBUTES = 200
"""Attributes an element may have; those of feeds have a handful."""

_ENTITY = re.compile(rb"<!\s*ENTITY", re.IGNORECASE)
_DATES = ("published", "updated", "created")


@dataclass(frozen=True, slots=True)
class Tombstone:
    """An article its feed says was removed, and when."""

    article: str
    removed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a feed, a page or a file held.

    `problems` is what could not be read and was left out; `notes` what was read with an assumption.
    """

    articles: tuple[Article, ...] = ()
    removed: tuple[Tombstone, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_feed(content: bytes, *, url: str = "", content_type: str = "") -> Reading:
    """Read an RSS or Atom feed; what does not parse is reported, the rest is kept.

    Args:
        content: The feed's bytes.
        url: Where it was read; relative addresses are resolved against it.
        content_type: The HTTP header, which may name the encoding.

    Raises:
        InputError: It is no feed at all, or declares XML entities (a way to exhaust memory).
    """
    # No `content-location`: the library would make addresses of the ids too. Links are made absolute below.
    headers = {"content-type": content_type or "application/xml"}
    try:
        as_parsed = _in_utf8(content, headers)
        _refuse_bombs(content, as_parsed, url)
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        raise InputError(
            f"The feed could not be read: {plain(str(error))}.", hint="Write it as UTF-8 XML and say so.", at=url
        ) from None
    # A stream, never a string: the library would open a string that looks like an address or a path.
    try:
        parsed = feedparser.parse(io.BytesIO(content), response_headers=headers, sanitize_html=False)
    except (ValueError, LookupError, AttributeError, TypeError, AssertionError, RecursionError) as error:
        raise InputError(
            f"The feed could not be read: {plain(str(error))}.", hint="Write it as UTF-8 XML and say so.", at=url
        ) from None
    tombstones = _tombstones(as_parsed)
    if not parsed.get("version") and not parsed.entries and not tombstones:
        raise InputError("Neither RSS nor Atom.", hint="Open the address in a browser: is it a feed?", at=url)
    return _reading(parsed, tombstones, url)


def _in_utf8(content: bytes, headers: Mapping[str, str]) -> bytes:
    """Return the text that the library will parse: a declaration hidden by another encoding is to be found in it."""
    written: bytes | str = convert_to_utf8(dict(headers), content, {})
    return written if isinstance(written, bytes) else written.encode("utf-8", "replace")


def _refuse_bombs(content: bytes, as_parsed: bytes, url: str) -> None:
    """Refuse what costs more to read than its size tells.

    Raises:
        InputError: Entities are declared, or an element has too many attributes (their reading takes the square of them).
    """
    if any(_ENTITY.search(text) for text in (content, content.replace(b"\0", b""), as_parsed)):
        raise InputError(
            "The feed declares XML entities.", hint="Write characters as they are, in UTF-8, without a DTD.", at=url
        )

    def count(name: str, attributes: list[str]) -> None:
        if len(attributes) > 2 * MOST_ATTRIBUTES:
            raise InputError(
                f"`{plain(name)[:80]}` has more than {MOST_ATTRIBUTES} attributes.",
                hint="Is the address a feed's?",
                at=url,
            )

    gate = expat.ParserCreate()
    gate.ordered_attributes = True
    gate.StartElementHandler = count
    # What breaks here breaks in the library at the same place; from there on it reads in a way that is not slow.
    with contextlib.suppress(expat.ExpatError):
        gate.Parse(as_parsed, True)


def _reading(parsed: Any, tombstones: tuple[Tombstone, ...], url: str) -> Reading:
    language = str(parsed.feed.get("language") or "")
    articles: dict[str, Article] = {}
    problems, notes = [], []
    if parsed.bozo and not _harmless(parsed.bozo_exception):
        problems.append(f"Not well-formed: {plain(str(parsed.bozo_exception))}. What could be read is kept.")
    for number, entry in enumerate(parsed.entries, start=1):
        article, said = _article(entry, language=language, base=url)
        if article is None:
            problems.append(f"Item {number}: {said}")
        else:
            articles.setdefault(article.article, article)
            notes += [f"`{article.article}`: {said}"] if said else []
    gone = {stone.article: stone for stone in tombstones}
    kept = tuple(article for article in articles.values() if not _outlived(article, gone))
    removed = tuple(stone for stone in gone.values() if stone.article not in {article.article for article in kept})
    return Reading(articles=kept, removed=removed, problems=tuple(problems), notes=tuple(notes))


def _harmless(error: Exception) -> bool:
    return isinstance(error, feedparser.CharacterEncodingOverride | feedparser.NonXMLContentType)


def _outlived(article: Article, gone: Mapping[str, Tombstone]) -> bool:
    """Tell whether its tombstone is the last word on an article that also stands in the feed."""
    stone = gone.get(article.article)
    if stone is None:
        return False
    return stone.removed_at is None or article.updated_at is None or stone.removed_at >= article.updated_at


def _article(entry: Any, *, language: str, base: str) -> tuple[Article | None, str]:
    """Build an article, with what was assumed; or None and why not."""
    link = web_address(str(entry.get("link") or ""), base=base)
    identity = plain(str(entry.get("id") or "")) or (canonical(link) if link else "")
    title = _text(entry, "title")
    if not link or not title:
        lacking = "a title" if link else "an `http` or `https` link"
        return None, f"it lacks {lacking}; left out."
    dates, said = _dates(entry)
    section, tags = _section_and_tags(entry)
    return Article(
        article=identity,
        url=link,
        title=title,
        summary=_summary(entry),
        section=section,
        tags=tags,
        authors=_authors(entry),
        language=str(entry.get("language") or _language_of(entry) or language),
        image=_image(entry, base),
        **dates,
    ), said


def _text(entry: Any, name: str) -> str:
    value = str(entry.get(name) or "")
    kind = str((entry.get(f"{name}_detail") or {}).get("type") or "")
    return plain(value) if kind == "text/plain" else without_html(value)


def _summary(entry: Any) -> str:
    text = _text(entry, "summary")
    if not text and entry.get("content"):
        content = entry.content[0]
        text = plain(content.value) if content.get("type") == "text/plain" else without_html(content.value)
    return shortened(text)


def _language_of(entry: Any) -> str:
    return str((entry.get("title_detail") or {}).get("language") or "")


def _authors(entry: Any) -> tuple[str, ...]:
    names = [plain(str(author.get("name") or "")) for author in entry.get("authors") or ()]
    return tuple(dict.fromkeys(name for name in names if name))


def _dates(entry: Any) -> tuple[dict[str, Any], str]:
    # Plainly from the dictionary: the library's own `get` answers `updated` with `published`, and warns.
    given = {name: str(dict.get(entry, name) or "") for name in _DATES}
    read = {name: when(text) for name, text in given.items()}
    expiry = when(str(entry.get("expired") or entry.get("validity_end") or entry.get("validity") or ""))
    said = [f"`{name}` is no date" for name in _DATES if given[name] and read[name].time is None]
    if expiry.naive or any(found.naive for found in read.values()):
        said.append("a date without a time zone was taken as UTC")
    published = read["published"].time or read["created"].time or read["updated"].time
    # Atom asks for `updated` on every entry: the same as `published` means never updated.
    updated = read["updated"].time if read["updated"].time != published else None
    return {"published_at": published, "updated_at": updated, "expires_at": expiry.time}, "; ".join(said)


def _section_and_tags(entry: Any) -> tuple[str, tuple[str, ...]]:
    """Take the section a feed names, or else its first category that is not marked as a tag."""
    named = plain(str(entry.get("prism_section") or ""))
    pairs = [(plain(str(tag.get("term") or "")), str(tag.get("scheme") or "")) for tag in entry.get("tags") or ()]
    pairs = [(term, scheme.rpartition("/")[2].lower()) for term, scheme in pairs if term]
    section = named or next((term for term, scheme in pairs if scheme == "section"), "")
    section = section or next((term for term, scheme in pairs if scheme != "tag"), "")
    tags = dict.fromkeys(term for term, scheme in pairs if scheme == "tag" or (scheme != "section" and term != section))
    return section, tuple(tags)


def _image(entry: Any, base: str) -> str:
    media = [item for item in entry.get("media_content") or () if _is_image(item, item.get("medium"))]
    links = [item for item in entry.get("links") or () if item.get("rel") == "enclosure" and _is_image(item, None)]
    for item in (*media, *links, *(entry.get("media_thumbnail") or ())):
        found = web_address(str(item.get("url") or item.get("href") or ""), base=base)
        if found:
            return found
    return ""


def _is_image(item: Any, medium: object) -> bool:
    return medium == "image" or str(item.get("type") or "").startswith("image/")


def _tombstones(content: bytes) -> tuple[Tombstone, ...]:
    """Read the entries an Atom feed says were deleted (RFC 6721), as far as the XML goes."""
    if b"deleted-entry" not in content:
        return ()
    # Entities were refused before: this parser is not fed anything that could expand.
    parser: Any = ET.XMLPullParser(["start"])
    found, name = [], f"{{{TOMBSTONES}}}deleted-entry"
    try:
        parser.feed(content)
        for _, element in parser.read_events():
            if element.tag == name and element.get("ref"):
                found.append(Tombstone(plain(element.get("ref")), when(element.get("when", "")).time))
    except (ET.ParseError, LookupError, ValueError):
        logger.debug("Tombstones were read up to where the XML breaks.")
    return tuple(found)


# ---- writing -------------------------------------------------------------------------------------------------------

FeedKind = Literal["rss", "atom"]


def write_feed(articles: Iterable[Article], *, kind: FeedKind = "rss", title: str = "Feed", url: str = "") -> bytes:
    """Write articles as an RSS 2.0 or Atom feed that `read_feed` reads back to the same articles.

    Withdrawn articles become tombstones, embargoed ones are left out; `paywalled` has no place in a feed. Times keep
    whole seconds in RSS.
    """
    shown = [article for article in articles if article.state != "embargoed"]
    body = _rss(shown, title, url) if kind == "rss" else _atom(shown, title, url)
    return body.encode("utf-8")


_SPACES_USED = {"at": TOMBSTONES, "dc": DUBLIN_CORE, "dcterms": TERMS, "media": MEDIA}


def _namespaces(**more: str) -> str:
    return "".join(f' xmlns:{name}="{address}"' for name, address in (_SPACES_USED | more).items())


def _rss(articles: Sequence[Article], title: str, url: str) -> str:
    head = f"<title>{_html(title)}</title><link>{escape(url)}</link><description>{_html(title)}</description>"
    items = "\n".join(_tombstone(a) if a.state == "withdrawn" else _rss_item(a) for a in articles)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<rss version="2.0"{_namespaces(atom=ATOM)}><channel>{head}\n{items}\n</channel></rss>\n'
    )


def _rss_item(article: Article) -> str:
    lines = [
        f'<guid isPermaLink="false">{escape(plain(article.article))}</guid>',
        f"<title>{_html(article.title)}</title>",
        f"<link>{escape(article.url)}</link>",
        f"<description>{_html(article.summary)}</description>" if article.summary else "",
        f"<pubDate>{format_datetime(_utc(article.published_at), usegmt=True)}</pubDate>"
        if article.published_at
        else "",
        f"<atom:updated>{_iso(article.updated_at)}</atom:updated>" if article.updated_at else "",
        f"<dc:language>{escape(article.language)}</dc:language>" if article.language else "",
        f'<category domain="section">{escape(plain(article.section))}</category>' if article.section else "",
        *(f'<category domain="tag">{escape(plain(tag))}</category>' for tag in article.tags),
        *(f"<dc:creator>{escape(plain(name))}</dc:creator>" for name in article.authors),
        _shared(article),
    ]
    return f"<item>{''.join(lines)}</item>"


def _atom(articles: Sequence[Article], title: str, url: str) -> str:
    updated = max((_changed(article) for article in articles), default=datetime(1970, 1, 1, tzinfo=UTC))
    head = (
        f"<title>{escape(plain(title))}</title><id>{escape(url or 'urn:embellie:feed')}</id>"
        f"<updated>{_iso(updated)}</updated><author><name>{escape(plain(title))}</name></author>"
    )
    entries = "\n".join(_tombstone(a) if a.state == "withdrawn" else _atom_entry(a) for a in articles)
    return f'<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="{ATOM}"{_namespaces()}>{head}\n{entries}\n</feed>\n'


def _atom_entry(article: Article) -> str:
    lines = [
        f"<id>{escape(plain(article.article))}</id>",
        f'<title type="text">{escape(plain(article.title))}</title>',
        f'<link rel="alternate" href={quoteattr(article.url)}/>',
        f'<summary type="text">{escape(plain(article.summary))}</summary>' if article.summary else "",
        f"<published>{_iso(article.published_at)}</published>" if article.published_at else "",
        f"<updated>{_iso(_changed(article))}</updated>",
        f"<dc:language>{escape(article.language)}</dc:language>" if article.language else "",
        f'<category scheme="section" term={quoteattr(plain(article.section))}/>' if article.section else "",
        *(f'<category scheme="tag" term={quoteattr(plain(tag))}/>' for tag in article.tags),
        *(f"<author><name>{escape(plain(name))}</name></author>" for name in article.authors),
        _shared(article),
    ]
    return f"<entry>{''.join(lines)}</entry>"


def _shared(article: Article) -> str:
    expiry = f"<dcterms:valid>end={_iso(article.expires_at)}</dcterms:valid>" if article.expires_at else ""
    image = f'<media:content medium="image" url={quoteattr(article.image)}/>' if article.image else ""
    return expiry + image


def _tombstone(article: Article) -> str:
    return f"<at:deleted-entry ref={quoteattr(plain(article.article))} when={quoteattr(_iso(_changed(article)))}/>"


def _changed(article: Article) -> datetime:
    return article.updated_at or article.published_at or datetime(1970, 1, 1, tzinfo=UTC)


def _html(text: str) -> str:
    """Escape twice: RSS texts are HTML inside XML."""
    return escape(escape(plain(text)))


def _utc(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(microsecond=0)


def _iso(time: datetime | None) -> str:
    return iso(time) if time else ""
