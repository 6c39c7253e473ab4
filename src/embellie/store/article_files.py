"""Article files: articles as JSON lines, ours or somebody else's with its columns mapped."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import msgspec

from embellie.domain.article import Article
from embellie.domain.errors import EmbellieError, InputError, unknown_name
from embellie.store.article_texts import canonical, plain, shortened, web_address, when, without_dateline, without_html
from embellie.store.feeds import Reading

FIELDS = tuple(field.name for field in fields(Article))

USUAL = {
    "id": "article", "guid": "article", "link": "url", "lang": "language", "inLanguage": "language",
    "date": "published_at", "datePublished": "published_at", "dateModified": "updated_at", "headline": "title",
    "description": "summary", "keywords": "tags", "author": "authors", "category": "section", "expires": "expires_at",
}  # fmt: skip
"""Columns other programs write, and the field each stands for."""

TEXT = "text"
"""The column of the whole text; a summary is made from its beginning when none is given."""

_DATES = ("published_at", "updated_at", "expires_at")
_STATES = ("live", "embargoed", "withdrawn")


@dataclass(frozen=True, slots=True)
class _Line:
    article: Article | None
    said: str = ""
    unused: frozenset[str] = frozenset()


def read_article_lines(lines: Iterable[str], *, columns: Mapping[str, str] | None = None) -> Reading:
    """Read one article per line of JSON; a bad line is reported with its number and the rest is kept.

    Args:
        lines: The file's lines, UTF-8.
        columns: Field of an article to the column that holds it, beside the usual names
            (`id`, `title`, `text`, `url`, `date`, `lang`).

    Raises:
        InputError: `columns` names a field that an article does not have.
    """
    mapping = dict(USUAL)
    for field, column in (columns or {}).items():
        if field not in {*FIELDS, TEXT}:
            raise unknown_name("field of an article", field, [*FIELDS, TEXT])
        mapping[column] = field
    articles: dict[str, Article] = {}
    problems, notes = [], []
    unused: set[str] = set()
    for number, line in _numbered(lines):
        read = _line(line, mapping)
        unused |= read.unused
        if read.article is None:
            problems.append(f"Line {number}: {read.said}")
            continue
        articles[read.article.article] = read.article
        notes += [f"Line {number}: {read.said}"] if read.said else []
    if unused:
        notes.append(f"Columns not used: {', '.join(sorted(unused))}.")
    return Reading(articles=tuple(articles.values()), problems=tuple(problems), notes=tuple(notes))


def write_article_lines(articles: Iterable[Article]) -> Iterator[str]:
    """Write one line of JSON per article, with the fields that are not empty."""
    for article in articles:
        filled = {name: value for name, value in msgspec.to_builtins(article).items() if value}
        yield json.dumps(filled, ensure_ascii=False) + "\n"


def _numbered(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield number, line.removeprefix("\ufeff")


def _line(line: str, mapping: Mapping[str, str]) -> _Line:
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError) as error:
        return _Line(None, f"not JSON: {error}.")
    if not isinstance(raw, dict):
        return _Line(None, f"expected an object, got `{type(raw).__name__}`.")
    known = {*FIELDS, TEXT, "kind"}
    named = {mapping.get(name, name): value for name, value in raw.items() if value is not None}
    unused = frozenset(name for name in named if name not in known)
    try:
        article, said = _article(named)
    except EmbellieError as error:
        return _Line(None, str(error), unused)
    return _Line(article, said, unused)


def _article(raw: Mapping[str, Any]) -> tuple[Article, str]:
    state = raw.get("state", "live")
    if state not in _STATES:
        raise unknown_name("state", str(state), _STATES)
    url = web_address(_word(raw, "url"))
    identity = plain(str(raw.get("article", ""))) or (canonical(url) if url else "")
    title = plain(_word(raw, "title"))
    if not identity:
        raise InputError("It has neither `id` nor `url`.", hint="Give one; it names the article.")
    if state != "withdrawn" and not (url and title):
        lacking = "a `title`" if url else "an `http` or `https` `url`"
        raise InputError(f"`{identity}` lacks {lacking}.", hint="Add it, or map its column with `--column`.")
    naive, dates = _dates(raw)
    return Article(
        article=identity,
        url=url,
        title=title,
        summary=_summary(raw),
        section=plain(_word(raw, "section")),
        language=_word(raw, "language"),
        image=web_address(_word(raw, "image")),
        paywalled=raw.get("paywalled") is True,
        state=state,
        tags=_words(raw, "tags"),
        authors=_words(raw, "authors"),
        **dates,
    ), (f"`{identity}`: a date without a time zone was taken as UTC." if naive else "")


def _dates(raw: Mapping[str, Any]) -> tuple[bool, dict[str, Any]]:
    read = {name: when(_word(raw, name)) for name in _DATES}
    for name, found in read.items():
        if _word(raw, name) and found.time is None:
            raise InputError(f"`{name}` is no date: `{raw[name]}`.", hint="Write it as 2026-05-04T10:00:00Z.")
    # A day alone ("2016-01-01") is a usual way to date an article, not an oversight worth a note on every line.
    naive = any(found.naive and len(_word(raw, name)) > len("2016-01-01") for name, found in read.items())
    return naive, {name: found.time for name, found in read.items()}


def _summary(raw: Mapping[str, Any]) -> str:
    given = _word(raw, "summary")
    return shortened(without_html(given)) if given else shortened(plain(without_dateline(_word(raw, TEXT))))


def _words(raw: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = raw.get(name, ())
    words = value.split(",") if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
        raise InputError(f"`{name}` is no list of words.", hint=f'Write "{name}": ["one", "two"].')
    return tuple(dict.fromkeys(word for word in map(plain, words) if word))


def _word(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name, "")
    if not isinstance(value, str):
        raise InputError(f"`{name}` is no text: `{value!r}`.", hint="Put it in quotes.")
    return value
