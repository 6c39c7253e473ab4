"""Favouring: what editors bring forward without saying where it goes: boosts, and places kept for a section."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence

from embellie.domain.article import Article
from embellie.domain.rule import MOST_BOOST, Rule
from embellie.domain.slate import Recommended


def boosted(
    items: Iterable[Recommended], factor: Callable[[Recommended], float], *, most: float
) -> Iterator[Recommended]:
    """Reorder a ranking: an article at place p competes as if it stood at p / factor; equals keep their order.

    A factor on places, not on scores, means the same under every policy, whatever its scores are. The ranking is read only
    `most` times further than the result is.

    Args:
        items: The ranking.
        factor: The factor of an article, above 0.
        most: No factor is above it; at least 1.

    >>> places = [Recommended(name, "") for name in "abcd"]
    >>> [item.article for item in boosted(places, lambda item: 3.0 if item.article == "d" else 1.0, most=3.0)]
    ['a', 'd', 'b', 'c']
    """
    waiting: list[tuple[float, int, Recommended]] = []
    for place, item in enumerate(items, start=1):
        heapq.heappush(waiting, (place / factor(item), place, item))
        while waiting and waiting[0][0] <= (place + 1) / most:
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]


class Boosts:
    """The boosts that hold, as one factor per article: their product, from a tenth to ten."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = [rule for rule in rules if rule.action == "boost"]

    def __bool__(self) -> bool:
        return bool(self._rules)

    def factor(self, article: Article | None) -> float:
        """Return the factor of an article.

        >>> boosts = Boosts([Rule(rule="r", action="boost", tag="Vote", factor=2.0)])
        >>> boosts.factor(Article(article="a", tags=("vote",))), boosts.factor(Article(article="b"))
        (2.0, 1.0)
        """
        found = 1.0
        if article is not None:
            tags = {tag.casefold() for tag in article.tags}
            for rule in self._rules:
                if _matches(rule, article, tags):
                    found *= rule.factor
        return min(max(found, 1.0 / MOST_BOOST), MOST_BOOST)


def _matches(rule: Rule, article: Article, tags: set[str]) -> bool:
    if rule.article:
        return rule.article == article.article
    if rule.section:
        return rule.section == article.section
    return rule.tag.casefold() in tags


class Floors:
    """The floors not met yet, and when they can wait no longer: each is met as late as it may be.

    Args:
        rules: The rules that hold.
        n: The slots of the slate.
        pinned: The sections of what is pinned, by position.
    """

    def __init__(self, rules: Iterable[Rule], *, n: int, pinned: dict[int, str]) -> None:
        self._pinned = pinned
        floors = (rule for rule in rules if rule.action == "floor")
        self._open = [
            (min(rule.position, n), rule.section)
            for rule in sorted(floors, key=lambda rule: (min(rule.position, n), rule.rule))
            if not any(section == rule.section and at <= rule.position for at, section in pinned.items())
        ]

    def __bool__(self) -> bool:
        return bool(self._open)

    def meet(self, section: str) -> None:
        """Take note that an article of a section stands in the slate."""
        self._open = [(last, wanted) for last, wanted in self._open if wanted != section]

    def due(self, position: int) -> Sequence[str]:
        """List the sections one of which must come at a position, the most urgent first; none while there is time.

        >>> floors = Floors([Rule(rule="r", action="floor", section="Local", position=3)], n=4, pinned={3: "Sport"})
        >>> floors.due(1), floors.due(2)
        ([], ['Local'])
        """
        for number, (last, _) in enumerate(self._open, start=1):
            free = sum(at not in self._pinned for at in range(position, last + 1))
            if free <= number:
                return list(dict.fromkeys(section for _, section in self._open[:number]))
        return []
