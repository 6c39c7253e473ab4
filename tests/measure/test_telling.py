"""Scorecards in words, and as evidence."""

from dataclasses import replace

import pytest

from embellie.app.measuring import evidence_from, sentences, split_sentence
from embellie.app.scorecard_document import scorecard_document
from embellie.domain.errors import UnknownName
from embellie.domain.metric import Metric
from embellie.domain.scorecard import Effect, SampleRatio
from embellie.domain.unavailable import Unavailable
from embellie.measure.aggregates import Aggregates
from embellie.measure.scoring import Design, score
from embellie.stats.moments import Moments

METRICS = (
    Metric(metric="articles_per_visit", numerator="reads", denominator="visits", role="primary"),
    Metric(metric="click_through", numerator="clicks", denominator="impressions", proxy=True),
)


def side(reads, impressions):
    names = ("reads", "visits", "clicks", "impressions")
    means = dict(zip(names, (reads, 2.0, 0.1 * impressions, impressions), strict=True))
    pairs = {(a, b): 0.0 if a != b else 1.0 for a in names for b in names}
    return Moments(4000, means, pairs)


def card(*, lift=0.2, shown=3.0):
    design = Design(
        control="status_quo",
        weights={"status_quo": 1, "heuristic": 1},
        metrics=METRICS,
        experiment="first-light",
        watched=True,
    )
    moments = {"status_quo": side(3.0, shown), "heuristic": side(3.0 + lift, 3.0)}
    return score(design, Aggregates(moments=moments, excluded={"two_variants": 3}))


@pytest.mark.parametrize(
    ("lift", "words"), [(0.2, "Higher than"), (-0.2, "Lower than"), (0.01, "Too early to tell it from")]
)
def test_a_sentence_says_which_way_or_that_it_is_too_early(lift, words):
    """The verdict of a sentence follows the interval."""
    assert words in sentences(card(lift=lift))[0]


def test_a_sentence_for_each_metric_in_both_languages():
    """English and French name the metric, the change in per cent and the interval; a proxy says so."""
    english, proxy = sentences(card())
    french, indice = sentences(card(), "fr")
    assert english.startswith("Articles per visit, `heuristic`: +6.7 % (95 % interval +3.9 % to +9.5 %)")
    assert french.startswith("Articles par visite, `heuristic` : +6,7\u202f% (intervalle à 95\u202f% de +3,9")
    assert "A proxy" in proxy
    assert "indice" in indice


def test_what_is_missing_is_said_in_both_languages():
    """No impressions in the control: reason and remedy."""
    assert "`status_quo` has no impressions" in sentences(card(shown=0.0))[1]
    assert "`status_quo` n’a aucun « impressions »" in sentences(card(shown=0.0), "fr")[1]


def test_the_split_is_said_with_who_was_left_out():
    """Units per variant, and the readers seen in two of them."""
    assert split_sentence(card()) == (
        "The split is as designed: `status_quo` 4,000, `heuristic` 4,000. 3 seen in two variants, left out."
    )
    broken = replace(card(), srm=SampleRatio(p_value=0.0, log_e=9.0, alarm=True))
    assert split_sentence(broken).startswith("The split is not the designed one")
    assert split_sentence(broken, "fr").startswith("La répartition n’est pas celle prévue")


def test_the_document_has_the_contract_s_names():
    """`embellie/scorecard/1`, with every name of the contract."""
    document = scorecard_document(card())
    assert document["schema"] == "embellie/scorecard/1"
    assert document["variants"] == {"status_quo": {"units": 4000}, "heuristic": {"units": 4000}}
    row = document["effects"][0]
    assert set(row) == {
        "metric", "variant", "control_value", "variant_value", "adjusted", "effect", "se", "p_value", "interval",
        "relative",
    }  # fmt: skip
    assert set(row["interval"]) == {"kind", "level", "low", "high"}
    assert set(row["relative"]) == {"effect", "low", "high", "se"}
    assert document["effects"][1]["proxy"] is True


def test_evidence_is_the_relative_effect_and_its_error():
    """What the study measures is the effect as a share of the control's value."""
    found = evidence_from(card(), study="ab", measures="interest", metric="articles_per_visit", variant="heuristic")
    row = card().effects[0]
    assert isinstance(row, Effect)
    assert (found.estimate, found.se) == (row.relative.effect, row.relative.se)
    assert (found.study, found.measures) == ("ab", "interest")


def test_a_broken_split_or_a_missing_value_is_no_evidence():
    """The reason travels instead of a number."""
    ask = {"study": "ab", "measures": "interest", "variant": "heuristic"}
    broken = replace(card(), srm=SampleRatio(p_value=0.0, log_e=9.0, alarm=True))
    assert isinstance(evidence_from(broken, metric="articles_per_visit", **ask), Unavailable)
    assert isinstance(evidence_from(card(shown=0.0), metric="click_through", **ask), Unavailable)
    with pytest.raises(UnknownName, match="Unknown metric `clicks`"):
        evidence_from(card(), metric="clicks", **ask)
