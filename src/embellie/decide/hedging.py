"""Hedging: how sure the answer is and when to stop asking, in sentences, in English and in French."""

from embellie.decide.wording import amount, duration, percent
from embellie.domain.money import least_worth_told
from embellie.domain.verdict import FlatTop, Stopping, Stress, Verdict

UNDECIDED = 1.5
"""Ranges need to be wider by less than this factor for another scenario to win: the choice is not settled."""


def hedges(verdict: Verdict, language: str) -> list[str]:
    """Say how sure the answer is: what the study's duration matters, when to stop it, what would overturn the choice."""
    chosen = [top for top in verdict.tops if (top.study, top.share) == (verdict.next.study, verdict.next.share)]
    least = least_worth_told(verdict.stake)
    said = [flat_top_sentence(top, verdict.currency, language, least=least) for top in chosen]
    stops = [found for found in verdict.stopping if found.study == verdict.next.study]
    said += [stopping_sentence(found, verdict.currency, language, least=least) for found in stops]
    if verdict.stress:
        said.append(stress_sentence(verdict.stress, verdict.best, language))
        said.append(fat_sentence(verdict.stress, verdict.best, language))
    return said


def flat_top_sentence(top: FlatTop, currency: str, language: str, *, least: float = 1.0) -> str:
    """Say which durations are worth nearly the same."""
    worth = amount(top.best.enbs, currency, language, least=least)
    low, high = (round(weeks, 1) for weeks in (top.low, top.high))
    study, share = f"`{top.study}`", percent(top.share, language)
    if language == "fr":
        return (
            f"{study} sur {share} du trafic : de {duration(low, language)} à {duration(high, language)}, presque la même "
            f"valeur (au mieux {worth})."
        )
    return (
        f"{study} on {share} of the traffic: {duration(low, language)} to {duration(high, language)} are worth nearly the "
        f"same ({worth} at best)."
    )


def stopping_sentence(found: Stopping, currency: str, language: str, *, least: float = 1.0) -> str:
    """Say what it is worth to end a study as soon as its result is clear."""
    more = amount(found.enbs.value - found.fixed, currency, language, least=least)
    mean = duration(round(found.expected_weeks, 1), language)
    if language == "fr":
        return (
            f"Arrêtée dès que le résultat est net, elle vaut {more} de plus qu'à durée fixe, et dure {mean} en moyenne "
            f"({duration(found.most_weeks, language)} au plus)."
        )
    return (
        f"Ended as soon as its result is clear it is worth {more} more than at a fixed duration, and lasts {mean} on average "
        f"({duration(found.most_weeks, language)} at most)."
    )


def stress_sentence(stress: Stress, best: str, language: str) -> str:
    """Say by how much our ranges may be too narrow before another scenario wins."""
    tried = _times(stress.tried, language)
    if stress.flips_at is None:
        return {
            "en": f"`{best}` stays the best choice today were all ranges up to {tried} times as wide.",
            "fr": f"`{best}` reste le meilleur choix aujourd'hui même avec des plages jusqu'à {tried} fois plus larges.",
        }[language]
    factor = _times(stress.flips_at, language)
    settled = stress.flips_at >= UNDECIDED
    tail = {"en": "" if settled else ": undecided", "fr": "" if settled else " : indécis"}[language]
    return {
        "en": f"Were all ranges {factor} times as wide, `{stress.becomes}` would be the best choice instead of `{best}`{tail}.",
        "fr": f"Avec des plages {factor} fois plus larges, `{stress.becomes}` l'emporterait sur `{best}`{tail}.",
    }[language]


def fat_sentence(stress: Stress, best: str, language: str) -> str:
    """Say whether surprises would change the choice."""
    if stress.fat.scenario == best:
        return {
            "en": f"With fat tails everywhere, `{best}` is still the best choice today.",
            "fr": f"Avec des queues épaisses partout, `{best}` reste le meilleur choix aujourd'hui.",
        }[language]
    return {
        "en": f"With fat tails everywhere, `{stress.fat.scenario}` would be the best choice today.",
        "fr": f"Avec des queues épaisses partout, `{stress.fat.scenario}` serait le meilleur choix aujourd'hui.",
    }[language]


def _times(factor: float, language: str) -> str:
    text = f"{factor:.1f}".rstrip("0").rstrip(".")
    return text.replace(".", ",") if language == "fr" else text
