"""Asking: which question is meant, and what its project's log already knows about it."""

from pathlib import Path

from embellie.app.config import FILE as CONFIG_FILE
from embellie.app.config import read_config
from embellie.app.newsroom import Newsroom
from embellie.domain.errors import InputError
from embellie.domain.evidence import Evidence
from embellie.domain.question import Question
from embellie.frame.question_file import read_question
from embellie.store.log import FILE as LOG_FILE

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
    if project is None and not (folder / CONFIG_FILE).is_file():
        return read_question(folder / QUESTION_FILE if folder.is_dir() else folder), []
    return _of_project(folder)


def _of_project(folder: Path) -> tuple[Question, list[Evidence]]:
    config = read_config(folder)
    if not (folder / config.data / LOG_FILE).is_file():
        return read_question(folder / config.question), []
    with Newsroom.open(folder) as newsroom:
        return newsroom.question(), list(newsroom.evidence())
