"""Shelf: a site's articles as columns, so that fifty thousand are filtered and scored at once."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from embellie.domain.article import Article
from embellie.domain.moment import micros
from embellie.recommend.packing import pack_articles, unpack_articles
from embellie.recommend.popularity import EVERY, Integers, Rows

_COLUMNS = ("_told", "_published", "_starts", "_expires", "_live", "_section", "_language")
NEVER = np.iinfo(np.int64).max
_ALWAYS = np.iinfo(np.int64).min


def primary_language(tag: str) -> str:
    """Return the language of a tag, without its region.

    >>> primary_language("fr-CA")
    'fr'
    """
    return tag.replace("_", "-").partition("-")[0].lower()


class Codes:
    """Words numbered as they come; the empty word is 0."""

    def __init__(self, words: Iterable[str] = ("",)) -> None:
        self.words = list(words)
        self._codes = {word: code for code, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def code(self, word: str) -> int:
        """Return a word's number, a new one if it is new."""
        found = self._codes.get(word)
        if found is None:
            found = self._codes[word] = len(self.words)
            self.words.append(word)
        return found

    def find(self, word: str) -> int:
        """Return a word's number, -1 when it was never seen."""
        return self._codes.get(word, -1)


class Names(Sequence[str]):
    """The names of some rows, looked up one by one: most are never asked for."""

    def __init__(self, ids: Sequence[str], rows: Integers) -> None:
        self._ids = ids
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self._ids[row] for row in self._rows[index].tolist()]
        return self._ids[int(self._rows[index])]


class Shelf:
    """The articles of a site: row by row the latest version, its times, section and language.

    Args:
        from_reads: Whether an article of which only reads are known may be shown (a click log without a
            catalogue); a live site never shows an article it cannot name.
        unlisted: The most articles without a catalogue entry that are kept, so that made-up names cannot fill memory.
    """

    def __init__(self, *, from_reads: bool, unlisted: int) -> None:
        self._from_reads = from_reads
        self._spare = unlisted
        self.ids: list[str] = []
        self.articles: list[Article | None] = []
        self.sections = Codes()
        self.languages = Codes()
        self.changes = 0
        """How often articles came or changed: what was worked out of them holds until they change again."""
        self._rows: dict[str, int] = {}
        self._told = _column(64, np.int64)
        self._published = _column(64, np.int64)
        self._starts = _column(64, np.int64)
        self._expires = _column(64, np.int64)
        self._live = _column(64, np.bool_)
        self._section = _column(64, np.int64)
        self._language = _column(64, np.int64)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def published(self) -> Integers:
        """When each article was published, or first heard of (µs)."""
        published: Integers = self._published[: len(self.ids)]
        return published

    @property
    def section(self) -> Integers:
        """The code of each article's section; 0 is unknown."""
        section: Integers = self._section[: len(self.ids)]
        return section

    def names(self, rows: Integers) -> Names:
        """Return the names of some rows."""
        return Names(self.ids, rows)

    def row(self, article: str) -> int | None:
        """Return an article's row."""
        return self._rows.get(article)

    def rows(self, articles: Iterable[str]) -> list[int]:
        """Return the rows of those articles that are known."""
        found = self._rows.get
        return [row for article in articles if (row := found(article)) is not None]

    def holds(self, article: Article, at: int) -> bool:
        """Tell whether this says nothing new: told already, or older than what is known."""
        row = self._rows.get(article.article)
        if row is None or at > self._told[row]:
            return False
        return bool(at < self._told[row]) or self.articles[row] == article

    def put(self, article: Article, at: int) -> int:
        """Take in an article as told at a time (µs); what is older than what is known changes nothing."""
        row = self._rows.get(article.article)
        if row is None:
            row = self._add(article.article, at)
        elif at < self._told[row]:
            return row
        elif self.articles[row] is None:
            self._spare += 1
        self.changes += 1
        self._told[row] = at
        self.articles[row] = article
        self._live[row] = article.state == "live"
        if article.published_at is not None:
            self._published[row] = self._starts[row] = micros(article.published_at)
        else:
            self._starts[row] = _ALWAYS
        self._expires[row] = NEVER if article.expires_at is None else micros(article.expires_at)
        self._section[row] = self.sections.code(article.section)
        self._language[row] = self.languages.code(primary_language(article.language))
        return row

    def meet(self, article: str, at: int) -> int | None:
        """Return the row of an article someone read; a new one if it is new; `None` when there are too many such."""
        row = self._rows.get(article)
        if row is not None:
            return row
        if not self._from_reads:
            if self._spare <= 0:
                return None
            self._spare -= 1
        row = self._add(article, at)
        self._told[row] = _ALWAYS
        self._live[row] = self._from_reads
        self._starts[row] = _ALWAYS
        self._expires[row] = NEVER
        return row

    def _add(self, article: str, at: int) -> int:
        self.changes += 1
        row = self._rows[article] = len(self.ids)
        self.ids.append(article)
        self.articles.append(None)
        if row >= len(self._told):
            for name in _COLUMNS:
                column = getattr(self, name)
                setattr(self, name, np.concatenate([column, np.zeros_like(column)]))
        self._published[row] = at
        return row

    def showable(self, now: int, rows: Rows = EVERY) -> NDArray[np.bool_]:
        """Tell of articles (of every one, unless rows are given) whether readers may be shown them at a time (µs)."""
        n = len(self.ids)
        live, starts, expires = self._live[:n][rows], self._starts[:n][rows], self._expires[:n][rows]
        found: NDArray[np.bool_] = live & (starts <= now) & (expires > now)
        return found

    def may_come(self, now: int) -> NDArray[np.bool_]:
        """Tell of every article whether readers may be shown it at a time (µs), or later if nothing changes."""
        n = len(self.ids)
        found: NDArray[np.bool_] = self._live[:n] & (self._expires[:n] > now)
        return found

    def in_language(self, tag: str, rows: Rows = EVERY) -> NDArray[np.bool_]:
        """Tell of articles (of every one, unless rows are given) whether they are in a language, or theirs is unknown."""
        spoken = self._language[: len(self.ids)][rows]
        found: NDArray[np.bool_] = (spoken == self.languages.find(primary_language(tag))) | (spoken == 0)
        return found

    def speaks(self, row: int, tag: str) -> bool:
        """Tell whether one article is in a language, or its language is unknown."""
        return int(self._language[row]) in (0, self.languages.find(primary_language(tag)))

    def shown_between(self, row: int) -> tuple[int, int] | None:
        """Return from when and until when readers may be shown one article (µs); `None` when it is withdrawn."""
        return (int(self._starts[row]), int(self._expires[row])) if self._live[row] else None

    def language_code(self, row: int) -> int:
        """Return the code of an article's language; 0 is unknown."""
        return int(self._language[row])

    def language_of(self, row: int) -> str:
        """Return an article's language, `""` when unknown."""
        return self.languages.words[int(self._language[row])]

    def section_of(self, row: int) -> str:
        """Return an article's section, `""` when unknown."""
        return self.sections.words[int(self._section[row])]

    def is_showable(self, row: int, now: int) -> bool:
        """Tell whether readers may be shown one article at a time (µs)."""
        return bool(self._live[row] and self._starts[row] <= now < self._expires[row])

    def snapshot(self) -> Mapping[str, Any]:
        """Return the whole shelf."""
        columns = {name.strip("_"): getattr(self, name)[: len(self.ids)].copy() for name in _COLUMNS}
        return columns | {
            "ids": list(self.ids),
            "articles": pack_articles(self.articles),
            "sections": list(self.sections.words),
            "languages": list(self.languages.words),
            "spare": self._spare,
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take up a whole shelf."""
        self.changes += 1
        self.ids = list(snapshot["ids"])
        self.articles = unpack_articles(snapshot["articles"])
        self.sections, self.languages = Codes(snapshot["sections"]), Codes(snapshot["languages"])
        self._spare = int(snapshot["spare"])
        self._rows = {name: row for row, name in enumerate(self.ids)}
        for name in _COLUMNS:
            given = snapshot[name.strip("_")]
            column = _column(max(64, len(given)), given.dtype)
            column[: len(given)] = given
            setattr(self, name, column)


def _column(size: int, kind: Any) -> Any:
    return np.zeros(size, kind)
