"""`embellie recommend compare` and `tune`: two policies side by side; a policy's settings chosen on a log."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from embellie.cli.click_log_options import (
    language_option,
    normative_lines,
    progress_bar,
    protocol_options,
    replayed,
    source_of,
    source_options,
)
from embellie.cli.main import JSON_HELP, print_json
from embellie.domain.errors import InputError


@click.command("compare")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@source_options
@protocol_options
@click.option("--configuration", is_flag=True, help="Only what differs between their settings; needs no log.")
@click.option(
    "--history", default="", metavar="FILE", help="Past experiments: what offline differences were worth in production."
)
@language_option
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def compare(
    *, a: str, b: str, file: Path | None, project: Path, window: str, target: Any, seen: Any, k: str, sample: int, seed: int,
    configuration: bool, history: str, language: str, as_json: bool, **columns: Any,
) -> None:  # fmt: skip
    """Tell what differs between two policies: their settings, what they score on the same clicks, and whether that is real."""
    from embellie.app.comparing_policies import compared, comparison_document
    from embellie.app.log_keeping import place_of
    from embellie.app.proxy_validity import offline_worth, worth_document
    from embellie.app.replay_words import worth_told

    worth = offline_worth(history)
    evaluated = None
    if not configuration:
        protocol = replayed(window=window, target=target, seen=seen, k=k, sample=sample, seed=seed)
        source = source_of(file or place_of(project).log, columns)
        with progress_bar() as progress:
            evaluated = compared(a, b, source, protocol=protocol, progress=progress)
    document = comparison_document(a, b, evaluated)
    if as_json:
        print_json(document | {"in_production": worth_document(worth)})
        return
    _print_comparison(document, language)
    click.echo("\n" + worth_told(worth, language))


def _print_comparison(document: dict[str, Any], language: str) -> None:
    from embellie.app.replay_words import Voice

    say = Voice(language)
    click.echo(f"A: {document['a']['policy']}\nB: {document['b']['policy']}\n")
    click.echo(f"{'':18} {'A':>20} {'B':>20}")
    for key, values in document["differ"].items():
        click.echo(f"{key:18} {values.get('a', '–')!s:>20} {values.get('b', '–')!s:>20}")
    if not document["differ"]:
        click.echo(say("same_settings"))
    if "scores" not in document:
        return
    scores, k = document["scores"], document["k"]
    click.echo(f"\n{say('targets', targets=document['targets'])}\n{'':18} {'A':>26} {'B':>26} {'A − B':>30}")
    for one in document["differences"]:
        metric = one["metric"]
        cells = f"{say.cell(scores['a'][metric]):>26} {say.cell(scores['b'][metric]):>26}"
        gap = f"{say.number(one['value'], '+.4f')} {say.interval(one['low'], one['high'], '+.4f')}"
        click.echo(f"{f'{metric}@{k}':18} {cells} {gap:>30}  {say('real' if one['real'] else 'chance')}")
    for label, key in (("coverage", "coverage"), ("p99", "p99_ms")):
        click.echo(
            f"{say(label):18} {say.number(scores['a'][key], '.3f'):>26} {say.number(scores['b'][key], '.3f'):>26}"
        )
    for label, key in (("novelty", "novelty_bits"), ("section_divergence", "section_divergence")):
        click.echo(f"{say(label):18} {say.cell(scores['a'][key]):>26} {say.cell(scores['b'][key]):>26}")
    click.echo("\n" + "\n".join(normative_lines({"A": scores["a"], "B": scores["b"]}, k, language)))


@click.command("tune")
@click.argument("policy", metavar="POLICY")
@click.option(
    "--set",
    "values",
    multiple=True,
    metavar="SETTING=V,…",
    help="Values to try of a setting; a few usual ones by default.",
)
@source_options
@protocol_options
@click.option(
    "--metric",
    type=click.Choice(["ndcg", "hr", "mrr"]),
    default="ndcg",
    show_default=True,
    help="What settings are chosen by.",
)
@click.option(
    "--split", type=click.FloatRange(min=0, max=1, min_open=True, max_open=True), default=0.6, show_default=True,
    help="The share of the targets, the earliest, that settings are chosen on.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def tune(
    *, policy: str, values: Sequence[str], file: Path | None, project: Path, window: str, target: Any, seen: Any, k: str, sample: int,
    seed: int, metric: str, split: float, as_json: bool, **columns: Any,
) -> None:  # fmt: skip
    """Choose a policy's settings on the first part of a log, and tell what they gain on the part after it."""
    from embellie.app import tuning
    from embellie.app.log_keeping import place_of

    protocol = replayed(window=window, target=target, seen=seen, k=k, sample=sample, seed=seed)
    source = source_of(file or place_of(project).log, columns)
    with progress_bar() as progress:
        found = tuning.tune(
            source, policy, values=_grid(values), protocol=protocol, share=split, metric=metric, progress=progress
        )
    document = tuning.tuned_document(found)
    if as_json:
        print_json(document)
        return
    for one in sorted(document["tried"], key=lambda one: -float(one["value"]))[:10]:
        click.echo(f"{one['value']:8.4f}  {one['policy']}")
    click.echo(
        f"\n{metric}@{protocol.k} on the first {found.first_targets} targets, until {document['split']}; the best ten.\n"
    )
    click.echo(" ".join(tuning.tuned_sentences(found)))


def _grid(values: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Read the values to try.

    >>> _grid(["half_life=1,6", "optimism=0"])
    {'half_life': ('1', '6'), 'optimism': ('0',)}
    """
    found = {}
    for text in values:
        setting, equals, tried = text.partition("=")
        if not (setting and equals and tried):
            raise InputError(f"`{text}` says nothing to try.", hint="Write for example `half_life=1,6,24`.", at="--set")
        found[setting] = tuple(tried.split(","))
    return found
