"""Interleaving credit: which of two rankers readers side with; an order, never money."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from embellie.domain.unavailable import Unavailable
from embellie.measure.phrasing import Phrases, phrase, share_text, unavailable, unavailable_text
from embellie.stats.preference import PairedPreference, paired_preference
from embellie.stats.sequential import BURN_IN

FEWEST = BURN_IN
"""Readers with credit below which no preference is told."""

PLANNED = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """Which of two rankers readers side with. It has no worth: it says which is better, not by how much in money."""

    first: str
    second: str
    found: PairedPreference | Unavailable
    readers: int
    credited: int

    @property
    def verdict(self) -> Literal["first", "second", "open", "unknown"]:
        """Which one wins, by the interval that holds at every look."""
        if isinstance(self.found, Unavailable):
            return "unknown"
        return "first" if self.found.always_low > 0 else "second" if self.found.always_high < 0 else "open"


def preference(
    credit: Mapping[str, tuple[float, float]], *, first: str, second: str, planned: int = PLANNED
) -> Preference:
    """Tell which ranker readers side with.

    Args:
        credit: By reader: what they owed to the first ranker, and to the second.
        first: The first ranker's name.
        second: The second's.
        planned: Readers with credit at which the interval is tightest.
    """
    credited = sum(one > 0 or other > 0 for one, other in credit.values())
    if credited < FEWEST:
        few = unavailable(PHRASES, "few_credited", credited=credited, needed=FEWEST, readers=len(credit))
        return Preference(first=first, second=second, found=few, readers=len(credit), credited=credited)
    found = paired_preference(
        [one for one, _ in credit.values()], [other for _, other in credit.values()], planned=planned
    )
    if found.wins + found.losses == 0:
        return Preference(
            first=first, second=second, found=unavailable(PHRASES, "all_ties"), readers=len(credit), credited=credited
        )
    return Preference(first=first, second=second, found=found, readers=len(credit), credited=credited)


def no_money() -> Unavailable:
    """Say why a preference is no evidence about money."""
    return unavailable(PHRASES, "no_money")


def preference_sentences(told: Preference, language: str = "en") -> list[str]:
    """Say which ranker readers side with."""
    names = {"first": told.first, "second": told.second}
    if isinstance(told.found, Unavailable):
        return [unavailable_text(PHRASES, told.found, language)]
    found = told.found
    share = 0.5 + found.delta
    limits = [share_text(0.5 + limit, language, decimals=1) for limit in (found.always_low, found.always_high)]
    said = phrase(
        PHRASES, told.verdict, language, **names, share=share_text(share, language, decimals=1), low=limits[0],
        high=limits[1], wins=found.wins, losses=found.losses, ties=found.credited - found.wins - found.losses,
        credited=found.credited,
    )  # fmt: skip
    tests = phrase(PHRASES, "tests", language, t=f"{found.t_p:.2g}", sign=f"{found.sign_p:.2g}")
    return [said, tests, phrase(PHRASES, "order_only", language)]


WIDTH = 41


def preference_picture(told: Preference, language: str = "en") -> list[str]:
    """Draw the share of readers who side with the first, with its interval, between none and all of them."""
    if isinstance(told.found, Unavailable):
        return []
    found = told.found

    def place(delta: float) -> int:
        return round((delta + 0.5) * (WIDTH - 1))

    cells = [" "] * WIDTH
    cells[place(0.0)] = "┊"
    for cell in range(place(found.always_low), place(found.always_high) + 1):
        cells[cell] = "┼" if cell == place(0.0) else "─"
    cells[place(found.delta)] = "●"
    ends = phrase(PHRASES, "ends", language, first=told.first, second=told.second)
    return [f"0 {''.join(cells)} 100 %", ends]


PHRASES: Phrases = {
    "first": (
        "Readers side with `{first}`: {share} of {credited} (at every look {low} to {high}); {wins} for it, {losses} for `{second}`, {ties} for both alike.",
        "Les lecteurs préfèrent `{first}` : {share} sur {credited} (à chaque consultation {low} à {high}) ; {wins} pour lui, {losses} pour `{second}`, {ties} pour les deux également.",
    ),
    "second": (
        "Readers side with `{second}`: only {share} of {credited} with `{first}` (at every look {low} to {high}); {losses} for `{second}`, {wins} for `{first}`, {ties} for both alike.",
        "Les lecteurs préfèrent `{second}` : {share} seulement sur {credited} pour `{first}` (à chaque consultation {low} à {high}) ; {losses} pour `{second}`, {wins} pour `{first}`, {ties} pour les deux également.",
    ),
    "open": (
        "Too early to tell whom readers side with: {share} of {credited} with `{first}` (at every look {low} to {high}); {wins} for it, {losses} for `{second}`, {ties} for both alike.",
        "Trop tôt pour dire qui les lecteurs préfèrent : {share} sur {credited} pour `{first}` (à chaque consultation {low} à {high}) ; {wins} pour lui, {losses} pour `{second}`, {ties} pour les deux également.",
    ),
    "tests": (
        "At one look: p = {t} by the mean credit, {sign} by signs.",
        "À une seule consultation : p = {t} par le crédit moyen, {sign} par les signes.",
    ),
    "order_only": (
        "It ranks the two; what the better one is worth, only an experiment says.",
        "Cela classe les deux ; ce que vaut le meilleur, seule une expérience le dit.",
    ),
    "few_credited": (
        "{credited} of {readers} readers read something either ranker chose; {needed} are needed.",
        "{credited} lecteurs sur {readers} ont lu ce qu’un des deux avait choisi ; il en faut {needed}.",
    ),
    "few_credited!": ("Wait for traffic, then look again.", "Attendez du trafic, puis regardez à nouveau."),
    "all_ties": (
        "Every reader gave both rankers the same credit.",
        "Chaque lecteur a donné le même crédit aux deux.",
    ),
    "all_ties!": (
        "Check that the two rank differently.",
        "Vérifiez que les deux classent différemment.",
    ),
    "no_money": (
        "A preference between two rankers is no amount: a slate shared by both says nothing of what either alone would earn.",
        "Une préférence entre deux classements n’est pas un montant : une liste partagée ne dit pas ce que chacun rapporterait seul.",
    ),
    "no_money!": ("Run an experiment between them.", "Menez une expérience entre les deux."),
    "ends": (
        "none with `{first}` ← → all with `{first}` (against `{second}`)",
        "aucun pour `{first}` ← → tous pour `{first}` (contre `{second}`)",
    ),
}
"""What is said about a preference, in English and French."""
