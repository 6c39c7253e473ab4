"""Asking: which question is meant, and what its project's log already knows about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from embellie.app.config import FILE as CONFIG_FILE
from embellie.app.config import read_config
from embellie.domain.errors import InputError
from embellie.domain.evidence import Evidence
from embellie.domain.experiment import Experiment
from embellie.domain.question import Question, QuestionFiled
from embellie.frame.question_file import read_question
from embellie.store.log_place import holds_log, log_place

QUESTION_FILE = "question.toml"


def ask(file: Path | None, project: Path | None) -> tuple[Question, list[Evidence]]:
    """Read the question meant, with the evidence of its project, if it is a project's.

    Args:
        file: A question (read alone), or a project's folder; None: the project here, or else `question.toml` here.
        project: A project's folder.

    Raises:
        InputError: Both are given, or the question or the configuration is wrong.
    """
    if file is not None and project is not None:
        raise InputError(f"Both a question, `{file}`, and a project, `{project}`, are given.", hint="Name one of them.")
    folder = project or file or Path()
    if project is None and not is_project(folder):
        return read_question(folder / QUESTION_FILE if folder.is_dir() else folder), []
    known = of_project(folder)
    return known.question, list(known.evidence)


def is_project(folder: Path) -> bool:
    """Whether a folder is that of a project."""
    return (folder / CONFIG_FILE).is_file()


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a project knows: its question, now and as it was written over time; what studies found, and since when.

    `since` is when each experiment began that evidence names as its source: from then on, something of it could be seen. Of
    several sites' experiments of one name it is the first that counts.
    """

    question: Question
    evidence: tuple[Evidence, ...] = ()
    versions: tuple[tuple[datetime, QuestionFiled], ...] = ()
    since: Mapping[str, datetime] = field(default_factory=dict)


def of_project(folder: Path) -> Known:
    """Read a project's question, and what its log knows about it.

    Raises:
        InputError: The question or the configuration is wrong.
    """
    config = read_config(folder)
    if not holds_log(log_place(folder / config.data, config.storage.log, config.storage.schema)):
        return Known(question=read_question(folder / config.question))
    from embellie.app.newsroom import Newsroom  # a question alone needs no log and no server

    with Newsroom.open(folder) as newsroom:
        experiments = [one for site in newsroom.sites for one in newsroom.experiments(site)]
        return Known(
            question=newsroom.question(),
            evidence=tuple(newsroom.evidence()),
            versions=tuple(newsroom.question_history()),
            since=_began(experiments),
        )


def _began(experiments: Sequence[Experiment]) -> dict[str, datetime]:
    began: dict[str, datetime] = {}
    for one in experiments:
        if one.started_at is not None:
            began[one.experiment] = min(one.started_at, began.get(one.experiment, one.started_at))
    return began
