"""`embellie recommend`: try policies on readers, evaluate them on a log, train a model."""

import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from embellie.app.config import read_config
from embellie.app.log_keeping import place_of
from embellie.app.recommending import (
    Evaluated,
    Trial,
    evaluate_source,
    evaluation_document,
    trial_document,
    try_policy,
)
from embellie.cli.click_log_options import (
    language_option,
    normative_lines,
    progress_bar,
    protocol_options,
    replayed,
    source_of,
    source_options,
)
from embellie.cli.comparing_command import compare, tune
from embellie.cli.main import JSON_HELP, moment_option, print_json, project_option
from embellie.cli.recommend_check import check
from embellie.cli.recommend_train import models, train
from embellie.domain.errors import InputError

if TYPE_CHECKING:
    from embellie.app.replay_words import Voice

POLICY_HELP = "A policy: `popular`, `popular?half_life=6`, or your own, `file.py:Name`."


@click.group()
def command() -> None:
    """2. Try policies on readers; evaluate them on a log; train a model."""


command.add_command(train)
command.add_command(models)
command.add_command(check)


command.add_command(compare)
command.add_command(tune)


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
@click.option(
    "--features", is_flag=True, help="Also what is known of each article: all that a learned ranker looks at."
)
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def try_(
    *, project: Path, site: str, placement: str, policy: str, count: int | None, at: str, features: bool, as_json: bool,
    **asked: str,
) -> None:  # fmt: skip
    """Show the slate a reader would get, and why. Nothing is logged."""
    trial = try_policy(
        project,
        read_config(project),
        policy=policy,
        site=site,
        placement=placement,
        n=count,
        now=moment_option(at) if at else datetime.now(UTC),
        consent="profiling" if asked["reader"] else "none",
        features=features,
        **asked,
    )
    if as_json:
        print_json(trial_document(trial))
    else:
        _print_trial(trial)


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
        if item.features:
            known = (
                f"{name} {value:.4g}" for name, value in zip(item.features.names, item.features.values, strict=True)
            )
            click.echo(textwrap.fill(", ".join(known), 110, initial_indent=" " * 5, subsequent_indent=" " * 5))
    if not trial.items:
        click.echo("  Nothing is shown.")
    if trial.price is not None:
        click.echo(
            f"\nDiversity costs {trial.price:.1%} of the score of the slate without it (of predicted reads, where scores are reads)."
        )


@command.command("evaluate")
@source_options
@click.option(
    "--policy",
    "policies",
    multiple=True,
    default=("latest", "popular", "affinity"),
    show_default=True,
    help=POLICY_HELP,
)
@protocol_options
@click.option("--rank-dump", type=click.Path(path_type=Path), help="Write each target's rank to this Parquet file.")
@click.option(
    "--check-leaks", is_flag=True, help="First make sure that no policy knows more than the past; refuse one that does."
)
@click.option(
    "--history", default="", metavar="FILE", help="Past experiments: what offline differences were worth in production."
)
@language_option
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def evaluate(
    *, file: Path | None, project: Path, policies: Sequence[str], window: str, target: Any, seen: Any, k: str, sample: int, seed: int,
    rank_dump: Path | None, check_leaks: bool, history: str, language: str, as_json: bool, **columns: Any,
) -> None:  # fmt: skip
    """Replay a log in order of time and tell how often each policy had the next click near the top.

    A proxy: on news the best policy offline is often not the best online. Only an experiment says what pays.
    """
    from embellie.app.proxy_validity import offline_worth, worth_document
    from embellie.app.replay_words import Voice, worth_told

    protocol = replayed(window=window, target=target, seen=seen, k=k, sample=sample, seed=seed)
    worth = offline_worth(history)
    with progress_bar() as progress:
        evaluated = evaluate_source(
            source_of(file or place_of(project).log, columns),
            policies,
            protocol=protocol,
            rank_dump=rank_dump,
            leaks=check_leaks,
            progress=progress,
        )
    say = Voice(language)
    for row in evaluated.reasons[:3]:
        click.echo(say("left_out_line", line=row.line, reason=row.reason), err=True)
    if evaluated.skipped:
        click.echo(say("left_out", rows=evaluated.skipped), err=True)
    if as_json:
        print_json(evaluation_document(evaluated) | {"in_production": worth_document(worth)})
    else:
        _print_evaluation(evaluated, say)
        click.echo(worth_told(worth, language))


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


def _print_evaluation(evaluated: Evaluated, say: "Voice") -> None:
    document = evaluation_document(evaluated)
    shown = {name: document[name] for name in ("clicks", "visits", "readers", "articles", "targets")}
    click.echo(say("volume", unseen=document["unseen_targets"], **shown))
    k = document["k"]
    click.echo(
        f"\n{say('policy'):24} {f'hr@{k}':>24} {f'ndcg@{k}':>24} {f'mrr@{k}':>24} {say('coverage'):>10} {'p50':>8} {'p99':>8}"
    )
    for name, result in document["policies"].items():
        cells = " ".join(f"{say.cell(result[metric]):>24}" for metric in ("hr", "ndcg", "mrr"))
        times = f"{say.number(result['p50_ms'], '5.2f')} ms {say.number(result['p99_ms'], '5.2f')} ms"
        click.echo(f"{name[:24]:24} {cells} {say.number(result['coverage'], '.3f'):>10} {times}")
    click.echo("\n" + say("intervals", rate=round(document["clicks_per_second"])))
    _print_beside(document, evaluated, say)
    for note in document["notes"]:
        click.echo(say("note", note=say.reason(note)))


def _print_beside(document: dict[str, Any], evaluated: Evaluated, say: "Voice") -> None:
    """Print the figures at further k, novelty and calibration, which differences are real, what the check found."""
    from embellie.app.replay_words import differences_told

    for k in document["k_reported"][:-1]:
        click.echo(f"\n{'':24} {f'hr@{k}':>24} {f'ndcg@{k}':>24} {f'mrr@{k}':>24}")
        for name, result in document["policies"].items():
            found = result["at"][str(k)]
            click.echo(f"{name[:24]:24} " + " ".join(f"{say.cell(one):>24}" for one in found.values()))
    click.echo(f"\n{'':24} {say('novelty'):>26} {say('section_divergence'):>26}")
    for name, result in document["policies"].items():
        cells = (result["novelty_bits"], result["section_divergence"])
        click.echo(f"{name[:24]:24} " + " ".join(f"{say.cell(one):>26}" for one in cells))
    click.echo("\n" + "\n".join(normative_lines(document["policies"], document["k"], say.language)))
    if document["differences"]:
        click.echo("\n" + say("real_differences"))
        for line in differences_told(evaluated.evaluation.differences, say.language) or [say("no_difference")]:
            click.echo(f"  {line}")
    if evaluated.leaks is not None:
        spared = ", ".join(f"`{name}`" for name in evaluated.leaks.names_matter)
        told = say("no_leak", targets=evaluated.leaks.targets) + (say("spared", names=spared) if spared else "")
        click.echo("\n" + told)
