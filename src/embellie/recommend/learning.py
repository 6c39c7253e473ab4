"""Learning: from the log to lists of articles with what was known of each when it was shown, and what readers then did."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embellie.domain.errors import InputError
from embellie.domain.event import Event
from embellie.domain.moment import micros
from embellie.domain.reading import Click, Impression, Read
from embellie.domain.slate import Slate
from embellie.recommend.features import Matrix
from embellie.recommend.popularity import Integers

PATIENCE = 3_600_000_000
"""How long a slate is waited for (µs): a click or read later than an hour is not put down to it."""

CLICKED, READ = 1, 2
"""Labels; 0 is an article that was seen and passed over."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingSet:
    """Lists of articles, one after the other.

    Attributes:
        features: Articles × features, 32-bit.
        labels: Per article: 0 passed over, 1 clicked, 2 clicked and read.
        positions: Per article, from 1; 1 for all where nobody was shown a list.
        propensities: Per article: the chance it had to stand there, 1 where it was certain.
        weights: Per article.
        groups: How many articles each list has; they add up to the articles.
        at: When each list was shown (µs), ascending.
        feature_names: Of the columns.
    """

    features: Matrix
    labels: Integers
    positions: Integers
    propensities: NDArray[np.float32]
    weights: NDArray[np.float32]
    groups: Integers
    at: Integers
    feature_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.groups)

    def between(self, after: int, until: int) -> "TrainingSet":
        """Keep the lists shown at or after one moment and before another (µs)."""
        return self.where((self.at >= after) & (self.at < until))

    def with_contrast(self) -> "TrainingSet":
        """Keep the lists that have both a click and an article passed over."""
        starts = np.cumsum(self.groups) - self.groups
        clicked = np.add.reduceat(self.labels > 0, starts, dtype=np.int64) if len(starts) else self.groups
        return self.where((clicked > 0) & (clicked < self.groups))

    def drawn(self) -> "TrainingSet":
        """Keep the lists whose articles stood where they did by chance, each more likely elsewhere.

        There no order that readers follow is any policy's, so rankers can be compared without the place taking sides.
        """
        starts = np.cumsum(self.groups) - self.groups
        likely = np.maximum.reduceat(self.propensities, starts) if len(starts) else np.zeros(0)
        return self.where(likely < 0.5)

    def where(self, keep: NDArray[np.bool_]) -> "TrainingSet":
        """Keep some lists."""
        return self.taken(np.repeat(keep, self.groups), keep)

    def taken(self, rows: NDArray[Any], lists: NDArray[Any]) -> "TrainingSet":
        """Take these rows, which are those of these lists, in this order."""
        return replace(
            self,
            features=self.features[rows],
            labels=self.labels[rows],
            positions=self.positions[rows],
            propensities=self.propensities[rows],
            weights=self.weights[rows],
            groups=self.groups[lists],
            at=self.at[lists],
        )


def bounds_of(groups: Integers) -> Iterator[tuple[int, int]]:
    """Tell where each list begins and ends.

    >>> list(bounds_of(np.array([2, 3])))
    [(0, 2), (2, 5)]
    """
    ends = np.cumsum(groups)
    yield from zip((ends - groups).tolist(), ends.tolist(), strict=True)


class Lists:
    """Collects lists into a `TrainingSet`, with the features that all have: those of another version may have more or fewer."""

    def __init__(self) -> None:
        self._names: list[tuple[str, ...]] = []
        self._features: list[Any] = []
        self._labels: list[int] = []
        self._positions: list[int] = []
        self._propensities: list[float] = []
        self._groups: list[int] = []
        self._at: list[int] = []

    def add(
        self,
        names: tuple[str, ...],
        features: Iterable[Any],
        labels: Sequence[int],
        positions: Sequence[int],
        *,
        at: int,
        propensities: Sequence[float] = (),
    ) -> None:
        """Take in one list."""
        self._names.append(names)
        self._features.append(np.array(list(features), np.float32).reshape(len(labels), len(names)))
        self._labels += labels
        self._positions += positions
        self._propensities += propensities or [1.0] * len(labels)
        self._groups.append(len(labels))
        self._at.append(at)

    def training_set(self) -> TrainingSet:
        """Return all lists, in order of time."""
        count = len(self._labels)
        kinds = tuple(dict.fromkeys(self._names))
        names = tuple(name for name in (kinds[0] if kinds else ()) if all(name in one for one in kinds))
        columns = {one: [one.index(name) for name in names] for one in kinds if one != names}
        features = [
            table[:, columns[one]] if one in columns else table
            for one, table in zip(self._names, self._features, strict=True)
        ]
        found = TrainingSet(
            features=np.concatenate(features) if count else np.zeros((0, 0), np.float32),
            labels=np.array(self._labels, np.int64),
            positions=np.array(self._positions, np.int64),
            propensities=np.array(self._propensities, np.float32),
            weights=np.ones(count, np.float32),
            groups=np.array(self._groups, np.int64),
            at=np.array(self._at, np.int64),
            feature_names=names,
        )
        order = np.argsort(found.at, kind="stable")
        if np.array_equal(order, np.arange(len(order))):
            return found
        bounds = list(bounds_of(found.groups))
        rows = np.concatenate([np.arange(*bounds[one]) for one in order.tolist()])
        return found.taken(rows, order)


@dataclass(slots=True)
class _Open:
    """A slate that readers may still act on."""

    slate: Slate
    at: int
    seen: set[str]
    labels: dict[str, int]


def training_from_log(events: Iterable[Event], *, site: str = "", placement: str = "") -> TrainingSet:
    """Make lists of what readers were shown and saw, with the features as they were written down then.

    Nothing is recomputed: an article's features are those of its `served` event; where a newer version wrote more, those that
    all slates have. An article counts as seen if there is an
    impression or a click; one that never came into view was not passed over. A slate that nobody saw is no list. A click
    makes label 1; a read of that article in the same visit, within the hour, makes 2.

    Args:
        events: In the order of the log; consent decides nothing here: what may not be known is not in the features.
        site: Only this one's; all when empty.
        placement: Only this one's; all when empty.

    Raises:
        InputError: No slate of the log has features.
    """
    join = _Join(placement)
    for event in events:
        if not site or event.site == site:
            join.take(event)
    join.close(np.iinfo(np.int64).max)
    if not join.features:
        raise InputError(
            f"None of {join.slates} slates says what was known of its articles.",
            hint="Declare a scenario with the policy `ranker`: slates then carry features. Without a model it ranks as `affinity`.",
        )
    return join.lists.training_set()


class _Join:
    """Brings together slates and what readers did with them; a slate is kept for an hour, then it is a list."""

    def __init__(self, placement: str) -> None:
        self.lists = Lists()
        self.slates = 0
        self.features = False
        self._placement = placement
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._chosen: dict[tuple[str, str], _Open] = {}

    def take(self, event: Event) -> None:
        """Take in one event."""
        match event.body:
            # One shown to many is clicked by some of them nearly always: that says nothing of its order.
            case Slate() as slate if slate.items and not slate.shared and self._placement in ("", slate.placement):
                self._serve(slate, micros(event.at))
            case Impression() as seen if seen.slate_id in self._open:
                self._open[seen.slate_id].seen.add(seen.article)
            case Click() as click if click.slate_id in self._open:
                one = self._open[click.slate_id]
                one.seen.add(click.article)
                one.labels[click.article] = max(CLICKED, one.labels.get(click.article, 0))
                if click.visit:
                    self._chosen[click.visit, click.article] = one
            case Read() as read if (read.visit, read.article) in self._chosen:
                self._chosen[read.visit, read.article].labels[read.article] = READ
            case _:
                pass

    def _serve(self, slate: Slate, at: int) -> None:
        self.slates += 1
        if slate.feature_names:
            self.close(at - PATIENCE)
            self.features = True
            self._open[slate.slate_id] = _Open(slate, at, set(), {})

    def close(self, until: int) -> None:
        """Make lists of the slates served before a moment (µs)."""
        while self._open and next(iter(self._open.values())).at < until:
            _, one = self._open.popitem(last=False)
            for article in one.labels:
                if self._chosen.get((one.slate.visit, article)) is one:
                    del self._chosen[one.slate.visit, article]
            items = [item for item in one.slate.items if item.article in one.seen and item.features]
            if items:
                self.lists.add(
                    one.slate.feature_names,
                    [item.features for item in items],
                    [one.labels.get(item.article, 0) for item in items],
                    [item.position for item in items],
                    at=one.at,
                    propensities=[item.propensity for item in items],
                )
