"""`embellie decide`: the verdict, what each open question is worth, and what to learn next."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import click

from embellie.app.asking import ask
from embellie.app.deciding import decide, read_evidence, verdict_document
from embellie.app.drawing import (
    amount_text,
    ask_text,
    case_table,
    case_texts,
    hedges_text,
    matters,
    percent_text,
    quantile_bars,
    tipping_sentences,
    weeks_text,
    worth_text,
)
from embellie.app.report import report_page
from embellie.cli.main import ASKED_HELP, JSON_HELP, print_json
from embellie.domain.question import Question
from embellie.domain.verdict import StudyValue, Verdict

_WORDS = {
    "en": {
        "ship": "SHIP", "hold": "HOLD", "stop": "STOP", "learn_more": "LEARN MORE",
        "scenarios": "Net benefit of each scenario (each mark is one chance in twenty, low to high; the middle at the right):",
        "best": "best with a chance of", "loss": "loses with a chance of",
        "evpi": "Knowing everything would be worth",
        "unknowns": "What each unknown is worth settling, at most:",
        "studies": "Studies, by what they bring net of all they cost:",
        "plan": "The plan:", "sure": "How sure:", "tipping": "What would tip the choice:", "cases": "What if (mean net benefit; * is the best then):",
        "open": "open", "share": "of traffic", "more": "… and {count} more designs: --json lists them all",
    },
    "fr": {
        "ship": "METTRE EN PRODUCTION", "hold": "ATTENDRE", "stop": "ARRÊTER", "learn_more": "APPRENDRE D'ABORD",
        "scenarios": "Bénéfice net de chaque scénario (une marque par chance sur vingt, du bas vers le haut ; médiane à droite) :",
        "best": "le meilleur avec", "loss": "perd avec",
        "evpi": "Tout savoir vaudrait",
        "unknowns": "Ce que vaut chaque réponse, au plus :",
        "studies": "Études, par ce qu'elles rapportent tous coûts déduits :",
        "plan": "Le plan :", "sure": "À quel point c'est sûr :", "tipping": "Ce qui ferait basculer le choix :", "cases": "Et si (bénéfice net moyen ; * est alors le meilleur) :",
        "open": "ouverte", "share": "du trafic", "more": "… et {count} autres variantes : --json les donne toutes",
    },
}  # fmt: skip


_ROWS = 8
"""How many designs are shown; --json has them all."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path), default=None, required=False)
@click.option("--project", type=click.Path(path_type=Path), default=None, metavar="DIR", help=ASKED_HELP)
@click.option("--draws", type=int, default=16384, show_default=True, help="How many draws, a power of two.")
@click.option("--seed", type=int, default=None, help="Same seed, same answer; the file's own, or 7.")
@click.option(
    "--evidence", type=click.Path(path_type=Path), metavar="FILE", help="More results of studies, JSON lines."
)
@click.option("--html", type=click.Path(path_type=Path), help="Write a report one can mail: one self-contained page.")
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
    """Say what to do about FILE: ship, hold, stop, or learn more first, and how.

    FILE is a question, or a project's folder; without it, the project here, or question.toml. A project brings the
    evidence in its log: the answer is that of its server.
    """
    question, found = ask(file, project)
    if found:
        click.echo(f"Evidence in the log about: {', '.join(sorted({one.measures for one in found}))}.", err=True)
    found += read_evidence(evidence) if evidence else []
    verdict = decide(question, evidence=found, draws=draws, seed=seed, whole=True)
    for warning in verdict.warnings:
        click.echo(f"Note: {warning}", err=True)
    if html:
        html.write_text(report_page(question, verdict, evidence=found, language=lang), encoding="utf-8")
        click.echo(f"Wrote {html}", err=True)
    if as_json:
        print_json(verdict_document(verdict, language=lang))
        return
    _show(question, verdict, lang)


def _show(question: Question, verdict: Verdict, lang: str) -> None:
    words, money = _WORDS[lang], question.currency
    click.echo(question.question)
    click.secho(words[verdict.verdict], bold=True)
    click.echo(f"{verdict.next.because[lang]}\n")
    if verdict.plan:
        _show_lines(words["plan"], verdict.plan.words[lang])
        click.echo()
    click.echo(words["scenarios"])
    quantiles = {value.scenario: value.dots() for value in verdict.scenarios}
    for line, value in zip(quantile_bars(quantiles, currency=money, language=lang), verdict.scenarios, strict=True):
        click.echo(f"  {line}")
        mean = amount_text(value.net_benefit.mean, verdict, lang)
        chances = (
            f"{words['best']} {percent_text(value.p_best, lang)}, {words['loss']} {percent_text(value.p_loss, lang)}"
        )
        click.echo(f"  {'':<{max(map(len, quantiles))}}  ∅ {mean}; {chances}")
    click.echo(f"\n{words['evpi']} {worth_text(verdict.evpi.value, verdict, lang)}.")
    click.echo(f"\n{words['unknowns']}")
    _show_unknowns(question, verdict, lang)
    if verdict.studies:
        click.echo(f"\n{words['studies']}")
        for study in verdict.studies[:_ROWS]:
            click.echo(f"  {_design(study, lang):<44} {worth_text(study.enbs.value, verdict, lang):>16}")
        if len(verdict.studies) > _ROWS:
            click.echo(f"  {words['more'].format(count=len(verdict.studies) - _ROWS)}")
    if verdict.tipping:
        click.echo()
        _show_lines(words["tipping"], tipping_sentences(verdict.tipping, question, language=lang))
    if verdict.cases:
        click.echo(f"\n{words['cases']}")
        for line in [*case_table(verdict, language=lang), *case_texts(verdict)]:
            click.echo(f"  {line}")
    if sure := hedges_text(verdict, lang):
        click.echo()
        _show_lines(words["sure"], sure)


def _show_lines(head: str, lines: Sequence[str]) -> None:
    """Print sentences under a head, each folded to the width of a page."""
    click.echo(head)
    for line in lines:
        click.echo(click.wrap_text(line, width=118, initial_indent="  ", subsequent_indent="    "))


def _show_unknowns(question: Question, verdict: Verdict, lang: str) -> None:
    top = max((unknown.evppi.value for unknown in verdict.unknowns), default=0.0)
    for unknown in verdict.unknowns:
        counts = matters(unknown, verdict)
        bar = "█" * round(24 * unknown.evppi.value / top) if counts else ""
        worth = worth_text(unknown.evppi.value, verdict, lang) if counts else "≈ 0"
        mark = f"  {_WORDS[lang]['open']}" if unknown.open else ""
        ask = ask_text(unknown.name, question, lang)
        click.echo(f"  {unknown.name:<20} {bar:<24} {worth}{mark}  {ask}".rstrip())


def _design(study: StudyValue, lang: str) -> str:
    words = _WORDS[lang]
    parts = [study.name]
    if study.weeks:
        parts.append(weeks_text(study.weeks, lang))
    if study.share:
        parts.append(f"{percent_text(study.share, lang)} {words['share']}")
    elif study.n:
        parts.append(f"n = {study.n}")
    return ", ".join(parts)
