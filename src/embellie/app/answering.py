"""Answering: the door from Python. A question in, the answer out: in words, as a document, as a page, in a notebook."""

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from embellie.app.answers.drawn import DRAWS
from embellie.app.deciding import decide, verdict_document
from embellie.app.evidence_file import read_evidence
from embellie.app.pictures.voice import Voice
from embellie.app.report import because, embedded, headline, report_body, report_page
from embellie.domain.evidence import Evidence
from embellie.domain.question import Question
from embellie.domain.verdict import Verdict
from embellie.frame.question_file import read_question


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A question, what is known about it, and the verdict; it prints well, in a notebook too.

    Args:
        question: As read from its file.
        evidence: What studies found.
        verdict: The whole answer: see `embellie.domain.verdict`.
        language: In which it is printed and drawn, `en` or `fr`.
    """

    question: Question
    evidence: tuple[Evidence, ...]
    verdict: Verdict
    language: str = "en"

    def document(self, language: str = "") -> dict[str, Any]:
        """Return the JSON document that `embellie decide --json` prints."""
        return verdict_document(self.verdict, language=language or self.language)

    def report(self, language: str = "") -> str:
        """Return the page that `embellie decide --html` writes."""
        return report_page(self.question, self.verdict, evidence=self.evidence, language=language or self.language)

    def __str__(self) -> str:
        voice = Voice(self.language, self.question)
        said = [f"{headline(self.verdict, voice)}. {voice.said(because(self.verdict, self.language))}"]
        if self.verdict.plan is not None:
            said += [voice.said(sentence) for sentence in self.verdict.plan.words.get(self.language, ())]
        return "\n".join(said)

    def __repr__(self) -> str:
        return f"<Answer: {self.verdict.verdict}, {self.verdict.next.scenario or self.verdict.best}>"

    def _repr_html_(self) -> str:
        body = report_body(self.question, self.verdict, evidence=self.evidence, language=self.language, compact=True)
        return embedded(body, self.language)


def answer(
    question: Question | str | PathLike[str],
    *,
    evidence: Sequence[Evidence] | str | PathLike[str] = (),
    draws: int = DRAWS,
    seed: int | None = None,
    language: str = "en",
) -> Answer:
    """Answer a question: what to do, what it rests on, what to learn first.

    Args:
        question: A question, or the path of its file.
        evidence: What studies found, or the path of a file of JSON lines.
        draws: A power of two, at least 64.
        seed: The question's own when None, else 7.
        language: In which it is printed and drawn, `en` or `fr`.

    Raises:
        QuestionError: The question cannot be read or has no finite value.
        InputError: `draws` is no power of two, or evidence is impossible or cannot be read.
    """
    asked = question if isinstance(question, Question) else read_question(Path(question))
    known = tuple(read_evidence(Path(evidence)) if isinstance(evidence, str | PathLike) else evidence)
    return Answer(
        question=asked,
        evidence=known,
        verdict=decide(asked, evidence=known, draws=draws, seed=seed, whole=True),
        language=language,
    )
