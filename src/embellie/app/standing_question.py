"""Standing question: the project's question as it is written now, and as it was written over time."""

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from embellie.app.live_folds import LiveFolds
from embellie.app.operations import put_before_readers
from embellie.domain.errors import EmbellieError
from embellie.domain.event import fact_id
from embellie.domain.question import Question, QuestionFiled
from embellie.domain.release import Release
from embellie.frame.question_file import parse_question, read_question


class StandingQuestion:
    """The question of a file; whatever is written there is remembered in the log.

    Args:
        file: Where it is written.
        live: What is known of it; and the way to the log.
        scenarios: Each scenario's release: one that was put before readers is built.
    """

    def __init__(self, file: Path, live: LiveFolds, *, scenarios: Mapping[str, Release]) -> None:
        self._file, self._live, self._scenarios = file, live, scenarios

    def read(self) -> Question:
        """Read the question as it is written now; what is released already need not be built any more.

        A text that the log does not know yet is put in it: who believed what, and when, is to be found there.

        Raises:
            QuestionError: With file, line and what to write.
        """
        question = read_question(self._file)
        self.remember()
        return self._as_built(question)

    def history(self) -> list[tuple[datetime, QuestionFiled]]:
        """List the question as it was written over time, oldest first."""
        found = [one for site in self._live.sites for one in self._live.operations(site).questions]
        return sorted(found, key=lambda one: one[0])

    def remember(self) -> None:
        """Put the question in the log when its text is new; one that cannot be read is no belief of anybody's."""
        with contextlib.suppress(OSError, UnicodeDecodeError, EmbellieError):
            text, known = self._file.read_text(encoding="utf-8"), self.history()
            if (known and known[-1][1].text == text) or not self._live.sites:
                return
            filed = QuestionFiled(question=parse_question(text, file=self._file.name).question, text=text)
            site = next(iter(self._live.sites))
            self._live.file(site, filed, id_=fact_id(site, "question", str(len(known)), text))

    def _as_built(self, question: Question) -> Question:
        """Mark the scenarios whose policy a rollout has put before readers: what building them cost is spent."""
        live = [one for site in self._live.sites for one in put_before_readers(self._live.operations(site))]
        policies = [(one.policy, dict(one.settings)) for one in live]
        built = {
            name
            for name in question.scenarios
            if (own := self._scenarios.get(name)) and (own.policy, dict(own.settings)) in policies
        }
        for name in tuple(built):
            while name := question.scenarios[name].needs:
                built.add(name)
        scenarios = {
            name: replace(scenario, built=True) if name in built else scenario
            for name, scenario in question.scenarios.items()
        }
        return replace(question, scenarios=scenarios) if built else question
