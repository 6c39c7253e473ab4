"""Article texts: titles, summaries, addresses and dates, cleaned the same way whatever brought them in."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from urllib.parse import SplitResult, urlencode, urljoin, urlsplit, urlunsplit
from urllib.parse import parse_qsl as read_query

SUMMARY_LENGTH = 400
"""Characters a summary keeps; a slate needs a line or two, a content policy no more than a lead."""

_SPACES = re.compile(r"[ \t\r\n\f\v]+")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff]")
_TRACKING = re.compile(r"^(utm_\w+|fbclid|gclid|at_medium|at_campaign|xtor)$", re.IGNORECASE)
_HOST = re.compile(r"^[^\s/\\@<>\"]+$")
_DATELINE = re.compile(r"\A\s*[^–]{0,40}–\s*")
_DATED = re.compile(r"\d")


class _Text(HTMLParser):
    """Keeps the text of an HTML fragment; blocks become spaces, scripts and styles vanish."""

    hidden = frozenset({"script", "style", "template", "noscript"})
    inline = frozenset(
        {"a", "abbr", "b", "cite", "em", "i", "mark", "q", "s", "small", "span", "strong", "sub", "sup", "u"}
    )

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.hidden:
            self.inside = tag
        if tag not in self.inline:
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag == self.inside:
            self.inside = ""
        if tag not in self.inline:
            self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self.inside:
            self.parts.append(data)


def plain(text: str) -> str:
    r"""Put a text on one line: no control characters, runs of spaces as one; no-break spaces stay.

    >>> plain("  Météo :\n deux   cents morts ")
    'Météo : deux cents morts'
    """
    return _SPACES.sub(" ", _CONTROLS.sub("", text)).strip(" ")


def without_html(text: str) -> str:
    """Take the text out of an HTML fragment.

    >>> without_html("<p>Bon <b>jour</b> &amp; merci<script>x()</script></p>")
    'Bon jour & merci'
    """
    reader = _Text()
    reader.feed(text)
    reader.close()
    return plain("".join(reader.parts))


def shortened(text: str, *, length: int = SUMMARY_LENGTH) -> str:
    """Cut a text at a word, with an ellipsis.

    >>> shortened("Une longue phrase", length=12)
    'Une longue…'
    """
    if len(text) <= length:
        return text
    head, space, _ = text[:length].rpartition(" ")
    return (head if space else text[: length - 1]).rstrip(" ,;:.–-") + "…"


def without_dateline(text: str) -> str:
    r"""Strip the place or date a dispatch opens with, up to 40 characters ending in an en dash.

    >>> without_dateline("1er janvier 2016, 14h30 . –\nUn homme a foncé.")
    'Un homme a foncé.'
    >>> without_dateline("Le film – son premier – sort demain.")
    'Le film – son premier – sort demain.'
    """
    found = _DATELINE.match(text)
    return text[found.end() :] if found and _DATED.search(found.group()) else text


def web_address(text: str, *, base: str = "") -> str:
    """Return an absolute `http` or `https` address as it was written, or `""` when it is none.

    >>> web_address("/wiki/Météo_(France)", base="https://example.org/feed")
    'https://example.org/wiki/Météo_(France)'
    >>> web_address("javascript:alert(1)")
    ''
    """
    text = _CONTROLS.sub("", text).strip()
    try:
        address = urljoin(base, text) if base and not urlsplit(text).scheme else text
        parts = urlsplit(address)
        usable = parts.scheme.lower() in {"http", "https"} and bool(parts.hostname) and _HOST.match(parts.netloc)
        _ = parts.port
    except ValueError:
        return ""
    return address if usable else ""


def canonical(address: str) -> str:
    """Name an article by its address: scheme and host in lower case, no fragment, no tracking parameters.

    >>> canonical("HTTPS://Example.org:443/a?utm_source=x&id=2#top")
    'https://example.org/a?id=2'
    """
    parts = urlsplit(address)
    query = [(name, value) for name, value in read_query(parts.query, True) if not _TRACKING.match(name)]
    kept = parts.query if len(query) == len(read_query(parts.query, True)) else urlencode(query)
    return urlunsplit((parts.scheme.lower(), _authority(parts), parts.path or "/", kept, ""))


def _authority(parts: SplitResult) -> str:
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    usual = {"http": 80, "https": 443}.get(parts.scheme.lower())
    return host if parts.port in {None, usual} else f"{host}:{parts.port}"


@dataclass(frozen=True, slots=True)
class When:
    """A date as read: `time` in UTC or None when it is none; `naive` when it gave no time zone."""

    time: datetime | None
    naive: bool = False


def when(text: str) -> When:
    """Read a date as feeds and pages write it (RFC 3339, RFC 822, a day); without a zone it is taken as UTC.

    >>> when("Tue, 06 Sep 2016 02:01:00 +0200").time.isoformat()
    '2016-09-06T00:01:00+00:00'
    >>> when("2016-09-06")
    When(time=datetime.datetime(2016, 9, 6, 0, 0, tzinfo=datetime.timezone.utc), naive=True)
    """
    text = text.strip()
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = read(text)
            # "-0000" tells that the zone is unknown; the library reads it as naive too.
            return When(found.replace(tzinfo=UTC), True) if found.tzinfo is None else When(found.astimezone(UTC))
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
    return When(None)
