"""Words, numbers, money and times for people, in English and in French."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

from embellie.domain.money import told_as, told_end
from embellie.web.phrases import MESSAGES

Language = Literal["en", "fr"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

THIN = "\u202f"
MINUS = "\u2212"
SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}
MONTHS: Mapping[Language, tuple[str, ...]] = {
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    "fr": ("janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc."),
}


def language_of(wanted: str, *, default: Language = "en") -> Language:
    """Read a language code such as `fr-CA`; the default when it is not one of ours.

    >>> language_of("fr-CA"), language_of("de")
    ('fr', 'en')
    """
    short = wanted.strip().lower()[:2]
    return next((language for language in LANGUAGES if language == short), default)


@dataclass(frozen=True, slots=True)
class Words:
    """Says things in one language.

    >>> Words("fr").money(12345.6, "EUR").replace(THIN, "_")
    '12_300_€'
    >>> Words("en").money(12345.6, "EUR")
    '€12,300'
    """

    language: Language

    def __call__(self, key: str, /, **values: object) -> str:
        """Return a message of the catalogue with its values filled in."""
        return MESSAGES[key][self.language].format(**values)

    def named(self, family: str, name: str) -> str:
        """Return the word for a name of ours (`scenario.ml`), or the name itself, readable, when it is someone's own."""
        message = MESSAGES.get(f"{family}.{name}")
        return message[self.language] if message else name.replace("_", " ")

    def section(self, name: str) -> str:
        """Return the word for a usual section, or its own name.

        >>> Words("fr").section("society"), Words("en").section("society"), Words("fr").section("Le coin des chats")
        ('Société', 'Society', 'Le coin des chats')
        """
        message = MESSAGES.get(f"section.{name.lower()}")
        return message[self.language] if message else name

    def number(self, value: float, digits: int = 0) -> str:
        """Write a number with `digits` decimals.

        >>> Words("fr").number(1234.5, 1).replace(THIN, "_")
        '1_234,5'
        """
        text = f"{abs(value):,.{digits}f}"
        if self.language == "fr":
            text = text.replace(",", THIN).replace(".", ",")
        negative = value < 0 and any(digit in text for digit in "123456789")
        return f"{MINUS}{text}" if negative else text

    def figure(self, value: float, digits: int = 3) -> str:
        """Write a number to `digits` significant digits.

        >>> Words("en").figure(1.7349), Words("en").figure(48123), Words("en").figure(2.0)
        ('1.73', '48,100', '2')
        """
        if value == 0 or not math.isfinite(value):
            return self.number(0.0)
        magnitude = math.floor(math.log10(abs(value)))
        rounded = round(value, digits - 1 - magnitude)
        decimals = max(0, min(8, digits - 1 - magnitude))
        needed = len(f"{abs(rounded):.{decimals}f}".partition(".")[2].rstrip("0"))
        return self.number(rounded, needed)

    def plain(self, value: float) -> str:
        """Write a number with one decimal when it needs one.

        >>> Words("en").plain(4.0), Words("en").plain(1.5)
        ('4', '1.5')
        """
        return self.number(value, 0 if float(value).is_integer() else 1)

    def share(self, value: float, digits: int = 0, *, signed: bool = False) -> str:
        """Write a fraction as a percentage.

        >>> Words("en").share(0.0123, 1, signed=True)
        '+1.2%'
        """
        text = self.number(100 * value, digits)
        plus = "+" if signed and text[0] != MINUS and any(digit in text for digit in "123456789") else ""
        return f"{plus}{text}{THIN if self.language == 'fr' else ''}%"

    def chance(self, value: float) -> str:
        """Write a probability, never as certain: `over 99%`, `under 1%`."""
        if value > 0.99:
            return self("chance.over", share=self.share(0.99))
        return self("chance.under", share=self.share(0.01)) if value < 0.01 else self.share(value)

    def money(self, amount: float, currency: str, *, least: float = 1.0) -> str:
        """Write an amount to three significant digits, whole; in millions when it is large, as small below `least`.

        >>> Words("en").money(-1_234_567, "EUR"), Words("en").money(0.0491, "EUR"), Words("en").money(-0.0491, "EUR")
        ('−€1.23M', 'under €1', 'about €0')
        >>> Words("fr").money(7.64, "EUR").replace(THIN, "_")
        '8_€'
        """
        told = told_as(amount, least)
        if told == "under":
            return self("chance.under", share=self._money(least, currency))
        if told == "about_nothing":
            return self("money.about", amount=self._money(0.0, currency))
        return self._money(amount if told == "figures" else 0.0, currency)

    def _money(self, amount: float, currency: str) -> str:
        million = abs(amount) >= 999_500
        scaled = amount / 1e6 if million else amount
        text = (
            self._rounded(scaled) if million else self.number(amount, 3) if 0 < abs(amount) < 1 else self._whole(amount)
        )
        symbol = SYMBOLS.get(currency, currency)
        if self.language == "fr":
            return f"{text}{THIN}{'M' if million else ''}{symbol}"
        sign, text = (MINUS, text[1:]) if text.startswith(MINUS) else ("", text)
        space = "" if len(symbol) == 1 else THIN
        return f"{sign}{symbol}{space}{text}{'M' if million else ''}"

    def _whole(self, value: float) -> str:
        return self.number(float(f"{value:.3g}"))

    def _rounded(self, value: float) -> str:
        near = float(f"{value:.3g}")
        return self.number(near, 0 if near.is_integer() else 2 if abs(near) < 10 else 1)

    def tidy(self, text: str, currency: str) -> str:
        """Set the amounts and percentages of a sentence as on the rest of the page.

        >>> Words("en").tidy("It brings 10,500 EUR with a chance of 95 %.", "EUR")
        'It brings €10,500 with a chance of 95%.'
        """
        symbol, text = SYMBOLS.get(currency, currency), text.replace("'", "’")
        if self.language == "fr":
            return re.sub(rf"(\d)\s{currency}\b", rf"\1{THIN}{symbol}", text)
        text = re.sub(rf"(\d[\d,]*(?:\.\d+)?)\s{currency}\b", rf"{symbol}\1", text) if len(symbol) == 1 else text
        return re.sub(r"(\d)\s%", r"\1%", text)

    def money_range(self, low: float, high: float, currency: str, *, least: float = 1.0) -> str:
        """Write a range of amounts; its ends always in figures.

        >>> Words("en").money_range(-0.2, 12.0, "EUR")
        '€0 to €12'
        """
        first, last = (self.money(told_end(end, least), currency, least=least) for end in (low, high))
        return self("range", low=first, high=last)

    def share_range(self, low: float, high: float, digits: int = 1) -> str:
        """Write a range of signed percentages."""
        return self("range", low=self.share(low, digits, signed=True), high=self.share(high, digits, signed=True))

    def moment(self, at: datetime) -> str:
        """Write a time of the log: day, month, hour and minute, UTC.

        >>> Words("fr").moment(datetime(2026, 8, 3, 7, 5, tzinfo=UTC))
        '3 août, 07:05'
        """
        utc = at.astimezone(UTC)
        return f"{utc.day} {MONTHS[self.language][utc.month - 1]}, {utc:%H:%M}"

    def weeks(self, weeks: float) -> str:
        """Write a duration: in months from a quarter on, in weeks below."""
        if weeks >= 13:
            return self("duration.months", n=self.number(round(weeks / 4.348)))
        return self("duration.week" if weeks == 1 else "duration.weeks", n=self.plain(weeks))

    def together(self, things: list[str]) -> str:
        """Join with commas and an `and`.

        >>> Words("fr").together(["a", "b", "c"])
        'a, b et c'
        """
        if len(things) < 2:
            return "".join(things)
        return f"{', '.join(things[:-1])} {self('and')} {things[-1]}"
