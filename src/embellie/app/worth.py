"""Worth: money as `embellie.toml` writes it, `0.008 EUR` for a read, `300 EUR/month` for a margin."""

import re

from embellie.domain.errors import ConfigError, EmbellieError
from embellie.domain.money import Money
from embellie.frame.amounts import Amount, parse_amount
from embellie.frame.units import currency_code, parse_unit


def parse_worth(text: str, *, at: str = "") -> Money:
    """Read an amount of money.

    >>> parse_worth("0,008 €")
    Money(amount=0.008, currency='EUR')

    Raises:
        ConfigError: It is none.
    """
    amount = _amount(text, at)
    if "/" in amount.unit or amount.percent:
        raise ConfigError(f"`{text}` is no amount of money.", hint="Write for example `0.008 EUR`.", at=at)
    return Money(amount.value, _currency(amount.unit, text, at))


def parse_margin(text: str | float, *, at: str = "") -> float | Money:
    """Read a margin: a share (`0.01`, `1 %`), or money per month (`300 EUR/month`, `4k EUR/year`).

    >>> parse_margin("1 %"), parse_margin("1200 EUR/year")
    (0.01, Money(amount=100.0, currency='EUR'))

    Raises:
        ConfigError: It is neither, or negative.
    """
    amount = _amount(str(text), at)
    if amount.value < 0:
        raise ConfigError(f"Margin `{text}` is below 0.", hint="Write how much may be lost, without a sign.", at=at)
    if not amount.unit and amount.value < 1:
        return amount.value
    currency = _currency(re.split(r"/|\s+(?:par|per)\s+", amount.unit)[0], str(text), at)
    dimensions, factor = parse_unit(amount.unit, currency=currency)
    if dimensions != {currency: 1.0, "week": -1.0}:
        raise ConfigError(f"`{text}` is no margin.", hint="Write `1 %`, or money per time: `300 EUR/month`.", at=at)
    _, month = parse_unit(f"{currency}/month", currency=currency)
    return Money(round(amount.value * factor / month, 9), currency)


def _amount(text: str, at: str) -> Amount:
    try:
        found = parse_amount(text)
    except EmbellieError as error:
        raise ConfigError(error.message, hint=error.hint, at=at) from None
    if found is None:
        raise ConfigError(f"`{text}` is no amount.", hint="Write for example `0.008 EUR` or `1 %`.", at=at)
    return found


def _currency(written: str, text: str, at: str) -> str:
    code = currency_code(written.strip())
    if not (len(code) == 3 and code.isalpha() and code.isupper()):
        raise ConfigError(f"`{text}` names no currency.", hint="Write a code such as `EUR`.", at=at)
    return code
