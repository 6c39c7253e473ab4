"""`embellie recommend train` and `models`: from the log to a model, with checks before and after."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from embellie.cli.main import JSON_HELP, moment_option, print_json, project_option

_WORDS = {
    "before": ("Before training", "Avant l’entraînement"),
    "after": ("After training", "Après l’entraînement"),
    "learned": (
        "Learned from {lists} lists ({chosen} choices, {readers} readers); data {fingerprint}.",
        "Appris de {lists} listes ({chosen} choix, {readers} lecteurs) ; données {fingerprint}.",
    ),
    "accepted": ("Accepted: run {run} is current. `embellie release build ranker` makes a release of it.", "Accepté : l’exécution {run} est la courante. `embellie release build ranker` en fait une version."),
    "refused": ("Refused ({reasons}): run {run} is kept, and never served.", "Refusé ({reasons}) : l’exécution {run} est gardée, jamais servie."),
    "goes_on": ("Run {run} stays current.", "L’exécution {run} reste la courante."),
    "nothing": ("No model is current; heuristics answer.", "Aucun modèle n’est courant ; les heuristiques répondent."),
    "passed_over": ("Run {run} is passed over. {reason}", "L’exécution {run} est laissée de côté. {reason}"),
}  # fmt: skip

_STEPS = {"profile": "looking at the log", "gather": "gathering lists", "fit": "learning"}


@click.command("train")
@click.option(
    "--log", "file", type=click.Path(path_type=Path), default=None, help="A log's file; the project's own by default."
)
@project_option
@click.option("--site", default="", help="The site; not needed when there is one.")
@click.option(
    "--learner",
    type=click.Choice(["trees", "neural"]),
    default=None,
    help="Boosted trees (extra `ml`) or a neural network (extra `neural`); as configured by default.",
)
@click.option("--seed", type=int, default=None, help="Of the fit; as configured by default.")
@click.option("--at", default="", help="As of when (ISO 8601): now; for a file, when its last event happened.")
@click.option("--keep", is_flag=True, help="Learn even from a log whose checks are in alarm; kept, never served.")
@click.option(
    "--despite", multiple=True, metavar="CHECK", help="A check you answer for: its alarm is noted and refuses nothing."
)
@click.option(
    "--lang", "language", type=click.Choice(["en", "fr"]), default="en", show_default=True, help="Language of the text."
)
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def train(
    *, file: Path | None, project: Path, site: str, learner: str | None, seed: int | None, at: str, keep: bool,
    despite: Sequence[str], language: str, as_json: bool,
) -> None:  # fmt: skip
    """Train the learned ranker from the log; it becomes current only if every check passes.

    The log is checked before, the model after, on lists later than those it learned from and against the heuristics on
    those same lists. Exit 1: trained or checked, and refused; the last good model stays current.
    """
    from embellie.app.learned_ranker import default_trainer
    from embellie.app.training import as_of, training_document, workshop_of
    from embellie.app.training import train as run_training

    shop = workshop_of(project, log=file, site=site)
    until = as_of(shop, moment_option(at) if at else None, own=file is None)
    with _bar() as progress:
        trained = run_training(
            shop, default_trainer(learner or shop.training.learner), now=datetime.now(UTC), until=until, seed=seed, keep=keep, despite=despite,
            progress=progress,
        )  # fmt: skip
    if as_json:
        print_json(training_document(trained))
    else:
        click.echo("\n".join(report(trained, language)))
    if not trained.accepted:
        sys.exit(1)


@click.command("models")
@project_option
@click.option("--log", "file", type=click.Path(path_type=Path), default=None, help="Models beside this log instead.")
@click.option("--site", default="", help="The site; not needed when there is one.")
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def models(*, project: Path, file: Path | None, site: str, as_json: bool) -> None:
    """List the runs of `recommend train`, the newest first: which is current, what was refused, and why."""
    from embellie.app.training import models_document, workshop_of

    document = models_document(workshop_of(project, log=file, site=site))
    if as_json:
        print_json(document)
        return
    current = document["current"]
    for passed in current["passed_over"] if current else ():
        click.echo(_say("passed_over", "en", **passed))
    for run in document["runs"]:
        mark = "current" if current and run["run"] == current["run"] else ""
        ndcg = f"{run['ndcg']:.4f}" if run["ndcg"] is not None else "·"
        why = f"for {', '.join(run['refused_for'])}" if run["state"] == "refused" else ""
        click.echo(f"{run['run']:28} {run['state']:9} ndcg {ndcg:7} {mark or why}".rstrip())
    if not document["runs"]:
        click.echo("No run yet: `embellie recommend train`.")


def report(trained: Any, language: str) -> list[str]:
    """Write what a training came to, line by line."""
    from embellie.app.training_words import training_check_name, training_sentence, training_state

    lines = []
    for when in ("before", "after"):
        checks = getattr(trained, when)
        if checks:
            lines.append(_say(when, language))
            lines += [
                f"  {training_state(check.state, language):9} {training_check_name(check.check, language):13} "
                f"{training_sentence(check, language)}"
                for check in checks
            ]
        about = trained.run.about
        if when == "before" and "fingerprint" in about:
            shown = {name: _count(about[name], language) for name in ("lists", "chosen", "readers")}
            shown["fingerprint"] = about["fingerprint"][:12]
            lines.append("  " + _say("learned", language, **shown))
    lines.append("")
    if trained.accepted:
        lines.append(_say("accepted", language, run=trained.run.run))
        return lines
    reasons = ", ".join(training_check_name(one, language) for one in trained.refused_for)
    lines.append(_say("refused", language, run=trained.run.run, reasons=reasons))
    current = trained.current
    if current is None:
        lines.append(_say("nothing", language))
        return lines
    lines += [_say("passed_over", language, run=run, reason=reason) for run, reason in current.passed_over]
    lines.append(_say("goes_on", language, run=current.run.run))
    return lines


def _say(name: str, language: str, **words: Any) -> str:
    return _WORDS[name][int(language == "fr")].format(**words)


def _count(number: int, language: str) -> str:
    return f"{number:,}".replace(",", "\u202f" if language == "fr" else ",")


@contextmanager
def _bar() -> Iterator[Any]:
    """Draw progress on standard error, if someone looks at it."""
    watched = sys.stderr.isatty()

    def progress(what: str, done: int, total: int) -> None:
        if watched:
            filled = 30 * done // max(total, 1)
            click.echo(f"\r\033[K[{'█' * filled}{'·' * (30 - filled)}] {_STEPS[what]}", nl=False, err=True)

    yield progress
    if watched:
        click.echo("\r\033[K", nl=False, err=True)
