"""The ledger of beliefs: appended, never overwritten, judged by what evidence alone says."""

from datetime import UTC, date, datetime, timedelta

import pytest

from embellie.app.asking import of_project
from embellie.app.beliefs import beliefs_document, ledger_of, read_ledger
from embellie.app.newsroom import Newsroom
from embellie.domain.errors import InputError
from embellie.domain.evidence import Evidence
from embellie.frame.question_file import parse_question

DAY = datetime(2026, 3, 1, tzinfo=UTC)


def version(unknowns):
    return parse_question(f'[unknowns]\n{unknowns}\n[scenarios.a]\nvalue = "0"\n[scenarios.b]\nvalue = "1"\n')


def belief(text, author, on="2026-01-05"):
    return f'x = {{ range = "{text}", asked = "{author}", on = {on} }}'


def seen(estimate, se, **more):
    return Evidence(measures="x", estimate=estimate, se=se, **more)


def test_a_range_is_entered_when_first_written_and_when_changed():
    """Another author's same range is an entry too; the same text again is none."""
    texts = ["3 to 7", "3 to 7", "4 to 7"]
    versions = [(None, version(belief(text, "desk"))) for text in texts] + [(None, version(belief("4 to 7", "chief")))]
    found = ledger_of(versions, []).beliefs
    assert [(one.author, one.written) for one in found] == [("desk", "3 to 7"), ("desk", "4 to 7"), ("chief", "4 to 7")]
    assert found[0].on == date(2026, 1, 5)
    assert (found[0].p05, found[0].p95) == pytest.approx((3, 7))


def test_the_same_range_written_otherwise_is_no_new_belief():
    """What counts is what is believed."""
    assert len(ledger_of([(None, version('x = "3 to 7"')), (None, version('x = "3.0 à 7"'))], []).beliefs) == 1


def test_an_unknown_that_is_taken_out_stays_in_the_ledger():
    """Append-only."""
    ledger = ledger_of([(None, version('x = "3 to 7"\ny = "1 to 2"')), (None, version('x = "3 to 7"'))], [])
    assert [one.unknown for one in ledger.beliefs] == ["x", "y"]


def test_a_range_is_judged_by_the_evidence_alone():
    """Not by a posterior that the belief itself has drawn towards it."""
    ledger = ledger_of([(None, version(belief("-1 to 1", "desk")))], [seen(2.0, 0.2, at=DAY)])
    (one,) = ledger.resolved
    assert one.truth == pytest.approx(2.0)
    assert (one.truth_low, one.truth_high) == pytest.approx((2 - 0.329, 2 + 0.329), abs=1e-3)
    assert not one.inside
    assert one.stretch == pytest.approx(2.0)
    assert one.winkler == pytest.approx((2 + 20 * 1.0) / 2)


def test_a_blunt_result_settles_nothing():
    """A third of the range is the limit: sd 0.608 of the belief, se 0.25 against 0.15."""
    versions = [(None, version(belief("-1 to 1", "desk")))]
    assert ledger_of(versions, [seen(0.5, 0.25)]).resolved == ()
    assert len(ledger_of(versions, [seen(0.5, 0.15)]).resolved) == 1


def test_a_range_too_narrow_is_found_wrong_by_the_yardstick_of_the_widest():
    """Else the surest would never be judged."""
    versions = [(None, version(belief("-4 to 4", "desk"))), (None, version(belief("-0.1 to 0.1", "chief")))]
    found = {one.belief.author: one for one in ledger_of(versions, [seen(1.0, 0.5)]).resolved}
    assert found["desk"].inside
    assert not found["chief"].inside
    assert found["desk"].winkler == pytest.approx(1.0)
    assert found["chief"].winkler == pytest.approx((0.2 + 20 * 0.9) / 8)


def test_a_range_written_after_the_result_is_no_forecast():
    """By the day it says, or by the log's own time, which counts first."""
    early, late = version(belief("-1 to 1", "desk", "2026-02-27")), version(belief("1.8 to 2.2", "desk", "2026-02-28"))
    ledger = ledger_of([(DAY - timedelta(days=2), early), (DAY + timedelta(days=1), late)], [seen(2.0, 0.2, at=DAY)])
    assert [one.late for one in ledger.beliefs] == [False, True]
    assert [one.belief.written for one in ledger.resolved] == ["-1 to 1"]
    by_hand = ledger_of([(None, version(belief("1.8 to 2.2", "desk", "2026-03-02")))], [seen(2.0, 0.2, at=DAY)])
    assert by_hand.beliefs[0].late
    assert by_hand.resolved == ()


def test_of_several_ranges_by_one_author_the_last_before_the_result_counts():
    """One case per author and unknown."""
    versions = [(None, version(belief(text, "desk"))) for text in ("-9 to 9", "0 to 4")]
    (one,) = ledger_of(versions, [seen(2.0, 0.2, at=DAY)]).resolved
    assert one.belief.written == "0 to 4"


def test_a_range_in_another_unit_of_time_is_judged_in_its_own():
    """EUR/month then, EUR/week now."""
    before = version('x = { range = "300 to 900 EUR/month", asked = "desk" }')
    now = version('x = { range = "100 to 300 EUR/week", asked = "chief" }')
    ledger = ledger_of([(None, before), (None, now)], [seen(150.0, 5.0)])
    truths = {one.belief.author: one.truth for one in ledger.resolved}
    assert truths["chief"] == pytest.approx(150.0)
    assert truths["desk"] == pytest.approx(150.0 * 52.1775 / 12)


def test_each_author_has_a_calibration():
    """Those who were never put to the test have none."""
    versions = [(None, version(f'{belief("-1 to 1", "desk")}\ny = {{ range = "3 to 7", asked = "chief" }}'))]
    assert [one.author for one in ledger_of(versions, [seen(0.2, 0.1)]).calibrations] == ["desk"]


def test_the_document_holds_it_all():
    """By its schema."""
    document = beliefs_document(ledger_of([(None, version(belief("-1 to 1", "desk")))], [seen(2.0, 0.2, at=DAY)]))
    assert document["schema"] == "embellie/beliefs/1"
    assert document["beliefs"][0] | {"p50": 0.0} == {
        "unknown": "x", "author": "desk", "on": "2026-01-05", "written": "-1 to 1", "filed": None, "late": False,
        "unit": "", "p05": pytest.approx(-1), "p50": 0.0, "p95": pytest.approx(1),
    }  # fmt: skip
    assert document["resolved"][0]["inside"] is False
    assert document["calibration"][0]["widen"] > 1


# in a project


def edit(folder, before, after, file="question.toml"):
    file = folder / file
    file.write_text(file.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")


def test_a_project_remembers_who_believed_what(folder, clock):
    """Every version in its log, with the evidence there; what was filed before the test began is a forecast."""
    with Newsroom.open(folder, clock=clock) as newsroom:
        clock.wait(days=9)
        newsroom.file("gazette", Evidence(measures="interest", estimate=0.9, se=0.05, at=clock()))
        clock.wait(days=1)
        edit(folder, "-40 % to 80 %", "70 % to 110 %")
        newsroom.question()
    ledger = read_ledger([folder], None)
    assert [(one.written, one.late) for one in ledger.beliefs] == [("-40 % to 80 %", False), ("70 % to 110 %", True)]
    assert [one.belief.written for one in ledger.resolved] == ["-40 % to 80 %"]
    assert not ledger.resolved[0].inside


def test_a_running_test_is_a_result_from_its_start(folder, clock):
    """A range changed while one could look is no forecast."""
    with Newsroom.open(folder, clock=clock) as newsroom:
        assert newsroom.experiment("first-light").started_at == clock()
    known = of_project(folder)
    assert known.since == {"first-light": clock()}
    moved = version('x = "1 to 2"')
    ledger = ledger_of(
        [(clock() + timedelta(days=1), moved)], [seen(1.5, 0.1, source="first-light")], since=known.since
    )
    assert ledger.beliefs[0].late


def test_of_two_sites_tests_of_one_name_the_first_counts(folder, clock):
    """From then on, something of it could be seen."""
    began = clock()
    with Newsroom.open(folder, clock=clock):
        clock.wait(days=3)
    edit(folder, "[experiments", "[sites.herald.placements.article-bottom]\n[experiments", file="embellie.toml")
    with Newsroom.open(folder, clock=clock) as newsroom:
        assert newsroom.experiment("first-light", site="herald").started_at == clock()
    assert of_project(folder).since == {"first-light": began}


def test_files_and_a_project_at_once_are_refused(folder):
    """One of them is meant."""
    with pytest.raises(InputError, match="Both"):
        read_ledger([folder / "question.toml"], folder)
