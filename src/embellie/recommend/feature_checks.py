"""Feature checks: what was written down when serving, against what replaying the log finds for the same moment."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from embellie.domain.article import Article
from embellie.domain.errors import InputError
from embellie.domain.event import Event
from embellie.domain.reading import Erasure
from embellie.domain.slate import Slate, SlateRequest
from embellie.recommend.features import FEATURES, Feature, feature_matrix, names_of, signals_of_features
from embellie.recommend.shelf import Shelf
from embellie.recommend.state import HEARD, State, heard_in, told_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Skew:
    """How often a feature differed (`share` of the articles compared), and by how much at most and in the middle."""

    feature: str
    articles: int
    share: float
    median: float
    largest: float
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureCheck:
    """The result: `skews` is empty when every number came out the same to the last bit.

    `policies` counts the articles compared by policy. `unknown` are logged features that this version cannot compute;
    `lost` are articles of which the replayed state knows nothing.
    """

    slates: int
    articles: int
    policies: Mapping[str, int]
    skews: Sequence[Skew]
    unknown: tuple[str, ...] = ()
    lost: int = 0

    @property
    def ok(self) -> bool:
        """Whether something was compared and all of it was the same."""
        return self.articles > 0 and not (self.skews or self.unknown or self.lost)

    def __str__(self) -> str:
        if not self.articles:
            return "No slate with features: nothing was compared."
        if self.ok:
            return f"{self.articles} articles of {self.slates} slates: every feature the same to the last bit."
        lines = [
            f"`{one.feature}` differs in {one.share:.1%} of {self.articles} articles, by {one.median:g} in the middle and "
            f"{one.largest:g} at most ({one.example})."
            for one in self.skews
        ]
        lines += [f"`{name}` is in the log, but this version does not compute it." for name in self.unknown]
        if self.lost:
            lines.append(f"{self.lost} articles are unknown to the replayed state.")
        return "\n".join(lines)


@dataclass(slots=True)
class _Found:
    """What was compared so far."""

    slates: int = 0
    articles: int = 0
    lost: int = 0
    policies: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    differences: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    examples: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, None] = field(default_factory=dict)


def check_features(
    events: Callable[[], Iterable[Event]],
    *,
    features: Sequence[Feature] = FEATURES,
    every: int = 1,
    new_state: Callable[..., State] = State,
) -> FeatureCheck:
    """Replay a log and compute each served article's features again, as of the moment its slate was made.

    A feature that knew the future when serving, or was computed in another way, differs here. The moment is the one the
    slate names (`as_of`), not only its place in the log: events that were written while it was being made are not held
    against it. Features computed from a state that was told more than the log holds differ as well. Slates from before a
    reader was erased are passed over: they knew what is no longer there.

    Args:
        events: Tells the log from its beginning; called twice.
        features: How they are computed now.
        every: Compare each n-th slate only.
        new_state: Makes the state, with the bounds of the one that served.

    Raises:
        InputError: `every` is below 1.
    """
    if every < 1:
        raise InputError(f"`every` is {every}.", hint="Give 1 for all slates, 10 for each tenth.")
    early, restated = _early(events(), every)
    state = new_state(signals=signals_of_features(features))
    found = _Found()
    for event, slate in _each_nth(events(), every):
        site = event.site
        if isinstance(event.body, HEARD):
            # The last moment at which the state is as these slates knew it.
            for late, made in early.pop((site, state.site(site).heard), ()):
                _compare(found, late, made, state, features)
        if isinstance(event.body, Erasure) and event.body.removed:
            restated[site] -= 1
        if slate is not None and not restated[site] and slate.as_of == state.site(site).heard:
            _compare(found, event, slate, state, features)
        state.apply(event)
    for left in early.values():
        for _, made in left:
            found.slates += 1
            found.lost += sum(bool(item.features) for item in made.items)
    return _result(found, features)


def _each_nth(events: Iterable[Event], every: int) -> Iterator[tuple[Event, Slate | None]]:
    """Tell events, and beside each the slate to compare, if it is one."""
    number = 0
    for event in events:
        slate = event.body if isinstance(event.body, Slate) and event.body.feature_names else None
        if slate is not None:
            number += 1
        yield event, slate if number % every == 0 else None


def _early(
    events: Iterable[Event], every: int
) -> tuple[dict[tuple[str, int], list[tuple[Event, Slate]]], dict[str, int]]:
    """Find the slates that were made before events which stand before them in the log.

    Also how many times each site's log had a reader taken out: what slates before that knew is not there any more.
    """
    heard: dict[str, int] = defaultdict(int)
    shelves: dict[str, Shelf] = defaultdict(lambda: Shelf(from_reads=False, unlisted=0))
    found: dict[tuple[str, int], list[tuple[Event, Slate]]] = defaultdict(list)
    restated: dict[str, int] = defaultdict(int)
    for event, slate in _each_nth(events, every):
        if slate is not None and slate.as_of != heard[event.site]:
            found[event.site, slate.as_of].append((event, slate))
        if isinstance(event.body, Erasure) and event.body.removed:
            restated[event.site] += 1
            heard[event.site] += heard_in(event.body.removed)
            for key in [key for key in found if key[0] == event.site]:
                del found[key]
        if isinstance(event.body, Article):
            if shelves[event.site].holds(event.body, told_at(event)):
                continue
            shelves[event.site].put(event.body, told_at(event))
        heard[event.site] += isinstance(event.body, HEARD)
    return found, restated


def _compare(found: _Found, event: Event, slate: Slate, state: State, features: Sequence[Feature]) -> None:
    site = state.site(event.site)
    noted = [item for item in slate.items if item.features]
    known = [(item, row) for item in noted if (row := site.shelf.row(item.article)) is not None]
    found.slates += 1
    found.lost += len(noted) - len(known)
    if not known:
        return
    request = SlateRequest(
        site=event.site,
        placement=slate.placement,
        n=len(slate.items),
        now=event.at,
        article=slate.article,
        reader=slate.reader,
        visit=slate.visit,
        consent=event.consent,
        visit_articles=slate.visit_articles,
    )
    matrix, names = feature_matrix(request, site, np.array([row for _, row in known], np.int64), features=features)
    logged = np.array([item.features for item, _ in known], np.float32)
    found.articles += len(known)
    found.policies[slate.policy] += len(known)
    columns = {name: number for number, name in enumerate(names)}
    for number, name in enumerate(slate.feature_names):
        if name not in columns:
            found.unknown[name] = None
            continue
        ours, theirs = matrix[:, columns[name]], logged[:, number]
        for place in np.flatnonzero(ours != theirs).tolist():
            found.differences[name].append(abs(float(ours[place]) - float(theirs[place])))
            found.examples.setdefault(
                name,
                f"`{known[place][0].article}` of `{slate.slate_id}`: {theirs[place]:g} logged, {ours[place]:g} replayed",
            )


def _result(found: _Found, features: Sequence[Feature]) -> FeatureCheck:
    skews = [
        Skew(
            feature=name,
            articles=len(found.differences[name]),
            share=len(found.differences[name]) / found.articles,
            median=float(np.median(found.differences[name])),
            largest=max(found.differences[name]),
            example=found.examples[name],
        )
        for name in names_of(features)
        if name in found.differences
    ]
    return FeatureCheck(
        slates=found.slates,
        articles=found.articles,
        policies=dict(found.policies),
        skews=skews,
        unknown=tuple(found.unknown),
        lost=found.lost,
    )
