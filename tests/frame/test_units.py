"""Units as exponents over base units."""

import pytest

from embellie.domain.errors import QuestionError
from embellie.frame.units import WEEKS_PER_MONTH, parse_unit, times, unit_text


@pytest.mark.parametrize(
    ("french", "english"),
    [("visites/mois", "visit/month"), ("€/visite", "EUR/visit"), ("EUR par semaine", "EUR/week"), ("an", "year")],
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


def test_units_cancel():
    """visit/week × EUR/visit is EUR/week."""
    assert unit_text(times({"visit": 1.0, "week": -1.0}, {"EUR": 1.0, "visit": -1.0})) == "EUR/week"
