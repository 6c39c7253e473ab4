"""Project: a folder with `embellie.toml` and `question.toml`; start one, audit one."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

from embellie.app.config import FILE, Config, read_config
from embellie.domain.errors import Conflict, EmbellieError

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing `embellie doctor` looked at, and what to do about it."""

    level: Level
    about: str
    message: str
    remedy: str = ""


def start_project(folder: Path, *, language: Literal["en", "fr"] = "en") -> list[Path]:
    """Write `embellie.toml` and `question.toml` into a folder; nothing is overwritten.

    Raises:
        Conflict: One of the files is there already.
    """
    files = {FILE: template(FILE).format(language=language), "question.toml": _question(language)}
    for name in files:
        if (folder / name).exists():
            raise Conflict(f"`{name}` exists already.", hint="Edit it, or choose another folder.", at=str(folder))
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
        written.append(folder / name)
    return written


def template(name: str) -> str:
    """Read one of the files a new project is written from."""
    return resources.files("embellie.app").joinpath("templates", name).read_text(encoding="utf-8")


def _question(language: str) -> str:
    return template("question.fr.toml" if language == "fr" else "question.toml")


def examine(folder: Path) -> Iterator[Finding]:
    """Look at a project as its operator would want it looked at."""
    try:
        config = read_config(folder)
    except EmbellieError as error:
        yield Finding("error", FILE, str(error))
        return
    yield Finding("ok", FILE, f"{len(config.sites)} site, {len(config.experiments)} experiment.")
    yield from _examine_question(folder, config)
    yield from _examine_sites(config)
    yield from _examine_storage(folder, config)
    yield from _examine_safety(folder, config)


def _examine_question(folder: Path, config: Config) -> Iterator[Finding]:
    from embellie.frame.question_file import read_question

    try:
        question = read_question(folder / config.question)
    except EmbellieError as error:
        yield Finding("error", config.question, str(error))
        return
    yield Finding("ok", config.question, f"{len(question.scenarios)} scenarios, {len(question.unknowns)} unknowns.")
    for scenario in question.scenarios:
        if scenario not in config.scenarios:
            yield Finding(
                "warning",
                f"scenarios.{scenario}",
                f"The question's scenario `{scenario}` has no policy yet.",
                "Add it to embellie.toml once it is built; until then it is valued, not served.",
            )
    for study in question.studies.values():
        if study.kind == "experiment" and study.metric and study.metric not in config.metrics:
            yield Finding(
                "error",
                f"studies.{study.name}",
                f"No metric `{study.metric}` in embellie.toml.",
                "Declare it, or rename it.",
            )


def _examine_sites(config: Config) -> Iterator[Finding]:
    for name, site in config.sites.items():
        if not site.feeds:
            yield Finding(
                "warning",
                f"sites.{name}",
                "No feed.",
                "Name the site's RSS or Atom feeds, or push articles by the API.",
            )
        if not site.origins:
            yield Finding(
                "warning", f"sites.{name}", "No origin.", "Name the origins of the pages that carry the widget."
            )
    if not config.experiments:
        yield Finding("warning", "experiments", "No experiment.", "Without one, nobody will know whether it pays.")


def _examine_storage(folder: Path, config: Config) -> Iterator[Finding]:
    yield from _examine_lake(config)
    if not config.storage.log:
        return
    from embellie.store.log_place import holds_log, log_place

    place = log_place(folder / config.data, config.storage.log, config.storage.schema)
    try:
        there = holds_log(place)
    except EmbellieError as error:
        yield Finding("error", "storage.log", error.message, error.hint)
        return
    yield Finding("ok", "storage.log", f"The log is at `{place}`." if there else f"The log will be made at `{place}`.")


def _examine_lake(config: Config) -> Iterator[Finding]:
    """Try in the lake's bucket all that is to be done there."""
    if not config.storage.lake:
        return
    from embellie.app.checking_lake import try_bucket

    tried = try_bucket(config.storage.lake)
    failed = [one for one in tried if not one.done]
    can = ", ".join(one.what for one in tried if one.done)
    for one in failed:
        told = f"Cannot {one.what}: {one.message}" + (f" (It can {can}.)" if can else "")
        yield Finding("error", "storage.lake", told, one.remedy)
    if not failed:
        yield Finding("ok", "storage.lake", f"The lake is at `{config.storage.lake}`: we can {can}.")


def _examine_safety(folder: Path, config: Config) -> Iterator[Finding]:
    data = folder / config.data
    if data.exists():
        yield Finding("ok", "data", f"The log's folder is `{config.data}`.")
    else:
        yield Finding(
            "warning", "data", f"`{config.data}` does not exist yet.", "It is made at the first `embellie serve`."
        )
    yield from _examine_state(data)
    if not config.server.auth:
        yield Finding("error", "server.auth", "Anyone may read and change everything.", "Set auth = true.")


def _examine_state(data: Path) -> Iterator[Finding]:
    """Say from where the next start goes on; a short log has no state file, and needs none."""
    from embellie.app.warm_start import FILE as STATE_FILE
    from embellie.store.state_file import look_at_state

    file = data / STATE_FILE
    if not file.exists():
        return
    try:
        sequence, _ = look_at_state(file)
    except EmbellieError as error:
        yield Finding(
            "warning", file.name, error.message, "Run `embellie log fold`, or the next start folds the whole log."
        )
        return
    yield Finding("ok", file.name, f"The next start folds the log from event {sequence:,} on.")
