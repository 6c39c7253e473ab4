"""Money: an amount that never travels without its currency, and how small a one is told in figures."""

import math
from dataclasses import dataclass
from typing import Literal

from embellie.domain.errors import InputError


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in one currency.

    >>> Money(2.5, "EUR") + Money(1.0, "EUR")
    Money(amount=3.5, currency='EUR')
    """

    amount: float
    currency: str

    def __post_init__(self) -> None:
        if not (len(self.currency) == 3 and self.currency.isascii() and self.currency.isupper()):
            raise InputError(
                f"`{self.currency}` is not a currency.", hint="Write a three-letter ISO 4217 code such as `EUR`."
            )

    def __add__(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise InputError(f"Cannot add {other.currency} to {self.currency}.", hint="Convert one of them first.")
        return Money(self.amount + other.amount, self.currency)


Told = Literal["figures", "under", "about_nothing", "nothing"]
"""How an amount is put in words: in figures, as under the least one that is, as about nothing, or as nothing at all."""

_SMALL = 1e-3
_ROUNDING = 5e-5


def least_worth_told(stake: float = math.inf) -> float:
    """Return the least worth of knowing that is told in figures where so much is at stake: a power of ten, about a thousandth.

    >>> least_worth_told(250_000.0), least_worth_told(2.0), least_worth_told()
    (100.0, 0.001, 1.0)
    """
    return float(10.0 ** math.floor(math.log10(_SMALL * stake))) if 0 < stake < math.inf else 1.0


def least_told(stake: float = math.inf) -> float:
    """Return the least amount that is told in figures where so much is at stake: one of the currency, or less of a small stake.

    Nobody acts on less. A price of one unit (an article read) is no total, and is told with all its digits.

    >>> least_told(250_000.0), least_told(2.0), least_told()
    (1.0, 0.001, 1.0)
    """
    return min(1.0, least_worth_told(stake))


def told_as(amount: float, least: float) -> Told:
    """Tell how an amount is put in words: a small gain is under the least one that is told, a small loss is about nothing.

    >>> [told_as(amount, 1.0) for amount in (250.0, 0.0491, -0.0491, -2.8e-18)]
    ['figures', 'under', 'about_nothing', 'nothing']
    """
    if abs(amount) >= least:
        return "figures"
    if abs(amount) < _ROUNDING * least:  # what is left of 0 after a computer's rounding
        return "nothing"
    return "under" if amount > 0 else "about_nothing"


def told_end(amount: float, least: float) -> float:
    """Return the end of a range as it is told: rounded to the least amount that is, where it is smaller.

    >>> told_end(1234.5, 1.0), told_end(0.7, 1.0), told_end(-0.2, 1.0)
    (1234.5, 1.0, 0.0)
    """
    return amount if abs(amount) >= least else round(amount / least) * least + 0.0
