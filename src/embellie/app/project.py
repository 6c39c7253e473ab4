"""Project: a folder with `embellie.toml` and `question.toml`; start one, audit one."""

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Literal

from embellie.app.config import FILE, Config, read_config
from embellie.app.doctor_words import Finding, finding
from embellie.domain.errors import Conflict, EmbellieError


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


def examine(folder: Path, *, language: str = "en") -> Iterator[Finding]:
    """Look at a project as its operator would want it looked at; nobody but the server on this machine is asked anything."""
    from embellie.app.operating_checks import operating

    try:
        config = read_config(folder)
    except EmbellieError as error:
        yield finding("refused", "error", FILE, language, said=str(error))
        return
    told = {"sites": len(config.sites), "experiments": len(config.experiments)}
    yield finding("config_read", "ok", FILE, language, **told)
    yield from _examine_question(folder, config, language)
    yield from _examine_sites(config, language)
    yield from _examine_storage(folder, config, language)
    yield from _examine_data(folder, config, language)
    yield from operating(folder, config, language=language)


def _examine_question(folder: Path, config: Config, language: str) -> Iterator[Finding]:
    from embellie.frame.question_file import read_question

    try:
        question = read_question(folder / config.question)
    except EmbellieError as error:
        yield finding("refused", "error", config.question, language, said=str(error))
        return
    told = {"scenarios": len(question.scenarios), "unknowns": len(question.unknowns)}
    yield finding("question_read", "ok", config.question, language, **told)
    for scenario in question.scenarios:
        if scenario not in config.scenarios:
            yield finding("scenario_without_policy", "warning", f"scenarios.{scenario}", language, name=scenario)
    for study in question.studies.values():
        if study.kind == "experiment" and study.metric and study.metric not in config.metrics:
            yield finding("study_without_metric", "error", f"studies.{study.name}", language, name=study.metric)


def _examine_sites(config: Config, language: str) -> Iterator[Finding]:
    for name, site in config.sites.items():
        if not site.feeds:
            yield finding("no_feed", "warning", f"sites.{name}", language)
        if not site.origins:
            yield finding("no_origin", "warning", f"sites.{name}", language)
    if not config.experiments:
        yield finding("no_experiment", "warning", "experiments", language)


def _examine_storage(folder: Path, config: Config, language: str) -> Iterator[Finding]:
    yield from _examine_lake(config, language)
    if not config.storage.log:
        return
    from embellie.store.log_place import holds_log, log_place

    place = log_place(folder / config.data, config.storage.log, config.storage.schema)
    try:
        there = holds_log(place)
    except EmbellieError as error:
        yield finding("log_unreadable", "error", "storage.log", language, said=error.message, hint=error.hint)
        return
    yield finding("log_there" if there else "log_to_come", "ok", "storage.log", language, place=place)


def _examine_lake(config: Config, language: str) -> Iterator[Finding]:
    """Try in the lake's bucket all that is to be done there."""
    if not config.storage.lake:
        return
    from embellie.app.checking_lake import try_bucket

    tried = try_bucket(config.storage.lake)
    failed = [one for one in tried if not one.done]
    can = ", ".join(one.what for one in tried if one.done) or "–"
    for one in failed:
        told = {"what": one.what, "said": one.message, "can": can, "hint": one.remedy}
        yield finding("bucket_refuses", "error", "storage.lake", language, **told)
    if not failed:
        yield finding("bucket_works", "ok", "storage.lake", language, place=config.storage.lake, can=can)


def _examine_data(folder: Path, config: Config, language: str) -> Iterator[Finding]:
    data = folder / config.data
    if data.exists():
        yield finding("data_there", "ok", "data", language, name=config.data)
    else:
        yield finding("data_missing", "warning", "data", language, name=config.data)
    yield from _examine_state(data, language)
    yield from _examine_lead(data, language)


def _examine_lead(data: Path, language: str) -> Iterator[Finding]:
    """Say which process looks after what is done once, where one does."""
    from embellie.app.one_server_leads import FILE as LEAD_FILE
    from embellie.app.one_server_leads import leader_of_folder

    if process := leader_of_folder(data):
        yield finding("leads", "ok", LEAD_FILE, language, process=process)


def _examine_state(data: Path, language: str) -> Iterator[Finding]:
    """Say from where the next start goes on; a short log has no state file, and needs none."""
    from embellie.app.warm_start import FILE as STATE_FILE
    from embellie.store.state_file import look_at_state

    file = data / STATE_FILE
    if not file.exists():
        return
    try:
        sequence, _ = look_at_state(file)
    except EmbellieError as error:
        yield finding("state_refused", "warning", file.name, language, said=error.message)
        return
    yield finding("state_taken", "ok", file.name, language, sequence=f"{sequence:,}")
