"""Voice: how pictures and reports say names, amounts, chances and times, in English and in French."""

import math
import re
from dataclasses import dataclass

from embellie.app.pictures.picture_phrases import PHRASES
from embellie.decide.wording import amount, amount_bounded, amount_end, duration, percent, rounded
from embellie.domain.money import least_told, least_worth_told, told_as
from embellie.domain.question import Question, Unknown, in_percent
from embellie.stats.distributions import spread

THIN = "\u202f"
MINUS = "\u2212"
SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}
_UNITS_FR = {
    "visit": "visite", "reader": "lecteur", "article": "article", "month": "mois", "months": "mois", "week": "semaine",
    "weeks": "semaines", "year": "an", "years": "ans", "day": "jour", "days": "jours", "hour": "heure", "hours": "heures",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Voice:
    """Says a question's things in one language.

    Args:
        language: `en` or `fr`.
        question: Whose unknowns, studies and scenarios are spoken of.
        stake: The most that its scenarios could plausibly win or lose: beside it, an amount may be nothing.
    """

    language: str
    question: Question
    stake: float = math.inf

    def __call__(self, key: str, /, **values: object) -> str:
        """Return a phrase with its values filled in."""
        return PHRASES[key][self.language].format(**values)

    # numbers

    def money(self, value: float) -> str:
        """Write an amount to three figures, with the currency's sign: `€12,300`, `12 300 €`; a small one as small."""
        return self.typeset(amount(value, self.question.currency, self.language, least=least_told(self.stake)))

    def money_end(self, value: float) -> str:
        """Write an end of a range of amounts, always in figures."""
        return self.typeset(amount_end(value, self.question.currency, self.language, least=least_told(self.stake)))

    def money_range(self, low: float, high: float) -> str:
        """Write a range of amounts."""
        return self("range", low=self.money_end(low), high=self.money_end(high))

    def signed(self, value: float) -> str:
        """Write an amount with its sign, also above nothing."""
        return f"{'+' if value > 0 and self._in_figures(value) else ''}{self.money(value)}"

    def _in_figures(self, value: float) -> bool:
        return told_as(value, least_told(self.stake)) == "figures"

    def worth(self, value: float, floor: float | None = None) -> str:
        """Write what learning is worth: little is told as small beside the stake, the noise of the draws as about nothing."""
        if floor is not None and value <= max(floor, 0.0):
            return "≈ 0"
        least = least_worth_told(self.stake)
        return self.typeset(amount(value, self.question.currency, self.language, least=least))

    def worth_up_to(self, value: float, floor: float) -> str:
        """Write the most that an answer is worth: `up to €8,400`, `under €100`."""
        if value <= max(floor, 0.0):
            return self.worth(value, floor)
        least = least_worth_told(self.stake)
        text = amount_bounded(value, self.question.currency, self.language, bound="up_to", least=least)
        return self.typeset(text)

    def ticks(self, values: tuple[float, ...]) -> list[str]:
        """Write the amounts of an axis, short and alike: `−€50k`, `0`, `€50k`."""
        most = max((abs(value) for value in values), default=0.0)
        scale, suffix = (1e6, "M") if most >= 1e6 else (1e3, "k") if most >= 2e3 else (1.0, "")
        return [self._tick(value / scale, suffix) for value in values]

    def _tick(self, value: float, suffix: str) -> str:
        if abs(value) < 1e-12:
            return "0"
        text = self.number(abs(value))
        sign, symbol = MINUS if value < 0 else "", SYMBOLS.get(self.question.currency, self.question.currency)
        if self.language == "fr":
            return f"{sign}{text}{THIN}{suffix}{symbol}"
        return f"{sign}{symbol}{'' if len(symbol) == 1 else THIN}{text}{suffix}"

    def number(self, value: float) -> str:
        """Write a number to three figures."""
        near = rounded(value)
        text = f"{near:,.0f}" if abs(near) >= 1000 else f"{near:.4g}"
        if "e" in text:
            text = f"{near:.10f}".rstrip("0")
        if self.language == "fr":
            text = text.replace(",", THIN).replace(".", ",")
        return text.replace("-", MINUS)

    def count(self, value: int) -> str:
        """Write a whole number, every figure of it."""
        return f"{value:,}".replace(",", THIN if self.language == "fr" else ",")

    def percent(self, value: float) -> str:
        """Write a chance or a share."""
        return self.typeset(percent(value, self.language))

    def weeks(self, weeks: float) -> str:
        """Write a duration in weeks, to a tenth."""
        return duration(round(weeks, 1) if weeks < 10 else round(weeks), self.language)

    def about(self, name: str, value: float, *beside: float | None) -> str:
        """Write a value that divides two answers: to a hundredth of what is believed, or finer to tell it from those beside."""
        known = self.question.unknowns.get(name)
        if known is None:
            return self.finely(name, value)
        _, low, _, high = spread(known.prior.family, known.prior.parameters)
        places = round(-math.log10((high - low) / 100)) if high > low else 6
        while places < 12 and any(
            other is not None and round(other, places) == round(value, places) for other in beside
        ):
            places += 1
        return self.quantity(name, round(value, places) + 0.0)

    def finely(self, name: str, value: float) -> str:
        """Write a value to two figures."""
        if not value:
            return self.quantity(name, value)
        return self.quantity(name, round(value, 1 - math.floor(math.log10(abs(value)))))

    def span(self, low: float, high: float) -> str:
        """Write a range of durations, its unit once: `1.2 to 3.8 weeks`."""
        first = self.number(round(low, 1) if low < 10 else round(low))
        return self("range", low=first, high=self.weeks(high))

    def quantity(self, name: str, value: float, *, unit: bool = True) -> str:
        """Write a value of an unknown as its range is written: a share in percent, or a number with its unit."""
        known = self.question.unknowns.get(name)
        if self.is_share(name):
            near = rounded(100 * value)
            near = 0.0 if abs(near) < 1e-9 else near
            return f"{self.number(near)}{THIN if self.language == 'fr' else ''}%"
        label = self._unit(known.label) if known is not None and unit else ""
        return f"{self.number(value)} {label}".strip()

    def is_share(self, name: str, depth: int = 8) -> bool:
        """Tell whether an unknown is written in percent; a formula, when all that it names is."""
        known = self.question.unknowns.get(name)
        if known is not None:
            return written_in_percent(known)
        named = re.findall(r"[A-Za-z_]\w*", self.question.formulas.get(name, ""))
        return bool(named) and depth > 0 and all(self.is_share(each, depth - 1) for each in named)

    def unit(self, name: str) -> str:
        """Return the unit of an unknown in words: `€/visit`; nothing for a share."""
        known = self.question.unknowns.get(name)
        return "" if known is None else self._unit(known.label)

    def _unit(self, label: str) -> str:
        label = label.replace("%", "").strip()
        for code, symbol in SYMBOLS.items():
            label = label.replace(code, symbol)
        if self.language == "fr":
            label = re.sub(r"[a-z]+", lambda found: _UNITS_FR.get(found[0], found[0]), label)
        return label

    # names

    def scenario(self, name: str) -> str:
        """Name a scenario, as a label: `Heuristic`."""
        known = PHRASES.get(f"scenario.{name}")
        return known[self.language] if known else name.replace("_", " ")

    def the(self, name: str) -> str:
        """Name a scenario inside a sentence: `the heuristic`."""
        known = PHRASES.get(f"the.{name}")
        return known[self.language] if known else f"“{name.replace('_', ' ')}”"

    def ask(self, name: str) -> str:
        """Return the question an unknown asks, or its name made readable."""
        scenario, _, aspect = name.partition(".")
        if f"ask.{aspect}" in PHRASES and scenario in self.question.scenarios:
            return self(f"ask.{aspect}", the=self.the(scenario))
        known = self.question.unknowns.get(name)
        return self.said(known.ask) if known is not None and known.ask else name.replace("_", " ")

    def study(self, name: str) -> str:
        """Name a study by what it is: `Experiment ab_heuristic`."""
        known = self.question.studies.get(name)
        if known is None:
            return name
        kind = self(f"study.{known.kind}")
        return kind if name == known.kind else f"{kind} {name}"

    def design(self, name: str, *, weeks: float = 0.0, share: float = 0.0, n: int = 0) -> str:
        """Say a design: the study, how long, on how much of the traffic."""
        said = [self.study(name)]
        said += [self.weeks(weeks)] if weeks else []
        if share:
            said.append(self("word.of_traffic", share=self.percent(share)))
        elif n and not weeks:
            said.append(f"n = {self.number(n)}")
        return ", ".join(said)

    # sentences

    def said(self, text: str) -> str:
        """Set a sentence written elsewhere as the rest of the page: scenarios by their words, amounts by their sign."""
        for name in self.question.scenarios:
            the = self.the(name)
            for begun in ("", ". ", "! ", "? "):
                text = _begin(text, begun, f"`{name}`", f"{the[0].upper()}{the[1:]}")
            text = text.replace(f"`{name}`", the)
            if the.startswith("la "):  # what was written of a name without a gender
                text = re.sub(rf"({re.escape(the)}(?: et|,) \w+-)le\b", r"\1la", text, flags=re.IGNORECASE)
        return self.typeset(text)

    def typeset(self, text: str) -> str:
        r"""Set amounts, percentages and apostrophes as people of the language write them.

        >>> from embellie.frame.question_file import parse_question
        >>> asked = parse_question('[scenarios.a]\nvalue = "0 EUR"\n[scenarios.b]\nvalue = "1 EUR"\n')
        >>> Voice("en", asked).typeset("It brings −10,500 EUR with a chance of 95 %.")
        'It brings −€10,500 with a chance of 95%.'
        """
        currency = self.question.currency
        symbol = SYMBOLS.get(currency, currency)
        text = text.replace("'", "’")
        if self.language == "fr":
            text = re.sub(rf"(\d)\s{re.escape(currency)}\b", rf"\1{THIN}{symbol}", text)
            return re.sub(r"«\s", f"«{THIN}", re.sub(r"\s([;?!»%])|(?<=\S)\s(:)", rf"{THIN}\1\2", text))
        if len(symbol) == 1:
            text = re.sub(rf"(\d[\d,]*(?:\.\d+)?)\s{re.escape(currency)}\b", rf"{symbol}\1", text)
        return re.sub(r"(\d)\s%", r"\1%", text)


def written_in_percent(unknown: Unknown) -> bool:
    """Tell whether the values of an unknown are written in percent; the chance of a value or of a range is none.

    >>> from embellie.domain.question import Distribution
    >>> drill = Unknown(name="oil", prior=Distribution("discrete", ()), written="discrete(-70: 50 %, 200: 50 %)")
    >>> written_in_percent(drill)
    False
    """
    return not unknown.unit and in_percent(unknown.written)


def _begin(text: str, before: str, name: str, said: str) -> str:
    """Write a name as it stands where a sentence begins."""
    if not before:
        return said + text.removeprefix(name) if text.startswith(name) else text
    return text.replace(before + name, before + said)


def cut(text: str, most: int) -> str:
    """Cut a text to a length, on a word's end, with an ellipsis.

    >>> cut("What is one more visit worth?", 16)
    'What is one …'
    """
    if len(text) <= most:
        return text
    return f"{text[: most - 1].rsplit(' ', 1)[0]} …"
