"""`embellie frame`: check the question, draw each scenario's uncertainty, rank the unknowns."""

from pathlib import Path
from typing import Any, Literal

import click

from embellie.app.asking import ask
from embellie.app.deciding import decide, frame_document, read_evidence
from embellie.app.drawing import (
    by_kind,
    case_table,
    case_texts,
    describe_range,
    matters,
    open_questions,
    quantile_bars,
    tipping_sentences,
    tornado_bars,
    worth_up_to,
)
from embellie.app.report import frame_page
from embellie.cli.main import ASKED_HELP, JSON_HELP, print_json
from embellie.domain.question import Question
from embellie.domain.verdict import Verdict

_WORDS: dict[str, dict[str, Any]] = {
    "en": {
        "says": "{scenarios}, {unknowns}, {studies} over {weeks:.0f} weeks. It can be decided.",
        "scenario": ("scenario", "scenarios"),
        "unknown": ("unknown", "unknowns"),
        "study": ("study", "studies"),
        "scenarios": "Net benefit of each scenario (each mark is one chance in twenty, from low to high):",
        "open": "Open questions of each scenario (answers that could change the choice by more than they cost):",
        "understood": "What is not known, as it was understood; worth settling first on top:",
        "worth": "worth",
        "nothing": "not worth settling for this choice",
        "tornado": "By how much {best} leads its nearest rival (░: no longer), from the low to the high end of each unknown:",
        "tipping": "Where the choice tips:",
        "no_tipping": "No single unknown, within what is believed of it, changes which scenario is best.",
        "cases": "What if (mean net benefit; * is the best then):",
        "more": "… and {count} more that swing it less",
        "next": "Next: embellie decide",
    },
    "fr": {
        "says": "{scenarios}, {unknowns}, {studies} sur {weeks:.0f} semaines. On peut trancher.",
        "scenario": ("scénario", "scénarios"),
        "unknown": ("inconnue", "inconnues"),
        "study": ("étude", "études"),
        "scenarios": "Bénéfice net de chaque scénario (chaque marque est une chance sur vingt, du bas vers le haut) :",
        "open": "Questions ouvertes de chaque scénario (des réponses qui changeraient le choix de plus qu'elles ne coûtent) :",
        "understood": "Ce qu'on ne sait pas, tel que compris ; ce qui vaut le plus d'être su d'abord :",
        "worth": "vaut",
        "nothing": "ne vaut pas d'être tranchée pour ce choix",
        "tornado": "De combien {best} devance son plus proche rival (░ : plus du tout), du bas au haut de chaque inconnue :",
        "tipping": "Là où le choix bascule :",
        "no_tipping": "Aucune inconnue à elle seule, dans ce qu'on en croit, ne change le meilleur scénario.",
        "cases": "Et si (bénéfice net moyen ; * est alors le meilleur) :",
        "more": "… et {count} autres qui le font moins varier",
        "next": "Ensuite : embellie decide",
    },
}

_BARS = 10
"""How many unknowns are drawn; the others swing it less."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path), default=None, required=False)
@click.option("--project", type=click.Path(path_type=Path), default=None, metavar="DIR", help=ASKED_HELP)
@click.option("--draws", type=int, default=16384, show_default=True, help="How many draws, a power of two.")
@click.option("--seed", type=int, default=None, help="Same seed, same answer; the file's own, or 7.")
@click.option(
    "--evidence", type=click.Path(path_type=Path), metavar="FILE", help="More results of studies, JSON lines."
)
@click.option("--html", type=click.Path(path_type=Path), help="Write the question as a page one can mail.")
@click.option("--lang", type=click.Choice(["en", "fr"]), default="en", show_default=True, help="Language of the words.")
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def command(
    *,
    file: Path | None,
    project: Path | None,
    draws: int,
    seed: int | None,
    evidence: Path | None,
    html: Path | None,
    lang: Literal["en", "fr"],
    as_json: bool,
) -> None:
    """Check FILE and show how uncertain each scenario is.

    FILE is a question, or a project's folder; without it, the project here, or question.toml. A project brings the
    evidence in its log.
    """
    question, found = ask(file, project)
    found += read_evidence(evidence) if evidence else []
    verdict = decide(question, evidence=found, draws=draws, seed=seed, whole=True)
    for warning in verdict.warnings:
        click.echo(f"Note: {warning}", err=True)
    if html:
        html.write_text(frame_page(question, verdict, evidence=found, language=lang), encoding="utf-8")
        click.echo(f"Wrote {html}", err=True)
    if as_json:
        print_json(frame_document(question, verdict))
        return
    _show(question, verdict, lang)


def _show(question: Question, verdict: Verdict, lang: str) -> None:
    words = _WORDS[lang]
    click.echo(question.question)
    click.echo(
        words["says"].format(
            scenarios=_many(len(question.scenarios), "scenario", lang),
            unknowns=_many(len(question.unknowns), "unknown", lang),
            studies=_many(len(question.studies), "study", lang),
            weeks=question.horizon_weeks,
        )
    )
    click.echo(f"\n{words['scenarios']}")
    quantiles = {value.scenario: value.dots() for value in verdict.scenarios}
    for line in quantile_bars(quantiles, currency=question.currency, language=lang):
        click.echo(f"  {line}")
    click.echo(f"\n{words['open']}")
    for line in open_questions(verdict, question, lang):
        click.echo(f"  {line}")
    _show_unknowns(question, verdict, lang)
    _show_what_moves_it(question, verdict, lang)
    if verdict.cases:
        click.echo(f"\n{words['cases']}")
        for line in [*case_table(verdict, language=lang), *case_texts(verdict)]:
            click.echo(f"  {line}")
    click.echo(f"\n{words['next']}")


def _many(count: int, word: str, lang: str) -> str:
    one, more = _WORDS[lang][word]
    return f"{count} {more if count > 1 or (count == 0 and lang == 'en') else one}"


def _show_unknowns(question: Question, verdict: Verdict, lang: str) -> None:
    """List what is not known under its kinds, how each range was understood, and what settling it is worth."""
    words = _WORDS[lang]
    if not verdict.unknowns:
        return
    click.echo(f"\n{words['understood']}")
    for head, unknowns in by_kind(verdict.unknowns, lang):
        click.echo(f"  {head}{' :' if lang == 'fr' else ':'}")
        for unknown in unknowns:
            worth = words["nothing"]
            if matters(unknown, verdict):
                worth = f"{words['worth']} {worth_up_to(unknown.evppi.value, verdict, lang)}"
            click.echo(f"    {unknown.name:<20} {describe_range(question.unknowns[unknown.name], unknown.prior, lang)}")
            click.echo(f"    {'':<20} {worth}")


def _show_what_moves_it(question: Question, verdict: Verdict, lang: str) -> None:
    """Draw how far each unknown swings the choice, and say where it tips."""
    words = _WORDS[lang]
    if not verdict.tornado:
        return
    widest = verdict.tornado[0]
    click.echo(f"\n{words['tornado'].format(best=widest.best)}")
    for line in tornado_bars(verdict.tornado[:_BARS], currency=question.currency, language=lang):
        click.echo(f"  {line}")
    if len(verdict.tornado) > _BARS:
        click.echo(f"  {words['more'].format(count=len(verdict.tornado) - _BARS)}")
    if not verdict.tipping:
        click.echo(f"\n{words['no_tipping']}")
        return
    click.echo(f"\n{words['tipping']}")
    for line in tipping_sentences(verdict.tipping, question, language=lang):
        click.echo(f"  {line}")
