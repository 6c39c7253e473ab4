"""What the configuration declares begins once, where it says."""

from dataclasses import replace

import pytest

from embellie.app.building import scenario_releases
from embellie.app.config import read_config, sites_of
from embellie.app.declaring import declared
from embellie.app.operations import Operations


@pytest.fixture
def declare(folder, clock):
    """Declares what the file says, with more of it, for the gazette as it is known."""

    def declare_(more="", *, operations=None):
        file = folder / "embellie.toml"
        file.write_text(file.read_text() + more)
        config = read_config(folder)
        sites = sites_of(config)
        own = (operations or Operations(sites, stable="")).of("gazette")
        return declared(config, sites["gazette"], own, scenarios=scenario_releases(config), now=clock())

    return declare_


def test_each_scenario_is_a_release_and_each_variant_is_served_by_one(declare, clock):
    """The comparison begins now, between what the scenarios are."""
    *releases, test = [event.body for event in declare()]
    assert {variant.name: variant.release for variant in test.variants} == {
        one.note.removeprefix("Scenario ").rstrip("."): one.release for one in releases
    }
    assert (test.experiment, test.started_at, test.metrics[0]) == ("first-light", clock(), "articles_per_visit")


def test_what_is_known_is_not_told_again(declare, folder):
    """Nor does a comparison begin again, whatever became of it."""
    first = declare()
    operations = Operations(sites_of(read_config(folder)), stable="")
    for event in first:
        operations.apply(replace(event, body=replace(event.body, state="stopped")) if event is first[-1] else event)
    assert declare(operations=operations) == []


def test_the_same_declaration_is_the_same_event(declare, clock):
    """Two processes that open one folder tell one fact."""
    first = declare()
    clock.wait(minutes=1)
    assert [event.id for event in declare()] == [event.id for event in first]


def test_two_scenarios_alike_are_one_release(declare):
    """A comparison of a policy with itself puts nothing aside as a contradiction."""
    more = '[scenarios.status_quo]\npolicy = "status_quo"\n[scenarios.heuristic]\npolicy = "status_quo"\n'
    assert [getattr(event.body, "note", "") for event in declare(more)] == ["Scenario status_quo.", ""]


def test_a_placement_the_site_lacks_has_no_comparison(declare):
    """One file may hold several sites; each compares what it shows."""
    more = """
[sites.herald]
name = "The Herald"
[sites.herald.placements.sidebar]
[experiments.beside]
placement = "sidebar"
"""
    assert "beside" not in {getattr(event.body, "experiment", "") for event in declare(more)}


def test_a_holdout_keeps_its_share_apart(declare):
    """Those held out get one scenario for good; everyone else is compared with them, on every placement."""
    holdout = declare("\n[holdout]\nshare = 0.2\n")[-1].body
    assert holdout.holdout
    assert {variant.name: variant.weight for variant in holdout.variants} == {"held_out": 0.2, "everyone": 0.8}
    assert (holdout.placement, holdout.control) == ("", "held_out")
