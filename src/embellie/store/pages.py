"""Pages: articles from the schema.org JSON-LD that a page of the newspaper carries."""

import json
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from typing import Any

from embellie.domain.article import Article
from embellie.store.article_texts import canonical, plain, shortened, web_address, when, without_html
from embellie.store.feeds import Reading

TYPES = frozenset(
    {
        "Article", "NewsArticle", "AnalysisNewsArticle", "AskPublicNewsArticle", "BackgroundNewsArticle",
        "OpinionNewsArticle", "ReportageNewsArticle", "ReviewNewsArticle", "Report", "LiveBlogPosting", "BlogPosting",
    }
)  # fmt: skip
"""The schema.org types read as articles."""

_DEEPEST = 12


class _Head(HTMLParser):
    """Collects the JSON-LD scripts, the canonical address and the language of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.scripts: list[str] = []
        self.canonical = ""
        self.language = ""
        self.collecting = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        have = {name: value or "" for name, value in attrs}
        if tag == "html":
            self.language = have.get("lang", "")
        elif tag == "link" and "canonical" in have.get("rel", "").lower().split():
            self.canonical = have.get("href", "")
        elif tag == "script" and have.get("type", "").partition(";")[0].strip().lower() == "application/ld+json":
            self.scripts.append("")
            self.collecting = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self.collecting = False

    def handle_data(self, data: str) -> None:
        if self.collecting:
            self.scripts[-1] += data


def read_page(html: str, *, url: str = "") -> Reading:
    """Read the articles a page describes: one on an article's page, several on a front page.

    Args:
        html: The page.
        url: Where it was read; relative addresses are resolved against it.
    """
    head = _Head()
    head.feed(html)
    head.close()
    page = web_address(head.canonical, base=url) or url
    articles: dict[str, Article] = {}
    problems, notes = [], []
    for script in head.scripts:
        try:
            document = json.loads(script)
        except (ValueError, RecursionError) as error:
            problems.append(f"A JSON-LD script is not JSON: {error}.")
            continue
        for node in _nodes(document):
            article, said = _article(node, page=page, language=head.language)
            if article is None:
                problems.append(said)
            else:
                articles.setdefault(article.article, article)
                notes += [f"`{article.article}`: {said}"] if said else []
    if not articles and not problems:
        problems.append("No schema.org article in JSON-LD on this page.")
    return Reading(articles=tuple(articles.values()), problems=tuple(problems), notes=tuple(notes))


def _nodes(value: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """Find the articles wherever the page nests them: `@graph`, lists, `itemListElement`, `mainEntity`."""
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for part in value:
            yield from _nodes(part, depth + 1)
    elif isinstance(value, Mapping):
        types = {str(name).rpartition("/")[2] for name in _list(value.get("@type"))}
        if types & TYPES:
            yield value
            return
        for name in ("@graph", "mainEntity", "itemListElement", "item", "hasPart", "blogPost"):
            yield from _nodes(value.get(name), depth + 1)


def _article(node: Mapping[str, Any], *, page: str, language: str) -> tuple[Article | None, str]:
    url = web_address(_id(node.get("url")) or _id(node.get("mainEntityOfPage")), base=page) or web_address(page)
    title = without_html(_word(node.get("headline")) or _word(node.get("name")))
    if not url or not title:
        return None, f"An article of the page lacks {'a headline' if url else 'an address'}; left out."
    dates, said = _dates(node)
    sections = [plain(_word(name)) for name in _list(node.get("articleSection"))]
    sections = [name for name in sections if name]
    tags = dict.fromkeys([*sections[1:], *_keywords(node.get("keywords"))])
    return Article(
        article=plain(_identifier(node.get("identifier"))) or canonical(url),
        url=url,
        title=title,
        summary=shortened(without_html(_word(node.get("description")))),
        section=sections[0] if sections else "",
        tags=tuple(tags),
        authors=tuple(dict.fromkeys(name for name in map(_name, _list(node.get("author"))) if name)),
        language=_word(_code(node.get("inLanguage"))) or language,
        image=_image(node, page),
        paywalled=str(node.get("isAccessibleForFree", "true")).rpartition("/")[2].lower() in {"false", "no"},
        **dates,
    ), said


def _dates(node: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    read = {name: when(_word(node.get(name))) for name in ("datePublished", "dateModified", "expires")}
    said = [f"`{name}` is no date" for name, found in read.items() if _word(node.get(name)) and found.time is None]
    if any(found.naive for found in read.values()):
        said.append("a date without a time zone was taken as UTC")
    names = {"published_at": "datePublished", "updated_at": "dateModified", "expires_at": "expires"}
    return {ours: read[theirs].time for ours, theirs in names.items()}, "; ".join(said)


def _image(node: Mapping[str, Any], page: str) -> str:
    for picture in (*_list(node.get("image")), node.get("thumbnailUrl")):
        address = picture.get("url") or picture.get("contentUrl") if isinstance(picture, Mapping) else picture
        found = web_address(_id(address), base=page) if address else ""
        if found:
            return found
    return ""


def _keywords(value: Any) -> list[str]:
    words = [word for part in _list(value) for word in _word(_name_or_self(part)).split(",")]
    return [word for word in map(plain, words) if word]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _word(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _id(value: Any) -> str:
    first = value[0] if isinstance(value, list) and value else value
    return _word(first.get("@id") or first.get("url")) if isinstance(first, Mapping) else _word(first)


def _identifier(value: Any) -> str:
    first = value[0] if isinstance(value, list) and value else value
    found = first.get("value") if isinstance(first, Mapping) else first
    return str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""


def _name_or_self(value: Any) -> Any:
    return value.get("name") if isinstance(value, Mapping) else value


def _name(value: Any) -> str:
    return plain(_word(_name_or_self(value)))


def _code(value: Any) -> Any:
    return value.get("alternateName") if isinstance(value, Mapping) else value
