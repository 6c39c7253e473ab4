"""How sure the answer is, in words."""

import pytest

from embellie.decide.hedging import fat_sentence, flat_top_sentence, stopping_sentence, stress_sentence
from embellie.domain.verdict import Duration, Figure, FlatTop, Stopping, Stress, Stressed


def stress(flips_at, becomes="status_quo", fat="heuristic"):
    harsher = Stressed(factor=1.0, fat=True, action="learn_more", scenario=fat, evpi=1.0, net_benefit={})
    return Stress(flips_at=flips_at, becomes=becomes, learns_at=None, tried=5.0, widened=(), fat=harsher)


def test_the_flat_top_is_told_as_a_range_of_weeks():
    """Three to six weeks are worth the same: nobody should fight over the fourth."""
    top = FlatTop(study="ab", share=0.5, best=Duration(weeks=4, evsi=1.0, enbs=5661.0), low=3.0, high=6.0, durations=())
    assert flat_top_sentence(top, "EUR", "en") == (
        "`ab` on 50 % of the traffic: 3 weeks to 6 weeks are worth nearly the same (5,660 EUR at best)."
    )
    assert "de 3 semaines à 6 semaines" in flat_top_sentence(top, "EUR", "fr")


def test_stopping_early_is_told_by_what_it_adds():
    """The gain over a fixed duration, and how long it lasts on average."""
    found = Stopping(
        study="ab", share=0.5, most_weeks=52, enbs=Figure(value=1500.0, error=1.0), fixed=1000.0, expected_weeks=2.34,
        boundaries=(),
    )  # fmt: skip
    told = stopping_sentence(found, "EUR", "en")
    assert "500 EUR more" in told
    assert "2.3 weeks on average (52 weeks at most)" in told


@pytest.mark.parametrize(
    ("flips_at", "says"),
    [(None, "stays the best choice"), (1.25, "1.2 times as wide"), (1.25, ": undecided"), (2.5, "2.5 times as wide")],
)
def test_a_choice_that_hangs_on_narrow_ranges_is_called_undecided(flips_at, says):
    """Under a factor of 1.5 the choice is not settled; above it that word is not used."""
    told = stress_sentence(stress(flips_at), "heuristic", "en")
    assert says in told
    assert (": undecided" in told) == (flips_at == 1.25)


def test_fat_tails_are_told_by_what_they_change():
    """Either nothing, or which scenario wins then."""
    assert "still the best" in fat_sentence(stress(None), "heuristic", "en")
    assert "`ml` serait" in fat_sentence(stress(None, fat="ml"), "heuristic", "fr")
