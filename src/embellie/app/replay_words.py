"""The words of `recommend evaluate`, `compare` and `check`, in English and in French; figures are written as each language does."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from embellie.app.checking_features import FeaturesChecked
from embellie.app.proxy_validity import ProxyValidity, validity_sentences
from embellie.domain.unavailable import Unavailable
from embellie.recommend.paired import Difference

WORDS: Mapping[str, tuple[str, str]] = {
    "left_out_line": ("Left out: line {line}: {reason}", "Écartée : ligne {line} : {reason}"),
    "left_out": (
        "{rows} rows were no clicks and were left out.", "{rows} lignes n’étaient pas des clics et ont été écartées.",
    ),
    "volume": (
        ("{clicks} clicks, {visits} visits, {readers} readers, {articles} articles; {targets} targets"
        " ({unseen} on articles not seen before their window: misses)"),
        ("{clicks} clics, {visits} visites, {readers} lecteurs, {articles} articles ; {targets} cibles"
        " ({unseen} sur des articles jamais vus avant leur fenêtre : manquées)"),
    ),
    "policy": ("policy", "politique"),
    "coverage": ("coverage", "couverture"),
    "p99": ("p99 ms", "p99 ms"),
    "novelty": ("novelty (bits)", "nouveauté (bits)"),
    "section_divergence": ("section divergence", "écart de rubriques"),
    "calibration": ("calibration", "calibrage"),
    "fragmentation": ("fragmentation", "fragmentation"),
    "unavailable": ("unavailable", "indisponible"),
    "intervals": (
        "95 % intervals, readers as independent units. {rate} clicks/s.",
        "Intervalles à 95 %, lecteurs comme unités indépendantes. {rate} clics/s.",
    ),
    "note": ("Note: {note}", "Remarque : {note}"),
    "real_differences": (
        "Real differences in ndcg, on the same targets, corrected for all looked at (Holm):",
        "Différences réelles de ndcg, sur les mêmes cibles, corrigées pour toutes celles regardées (Holm) :",
    ),
    "above": ("`{better}` above `{worse}` by {by} {interval}", "`{better}` au-dessus de `{worse}` de {by} {interval}"),
    "no_difference": (
        "None: this log cannot tell these policies apart.", "Aucune : ce journal ne peut distinguer ces politiques.",
    ),
    "no_leak": (
        "No leak found: {targets} targets ranked the same with the log cut before their window and with other names.",
        "Aucune fuite : {targets} cibles classées pareil avec le journal coupé avant leur fenêtre et avec d’autres noms.",
    ),
    "spared": (
        " Other names were not tried on {names}: they go by name.",
        " Les autres noms n’ont pas été essayés sur {names} : elles vont par nom.",
    ),
    "in_production": ("In production so far: {said}", "En production jusqu’ici : {said}"),
    "lists_give": (
        "What lists give, by the first {k} places, each counting 1 / rank ({lists} lists, {pairs} pairs):",
        "Ce que donnent les listes, par les {k} premières places, chacune comptant 1 / rang ({lists} listes, {pairs} paires) :",
    ),
    "desks": ("Desks by `{policy}`: {said}", "Rubriques avec `{policy}` : {said}"),
    "desks_short": ("Desks short by `{policy}`: {said}.", "Rubriques lésées par `{policy}` : {said}."),
    "desk": (
        "{section} {shown} of the places, {published} of what is published ({low} to {high}), {read} of what was opened next",
        "{section} {shown} des places, {published} de ce qui est publié ({low} à {high}), {read} de ce qui fut ouvert ensuite",
    ),
    "more_desks": ("; and {count} more (`--json`)", " ; et {count} autres (`--json`)"),
    "none": ("none", "aucune"),
    # compare
    "same_settings": ("Their settings are the same.", "Leurs réglages sont les mêmes."),
    "targets": ("{targets} targets", "{targets} cibles"),
    "real": ("real", "réelle"),
    "chance": ("may be chance", "peut être le hasard"),
    # check
    "no_features": ("No slate of the log carries features.", "Aucune liste du journal ne porte de variables."),
    "declare_ranker": (
        "Declare a scenario or release a policy `ranker`: from then on every slate of the site does.",
        "Déclarez un scénario ou mettez en ligne une politique `ranker` : dès lors, chaque liste du site en porte.",
    ),
    "nothing_compared": (
        "No slate with features: nothing was compared.", "Aucune liste avec des variables : rien n’a été comparé.",
    ),
    "all_same": (
        "{articles} articles of {slates} slates: every feature the same to the last bit.",
        "{articles} articles de {slates} listes : chaque variable identique au dernier bit.",
    ),
    "skew": (
        "`{feature}` differs in {share} of {articles} articles, by {median} in the middle and {largest} at most ({example}).",
        "`{feature}` diffère dans {share} de {articles} articles, de {median} au milieu et de {largest} au plus ({example}).",
    ),
    "not_computed": (
        "`{name}` is in the log, but this version does not compute it.",
        "`{name}` est dans le journal, mais cette version ne la calcule pas.",
    ),
    "lost": (
        "{lost} articles are unknown to the replayed state.", "{lost} articles sont inconnus de l’état rejoué.",
    ),
    "by_policy": ("Compared by policy: {said}", "Comparées par politique : {said}"),
    "skew_remedy": (
        ("A model learned from these would not be told when serving what it was told in training. Look for a server that runs "
        "another version, and for events put in the log behind a running server's back."),
        ("Un modèle appris de celles-ci n’entendrait pas en ligne ce qu’il a entendu à l’entraînement. Cherchez un serveur d’une "
        "autre version, et des événements mis dans le journal dans le dos d’un serveur en marche."),
    ),
}  # fmt: skip
"""By name: English, French; `{…}` are figures, written as the language does, and names."""

_REASONS_FR: Mapping[str, str] = {
    "These scores have not been shown to predict anything.": "Il n’a pas été montré que ces scores prédisent quoi que ce soit.",
    "Keep, for each experiment, the offline difference beside the measured one, and give them as `--history FILE`.": (
        "Gardez, pour chaque expérience, la différence hors ligne à côté de celle mesurée, et donnez-les par `--history FICHIER`."
    ),
    "No section is known.": "Aucune rubrique n’est connue.",
    "No reader has a history in known sections, or nothing was shown.": (
        "Aucun lecteur n’a de passé dans des rubriques connues, ou rien n’a été montré."
    ),
    "It showed nothing.": "Elle n’a rien montré.",
    "Look at a policy that shows something.": "Regardez une politique qui montre quelque chose.",
    "Too few lists or articles of known sections: none published meanwhile, or fewer than two readers.": (
        "Trop peu de listes ou d’articles de rubriques connues : aucun publié entre-temps, ou moins de deux lecteurs."
    ),
    "Give a longer log, and a catalogue with sections.": "Donnez un journal plus long, et un catalogue avec rubriques.",
    "Give a longer log.": "Donnez un journal plus long.",
    "No list of known sections went to a reader with a history in known sections.": (
        "Aucune liste de rubriques connues n’est allée à un lecteur ayant un passé dans des rubriques connues."
    ),
    "No three readers were to get lists in the same windows.": "Il n’y a pas trois lecteurs à servir dans les mêmes fenêtres.",
    "Give a longer log, or a wider `--window`.": "Donnez un journal plus long, ou une `--window` plus large.",
    "Only one reader has lists: the interval needs two.": "Un seul lecteur a des listes : il en faut deux pour l’intervalle.",
    "Give a catalogue with sections, and policies that show something.": (
        "Donnez un catalogue avec rubriques, et des politiques qui montrent quelque chose."
    ),
    "Give a catalogue with sections (`--catalogue`).": "Donnez un catalogue avec rubriques (`--catalogue`).",
}
_FEW = re.compile(r"(\d+) reader has targets: (?:the interval|a difference) needs at least two\.")
_BLIND = re.compile(r"No section is known, so (`.+`) ranks as `popular`\. Give `--catalogue` to try it\.")


class Voice:
    """Says things in a language, with its figures."""

    def __init__(self, language: str = "en") -> None:
        self.language, self._french = language, language == "fr"

    def __call__(self, name: str, /, **told: object) -> str:
        """Say one of `WORDS`; whole numbers get their thousands apart."""
        shown = {key: self.count(one) if isinstance(one, int) else one for key, one in told.items()}
        return WORDS[name][self._french].format(**shown)

    def count(self, number: int) -> str:
        """Write a whole number.

        >>> Voice().count(1234567)
        '1,234,567'
        """
        return f"{number:,}".replace(",", "\u202f" if self._french else ",")

    def number(self, value: float, form: str = ".4f") -> str:
        """Write a number in a format.

        >>> Voice("fr").number(0.5)
        '0,5000'
        """
        text = format(value, form)
        return text.replace(".", ",") if self._french else text

    def share(self, value: float, sign: str = "") -> str:
        """Write a share in percent, to a tenth.

        >>> Voice().share(0.125), Voice("fr").share(0.125, "+")
        ('12.5%', '+12,5 %')
        """
        return self.number(100 * value, f"{sign}.1f") + (" %" if self._french else "%")

    def interval(self, low: float, high: float, form: str = ".4f") -> str:
        """Write an interval's ends.

        >>> Voice().interval(0.1, 0.2), Voice("fr").interval(0.1, 0.2)
        ('[0.1000, 0.2000]', '[0,1000 ; 0,2000]')
        """
        return f"[{self.number(low, form)}{' ; ' if self._french else ', '}{self.number(high, form)}]"

    def cell(self, found: Mapping[str, Any]) -> str:
        """Write a figure with its interval, as a table shows it."""
        if "value" not in found:
            return self("unavailable")
        return f"{self.number(found['value'])} {self.interval(found['low'], found['high'])}"

    def reason(self, text: str) -> str:
        """Say why something is not to be had, or what to do, as an evaluation tells it."""
        if not self._french:
            return text
        if few := _FEW.fullmatch(text):
            return f"Seulement {few[1]} lecteur a des cibles : il en faut au moins deux."
        if blind := _BLIND.fullmatch(text):
            return f"Aucune rubrique n’est connue : {blind[1]} classe comme `popular`. Donnez `--catalogue` pour l’essayer."
        return _REASONS_FR.get(text, text)


def worth_told(worth: ProxyValidity | Unavailable, language: str = "en") -> str:
    """Say what offline scores have been worth in production."""
    say = Voice(language)
    if isinstance(worth, Unavailable):
        lines = [say.reason(worth.reason), say.reason(worth.remedy)]
    else:
        lines = validity_sentences(worth, language)
    return say("in_production", said=" ".join(lines))


def differences_told(found: Sequence[Difference], language: str = "en", metric: str = "ndcg") -> list[str]:
    """Say which policies differ really in a metric, each pair by the better one first."""
    say, said = Voice(language), []
    for one in found:
        if one.metric != metric or not one.real:
            continue
        better, worse = (one.policy, one.against) if one.value > 0 else (one.against, one.policy)
        low, high = sorted((abs(one.low), abs(one.high)))
        told = {"by": say.number(abs(one.value)), "interval": say.interval(low, high)}
        said.append(say("above", better=better, worse=worse, **told))
    return said


def features_told(checked: FeaturesChecked, language: str = "en") -> list[str]:
    """Say what a check of features found; what to do where something differs."""
    say, found = Voice(language), checked.check
    if not found.slates:
        return [say("no_features"), say("declare_ranker")]
    if not found.articles:
        lines = [say("nothing_compared")]
    elif found.ok:
        lines = [say("all_same", articles=found.articles, slates=found.slates)]
    else:
        lines = [
            say(
                "skew", feature=one.feature, share=say.share(one.share), articles=found.articles, example=one.example,
                median=say.number(one.median, "g"), largest=say.number(one.largest, "g"),
            )
            for one in found.skews
        ]  # fmt: skip
        lines += [say("not_computed", name=name) for name in found.unknown]
        lines += [say("lost", lost=found.lost)] if found.lost else []
    if found.policies:
        told = ", ".join(f"{name} {say.count(count)}" for name, count in found.policies.items())
        lines.append(say("by_policy", said=told))
    return lines if checked.ok else [*lines, say("skew_remedy")]
