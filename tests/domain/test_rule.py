"""A rule says enough to be kept."""

from datetime import UTC, datetime, timedelta

import pytest

from embellie.domain.errors import InputError
from embellie.domain.rule import Rule

NOW = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    "told",
    [
        {"action": "pin"},
        {"action": "pin", "article": "a", "position": 0},
        {"action": "ban"},
        {"action": "cap", "section": "sport"},
    ],
)
def test_a_rule_that_says_too_little_is_refused(told):
    """Pins need an article and a place, bans something to ban, caps a limit."""
    with pytest.raises(InputError) as caught:
        Rule(rule="r", **told)
    assert caught.value.hint


def test_a_rule_holds_on_its_placement_until_it_ends():
    """Every placement when none is named; not at its end, nor once it is switched off."""
    rule = {"rule": "r", "action": "ban", "article": "a", "until": NOW + timedelta(hours=1)}
    assert Rule(**rule).holds("bottom", NOW)
    assert not Rule(**rule).holds("bottom", NOW + timedelta(hours=1))
    assert not Rule(**rule, active=False).holds("bottom", NOW)
    assert not Rule(**rule, placement="side").holds("bottom", NOW)


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ({"action": "embargo", "article": "a"}, "until"),
        ({"action": "embargo", "until": NOW}, "article"),
        ({"action": "embargo", "article": "a", "until": NOW, "placement": "side"}, "everywhere"),
        ({"action": "boost", "factor": 2.0}, "section"),
        ({"action": "boost", "section": "Sport", "tag": "vote", "factor": 2.0}, "each"),
        ({"action": "boost", "section": "Sport"}, "not 1"),
        ({"action": "boost", "section": "Sport", "factor": 11.0}, "0.1 to 10"),
        ({"action": "boost", "section": "Sport", "factor": float("nan")}, "0.1 to 10"),
        ({"action": "floor"}, "section"),
        ({"action": "floor", "section": "Sport", "position": 0}, "position"),
    ],
)
def test_a_rule_that_could_not_work_says_what_to_write(told, word):
    """An embargo needs its end, a boost one target and a factor within bounds, a floor a section: the error says so."""
    with pytest.raises(InputError) as caught:
        Rule(rule="r", **told)
    assert word in f"{caught.value.message} {caught.value.hint}"
