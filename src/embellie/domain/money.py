"""Money: an amount that never travels without its currency."""

from dataclasses import dataclass

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
