"""Features: what a learned ranker looks at, computed from the state as it stands by one function, live, in replay and in training.

A feature sees the request, the site's state and the rows asked about; never the log, never a clock. So it cannot know the
future, and the same state and request give the same bits.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from embellie.domain.moment import micros
from embellie.domain.slate import Features, Recommended, SlateRequest
from embellie.recommend.affinity import section_lift, section_weights
from embellie.recommend.covisitation import Covisits
from embellie.recommend.policies import Affinity, Popular, PopularityNow, Scored
from embellie.recommend.pool import Pool
from embellie.recommend.popularity import MICROS_PER_HOUR, Floats, Integers
from embellie.recommend.signals import Signal
from embellie.recommend.state import SiteState
from embellie.recommend.texts import Texts, fading

Matrix: TypeAlias = NDArray[np.float32]

_POPULAR = Popular()
_AFFINITY = Affinity()
_HABIT_DAYS = 30.0
_LEAST = 0.05
_VISIT, _FADE = 10, 0.8
_LIKED, _LIKED_DAYS = 10, 7.0
_WHOLE = 1e6


class Asked:
    """A request before a site's state, and what several features share, computed once.

    Args:
        request: Without consent, who asks is not looked at.
        site: The state.
    """

    def __init__(self, request: SlateRequest, site: SiteState) -> None:
        if request.consent == "none":
            request = replace(request, reader="", visit="", visit_articles=())
        self.request, self.site = request, site
        self.now = micros(request.now)

    @cached_property
    def popular(self) -> Scored:
        """Decayed popularity of every article, as `popular` scores it."""
        return _POPULAR.score(self.request, self.site)

    @cached_property
    def affinity(self) -> Scored:
        """The default heuristic's score of every article."""
        return _AFFINITY.lifted(self.popular, self.request, self.site)

    @cached_property
    def measure(self) -> PopularityNow:
        """How popularity is counted at this moment."""
        return _POPULAR.popularity(self.request, self.site)

    @cached_property
    def section_lift(self) -> Floats | None:
        """By how much the default heuristic lifts each section for this reader."""
        return _AFFINITY.lift(self.request, self.site, self.measure.step)

    @cached_property
    def pool(self) -> Pool | None:
        """The articles among which a shortlist is found, where requests are frequent."""
        return self.site.pools.pool(self.measure, self.site.shelf, self.site.counters)

    def popular_of(self, rows: Integers) -> Floats:
        """Return decayed popularity of some rows: what `popular` has of them."""
        demand = self.measure.of(rows)
        return demand.reads + demand.lent

    def affinity_of(self, rows: Integers) -> Floats:
        """Return the default heuristic's score of some rows: what `affinity` has of them."""
        popular, lift = self.popular_of(rows), self.section_lift
        return popular if lift is None else popular * lift[self.site.shelf.section[rows]]

    @cached_property
    def most_popular(self) -> float:
        """The popularity of the most popular article, 0 without any."""
        if self.pool is not None:
            found = float(self.popular_of(self.pool.rows).max())
            if found > self.pool.most_popular(self.measure):
                return found
        return float(self.popular.values.max(initial=0.0))

    @cached_property
    def shares(self) -> Floats:
        """Each section's share of what is read now."""
        return self.site.section_shares(self.now, self.site.counters.step(self.now))

    @cached_property
    def history(self) -> dict[int, int]:
        """What the reader has read (row → µs); nothing without consent to profiling."""
        return self.site.history(self.request)

    @cached_property
    def visit(self) -> list[int]:
        """The rows opened in this visit, oldest first."""
        return self.site.visit_rows(self.request)

    @cached_property
    def together(self) -> Floats:
        """How often each article was opened together with the page, or, less and less, with what the visit opened before."""
        covisits, shelf = self.site.signal(Covisits), self.site.shelf
        found = np.zeros(len(shelf))
        before = [row for row in self.visit if row not in shelf.rows((self.request.article,))]
        for distance, row in enumerate([*shelf.rows((self.request.article,)), *reversed(before[-_VISIT:])]):
            others, counts = covisits.neighbours(row, self.now)
            found[others] += _FADE**distance * counts
        return found

    @cached_property
    def page_section(self) -> int:
        """The section's code of the page, 0 when unknown."""
        row = self.site.shelf.row(self.request.article)
        return 0 if row is None else int(self.site.shelf.section[row])

    @cached_property
    def about_page(self) -> dict[int, float]:
        """What the page is about, in weighted terms."""
        return self.site.signal(Texts).query(dict.fromkeys(self.site.shelf.rows((self.request.article,)), 1.0))

    @cached_property
    def about_read(self) -> dict[int, float]:
        """What the last ten articles of reader and visit are about, the page aside, each halved every week."""
        read = dict(self.history) | {row: self.now for row in self.visit if row not in self.history}
        for row in self.site.shelf.rows((self.request.article,)):
            read.pop(row, None)
        half_life = 24.0 * _LIKED_DAYS * MICROS_PER_HOUR
        return self.site.signal(Texts).query(fading(read, now=self.now, half_life=half_life, last=_LIKED))

    def lift(self, rows: Integers, *, half_life: float) -> Floats:
        """Return log lift of each row's section by the reader's own reads, halved every `half_life` hours; 0: not known."""
        shelf = self.site.shelf
        visit = self.visit if self.request.consent == "profiling" else []
        if not (self.history or visit) or len(shelf.sections) == 1:
            return np.zeros(len(rows))
        weights = section_weights(
            self.history, visit, shelf.section, count=len(shelf.sections), now=self.now, half_life=half_life
        )
        return self._log_lift(weights)[shelf.section[rows]]

    def visit_lift(self, rows: Integers) -> Floats:
        """Return log lift of each row's section by what this visit opened; 0: nothing yet."""
        shelf = self.site.shelf
        weights = np.bincount(shelf.section[self.visit], minlength=len(shelf.sections)).astype(np.float64)
        weights[0] = 0.0
        return self._log_lift(weights)[shelf.section[rows]] if weights.any() else np.zeros(len(rows))

    def _log_lift(self, weights: Floats) -> Floats:
        found: Floats = np.log(section_lift(weights, self.shares))
        found[0] = 0.0
        return found

    def reads(self, rows: Integers, hours: float) -> Floats:
        """Return the decayed reads of rows at the half-life nearest to `hours`."""
        counters = self.site.counters
        return counters.reads(self.now, counters.nearest(hours), rows)

    def ages(self, rows: Integers) -> Floats:
        """Return hours since publication, at least 0."""
        ages: Floats = np.maximum(self.now - self.site.shelf.published[rows], 0) / MICROS_PER_HOUR
        return ages


@dataclass(frozen=True, slots=True)
class Feature:
    """One number per article: `of(asked, rows)` gives an array of one per row, or one number for all.

    What it says of a row does not depend on which other rows are asked about; what it needs of the state beside
    popularity and histories it names in `signals`.
    """

    name: str
    of: Callable[[Asked, Integers], Floats | float]
    signals: tuple[type[Signal], ...] = ()


def _reads(hours: float) -> Feature:
    return Feature(f"reads_{hours:g}h", lambda asked, rows: np.log1p(asked.reads(rows, hours)))


def _trend(short: float, long: float) -> Feature:
    """How much faster an article is read now than over a longer time: log of the ratio of its two rates."""

    def of(asked: Asked, rows: Integers) -> Floats:
        now, usually = asked.reads(rows, short) / short, asked.reads(rows, long) / long
        found: Floats = np.log((now + _LEAST) / (usually + _LEAST))
        return found

    return Feature(f"trend_{short:g}h_{long:g}h", of)


def _pace(asked: Asked, rows: Integers) -> Floats:
    """Reads an hour since publication, in logs: what a new article has done in the time it had."""
    found: Floats = np.log((asked.reads(rows, 168.0) + 0.5) / (asked.ages(rows) + 1.0))
    return found


def _standing(asked: Asked, rows: Integers) -> Floats:
    """Popularity beside that of the site's most popular article, in logs: the same at night and at noon."""
    found: Floats = np.log((asked.popular_of(rows) + _LEAST) / (asked.most_popular + _LEAST))
    return found


def _same_section(asked: Asked, rows: Integers) -> Floats:
    same: Floats = (asked.site.shelf.section[rows] == asked.page_section).astype(np.float64)
    return same * (asked.page_section > 0)


def _like_page(asked: Asked, rows: Integers) -> Floats:
    return asked.site.signal(Texts).alike_to(asked.about_page, rows)


def _like_read(asked: Asked, rows: Integers) -> Floats:
    return asked.site.signal(Texts).alike_to(asked.about_read, rows)


def _hour(asked: Asked, _: Integers) -> float:
    return asked.now / MICROS_PER_HOUR % 24.0


FEATURES: tuple[Feature, ...] = (
    *(_reads(hours) for hours in (0.5, 2.0, 6.0, 24.0, 168.0)),
    _trend(1.0, 6.0),
    _trend(6.0, 72.0),
    Feature("pace", _pace),
    Feature("standing", _standing),
    Feature("popular", lambda asked, rows: np.log1p(asked.popular_of(rows))),
    Feature("affinity", lambda asked, rows: np.log1p(asked.affinity_of(rows))),
    Feature("age_hours", lambda asked, rows: np.log1p(asked.ages(rows))),
    Feature("section_lift", lambda asked, rows: asked.lift(rows, half_life=24.0 * _HABIT_DAYS)),
    Feature("section_lift_today", lambda asked, rows: asked.lift(rows, half_life=12.0)),
    Feature("visit_lift", lambda asked, rows: asked.visit_lift(rows)),
    Feature("section_share", lambda asked, rows: asked.shares[asked.site.shelf.section[rows]]),
    Feature("same_section", _same_section),
    Feature("covisits", lambda asked, rows: np.log1p(asked.together[rows]), (Covisits,)),
    Feature("like_page", _like_page, (Texts,)),
    Feature("like_read", _like_read, (Texts,)),
    Feature("reader_reads", lambda asked, _: float(np.log1p(len(asked.history)))),
    Feature("visit_pages", lambda asked, _: float(len(asked.visit))),
    Feature("hour", _hour),
)
"""All features, in order; one more is one line here, and the signals it names are kept from then on."""


def names_of(features: Iterable[Feature] = FEATURES) -> tuple[str, ...]:
    """List the names of features, in order."""
    return tuple(feature.name for feature in features)


def signals_of_features(features: Iterable[Feature] = FEATURES) -> tuple[type[Signal], ...]:
    """List the signals that features look at, each once."""
    return tuple(dict.fromkeys(signal for feature in features for signal in feature.signals))


def matrix_of(asked: Asked, rows: Integers, *, features: Sequence[Feature] = FEATURES) -> Matrix:
    """Compute features of articles as of the state.

    Args:
        asked: The request and the state.
        rows: Which articles.
        features: Which features.

    Returns:
        Articles × features, 32-bit and finite. A number beyond what 32 bits hold becomes the largest they do.
    """
    table = np.empty((len(rows), len(features)), np.float64)
    for column, feature in enumerate(features):
        table[:, column] = feature.of(asked, rows)
    most = float(np.finfo(np.float32).max)
    return np.nan_to_num(table, nan=0.0, posinf=most, neginf=-most).clip(-most, most).astype(np.float32)


def feature_matrix(
    request: SlateRequest, site: SiteState, rows: Integers, *, features: Sequence[Feature] = FEATURES
) -> tuple[Matrix, tuple[str, ...]]:
    """Compute features of articles for a request: (articles × features, names)."""
    return matrix_of(Asked(request, site), rows, features=features), names_of(features)


def written(row: Matrix, names: tuple[str, ...], *, as_of: int) -> Features:
    """Write one article's features down: each in the shortest decimal that reads back as the same 32-bit number.

    >>> written(np.array([0.1, 3.0], np.float32), ("a", "b"), as_of=7).values
    (0.1, 3.0)
    """
    # A small whole number is its own shortest form.
    values = [
        plain if plain.is_integer() and abs(plain) < _WHOLE else float(str(value))
        for plain, value in zip(row.tolist(), row, strict=True)
    ]
    return Features(names, tuple(values), as_of)


def with_features(
    slate: Sequence[Recommended], request: SlateRequest, site: SiteState, *, features: Sequence[Feature] = FEATURES
) -> list[Recommended]:
    """Note beside each article of a slate what a learned ranker would have looked at; what is noted already stays.

    So slates of heuristics, and editors' pins, are learnt from too.
    """
    bare = [item.article for item in slate if item.features is None and site.shelf.row(item.article) is not None]
    if not bare:
        return list(slate)
    matrix, names = feature_matrix(request, site, np.array(site.shelf.rows(bare), np.int64), features=features)
    noted = {name: written(row, names, as_of=site.heard) for name, row in zip(bare, matrix, strict=True)}
    return [replace(item, features=item.features or noted.get(item.article)) for item in slate]
