"""Telling checks: what was found, a sentence per code, in English and in French."""

from collections.abc import Mapping

from embellie.domain.scorecard import Check
from embellie.measure.telling_numbers import NARROW_SPACE, count_text, localised, metric_name, share_text, spoken

CHECKS: Mapping[str, tuple[str, str]] = {
    "nobody": ("Nobody has been exposed yet.", "Personne n’a encore été exposé."),
    "split_fine": ("The split is as designed.", "La répartition est celle prévue."),
    "split_broken": (
        "The split is not the designed one. Trust none of these figures before you know why.",
        "La répartition n’est pas celle prévue. Ne vous fiez à aucun de ces chiffres avant de savoir pourquoi.",
    ),
    "split_by_fine": (
        "The split is as designed in each of {parts} parts of the readers.",
        "La répartition est celle prévue dans chacune des {parts} parties des lecteurs.",
    ),
    "split_by_fine_one": (
        "The split is as designed in the one part of the readers that is large enough.",
        "La répartition est celle prévue dans la seule partie des lecteurs assez grande.",
    ),
    "split_by_broken": (
        "In one part, {part}, the split is not the designed one: look there for what is lost on one side.",
        "Dans une partie, {part}, la répartition n’est pas celle prévue : cherchez là ce qui se perd d’un côté.",
    ),
    "no_two_variants": ("Nobody was seen in two variants.", "Personne n’a été vu dans deux variantes."),
    "two_variants": (
        "{n} seen in two variants ({share}), left out of both.",
        "{n} vus dans deux variantes ({share}), écartés des deux.",
    ),
    "complete": ("No day of {days} is missing.", "Aucun jour sur {days} ne manque."),
    "incomplete": (
        "On {day} only {share} of the usual new readers came: that day’s events are not all there.",
        "Le {day}, seuls {share} des nouveaux lecteurs habituels sont venus : il manque des événements ce jour-là.",
    ),
    "too_early_for_days": (
        "Too early to tell whether a day is missing.",
        "Trop tôt pour dire s’il manque un jour.",
    ),
    "no_bots": ("No bots among them.", "Aucun robot parmi eux."),
    "bots": (
        "{n} look like bots ({share}) and are left out; with them the answer is the same.",
        "{n} ressemblent à des robots ({share}) et sont écartés ; avec eux la réponse est la même.",
    ),
    "bots_one": (
        "1 looks like a bot ({share}) and is left out; with it the answer is the same.",
        "1 ressemble à un robot ({share}) et est écarté ; avec lui la réponse est la même.",
    ),
    "bots_matter": (
        "{n} look like bots ({share}) and are left out; with them the answer would be another: {with} instead of {without}.",
        (
            "{n} ressemblent à des robots ({share}) et sont écartés ; avec eux la réponse serait autre : {with} au lieu de "
            "{without}."
        ),
    ),
    "no_novelty": (
        "The effect does not wear off with the days since first exposure.",
        "L’effet ne s’use pas avec les jours depuis la première exposition.",
    ),
    "novelty": (
        (
            "The effect wears off with the days since first exposure: {first} at first, {slope} for each day more. "
            "What lasts is less than what is seen."
        ),
        (
            "L’effet s’use avec les jours depuis la première exposition : {first} d’abord, {slope} par jour de plus. "
            "Ce qui dure est moins que ce qu’on voit."
        ),
    ),
    "primacy": (
        (
            "The effect grows with the days since first exposure: {first} at first, {slope} for each day more. "
            "What lasts may be more than what is seen."
        ),
        (
            "L’effet grandit avec les jours depuis la première exposition : {first} d’abord, {slope} par jour de plus. "
            "Ce qui dure peut être plus que ce qu’on voit."
        ),
    ),
    "units_fell": (
        "`{variant}` had {before} units and then {now} (reading {at}): units must not become fewer.",
        "`{variant}` avait {before} unités, puis {now} (relevé {at}) : elles ne peuvent pas diminuer.",
    ),
    "side_silent": (
        "From reading {at} on, nothing more of `{variant}` arrives while `{rival}` goes on ({events} events).",
        "À partir du relevé {at}, plus rien de `{variant}` n’arrive tandis que `{rival}` continue ({events} événements).",
    ),
    "early": ("{n} of the {planned} planned so far.", "{n} sur les {planned} prévus à ce jour."),
    "planned": ("The planned {planned} are reached.", "Les {planned} prévus sont atteints."),
}
"""What each code of a check says: English, French; `{…}` are the check's values, or its figures."""

NAMES: Mapping[str, tuple[str, str]] = {
    "split": ("split", "répartition"),
    "split_by": ("split by parts", "répartition par parties"),
    "two_variants": ("two variants", "deux variantes"),
    "completeness": ("completeness", "complétude"),
    "bots": ("bots", "robots"),
    "novelty": ("novelty", "nouveauté"),
    "size": ("size", "taille"),
}
"""What each check is called."""

STATES: Mapping[str, tuple[str, str]] = {
    "fine": ("fine", "bon"),
    "watch": ("watch", "à suivre"),
    "alarm": ("alarm", "alarme"),
    "unknown": ("not known", "inconnu"),
}

_DIMENSIONS: Mapping[str, tuple[str, str]] = {
    "consent": ("Consent", "Consentement"),
    "day": ("Day of first exposure", "Jour de la première exposition"),
    "bot": ("Bots", "Robots"),
    "returning": ("New and returning", "Nouveaux et habitués"),
    "since": ("Days since exposure", "Jours depuis l’exposition"),
}

_PARTS: Mapping[tuple[str, str], tuple[str, str]] = {
    ("consent", "profiling"): ("profiling", "profilage"),
    ("consent", "measurement"): ("measurement", "mesure"),
    ("consent", "none"): ("none", "aucun"),
    ("bot", "person"): ("people", "personnes"),
    ("bot", "bot"): ("bots", "robots"),
    ("bot", "everyone"): ("everyone, bots too", "tout le monde, robots compris"),
    ("returning", "new"): ("new", "nouveaux"),
    ("returning", "returning"): ("returning", "habitués"),
}

_SHARES = {"share"}
_SIGNED = {"first", "slope", "with", "without"}


def check_sentence(check: Check, language: str = "en") -> str:
    """Say what a check found.

    >>> check_sentence(Check(check="bots", state="fine", code="two_variants", values={"n": "12", "share": "0.0021"}))
    '12 seen in two variants (0.21 %), left out of both.'
    """
    place = _place(language)
    if check.code not in CHECKS:
        colon = ("", NARROW_SPACE)[place] + ":"
        return f"{check_name(check.check, language)}{colon} {state_name(check.state, language)}."
    found = _Found(check, language)
    if "dimension" in check.values:
        found["part"] = part_title(check.values["dimension"], check.values.get("value", ""), language)
    one = f"{check.code}_one"
    alone = one in CHECKS and 1.0 in (check.figures.get("n"), check.figures.get("parts"))
    return CHECKS[one if alone else check.code][place].format_map(found)


def check_name(check: str, language: str = "en") -> str:
    """Return what a check is called."""
    return NAMES[check][_place(language)] if check in NAMES else check.replace("_", " ")


def state_name(state: str, language: str = "en") -> str:
    """Return the word for a check's state."""
    return STATES[state][_place(language)]


def dimension_name(dimension: str, language: str = "en") -> str:
    """Return what a dimension of slices is called.

    >>> dimension_name("since"), dimension_name("offer")
    ('Days since exposure', 'Offer')
    """
    if dimension in _DIMENSIONS:
        return _DIMENSIONS[dimension][_place(language)]
    return (dimension[:1].upper() + dimension[1:]).replace("_", " ")


def part_name(dimension: str, value: str, language: str = "en") -> str:
    """Return what a part of the units is called.

    >>> part_name("bot", "person"), part_name("since", "0", "fr"), part_name("offer", "gold")
    ('people', 'jour 0', 'gold')
    """
    place = _place(language)
    if (dimension, value) in _PARTS:
        return _PARTS[dimension, value][place]
    return f"{('day', 'jour')[place]} {value}" if dimension == "since" else value


def part_title(dimension: str, value: str, language: str = "en") -> str:
    """Return what a part of the units is called where its dimension is not said.

    >>> part_title("consent", "profiling"), part_title("bot", "person"), part_title("offer", "gold", "fr")
    ('Consent: profiling', 'People', 'Offer\u202f: gold')
    """
    name = part_name(dimension, value, language)
    if dimension in {"bot", "returning"}:
        return name[:1].upper() + name[1:]
    colon = ("", NARROW_SPACE)[_place(language)] + ":"
    return f"{dimension_name(dimension, language)}{colon} {name}"


class _Found(dict[str, str]):
    """A check's values as the language writes them; what it does not tell is a dash."""

    def __init__(self, check: Check, language: str) -> None:
        super().__init__()
        self._check, self._language = check, language

    def __missing__(self, name: str) -> str:
        values = self._check.values
        raw = values[name] if name in values else self._check.figures.get(name)
        try:
            number = float(raw) if raw is not None else None
        except ValueError:
            return metric_name(str(raw), self._language) if name == "metric" else localised_text(raw, self._language)
        if number is None:
            return "–"
        if name in _SHARES:
            return share_text(number, self._language)
        if name in _SIGNED:
            return localised(f"{number:+.3g}", self._language)
        return count_text(number, self._language)


def localised_text(raw: object, language: str) -> str:
    """Return a value as it is; a number with its unit as the language writes it."""
    text = str(raw)
    return localised(text, language) if text.rstrip(" %").replace(".", "").lstrip("+-").isdigit() else text


def _place(language: str) -> int:
    return int(spoken(language) == "fr")
