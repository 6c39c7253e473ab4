"""Units as exponents over base units."""

import pytest

from embellie.domain.errors import QuestionError
from embellie.frame.units import WEEKS_PER_MONTH, parse_unit, times, unit_text


@pytest.mark.parametrize(
    ("french", "english"),
    [
        ("visites/mois", "visit/month"),
        ("€/visite", "EUR/visit"),
        ("EUR par semaine", "EUR/week"),
        ("an", "year"),
        ("€/abonnée/trimestre", "EUR/subscriber/quarter"),
        ("euros/jour", "EUR/day"),
        ("eur/clic", "EUR/click"),
    ],
)
def test_french_words_mean_the_english_ones(french, english):
    """Both give the same exponents and size."""
    assert parse_unit(french, currency="EUR") == parse_unit(english, currency="EUR")


def test_time_converts_to_weeks():
    """A month holds a twelfth of a year of weeks."""
    assert parse_unit("month", currency="EUR") == ({"week": 1.0}, WEEKS_PER_MONTH)


def test_another_currency_is_refused():
    """Money is in the question's currency only."""
    with pytest.raises(QuestionError, match="another currency"):
        parse_unit("USD/month", currency="EUR")


@pytest.mark.parametrize("text", ["kEUR", "MEUR/year"])
def test_a_suffix_stuck_to_the_currency_is_refused(text):
    """It would be a unit of its own, a thousand times too small."""
    with pytest.raises(QuestionError, match="belongs to the number") as error:
        parse_unit(text, currency="EUR")
    assert error.value.hint == f"Write `60{text[0]} EUR`."


@pytest.mark.parametrize("text", ["visit/", "3/visit", "visit/month/!", "a b", "visit*month"])
def test_what_is_no_unit_is_refused(text):
    """Words joined by slashes, and nothing else."""
    with pytest.raises(QuestionError, match="is no unit"):
        parse_unit(text, currency="EUR")


def test_units_cancel():
    """visit/week × EUR/visit is EUR/week."""
    assert unit_text(times({"visit": 1.0, "week": -1.0}, {"EUR": 1.0, "visit": -1.0})) == "EUR/week"
