"""The newspaper of the sandbox: the Gazette of Embellie, an invented region, in French and in English.

Every place and person in it is invented, and every article was written for this project. An edition of five days comes
round for ever: each time under new ids and dates, so that a simulation never runs out of news.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from embellie.domain.article import Article
from embellie.domain.errors import InputError

NAMES = {"en": "The Embellie Gazette", "fr": "La Gazette d'Embellie"}

SECTIONS = {
    "politics": {"en": "Politics", "fr": "Politique"},
    "economy": {"en": "Economy", "fr": "Économie"},
    "society": {"en": "Society", "fr": "Société"},
    "health": {"en": "Health", "fr": "Santé"},
    "education": {"en": "Education", "fr": "Éducation"},
    "science": {"en": "Science", "fr": "Sciences"},
    "environment": {"en": "Environment", "fr": "Environnement"},
    "culture": {"en": "Culture", "fr": "Culture"},
    "sport": {"en": "Sport", "fr": "Sport"},
    "leisure": {"en": "Leisure", "fr": "Loisirs"},
}
"""The ten sections, in the order of the newspaper, with their names for people."""

EDITION_DAYS = 5
BACKLOG = timedelta(days=2)
LIFE = timedelta(days=4)
"""An article expires before it comes round again, so the same title is never on show twice."""

_HOURS = np.array([0, 0, 0, 0, 0, 1, 4, 6, 6, 5, 4, 4, 5, 4, 3, 3, 4, 5, 5, 3, 2, 1, 1, 0], dtype=float)
"""When a newsroom publishes: weights of the hours of a day (UTC)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One article as it was written, before it gets a date."""

    slug: str
    section: str
    language: str
    title: str
    author: str
    tags: tuple[str, ...]
    summary: str
    body: tuple[str, ...]


@cache
def pieces() -> tuple[Piece, ...]:
    """Read every article of the package, in a fixed order."""
    folder = resources.files("embellie.sandbox").joinpath("articles")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".md")), key=lambda file: file.name)
    return tuple(piece for file in files for piece in _read(file.name, file.read_text(encoding="utf-8")))


def _read(name: str, text: str) -> list[Piece]:
    section, language, _ = name.split(".")
    blocks = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    return [_piece(block, section=section, language=language, at=name) for block in blocks]


def _piece(block: str, *, section: str, language: str, at: str) -> Piece:
    lines = [line.strip() for line in block.splitlines() if line.strip()]
    if len(lines) < 4 or not (lines[1].startswith("*") and " · " in lines[1]):
        raise InputError(
            f"Article `{lines[0] if lines else ''}` is not whole.",
            hint="Write a title, a line `*Author · tag, tag*`, a summary and at least one paragraph.",
            at=at,
        )
    slug = slug_of(lines[0])
    title, byline, summary, *body = (line.replace("'", "’") for line in lines)
    author, _, tags = byline.strip("*").partition(" · ")
    return Piece(
        slug=slug,
        section=section,
        language=language,
        title=title,
        author=author,
        tags=tuple(tag.strip() for tag in tags.split(",")),
        summary=summary,
        body=tuple(body),
    )


def slug_of(title: str) -> str:
    """Make an address of a title.

    >>> slug_of("À Saint-Orval, l'écluse rouvre")
    'a-saint-orval-l-ecluse-rouvre'
    """
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:60].rstrip("-")


@cache
def _by_slug() -> dict[str, Piece]:
    return {piece.slug: piece for piece in pieces()}


def piece_of(article: str) -> Piece | None:
    """Find the piece an article's id was made from; `None` for an article that is not the Gazette's."""
    return _by_slug().get(article.rpartition("-")[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """An article with its date, and how much it draws readers (1: like any other)."""

    article: Article
    appeal: float


class Calendar:
    """When each article appears: every piece once per edition of five days, about 32 a day, for ever.

    Args:
        start: When the simulation begins (UTC); two days of articles are there already.
        rng: Chooses order, hours and appeal, the same for each edition.
    """

    def __init__(self, start: datetime, rng: np.random.Generator) -> None:
        self.start = start
        own = pieces()
        self._origin = (start - BACKLOG).replace(hour=0, minute=0, second=0, microsecond=0)
        self._order = rng.permutation(len(own))
        days = np.arange(len(own)) * EDITION_DAYS // len(own)
        hours = rng.choice(24, size=len(own), p=_HOURS / _HOURS.sum()) + rng.random(len(own))
        self._appeal = np.exp(rng.normal(0.0, 0.5, len(own)))
        self._offsets: NDArray[np.float64] = days * 24.0 + hours
        self._order = self._order[np.argsort(self._offsets, kind="stable")]
        self._offsets = np.sort(self._offsets)

    def between(self, after: datetime, until: datetime) -> list[Issue]:
        """List what appears after one moment and until another, oldest first."""
        edition = timedelta(days=EDITION_DAYS)
        first = max(0, (after - self._origin) // edition)
        last = max(0, (until - self._origin) // edition)
        found = [issue for number in range(first, last + 1) for issue in self._edition(number)]
        return [one for one in found if one.article.published_at and after < one.article.published_at <= until]

    def backlog(self) -> list[Issue]:
        """List what is there when the simulation begins."""
        return self.between(self._origin - timedelta(seconds=1), self.start)

    def _edition(self, number: int) -> list[Issue]:
        begins = self._origin + timedelta(days=EDITION_DAYS * number)
        return [
            Issue(
                article=dated(pieces()[place], begins + timedelta(hours=float(offset)), number=number + 1),
                appeal=float(self._appeal[place]),
            )
            for place, offset in zip(self._order.tolist(), self._offsets, strict=True)
        ]


def dated(piece: Piece, published: datetime, *, number: int) -> Article:
    """Give a piece its date and its id in the edition of that number."""
    published = published.replace(microsecond=0)
    name = f"{piece.slug}-{number}"
    return Article(
        article=name,
        url=f"/gazette/{name}",
        title=piece.title,
        summary=piece.summary,
        section=piece.section,
        tags=piece.tags,
        authors=(piece.author,),
        language=piece.language,
        published_at=published,
        expires_at=published + LIFE,
    )
