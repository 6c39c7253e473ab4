"""The readers of the sandbox: tastes, habits, and what they do before a page.

A reader's visit depends on the seed, the reader and the number of the visit alone (a counter-based generator), never on
who came before. So the same visit can be played twice, with a slate and without: their difference is the slate's doing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embellie.domain.slate import Consent
from embellie.sandbox.newspaper import NAMES, SECTIONS, Issue

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

READ_SECONDS = 10.0
"""Attention that makes a read."""

MOST_PAGES = 12
_PER_PAGE = 12
_FIRST = 2
"""Draws of a visit: two for its landing, then twelve per page."""

_CONSENTS: tuple[Consent, ...] = ("profiling", "measurement", "none")
_CONSENT_SHARES = (0.62, 0.26, 0.12)
_MICROS_PER_HOUR = 3_600_000_000.0
_FRESHNESS_HOURS = 30.0

_WORKING = np.array([1, 1, 0, 0, 0, 1, 4, 8, 7, 4, 3, 3, 6, 6, 3, 3, 3, 5, 7, 7, 7, 6, 4, 2], dtype=float)
_EVENING = np.array([3, 1, 1, 0, 0, 0, 1, 2, 2, 2, 3, 3, 4, 4, 3, 3, 4, 5, 6, 8, 9, 9, 8, 5], dtype=float)
_HABITS = np.array([_WORKING / _WORKING.mean(), _EVENING / _EVENING.mean()])


@dataclass(frozen=True, slots=True, kw_only=True)
class Temperament:
    """How readers behave on average: the truth of the sandbox follows from these numbers and from what is shown.

    Args:
        visits_per_day: Mean over readers.
        patience: Chance to go on to another article by oneself, mean over readers.
        curiosity: Chance to choose the first article of a slate that is neither liked nor disliked, fresh, of
            average appeal, when the slate is reached.
        attention: What is left of that chance at each position further down.
        added: Its factor for readers who would otherwise leave: these clicks are *added* reading. At 0 slates are
            clicked and change nothing: an A/A with a click-through rate.
        diverted: Its factor for readers who would go on anyway: these clicks only replace other reading.
    """

    visits_per_day: float = 1.25
    patience: float = 0.42
    curiosity: float = 0.035
    attention: float = 0.85
    added: float = 1.0
    diverted: float = 1.5


class Stand:
    """What can be read at one moment, with what draws readers to it."""

    def __init__(self) -> None:
        self.place: dict[str, int] = {}
        self.ids: list[str] = []
        self._issues: list[Issue] = []
        self.section: Integers = np.empty(0, np.int64)
        self.language: Integers = np.empty(0, np.int64)
        self.draw: Floats = np.empty(0)
        self.version = 0
        self._published: Floats = np.empty(0)
        self._appeal: Floats = np.empty(0)

    def put(self, issues: Sequence[Issue], *, now: int) -> None:
        """Add what appeared, drop what expired, and let time pass to `now` (µs)."""
        if issues:
            alive = [one for one in self._issues if _micros_of(one, expiry=True) > now]
            self._issues = [*alive, *issues]
            sections, languages = list(SECTIONS), list(NAMES)
            self.ids = [one.article.article for one in self._issues]
            self.place = {name: place for place, name in enumerate(self.ids)}
            self.section = np.array([sections.index(one.article.section) for one in self._issues])
            self.language = np.array([languages.index(one.article.language) for one in self._issues])
            self._published = np.array([_micros_of(one) for one in self._issues], dtype=float)
            self._appeal = np.array([one.appeal for one in self._issues])
        ages = np.maximum(now - self._published, 0.0) / _MICROS_PER_HOUR
        self.draw = self._appeal * np.exp2(-ages / _FRESHNESS_HOURS)
        self.version += 1


def _micros_of(issue: Issue, *, expiry: bool = False) -> float:
    at = issue.article.expires_at if expiry else issue.article.published_at
    return at.timestamp() * 1e6 if at else 0.0


class Readership:
    """Everyone who reads the newspaper: arrays of one value per reader.

    Args:
        count: How many readers.
        rng: Draws their tastes and habits.
        seed: Of their visits, which depend on it, the reader and the visit's number alone.
        temperament: How they behave on average.
    """

    def __init__(
        self, count: int, rng: np.random.Generator, *, seed: int, temperament: Temperament | None = None
    ) -> None:
        self.temperament = temperament = temperament or Temperament()
        self.count, self.seed = count, seed
        self.names = [f"reader-{seed}-{number}" for number in range(count)]
        self.taste: Floats = rng.dirichlet(np.full(len(SECTIONS), 0.6), count) * len(SECTIONS)
        self.taste = 0.2 + 0.8 * self.taste
        self.tongue: Floats = np.array([[1.0, 0.06], [0.06, 1.0], [1.0, 1.0]])[
            rng.choice(3, size=count, p=[0.42, 0.46, 0.12])
        ]
        self.per_day: Floats = temperament.visits_per_day * rng.gamma(2.0, 0.5, count)
        self.habit: Integers = rng.integers(len(_HABITS), size=count)
        self.patience: Floats = rng.beta(12 * temperament.patience, 12 * (1 - temperament.patience), count)
        self.curiosity: Floats = temperament.curiosity * rng.gamma(3.0, 1 / 3.0, count)
        self.pace: Floats = np.exp(rng.normal(0.0, 0.3, count))
        self.consents: list[Consent] = [_CONSENTS[one] for one in rng.choice(3, size=count, p=_CONSENT_SHARES)]
        self.visits: Integers = np.zeros(count, np.int64)

    def arrivals(self, tick: int, *, hour: float, hours: float) -> Iterator[tuple[float, int, int]]:
        """Tell who comes in one stretch of time: (hours into it, reader, number of the visit), in order of time.

        Args:
            tick: The stretch's number, which with the seed decides everything.
            hour: Of the day, where it begins.
            hours: Its length; at most one visit per reader.
        """
        chance = self.per_day * _HABITS[self.habit, int(hour) % 24] * hours / 24.0
        drawn = _generator(self.seed, -1, tick).random(self.count)
        coming = np.flatnonzero(drawn < chance)
        offsets = drawn[coming] / chance[coming] * hours
        order = np.argsort(offsets, kind="stable")
        for offset, reader in zip(offsets[order].tolist(), coming[order].tolist(), strict=True):
            number = int(self.visits[reader])
            self.visits[reader] += 1
            yield offset, reader, number

    def visit(self, reader: int, number: int) -> "Visit":
        """Begin a reader's visit of that number."""
        draws = _generator(self.seed, reader, number).random(_FIRST + MOST_PAGES * _PER_PAGE)
        return Visit(self, reader, number, draws.tolist())


def _generator(seed: int, reader: int, number: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[seed, reader + 1], counter=[0, 0, 0, number]))


@dataclass(frozen=True, slots=True)
class Turn:
    """What a reader did on one page: `seen` articles of the slate came in view, `clicked` is a position (0: none)."""

    article: str
    referrer: str
    seconds: float
    depth: float
    seen: int
    clicked: int

    @property
    def read(self) -> bool:
        """Whether the attention was enough for a read."""
        return self.seconds >= READ_SECONDS


class Visit:
    """One visit: `land` on an article, then `turn` page after page until the reader leaves.

    The draws of a page depend on its number in the visit only, so a visit played with and without a slate runs
    alike as far as the slate changes nothing.
    """

    __slots__ = (
        "_draws",
        "_everyone",
        "_page",
        "_referrer",
        "_sums",
        "_wished",
        "article",
        "number",
        "opened",
        "reader",
    )

    def __init__(self, everyone: Readership, reader: int, number: int, draws: list[float]) -> None:
        self._everyone, self.reader, self.number, self._draws = everyone, reader, number, draws
        self._page = 0
        self._referrer = ""
        self._sums: Floats = np.empty(0)
        self._wished = 0
        self.article = ""
        self.opened: dict[str, None] = {}

    @property
    def name(self) -> str:
        """The visit's id."""
        return f"{self._everyone.names[self.reader]}-v{self.number}"

    def land(self, stand: Stand) -> str:
        """Arrive from the front page, a search or a social network on an article; returns it."""
        how = self._draws[0]
        self._referrer = "direct" if how < 0.55 else "search" if how < 0.78 else "social"
        self._go(self._choose(stand, self._draws[1]))
        return self.article

    def turn(self, stand: Stand, slate: Sequence[str]) -> Turn:
        """Read the page with a slate below it (perhaps an empty one), then go on or leave."""
        draws = self._draws[_FIRST + self._page * _PER_PAGE : _FIRST + (self._page + 1) * _PER_PAGE]
        stays, chooses, dwell, reach, *looks = draws
        everyone, reader, page = self._everyone, self.reader, self.article
        place = stand.place.get(page)
        liking = 1.0 if place is None else float(everyone.taste[reader, stand.section[place]])
        seconds = _seconds(dwell, pace=float(everyone.pace[reader]), liking=liking)
        depth = min(1.0, 0.15 + 0.85 * reach * (1.0 if seconds >= READ_SECONDS else 0.35) * 1.3)
        more = self._page + 1 < MOST_PAGES
        would_go_on = more and stays < everyone.patience[reader]
        seen = len(slate) if depth >= 0.5 else 0
        clicked = self._click(stand, slate[:seen], looks, would_go_on=would_go_on) if more else 0
        referrer, self._page = self._referrer, self._page + 1
        if clicked:
            self._referrer = "recommendation"
            self._go(slate[clicked - 1])
        elif would_go_on:
            self._referrer = "internal"
            self._go(self._choose(stand, chooses))
        else:
            self.article = ""
        return Turn(page, referrer, seconds, depth, seen, clicked)

    def _click(self, stand: Stand, slate: Sequence[str], looks: Sequence[float], *, would_go_on: bool) -> int:
        everyone, reader = self._everyone, self.reader
        temperament = everyone.temperament
        chance = float(everyone.curiosity[reader]) * (temperament.diverted if would_go_on else temperament.added)
        for position, (article, look) in enumerate(zip(slate, looks, strict=False), start=1):
            place = stand.place.get(article)
            if place is not None and article not in self.opened:
                taste = float(
                    everyone.taste[reader, stand.section[place]] * everyone.tongue[reader, stand.language[place]]
                )
                if look < min(0.6, chance * taste * float(stand.draw[place]) ** 0.5):
                    return position
            chance *= temperament.attention
        return 0

    def _go(self, article: str) -> None:
        self.article = article
        self.opened[article] = None

    def _choose(self, stand: Stand, chance: float) -> str:
        """Choose an article by oneself: by taste, language, appeal and freshness, none twice in a visit."""
        if self._wished != stand.version:
            everyone, reader = self._everyone, self.reader
            taste = everyone.taste[reader][stand.section] * everyone.tongue[reader][stand.language]
            self._sums, self._wished = np.cumsum(stand.draw * taste), stand.version
        sums = self._sums
        for shift in range(MOST_PAGES):
            place = int(np.searchsorted(sums, (chance + shift * 0.381966) % 1.0 * sums[-1], side="right"))
            if stand.ids[place] not in self.opened:
                break
        return stand.ids[place]


def _seconds(draw: float, *, pace: float, liking: float) -> float:
    """Draw the engaged seconds of a page: log-logistic, median 46 s for an average reader, longer where liked.

    Liking never decides whether it is a read: else a slate would change the count of reads in one more, hidden way.
    """
    odds = draw / max(1.0 - draw, 1e-9)
    seconds = float(46.0 * pace * odds**0.5)
    if seconds < READ_SECONDS:
        return seconds
    return float(min(900.0, max(READ_SECONDS, seconds * (0.8 + 0.2 * min(liking, 3.0)))))
