"""`embellie beliefs`: the ledger of ranges, who wrote them and when, and how they turned out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import click

from embellie.app.beliefs import Ledger, beliefs_document, read_ledger, value_text
from embellie.app.drawing import percent_text
from embellie.app.evidence_file import read_evidence
from embellie.cli.main import JSON_HELP, PROJECT_HELP, print_json
from embellie.domain.belief import Belief, Calibration, Resolved

_WIDTH = 40
_WORDS = {
    "en": {
        "count": "Ranges: {beliefs}; unknowns: {unknowns}, of which known well enough to judge: {resolved}.",
        "key": "├───┼───┤ a 90 % range and its median; ◆ what the evidence alone says.",
        "found": "found", "inside": "held", "outside": "missed", "late": "after the result: no forecast",
        "nobody": "not named", "undated": "undated",
        "none": "Nothing can be judged yet: that takes a result about an unknown that is three times as sharp as its range.",
        "how": "How ranges have held so far (they should, nine times out of ten):",
        "held": "{author}: {inside} of {resolved} held; in the long run between {low} and {high}.",
        "widen": "Their ranges should be {widen} times as wide.",
        "enough": "Nothing speaks against their width.",
    },
    "fr": {
        "count": "Fourchettes : {beliefs} ; inconnues : {unknowns}, dont assez connues pour juger : {resolved}.",
        "key": "├───┼───┤ une fourchette à 90 % et sa médiane ; ◆ ce que disent les résultats seuls.",
        "found": "trouvé", "inside": "tenue", "outside": "manquée", "late": "après le résultat : pas une prévision",
        "nobody": "sans nom", "undated": "sans date",
        "none": "Rien ne peut encore être jugé : il y faut un résultat trois fois plus précis que la fourchette.",
        "how": "Ce que valent les fourchettes jusqu'ici (elles devraient tenir neuf fois sur dix) :",
        "held": "{author} : {inside} sur {resolved} tenues ; à la longue, entre {low} et {high}.",
        "widen": "Leurs fourchettes devraient être {widen} fois plus larges.",
        "enough": "Rien ne parle contre leur largeur.",
    },
}  # fmt: skip


@click.command()
@click.argument("files", type=click.Path(path_type=Path), nargs=-1)
@click.option("--project", type=click.Path(path_type=Path), default=None, metavar="DIR", help=PROJECT_HELP)
@click.option(
    "--evidence", type=click.Path(path_type=Path), metavar="FILE", help="More results of studies, JSON lines."
)
@click.option("--lang", type=click.Choice(["en", "fr"]), default="en", show_default=True, help="Language of the words.")
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def command(
    *, files: tuple[Path, ...], project: Path | None, evidence: Path | None, lang: Literal["en", "fr"], as_json: bool
) -> None:
    """Show who believed what about each unknown, when, and how it turned out.

    FILES are versions of one question, oldest first, or a project's folder; without any, the project here, or
    question.toml. A project's log holds every version of its question, and the evidence.
    """
    ledger = read_ledger(files, project, read_evidence(evidence) if evidence else [])
    for note in ledger.notes:
        click.echo(f"Note: {note}", err=True)
    if as_json:
        print_json(beliefs_document(ledger))
        return
    for line in _lines(ledger, lang):
        click.echo(line)


def _lines(ledger: Ledger, lang: str) -> Iterator[str]:
    words = _WORDS[lang]
    by_unknown: dict[str, list[Belief]] = {}
    for belief in ledger.beliefs:
        by_unknown.setdefault(belief.unknown, []).append(belief)
    judged = {id(one.belief): one for one in ledger.resolved}
    known = {one.belief.unknown for one in ledger.resolved}
    yield ledger.question.question
    yield words["count"].format(beliefs=len(ledger.beliefs), unknowns=len(by_unknown), resolved=len(known))
    yield words["key"]
    for name, beliefs in by_unknown.items():
        unknown = ledger.question.unknowns.get(name)
        yield f"\n{name}  {unknown.ask if unknown else ''}".rstrip()
        yield from _one_unknown(beliefs, [judged[id(one)] for one in beliefs if id(one) in judged], lang)
    yield ""
    if not ledger.calibrations:
        yield words["none"]
        return
    yield words["how"]
    for one in ledger.calibrations:
        yield f"  {_calibration(one, lang)}"


def _one_unknown(beliefs: list[Belief], resolved: list[Resolved], lang: str) -> Iterator[str]:
    words, base = _WORDS[lang], beliefs[-1].scale
    edges = [edge * one.scale / base for one in beliefs for edge in (one.p05, one.p95)]
    edges += [edge * one.belief.scale / base for one in resolved for edge in (one.truth_low, one.truth_high)]
    low, high = min(edges), max(edges)
    told = {id(one.belief): words["inside"] if one.inside else words["outside"] for one in resolved}
    authors = [one.author or words["nobody"] for one in beliefs]
    widest = max(len(words["found"]), *map(len, authors))
    for belief, author in zip(beliefs, authors, strict=True):
        bar = _bar([edge * belief.scale / base for edge in (belief.p05, belief.p50, belief.p95)], low, high, "├┼┤─")
        how = told.get(id(belief), words["late"] if belief.late else "")
        day = belief.on.isoformat() if belief.on else f"{belief.filed:%Y-%m-%d}" if belief.filed else words["undated"]
        yield f"  {day:<10}  {author:<{widest}}  {bar}  {belief.written}  {how}".rstrip()
    if resolved:
        one = resolved[-1]
        own = [edge * one.belief.scale / base for edge in (one.truth_low, one.truth, one.truth_high)]
        truth, least, most = (value_text(edge, one.belief, lang) for edge in (one.truth, one.truth_low, one.truth_high))
        span = f"{least} {'à' if lang == 'fr' else 'to'} {most}"
        yield f"  {'':<10}  {words['found']:<{widest}}  {_bar(own, low, high, '╶◆╴╌')}  {truth} ({span})"


def _bar(three: list[float], low: float, high: float, signs: str) -> str:
    """Draw a range and its middle on the scale from `low` to `high`."""
    step = (high - low) / (_WIDTH - 1) or 1.0
    first, middle, last = (min(max(round((edge - low) / step), 0), _WIDTH - 1) for edge in three)
    marks = [" "] * _WIDTH
    marks[first : last + 1] = signs[3] * (last + 1 - first)
    marks[first], marks[last], marks[middle] = signs[0], signs[2], signs[1]
    return "".join(marks)


def _calibration(one: Calibration, lang: str) -> str:
    words = _WORDS[lang]
    held = words["held"].format(
        author=one.author or words["nobody"],
        inside=one.inside,
        resolved=one.resolved,
        low=percent_text(one.low, lang),
        high=percent_text(one.high, lang),
    )
    if one.widen < 1.05:
        return f"{held} {words['enough']}"
    widen = f"{one.widen:.1f}"
    return f"{held} {words['widen'].format(widen=widen.replace('.', ',') if lang == 'fr' else widen)}"
