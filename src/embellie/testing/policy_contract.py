# ruff: noqa: S101 - a contract suite asserts
"""Policy contract: what every policy must keep, for whoever writes one."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from embellie.domain.article import Article
from embellie.domain.event import Event
from embellie.domain.reading import Read
from embellie.domain.slate import Recommended, SlateRequest
from embellie.ports import Policy

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SITE = "gazette"
SECTIONS = ("Sport", "Politics", "Culture", "")


def gazette(articles: int = 40) -> list[Event]:
    """Return a small newspaper's log: articles of two days in three sections and none, read by six readers."""
    events = [
        _event(
            NOW - timedelta(hours=48 - i),
            Article(
                article=f"a{i}",
                title=f"Article {i}",
                section=SECTIONS[i % 4],
                published_at=NOW - timedelta(hours=48 - i),
            ),
        )
        for i in range(articles)
    ]
    reads = [
        _event(
            NOW - timedelta(minutes=240 - i),
            Read(article=f"a{(i * i) % articles}", reader=f"r{i % 6}", visit=f"v{i // 3}", engaged_seconds=30.0),
        )
        for i in range(4 * articles)
    ]
    return events + reads


def _event(at: datetime, body: Article | Read) -> Event:
    name = body.article if isinstance(body, Article) else f"{body.reader} {body.article}"
    return Event(id=f"{body.kind} {name} {at.isoformat()}", site=SITE, at=at, consent="profiling", body=body)


class PolicyContract(ABC):
    """Inherit it in a test class, say how to make your policy and to fold a log, and pytest does the rest.

    ```python
    class TestMine(PolicyContract):
        def policy(self):
            return Mine()

        def fold(self, events):
            return State().fold(events)
    ```
    """

    @abstractmethod
    def policy(self) -> Policy[Any]:
        """Make the policy."""

    @abstractmethod
    def fold(self, events: Iterable[Event]) -> Any:
        """Fold a log into what the policy looks at: `State().fold(events)`."""

    shows_something = True
    """Set it to `False` for a policy that may well rank nothing."""

    def _requests(self) -> list[SlateRequest]:
        plain = SlateRequest(site=SITE, placement="bottom", n=4, now=NOW)
        known = replace(plain, reader="r1", visit="v9", consent="profiling")
        return [
            plain,
            known,
            replace(known, article="a7"),
            replace(known, article="nowhere", exclude=("a1", "nowhere"), visit_articles=("a3", "nowhere")),
            replace(known, consent="measurement"),
            replace(known, n=1),
            replace(plain, site="unheard-of"),
            replace(plain, now=NOW + timedelta(days=400)),
        ]

    def _rankings(self) -> list[tuple[SlateRequest, Sequence[Recommended]]]:
        policy, view = self.policy(), self.fold(gazette())
        return [(request, policy(request, view)) for request in self._requests()]

    def test_it_has_a_name(self) -> None:
        """A policy has a name: it is written beside everything it shows."""
        assert isinstance(self.policy().name, str)
        assert self.policy().name

    def test_it_answers_every_request(self) -> None:
        """An unknown page, reader or site, or a quiet year, is answered with a ranking, at worst an empty one."""
        for _, ranking in self._rankings():
            assert all(isinstance(item, Recommended) for item in ranking)

    def test_it_fills_a_slate(self) -> None:
        """With forty articles there are at least n to show."""
        if self.shows_something:
            request, ranking = self._rankings()[0]
            assert len(ranking) >= request.n

    def test_it_names_known_articles(self) -> None:
        """Every article it ranks is one the site published, and no article comes twice."""
        published = {event.body.article for event in gazette() if isinstance(event.body, Article)}
        for _, ranking in self._rankings():
            names = [item.article for item in ranking]
            assert set(names) <= published
            assert len(set(names)) == len(names)

    def test_it_says_why(self) -> None:
        """Every article comes with a reason."""
        assert all(item.reason for _, ranking in self._rankings() for item in ranking)

    def test_its_propensities_are_chances(self) -> None:
        """The chance of showing what it shows is above 0 and at most 1: without it nothing can be learnt later."""
        assert all(0.0 < item.propensity <= 1.0 for _, ranking in self._rankings() for item in ranking)

    def test_certain_means_the_same_again(self) -> None:
        """A ranking of propensities 1 is the same when asked again, and after a replay of the same log."""
        for (request, one), (_, again) in zip(self._rankings(), self._rankings(), strict=True):
            if all(item.propensity == 1.0 for item in one):
                assert list(one) == list(again), request

    def test_asking_changes_nothing(self) -> None:
        """A policy looks at the state and leaves it as it was."""
        policy, view = self.policy(), self.fold(gazette())
        request = self._requests()[1]
        before = list(policy(request, view))
        for other in self._requests():
            list(policy(other, view))
        after = list(policy(request, view))
        if all(item.propensity == 1.0 for item in before):
            assert after == before

    def test_its_scores_are_numbers(self) -> None:
        """No score is NaN."""
        assert not any(math.isnan(item.score) for _, ranking in self._rankings() for item in ranking)
