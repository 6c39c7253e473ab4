"""`embellie recommend`: try policies on readers, evaluate them on a log, train a model."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from embellie.app.config import read_config
from embellie.app.log_keeping import place_of
from embellie.app.recommending import (
    Evaluated,
    Source,
    Trial,
    evaluate_source,
    evaluation_document,
    protocol_of,
    trial_document,
    try_policy,
)
from embellie.cli.main import JSON_HELP, print_json, project_option
from embellie.cli.recommend_train import models, train
from embellie.domain.errors import InputError

POLICY_HELP = "A policy: `popular`, `popular?half_life=6`, or your own, `file.py:Name`."


@click.group()
def command() -> None:
    """2. Try policies on readers; evaluate them on a log; train a model."""


command.add_command(train)
command.add_command(models)


@command.command("try")
@project_option
@click.option("--site", default="", help="The site; not needed when there is one.")
@click.option("--placement", default="", help="The placement; not needed when there is only one.")
@click.option("--policy", default="affinity", show_default=True, help=POLICY_HELP)
@click.option("--reader", default="", help="Whose slate; as if they agreed to profiling.")
@click.option("--visit", default="", help="The visit they are in.")
@click.option("--article", default="", help="The page they are on.")
@click.option("--language", default="", help="Only this language; `*` mixes them.")
@click.option(
    "-n", "count", type=click.IntRange(min=1), default=None, help="How many; the placement's slots by default."
)
@click.option("--at", default="", help="As of when (ISO 8601); now by default.")
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def try_(
    *, project: Path, site: str, placement: str, policy: str, count: int | None, at: str, as_json: bool, **asked: str
) -> None:
    """Show the slate a reader would get, and why. Nothing is logged."""
    trial = try_policy(
        project,
        read_config(project),
        policy=policy,
        site=site,
        placement=placement,
        n=count,
        now=_moment(at) if at else datetime.now(UTC),
        consent="profiling" if asked["reader"] else "none",
        **asked,
    )
    if as_json:
        print_json(trial_document(trial))
    else:
        _print_trial(trial)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"`{text}` is no time.", hint="Write for example `2026-03-02T12:00:00Z`.", at="--at") from None
    if moment.tzinfo is None:
        raise InputError(f"`{text}` has no time zone.", hint="End it in `Z` for UTC.", at="--at")
    return moment


def _print_trial(trial: Trial) -> None:
    page = f" on `{trial.request.article}`" if trial.request.article else ""
    whom = (
        f"reader `{trial.request.reader}` ({trial.reads_known} reads known)" if trial.request.reader else "a new reader"
    )
    click.echo(f"{trial.policy}: {trial.placement.placement} of {trial.site.site}{page}, for {whom}")
    click.echo(f"Popularity halves every {trial.half_life:g} h at this traffic.\n")
    for position, (item, article) in enumerate(trial.items, start=1):
        title = (article.title if article else "") or item.article
        section = article.section if article and article.section else "·"
        click.echo(f"{position:3}  {title[:60]:60}  {section[:12]:12}  {item.reason:24}  {item.score:.4g}")
    if not trial.items:
        click.echo("  Nothing is shown.")
    if trial.price is not None:
        click.echo(
            f"\nDiversity costs {trial.price:.1%} of the score of the slate without it (of predicted reads, where scores are reads)."
        )


@command.command("evaluate")
@click.option(
    "--log", "file", type=click.Path(path_type=Path), help="CSV, Parquet or a log; the project's own by default."
)
@project_option
@click.option("--reader", default="", metavar="COL", help="Column of the reader.")
@click.option("--visit", default="", metavar="COL", help="Column of the visit.")
@click.option("--article", default="", metavar="COL", help="Column of the article.")
@click.option("--at", default="", metavar="COL", help="Column of the time.")
@click.option(
    "--unit",
    type=click.Choice(["auto", "s", "ms", "iso"]),
    default="auto",
    show_default=True,
    help="How times are written.",
)
@click.option("--where", default="", metavar="SQL", help="Only these rows, for instance `eventType = 'VIEW'`.")
@click.option("--site", default="", help="The site, in a project's log of several.")
@click.option("--catalogue", type=click.Path(path_type=Path), help="JSON lines: article, section, published_at.")
@click.option(
    "--policy",
    "policies",
    multiple=True,
    default=("latest", "popular", "affinity"),
    show_default=True,
    help=POLICY_HELP,
)
@click.option("--window", default="1h", show_default=True, help="Policies know what came before each window.")
@click.option(
    "--target", type=click.Choice(["next", "last"]), default="next", show_default=True,
    help="Predict every click of a visit after its first, or the last one.",
)  # fmt: skip
@click.option(
    "--seen", type=click.Choice(["keep", "drop"]), default="keep", show_default=True,
    help="Whether articles the reader has read are ranked, and predicted.",
)  # fmt: skip
@click.option("--k", type=click.IntRange(min=1), default=20, show_default=True, help="How many positions count.")
@click.option("--sample", type=click.IntRange(min=0), default=0, help="Score N targets drawn at random; 0 for all.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the sample.")
@click.option("--rank-dump", type=click.Path(path_type=Path), help="Write each target's rank to this Parquet file.")
@click.option(
    "--history", default="", metavar="FILE", help="Past experiments: what offline differences were worth in production."
)
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def evaluate(
    *, file: Path | None, project: Path, policies: Sequence[str], window: str, target: Any, seen: Any, k: int, sample: int, seed: int,
    rank_dump: Path | None, history: str, as_json: bool, **columns: Any,
) -> None:  # fmt: skip
    """Replay a log in order of time and tell how often each policy had the next click near the top.

    A proxy: on news the best policy offline is often not the best online. Only an experiment says what pays.
    """
    from embellie.app.proxy_validity import offline_worth, worth_document, worth_sentences

    protocol = protocol_of(window=window, target=target, seen=seen, k=k, sample=sample, seed=seed)
    worth = offline_worth(history)
    with _bar() as progress:
        evaluated = evaluate_source(
            Source(log=file or place_of(project).log, **columns),
            policies,
            protocol=protocol,
            rank_dump=rank_dump,
            progress=progress,
        )
    for row in evaluated.reasons[:3]:
        click.echo(f"Left out: line {row.line}: {row.reason}", err=True)
    if evaluated.skipped:
        click.echo(f"{evaluated.skipped} rows were no clicks and were left out.", err=True)
    if as_json:
        print_json(evaluation_document(evaluated) | {"in_production": worth_document(worth)})
    else:
        _print_evaluation(evaluated)
        click.echo("In production so far: " + " ".join(worth_sentences(worth)))


@command.command("ope")
@click.option(
    "--log", "file", type=click.Path(path_type=Path), help="CSV, Parquet or a log; the project's own by default."
)
@project_option
@click.option("--policy", default="", help=f"{POLICY_HELP} For a table only its name.")
@click.option("--site", default="", help="The site, in a project's log of several.")
@click.option("--placement", default="", help="The placement; not needed when there is only one.")
@click.option(
    "--reward",
    type=click.Choice(["read", "click"]),
    default="read",
    show_default=True,
    help="What a slot earns, in a log.",
)
@click.option(
    "--clip",
    type=click.FloatRange(min=1),
    default=None,
    metavar="W",
    help="Cut weights above W; what that costs is told.",
)
@click.option("--columns", default="", metavar="NAME=COL,…", help="Where a table's columns are called otherwise.")
@click.option("--where", default="", metavar="SQL", help="Only these rows of a table.")
@click.option(
    "--lang", "language", type=click.Choice(["en", "fr"]), default="en", show_default=True, help="Language of the text."
)
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def ope(
    *, file: Path | None, project: Path, policy: str, site: str, placement: str, reward: Any, clip: float | None,
    columns: str, where: str, language: str, as_json: bool,
) -> None:  # fmt: skip
    """Say what another policy would have earned, from what was shown and how likely that was (off-policy).

    Needs a log whose policy drew by chance and wrote down its chances. A table has a row per slot: reader, article, propensity,
    reward, and would (the article the policy would have shown) or target (its chance of what was shown).
    """
    from embellie.app.policy_values import (
        is_log,
        logged_columns,
        value_document,
        value_from_log,
        value_from_table,
        value_sentences,
        values_picture,
    )

    if file is None or is_log(file):
        if not policy:
            raise InputError("Which policy?", hint="Add for instance `--policy popular`.", at="--policy")
        log = file or place_of(project).log
        asked = {"policy": policy, "site": site, "placement": placement, "reward": reward}
        found = value_from_log(log, read_config(project), clip=clip or 0.0, **asked)
    else:
        named = logged_columns(columns)
        found = value_from_table(str(file), policy=policy or "policy", columns=named, where=where, clip=clip or 0.0)
    if as_json:
        print_json(value_document(found))
        return
    click.echo("\n".join([*value_sentences(found, language), "", *values_picture(found, language)]).rstrip())


@contextmanager
def _bar() -> Iterator[Callable[[int, int], None]]:
    """Draw progress on standard error, if someone looks at it."""
    watched = sys.stderr.isatty()

    def progress(done: int, total: int) -> None:
        if watched:
            filled = 30 * done // total
            click.echo(f"\r[{'█' * filled}{'·' * (30 - filled)}] {done}/{total}", nl=False, err=True)

    yield progress
    if watched:
        click.echo("\r\033[K", nl=False, err=True)


def _print_evaluation(evaluated: Evaluated) -> None:
    document = evaluation_document(evaluated)
    click.echo(
        "{clicks} clicks, {visits} visits, {readers} readers, {articles} articles; {targets} targets"
        " ({unseen_targets} on articles not seen before their window: misses)".format(**document)
    )
    k = document["k"]
    click.echo(
        f"\n{'policy':24} {f'hr@{k}':>22} {f'ndcg@{k}':>22} {f'mrr@{k}':>22} {'coverage':>9} {'p50':>8} {'p99':>8}"
    )
    for name, result in document["policies"].items():
        cells = " ".join(f"{_cell(result[metric]):>22}" for metric in ("hr", "ndcg", "mrr"))
        times = f"{result['p50_ms']:5.2f} ms {result['p99_ms']:5.2f} ms"
        click.echo(f"{name[:24]:24} {cells} {result['coverage']:9.3f} {times}")
    click.echo(f"\n95 % intervals, readers as independent units. {document['clicks_per_second']:,.0f} clicks/s.")
    for note in document["notes"]:
        click.echo(f"Note: {note}")


def _cell(found: dict[str, Any]) -> str:
    return f"{found['value']:.4f} [{found['low']:.4f}, {found['high']:.4f}]" if "value" in found else "unavailable"
