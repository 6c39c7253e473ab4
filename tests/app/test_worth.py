"""Money as the configuration writes it."""

import pytest

from embellie.app.config import parse_config
from embellie.app.worth import parse_margin, parse_worth
from embellie.domain.errors import ConfigError
from embellie.domain.money import Money

SITE = {"sites": {"gazette": {}}}


@pytest.mark.parametrize(
    ("text", "margin"),
    [(0.01, 0.01), ("1 %", 0.01), ("300 EUR/month", Money(300, "EUR")), ("3,6k € par an", Money(300, "EUR"))],
)
def test_a_margin_is_a_share_or_money_per_month(text, margin):
    """Both are written as people write them, in either language."""
    assert parse_margin(text) == margin


@pytest.mark.parametrize("text", ["much", "300", "300 EUR", "-1 %", "-5 EUR/month", "300 apples/month"])
def test_what_is_no_margin_is_refused_with_what_to_write(text):
    """A number without a unit above 1 would be a margin of 300 times the control's value."""
    with pytest.raises(ConfigError) as wrong:
        parse_margin(text, at="embellie.toml:3")
    assert wrong.value.hint
    assert wrong.value.at == "embellie.toml:3"


@pytest.mark.parametrize("text", ["much", "1 %", "3 EUR/month", "3"])
def test_what_is_no_worth_is_refused(text):
    """A worth is money for one unit."""
    with pytest.raises(ConfigError):
        parse_worth(text)


def test_a_margin_in_money_needs_a_worth_in_the_same_currency():
    """Money cannot be compared with reads before one knows what a read brings."""
    metric = {"numerator": "reads", "role": "guardrail", "margin": "300 EUR/month"}
    with pytest.raises(ConfigError, match="needs `worth`"):
        parse_config(SITE | {"metrics": {"reads": metric}, "experiments": {}})
    with pytest.raises(ConfigError, match="two currencies"):
        parse_config(SITE | {"metrics": {"reads": metric | {"worth": "0.01 USD"}}})


def test_a_holdout_is_a_share_with_a_scenario_that_exists():
    """Its mistakes are found when the file is read."""
    with pytest.raises(ConfigError, match="no share"):
        parse_config(SITE | {"holdout": {"share": 2}})
    with pytest.raises(ConfigError, match="scenario"):
        parse_config(SITE | {"holdout": {"share": 0.1, "scenario": "nothing"}})
