"""The checks of a log before training: silent on healthy ones, loud on what goes wrong in production."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from embellie.recommend.check_telling import NAMES, SENTENCES, training_check_name, training_sentence, training_state
from embellie.recommend.data_checks import Spread, check_data, check_drift
from embellie.recommend.log_profile import LogProfile, SectionProfile
from embellie.recommend.training_check import TrainingCheck, alarms, worst

NOON = datetime(2026, 3, 30, 12, tzinfo=UTC)


def profile(days=28, **changes):
    """A steady newspaper: 1,000 reads a day, half on two days of the week; every hour has an article but at night."""
    rng = np.random.default_rng(3)
    rhythm = np.array([0.5 if day % 7 in (1, 2) else 1.0 for day in range(days)])
    reads = rng.poisson(1000 * rhythm)
    series = {
        "reads": reads, "served": reads, "visits": rng.poisson(reads / 1.7), "impressions": rng.poisson(2 * reads),
        "clicks": rng.poisson(0.05 * reads), "articles": rng.poisson(40 * rhythm), "top_clicks": np.full(days, 4),
    }  # fmt: skip
    given = {
        "until": NOON,
        "days": days,
        "series": {name: tuple(values.tolist()) for name, values in series.items()},
        "sections": {name: SectionProfile(articles=(6,) * days, reads=(200,) * days) for name in ("news", "sport")},
        "hours": [(hour, 40, int(hour % 24 > 6)) for hour in range(24 * days)],
        "newest": {"read": NOON - timedelta(minutes=2)},
    }
    return LogProfile(**given | changes)


def with_series(one, **series):
    return replace(one, series=dict(one.series) | series)


def today(one, name, value):
    return with_series(one, **{name: (value, *one.of(name)[1:])})


def said(one, recent=1):
    return {check.check: check for check in check_data(one, recent=recent) if check.state != "ok"}


def test_a_healthy_log_is_fine():
    """Quiet weekends are no alarm, once they have been seen."""
    assert said(profile()) == {}
    assert said(profile(), recent=7) == {}


def test_a_short_log_says_that_it_is_short():
    """Five days before the last one are needed; until then nothing is unusual, and that is said."""
    found = {check.check: check for check in check_data(profile(days=4))}
    assert found["volumes"].state == "ok"
    assert found["volumes"].code == "too_short"


def test_an_empty_log_is_told_as_silent():
    """Without any read there is no freshness to speak of."""
    found = said(profile(days=0, series={}, sections={}, hours=[], newest={}))
    assert list(found) == ["freshness"]
    assert found["freshness"].state == "alarm"


@pytest.mark.parametrize(
    ("name", "value", "check", "code"),
    [
        ("reads", 150, "volumes", "fell"),
        ("reads", 4500, "volumes", "rose"),
        ("articles", 2, "volumes", "fell"),
        ("clicks", 400, "labels", "rate_rose"),
        ("clicks", 3, "labels", "rate_fell"),
        ("reads.lacking", 300, "schema", "lacking"),
        ("reads.unknown", 300, "schema", "unknown_articles"),
        ("clicks.repeated", 25, "duplicates", "repeated"),
        ("heavy", 300, "bots", "heavy"),
        ("top_clicks", 40, "bots", "one_reader"),
    ],
)
def test_what_goes_wrong_is_an_alarm(name, value, check, code):
    """Each kind of damage of the last day is found by its own check."""
    found = said(today(profile(), name, value))
    assert found[check].state == "alarm"
    assert found[check].code == code


def test_a_weekend_is_compared_with_weekends():
    """Half the reads are usual on a quiet day of the week, and an oddity on a busy one."""
    fewer = with_series(profile(), reads=(460, *profile().of("reads")[1:]))
    assert said(fewer)["volumes"].code == "fell"
    quiet = profile()
    shifted = {name: values[1:] for name, values in quiet.series.items()}  # the last day is now a quiet one
    assert "volumes" not in said(replace(quiet, days=27, series=shifted))


def test_more_slates_alone_are_a_rollout():
    """Three times the slates, impressions and clicks at the same rate is what a release does: told, not refused."""
    one = profile()
    for name in ("served", "impressions", "clicks"):
        one = today(one, name, 4 * one.of(name)[0])
    assert {name: check.state for name, check in said(one).items()} == {"volumes": "watch"}


def test_a_day_without_data_is_forgiven_once_it_is_over():
    """A hole in the log teaches nothing wrong: it is told, but does not refuse a week of trainings."""
    reads = list(profile().of("reads"))
    reads[3] = 10
    found = said(with_series(profile(), reads=tuple(reads)), recent=5)
    assert found["volumes"].state == "watch"


def test_what_has_long_been_so_is_no_alarm():
    """A site whose pages have always told a tenth of the reads twice is told so, and may train."""
    always = tuple(n // 10 for n in profile().of("reads"))
    assert said(with_series(profile(), **{"reads.repeated": always}))["duplicates"].state == "watch"


def test_a_silent_feed_is_an_alarm_while_reads_go_on():
    """Nothing new for a day of reading is an outage; a night without articles is not."""
    hours = [(hour, 40, 0 if hour < 20 else int(hour % 24 > 6)) for hour in range(24 * 28)]
    assert said(profile(hours=hours))["freshness"].code == "feed_silent"
    quiet = [(hour, 0, 0) if hour < 12 else (hour, 40, 1) for hour in range(24 * 28)]
    assert "freshness" not in said(profile(hours=quiet))


def test_a_section_that_vanished_is_an_alarm():
    """A desk that brought six articles a day and has brought none for two is gone, or renamed."""
    sections = dict(profile().sections)
    sections["sport"] = SectionProfile(articles=(0, 0, *[6] * 26), reads=(0,) * 28)
    found = said(profile(sections=sections))["sections"]
    assert (found.state, found.code, found.figures["section"]) == ("alarm", "vanished", "sport")


def test_a_section_that_appears_is_told():
    """A new section is worth a look, no more."""
    sections = dict(profile().sections) | {"games": SectionProfile(articles=(9, *[0] * 27), reads=(0,) * 28)}
    assert said(profile(sections=sections))["sections"].state == "watch"


def test_drift_needs_enough_lists_and_a_real_shift():
    """Shifted features alarm on many lists, not on few, and not without a shift."""
    edges, before = {"age": [1.0, 2.0]}, {"age": [0.8, 0.1, 0.1]}
    shifted = {"age": [0.1, 0.1, 0.8]}
    many = Spread(lists=4000, edges=edges, shares=before)
    assert check_drift(many, Spread(lists=3000, edges=edges, shares=shifted)).state == "alarm"
    assert check_drift(many, Spread(lists=3000, edges=edges, shares=before)).state == "ok"
    assert check_drift(many, Spread(lists=20, edges=edges, shares=shifted)).code == "nothing_to_compare"
    assert check_drift(None, many).state == "ok"


@pytest.mark.parametrize("code", sorted(SENTENCES))
def test_every_sentence_can_be_said_in_both_languages(code):
    """No figure a sentence needs is missing from its words, whatever is told."""
    check = TrainingCheck(
        check="volumes", state="watch", code=code, figures={"what": "reads", "day": 1, "share": 0.123}
    )
    for language in ("en", "fr"):
        said_so = training_sentence(check, language)
        assert "{" not in said_so
        assert said_so[0].isupper() or not said_so[0].isalpha()


@pytest.mark.parametrize("damage", ["reads", "clicks", "heavy", "reads.unknown", "articles"])
def test_an_alarm_gives_what_its_sentence_tells(damage):
    """Each sentence of a real alarm names what was found and what was expected: nothing is left open."""
    for check in said(today(profile(), damage, 900 if damage != "articles" else 0)).values():
        assert "–" not in training_sentence(check, "en")
        assert "–" not in training_sentence(check, "fr")


def test_french_is_french():
    """Numbers and names are written as the language writes them."""
    found = said(today(profile(), "reads.unknown", 300))["schema"]
    assert "% de lectures" in training_sentence(found, "fr")
    assert training_check_name("sections", "fr") == "rubriques"
    assert training_state("alarm", "fr") == "alarme"


def test_the_worst_is_what_counts_and_a_person_may_answer_for_it():
    """Of several findings the worst is told; an alarm someone answers for refuses nothing."""
    fine, mild, bad = (TrainingCheck(check=name, state=name, code="usual") for name in ("ok", "watch", "alarm"))
    assert worst([fine, bad, mild]) is bad
    assert alarms([fine, bad, mild]) == ["alarm"]
    assert alarms([bad], despite=["alarm"]) == []
    assert set(NAMES) >= {check.check for check in check_data(profile())}
