"""View: what a page of the dashboard is asked, and what every page needs to answer."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from embellie.app.measured_words import reason_and_remedy
from embellie.app.pictures.voice import written_in_percent
from embellie.domain.errors import EmbellieError
from embellie.domain.experiment import Experiment
from embellie.domain.question import Question, Unknown
from embellie.domain.rollout import Rollout
from embellie.domain.unavailable import Unavailable
from embellie.domain.verdict import Spread, Verdict
from embellie.web.language import Words
from embellie.web.phrases import MESSAGES

if TYPE_CHECKING:
    from embellie.app.newsroom import Newsroom

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class View:
    """One request for one page: which newsroom and site, in whose words, with which choices."""

    newsroom: "Newsroom"
    site: str
    words: Words
    query: Mapping[str, str]
    _asked: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def ask(self, question: Callable[[], T]) -> T | Unavailable:
        """Ask the newsroom; what it cannot answer becomes a reason and a remedy."""
        try:
            return question()
        except EmbellieError as error:
            return Unavailable(error.message, error.hint or self.words("remedy.log"))

    def missing(self, key: str, **values: object) -> Unavailable:
        """Say what is missing and what to do, from the catalogue (`missing.<key>`, `remedy.<key>`)."""
        return Unavailable(self.words(f"missing.{key}", **values), self.words(f"remedy.{key}", **values))

    def said(self, gap: Unavailable) -> Unavailable:
        """Say in the page's words why something is missing and what to do, when its reason has a code."""
        if f"missing.{gap.code}" not in MESSAGES:
            return Unavailable(*reason_and_remedy(gap, self.words.language)) if gap.code else gap
        return self.missing(gap.code, **{name: self._value(name, value) for name, value in gap.values.items()})

    def _value(self, name: str, value: str) -> str:
        if name == "variant":
            return self.the(value)
        return self.words.named(name, value) if name in {"metric", "counted"} else value

    def verdict(self) -> Verdict | Unavailable:
        """The verdict now; one page asks once."""
        return self._once("verdict", self.newsroom.verdict)

    def question(self) -> Question | Unavailable:
        """The question as read; one page reads its file once."""
        return self._once("question", self.newsroom.question)

    def _once(self, name: str, question: Callable[[], T]) -> T | Unavailable:
        if name not in self._asked:
            self._asked[name] = self.ask(question)
        found: T | Unavailable = self._asked[name]
        return found

    def experiments(self) -> list[Experiment]:
        """The experiments, running ones first, and what each open rollout compares."""
        found = list(self.newsroom.experiments(self.site))
        steps = [
            f"{each.rollout}/step-{each.step + 1}"
            for each in self.newsroom.rollouts(self.site)
            if is_open(each) and each.weight < 1
        ]
        compared = [self.ask(partial(self.newsroom.experiment, name)) for name in steps]
        running = [each for each in found if each.state == "running"]
        stopped = [each for each in found if each.state != "running"]
        return running + [each for each in compared if isinstance(each, Experiment)] + stopped

    def experiment(self) -> Experiment | Unavailable:
        """The experiment asked for by name, else what runs now, else the last."""
        found = self.experiments()
        wanted = self.query.get("experiment", "")
        named = next((each for each in found if each.experiment == wanted), None)
        return named or (found[0] if found else self.missing("experiment"))

    def scenario(self, name: str) -> str:
        """The word for a scenario."""
        return self.words.named("scenario", name)

    def the(self, name: str) -> str:
        """A scenario inside a sentence: `the heuristic`."""
        said = self.words.named("the", name)
        return said if said != name.replace("_", " ") else f"“{name}”"

    def currency(self) -> str:
        """The question's currency, or none."""
        question = self.question()
        return "" if isinstance(question, Unavailable) else question.currency

    def horizon(self) -> str:
        """How far the question looks, in words."""
        question = self.question()
        return "" if isinstance(question, Unavailable) else self.words.weeks(question.horizon_weeks)


def is_open(rollout: Rollout) -> bool:
    """Tell whether a rollout is still under way."""
    return rollout.state in {"running", "held"}


def iso(at: datetime) -> str:
    """Write a time for a program: ISO 8601, UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def quantity_text(words: Words, unknown: Unknown | None, value: float) -> str:
    """Write a value of an unknown the way its prior was written: a percentage, or a number with its unit."""
    return f"{_bare(words, unknown, value)} {_unit(words, unknown)}".strip()


def spread_text(words: Words, unknown: Unknown | None, spread: Spread) -> str:
    """Write a 90 % range of an unknown, its unit once."""
    low, high = (_bare(words, unknown, value) for value in (spread.p05, spread.p95))
    return f"{words('range', low=low, high=high)} {_unit(words, unknown)}".strip()


def _bare(words: Words, unknown: Unknown | None, value: float) -> str:
    if unknown is not None and written_in_percent(unknown):
        return words.share(value, 1 if abs(value) < 0.2 else 0)
    return words.figure(value)


def _unit(words: Words, unknown: Unknown | None) -> str:
    if unknown is None:
        return ""
    label = unknown.label.replace("%", "").strip()
    return re.sub(r"[a-z]+", lambda found: _unit_word(words, found[0]), label)


def _unit_word(words: Words, unit: str) -> str:
    message = MESSAGES.get(f"unit.{unit}")
    return message[words.language] if message else unit
