"""Numbers and ranges as people write them."""

import pytest

from embellie.domain.errors import QuestionError
from embellie.frame.amounts import parse_amount, parse_range


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("4M visit/month", 4e6, "visit/month"),
        ("300 000 visites/mois", 300_000, "visites/mois"),
        ("300\u202f000 €", 300_000, "€"),
        ("3,2 %", 0.032, ""),
        ("1 234,5", 1234.5, ""),
        ("1,234.5", 1234.5, ""),
        ("1.234.567", 1_234_567, ""),
        ("0,125", 0.125, ""),
        ("60 k€", 60_000, "€"),
        ("2 Md EUR", 2e9, "EUR"),
        ("−5 %", -0.05, ""),
        ("1e-3", 0.001, ""),
        ("8 %/year", 0.08, "/year"),
        ("8 % par an", 0.08, "/an"),
        ("3 millions d'euros", 3e6, "euros"),
        ("3 million EUR", 3e6, "EUR"),
        ("1,5 milliard €", 1.5e9, "€"),
        ("20 mille visites/mois", 20e3, "visites/mois"),
        ("1'234'567.5 CHF", 1_234_567.5, "CHF"),
    ],
)
def test_amounts_are_read_as_written(text, value, unit):
    """English and French forms give the same number."""
    amount = parse_amount(text)
    assert amount is not None
    assert (amount.value, amount.unit) == (pytest.approx(value), unit)


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("1.6 to 1.9 article/visit", (1.6, 1.9)),
        ("300 000 à 500 000 visites/mois", (3e5, 5e5)),
        ("-0.5 % to 3 %", (-0.005, 0.03)),
        ("0.5 to 3 %", (0.005, 0.03)),
        ("250k .. 450k", (250e3, 450e3)),
        ("3 – 7", (3, 7)),
        ("entre 3 et 7 €", (3, 7)),
        ("between 3k and 7k EUR", (3e3, 7e3)),
        ("de 3 % à 7 %", (0.03, 0.07)),
        ("from 3 to 7", (3, 7)),
        ("60k / 110k / 220k EUR", (60e3, 110e3, 220e3)),
    ],
)
def test_ranges_are_read_as_written(text, points):
    """Two points or three, in either language."""
    found = parse_range(text)
    assert found is not None
    assert found.points == pytest.approx(points)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("900-1150", "Write `900 to 1150`"),
        ("1,234 to 2,000", "1234 for the thousands"),
        ("250 to 450k", "Write it on each"),
        ("5m to 7m", "Write `M`"),
        ("3 billion to 5 billion", "Write `bn`"),
        ("3 à 5 millions", "Write it on each"),
        ("7 to 3", "do not rise"),
        ("3 EUR to 7 USD", "mixes the units"),
    ],
)
def test_what_can_be_read_two_ways_is_refused(text, said):
    """The message says what to write."""
    with pytest.raises(QuestionError) as error:
        parse_range(text)
    assert said in str(error.value)
