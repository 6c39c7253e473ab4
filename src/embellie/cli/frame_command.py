"""`embellie frame`: check the question, draw each scenario's uncertainty, rank the unknowns."""

from pathlib import Path
from typing import Literal

import click

from embellie.app.asking import ask
from embellie.app.deciding import decide, frame_document, net_benefit_draws, read_evidence
from embellie.app.drawing import amount_text, describe_range, quantile_bars
from embellie.cli.main import ASKED_HELP, JSON_HELP, print_json
from embellie.domain.evidence import Evidence
from embellie.domain.question import Question
from embellie.domain.verdict import Verdict

_WORDS = {
    "en": {
        "says": "{scenarios} scenarios, {unknowns} unknowns, {studies} studies over {weeks:.0f} weeks. It can be decided.",
        "scenarios": "Net benefit of each scenario (each mark is one chance in twenty, from low to high):",
        "understood": "What is not known, as it was understood; worth settling first on top:",
        "worth": "worth up to",
        "nothing": "not worth settling for this choice",
        "next": "Next: embellie decide",
    },
    "fr": {
        "says": "{scenarios} scénarios, {unknowns} inconnues, {studies} études sur {weeks:.0f} semaines. On peut trancher.",
        "scenarios": "Bénéfice net de chaque scénario (chaque marque est une chance sur vingt, du bas vers le haut) :",
        "understood": "Ce qu'on ne sait pas, tel que compris ; ce qui vaut le plus d'être su d'abord :",
        "worth": "vaut jusqu'à",
        "nothing": "ne vaut pas d'être tranchée pour ce choix",
        "next": "Ensuite : embellie decide",
    },
}


@click.command()
@click.argument("file", type=click.Path(path_type=Path), default=None, required=False)
@click.option("--project", type=click.Path(path_type=Path), default=None, metavar="DIR", help=ASKED_HELP)
@click.option("--draws", type=int, default=16384, show_default=True, help="How many draws, a power of two.")
@click.option("--seed", type=int, default=None, help="Same seed, same answer; the file's own, or 7.")
@click.option(
    "--evidence", type=click.Path(path_type=Path), metavar="FILE", help="More results of studies, JSON lines."
)
@click.option("--lang", type=click.Choice(["en", "fr"]), default="en", show_default=True, help="Language of the words.")
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def command(
    *,
    file: Path | None,
    project: Path | None,
    draws: int,
    seed: int | None,
    evidence: Path | None,
    lang: Literal["en", "fr"],
    as_json: bool,
) -> None:
    """Check FILE and show how uncertain each scenario is.

    FILE is a question, or a project's folder; without it, the project here, or question.toml. A project brings the
    evidence in its log.
    """
    question, found = ask(file, project)
    found += read_evidence(evidence) if evidence else []
    verdict = decide(question, evidence=found, draws=draws, seed=seed)
    for warning in verdict.warnings:
        click.echo(f"Note: {warning}", err=True)
    if as_json:
        print_json(frame_document(question, verdict))
        return
    _show(question, verdict, found, lang)


def _show(question: Question, verdict: Verdict, found: list[Evidence], lang: str) -> None:
    words = _WORDS[lang]
    click.echo(question.question)
    click.echo(
        words["says"].format(
            scenarios=len(question.scenarios),
            unknowns=len(question.unknowns),
            studies=len(question.studies),
            weeks=question.horizon_weeks,
        )
    )
    click.echo(f"\n{words['scenarios']}")
    quantiles = net_benefit_draws(question, evidence=found, draws=verdict.draws, seed=verdict.seed, points=20)
    for line in quantile_bars(quantiles, currency=question.currency, language=lang):
        click.echo(f"  {line}")
    click.echo(f"\n{words['understood']}")
    for unknown in verdict.unknowns:
        worth = words["nothing"]
        if unknown.evppi.value > verdict.noise_floor:
            worth = f"{words['worth']} {amount_text(unknown.evppi.value, question.currency, lang)}"
        click.echo(f"  {unknown.name:<20} {describe_range(question.unknowns[unknown.name], unknown.prior, lang)}")
        click.echo(f"  {'':<20} {worth}")
    click.echo(f"\n{words['next']}")
