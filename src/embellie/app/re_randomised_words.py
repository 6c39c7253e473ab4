"""Words for history assigned anew: a sentence and a histogram per metric, in English and in French."""

from collections.abc import Mapping, Sequence

from embellie.app.measured_words import metric_title, reason_and_remedy
from embellie.app.re_randomising import Calibration, ReRandomised

_BLOCKS = "▁▂▃▄▅▆▇█"

_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "head": "{units} units, assigned at random {runs} times, without any effect (seed {seed}).",
        "groups": "{units} units of {groups}, assigned at random {runs} times, without any effect (seed {seed}).",
        "more": "There are more; the first {units} by name are enough.",
        "fine": "{metric}{adjusted}: called different in {rate} of the runs ({low} to {high}); 5 % is meant.",
        "too_sure": "{metric}{adjusted}: called different in {rate} of the runs ({low} to {high}), where 5 % is meant: too sure.",
        "too_careful": (
            "{metric}{adjusted}: called different in {rate} of the runs ({low} to {high}), where 5 % is meant: too careful."
        ),
        "more_of": "  intervals that hold zero: {coverage}; claimed standard error over the spread seen: {ratio}",
        "histogram": "  p from 0 to 1: {blocks}   {counts}",
        "adjusted": ", adjusted",
        "why_too_sure": (
            "  Too sure: what counts as a unit is not what is assigned (make that the `--unit`), or a few units weigh too much "
            "for so few."
        ),
        "why_too_careful": "  Too careful: one or a few units outweigh all the others. Cap the metric, or ask who they are.",
        "passed": "Wrong about as often as it says: these figures can be trusted on these units.",
        "failed": "Not to be trusted on these units: {metrics}.",
        "missing": "{metric}: {because}",
    },
    "fr": {
        "head": "{units} unités, réparties au hasard {runs} fois, sans aucun effet (graine {seed}).",
        "groups": "{units} unités de {groups}, réparties au hasard {runs} fois, sans aucun effet (graine {seed}).",
        "more": "Il y en a davantage ; les {units} premières par nom suffisent.",
        "fine": "{metric}{adjusted} : dite différente dans {rate} des essais ({low} à {high}) ; 5 % sont voulus.",
        "too_sure": (
            "{metric}{adjusted} : dite différente dans {rate} des essais ({low} à {high}), où 5 % sont voulus : trop sûre."
        ),
        "too_careful": (
            "{metric}{adjusted} : dite différente dans {rate} des essais ({low} à {high}), où 5 % sont voulus : trop prudente."
        ),
        "more_of": "  intervalles qui contiennent zéro : {coverage} ; erreur type annoncée sur dispersion vue : {ratio}",
        "histogram": "  p de 0 à 1 : {blocks}   {counts}",
        "adjusted": ", ajusté",
        "why_too_sure": (
            "  Trop sûre : ce qui est compté comme unité n’est pas ce qui est réparti (faites-en l’`--unit`), ou quelques "
            "unités pèsent trop pour si peu."
        ),
        "why_too_careful": (
            "  Trop prudente : une ou quelques unités pèsent plus que toutes les autres. Plafonnez, ou demandez qui elles sont."
        ),
        "passed": "Se trompe à peu près aussi souvent qu’annoncé : ces chiffres sont fiables sur ces unités.",
        "failed": "Pas fiable sur ces unités : {metrics}.",
        "missing": "{metric} : {because}",
    },
}


def re_randomised_sentences(found: ReRandomised, language: str = "en") -> list[str]:
    """Say what was found, metric by metric, and whether it is to be trusted; no p-value with more digits than runs."""
    words = _WORDS["fr" if language.startswith("fr") else "en"]
    numbers = {
        "units": _count(found.units, language),
        "groups": _count(found.groups, language),
        "runs": _count(found.runs, language),
        "seed": str(found.seed),
    }
    lines = [words["head" if found.groups == found.units else "groups"].format(**numbers)]
    if found.more_units:
        lines.append(words["more"].format(**numbers))
    for row in found.rows:
        lines += ["", *_row(row, words, language)]
    for name, because in found.missing.items():
        said = " ".join(reason_and_remedy(because, language))
        lines += ["", words["missing"].format(metric=metric_title(name, language), because=said)]
    off = dict.fromkeys(metric_title(row.metric, language) for row in found.rows if row.state != "fine")
    if found.rows:
        lines += ["", words["failed"].format(metrics=", ".join(off)) if off else words["passed"]]
    return lines


def histogram(counts: Sequence[int]) -> str:
    """Draw counts as blocks; what is expected of each is half as high as the highest block.

    >>> histogram([10, 10, 20, 0])
    '▄▄█▁'
    """
    expected = sum(counts) / len(counts)
    return "".join(_BLOCKS[min(7, round(3.5 * count / expected - 0.01))] for count in counts)


def _row(row: Calibration, words: Mapping[str, str], language: str) -> list[str]:
    rate, low, high = (_percent(value, language) for value in row.error_rate)
    adjusted = words["adjusted"] if row.adjusted else ""
    lines = [
        words[row.state].format(
            metric=metric_title(row.metric, language), adjusted=adjusted, rate=rate, low=low, high=high
        ),
        words["more_of"].format(
            coverage=_percent(row.coverage[0], language), ratio=_localised(f"{row.se_ratio:.2f}", language)
        ),
        words["histogram"].format(
            blocks=histogram(row.histogram), counts=" ".join(str(count) for count in row.histogram)
        ),
    ]
    return lines if row.state == "fine" else [*lines, words[f"why_{row.state}"]]


def _percent(share: float, language: str) -> str:
    return _localised(f"{100 * share:.1f} %", language)


def _count(value: int, language: str) -> str:
    return f"{value:,}".replace(",", "\u202f" if language.startswith("fr") else ",")


def _localised(text: str, language: str) -> str:
    return text.replace(".", ",").replace(" %", "\u202f%") if language.startswith("fr") else text
