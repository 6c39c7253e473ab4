"""Plan wording: a plan in a few sentences that one can act on, in English and in French.

One sentence for what to begin with, one for each outcome of the first study, and one for what following it is worth.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from embellie.decide.wording import amount, duration, percent
from embellie.domain.money import least_worth_told
from embellie.domain.plan import Branch, Rival, Step
from embellie.domain.question import Question, Unknown, in_percent
from embellie.domain.verdict import Figure
from embellie.stats.distributions import spread

LANGUAGES = ("en", "fr")


def plan_words(
    first: Step,
    *,
    gain: Figure,
    at_once: str,
    rivals: Sequence[Rival],
    question: Question,
    stake: float = math.inf,
) -> dict[str, tuple[str, ...]]:
    """Say what to do first, what then, and what following it is worth, by language.

    Args:
        first: The plan.
        gain: What following it brings above acting at once.
        at_once: The best scenario to act on at once.
        rivals: Other ways to begin, best first.
        question: Whose plan it is.
        stake: The most that its scenarios could plausibly win or lose: beside it, a gain may be nothing.
    """
    return {
        language: tuple(_Words(language, question, stake).sentences(first, gain, at_once, rivals))
        for language in LANGUAGES
    }


@dataclass(frozen=True, slots=True)
class _Standing:
    """What readers have, and what has been built, when a step begins."""

    live: str
    built: frozenset[str] = field(default_factory=frozenset)


class _Words:
    def __init__(self, language: str, question: Question, stake: float) -> None:
        self.language = language
        self.question = question
        self.least = least_worth_told(stake)
        self.baseline = next(iter(question.scenarios))

    def sentences(self, first: Step, gain: Figure, at_once: str, rivals: Sequence[Rival]) -> list[str]:
        before = _Standing(self.baseline, frozenset(n for n, s in self.question.scenarios.items() if s.built))
        if not first.study:
            return [self._at_once(first, before), *self._best_rival(rivals, first)]
        after = self._after(first, before)
        told = [_sentence(self._begin(first, before))]
        colon = " : " if self.language == "fr" else ": "
        told += [f"{self._outcome(branch, first)}{colon}{self._then(branch.then, after)}." for branch in first.branches]
        return [*told, self._worth(gain, at_once, self._other(rivals, gain, first))]

    # what it is worth

    def _at_once(self, first: Step, before: _Standing) -> str:
        now = "" if first.live == before.live else {"en": " at once", "fr": " tout de suite"}[self.language]
        return {
            "en": f"{_capital(self._settle(first, before))}{now}: none of the studies offered brings more than it costs.",
            "fr": f"{_capital(self._settle(first, before))}{now} : aucune des études proposées ne rapporte plus qu'elle ne coûte.",
        }[self.language]

    def _worth(self, gain: Figure, at_once: str, other: str) -> str:
        worth = self._amount(gain.value)
        if self.language == "fr":
            return f"Suivre ce plan rapporte en moyenne {worth} de plus qu'agir tout de suite avec `{at_once}`{other}."
        return f"Following this is worth {worth} more, on average, than acting at once on `{at_once}`{other}."

    def _other(self, rivals: Sequence[Rival], gain: Figure, first: Step) -> str:
        """Say by how much the first study leads over the next way to begin."""
        rival = next((rival for rival in rivals if rival.study), None)
        if rival is None:
            return ""
        behind = gain.value - rival.gain.value
        less = self._amount(max(behind, 0.0))
        begin = self._rival(rival, first)
        if behind <= gain.error:
            return {"en": f"; {begin} is worth about as much", "fr": f" ; {begin}, presque autant"}[self.language]
        return {"en": f"; {begin} would bring {less} less", "fr": f" ; {begin}, {less} de moins"}[self.language]

    def _best_rival(self, rivals: Sequence[Rival], first: Step) -> list[str]:
        rival = next((rival for rival in rivals if rival.study), None)
        if rival is None:
            return []
        less = self._amount(max(-rival.gain.value, 0.0))
        if self.language == "fr":
            return [f"{_capital(self._rival(rival, first))}, on gagnerait {less} de moins."]
        return [f"{_capital(self._rival(rival, first))} would bring {less} less."]

    def _amount(self, value: float) -> str:
        return amount(value, self.question.currency, self.language, least=self.least)

    def _rival(self, rival: Rival, first: Step) -> str:
        """Name another way to begin, by what differs."""
        french, live = self.language == "fr", f"`{rival.live}`"
        kept = f" en gardant {live}" if french else f" while keeping {live}"
        if rival.live != self.baseline:
            kept = f" avec {live} en production" if french else f" while {live} is in production"
        begin = f"en commençant par `{rival.study}`" if french else f"beginning with `{rival.study}`"
        return begin if rival.live == first.live else begin + kept

    # what to do

    def _begin(self, step: Step, before: _Standing, *then: str) -> str:
        """Say a step that runs a study, and what is done then if that is soon said."""
        needed = self.question.studies[step.study].needs
        acts = self._turns(step, before) if step.live != before.live else []
        if needed and needed not in self._with(before, step.live).built:
            french = self.language == "fr"
            acts.append(f"construisez `{needed}` pour l'essai" if french else f"build `{needed}` for the test")
        run = f"lancez {self._study(step)}" if self.language == "fr" else f"run {self._study(step)}"
        return self._listed([*acts, run, *then])

    def _listed(self, acts: Sequence[str]) -> str:
        word = "et" if self.language == "fr" else "and"
        return f"{', '.join(acts[:-1])} {word} {acts[-1]}" if len(acts) > 1 else acts[0]

    def _study(self, step: Step) -> str:
        french = self.language == "fr"
        text = f"`{step.study}`"
        if step.weeks:
            text += f" {'pendant' if french else 'for'} {duration(step.weeks, self.language)}"
        if step.share:
            share = percent(step.share, self.language)
            text += f" sur {share} du trafic" if french else f" on {share} of the traffic"
        if step.n and not step.weeks and self.question.studies[step.study].n:
            text += f" (n = {step.n})"
        return text

    def _settle(self, step: Step, before: _Standing) -> str:
        """Say which scenario readers have from a step on."""
        if step.live == before.live:
            return f"gardez `{step.live}`" if self.language == "fr" else f"keep `{step.live}`"
        return self._listed(self._turns(step, before))

    def _turns(self, step: Step, before: _Standing) -> list[str]:
        """Say what to do so that readers have another scenario."""
        live, was, french = f"`{step.live}`", f"`{before.live}`", self.language == "fr"
        if step.live == self.baseline:
            return [f"retirez {was}" if french else f"take {was} back"]
        scenario = self.question.scenarios[step.live]
        if scenario.value:
            return [f"choisissez {live}" if french else f"choose {live}"]
        instead = "" if not step.stops else f" à la place de {was}" if french else f" instead of {was}"
        if step.live not in before.built and (scenario.build or scenario.ready):
            if french:
                return [f"construisez {live}", f"mettez-le en production{instead}"]
            return [f"build {live}", f"put it in production{instead}"]
        return [f"mettez {live} en production{instead}" if french else f"put {live} in production{instead}"]

    def _then(self, step: Step, before: _Standing) -> str:
        """Say a later step, with what follows from it."""
        if not step.study:
            return self._settle(step, before)
        if len(step.branches) < 2 or any(branch.then.study for branch in step.branches):
            tail = "décidez selon tous les résultats" if self.language == "fr" else "decide by all results"
            return self._begin(step, before, tail)
        after = self._after(step, before)
        told = [(self._interval(branch, step), self._then(branch.then, after)) for branch in step.branches]
        parts = [f"{where}, {action}" for where, action in told]
        return (
            f"{self._begin(step, before)} ; {' ; '.join(parts)}"
            if self.language == "fr"
            else (f"{self._begin(step, before)}; {'; '.join(parts)}")
        )

    def _after(self, step: Step, before: _Standing) -> _Standing:
        """Return what stands once a step's study is done."""
        now = self._with(before, step.live)
        return self._with(now, self.question.studies[step.study].needs, live=step.live) if step.study else now

    def _with(self, before: _Standing, name: str, live: str = "") -> _Standing:
        built = set(before.built)
        part = name
        while part:
            built.add(part)
            part = self.question.scenarios[part].needs
        return _Standing(live or name, frozenset(built))

    # results

    def _outcome(self, branch: Branch, step: Step) -> str:
        """Say when a branch of the first study is taken, and how likely that is."""
        likely = percent(branch.chance, self.language)
        low, high = self._edges(branch, step)
        if self.language == "fr":
            if branch.signals:
                return f"Si le signal est {_alternatives(branch.signals, 'ou')} ({likely} de chances)"
            when = "Quel que soit le résultat"
            if low and high:
                when = f"Si le résultat est entre {low} et {high}"
            elif low or high:
                when = f"Si le résultat dépasse {low}" if low else f"Si le résultat est inférieur à {high}"
            return when if when.startswith("Quel") else f"{when} ({likely} de chances)"
        if branch.signals:
            return f"If the signal is {_alternatives(branch.signals, 'or')} ({likely} likely)"
        when = "Whatever it shows"
        if low and high:
            when = f"If it shows {low} to {high}"
        elif low or high:
            when = f"If it shows more than {low}" if low else f"If it shows less than {high}"
        return when if when.startswith("Whatever") else f"{when} ({likely} likely)"

    def _interval(self, branch: Branch, step: Step) -> str:
        """Say when a branch of a later study is taken."""
        low, high = self._edges(branch, step)
        french = self.language == "fr"
        if branch.signals:
            return (
                f"si {_alternatives(branch.signals, 'ou')}" if french else f"if {_alternatives(branch.signals, 'or')}"
            )
        if low and high:
            return f"d'environ {low} à {high}" if french else f"from about {low} to {high}"
        if french:
            return f"au-dessus d'environ {low}" if low else f"au-dessous d'environ {high}"
        return f"above about {low}" if low else f"below about {high}"

    def _edges(self, branch: Branch, step: Step) -> tuple[str, str]:
        low, high = (
            "" if edge is None else self.result(edge, self.question.studies[step.study].measures, others)
            for edge, others in ((branch.low, branch.high), (branch.high, branch.low))
        )
        return low, high

    def result(self, value: float, measures: str, other: float | None) -> str:
        """Write a result as the unknown is written, as finely as telling two thresholds apart takes."""
        unknown = self.question.unknowns.get(measures)
        shares = unknown is not None and in_percent(unknown.written)
        scale = 100.0 if shares else 1.0
        places = _places(unknown, abs(value)) - (2 if shares else 0)
        while other is not None and round(value * scale, places) == round(other * scale, places) and places < 12:
            places += 1
        text = f"{round(value * scale, places) + 0.0:,.{max(places, 0)}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
        if self.language == "fr":
            text = text.replace(",", "\u202f").replace(".", ",")
        text = text.replace("-", "−")
        label = " %" if shares else f" {unknown.label}" if unknown and unknown.label else ""
        return f"{text}{label}"


def _places(unknown: Unknown | None, size: float) -> int:
    """Return to how many decimal places a result is written: to about a hundredth of what the unknown may vary by."""
    if unknown is not None:
        _, low, _, high = spread(unknown.prior.family, unknown.prior.parameters)
        size = high - low
    return round(-math.log10(size / 100)) if size > 0 else 2


def _alternatives(names: Sequence[str], word: str) -> str:
    return f" {word} ".join(f"`{name}`" for name in names)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _sentence(text: str) -> str:
    return f"{_capital(text)}."
