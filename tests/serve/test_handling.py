"""Handling: experiment first, then rollout, then the stable release; what is shown is written down."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from embellie.domain.errors import UnknownName
from embellie.domain.experiment import Experiment, Variant
from embellie.domain.release import Release
from embellie.domain.rollout import Rollout
from embellie.domain.site import Placement, Site
from embellie.domain.slate import Features, Recommended, SlateRequest
from embellie.serve.breaking import Resting
from embellie.serve.handling import Snapshot, handle

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
REQUEST = SlateRequest(
    site="gazette", placement="bottom", n=2, now=NOW, article="a1", reader="r1", visit="v1", consent="profiling"
)
RELEASES = {name: Release(release=name, policy=f"policy of {name}") for name in ("old", "new")}
RANKERS = {
    "old": lambda request, placement: [],
    "new": lambda request, placement: [Recommended("a2", "popular_now", 0.9), Recommended("a3", "latest", 0.1, 0.5)],
}
EXPERIMENT = Experiment(
    experiment="first-light",
    placement="bottom",
    control="status_quo",
    variants=(
        Variant(name="status_quo", weight=1, scenario="status_quo", release="old"),
        Variant(name="heuristic", weight=1, scenario="heuristic", release="new"),
    ),
    salt="first-light",
)
SNAPSHOT = Snapshot(
    site=Site(site="gazette", name="Gazette", placements={"bottom": Placement(placement="bottom", slots=2)}),
    releases=RELEASES,
    rankers=RANKERS,
    stable={"bottom": "old"},
)


def reader_of(variant):
    """Find a reader of a variant."""
    with_experiment = replace(SNAPSHOT, experiments={"bottom": EXPERIMENT})
    return next(
        f"r{number}"
        for number in range(100)
        if handle(replace(REQUEST, reader=f"r{number}"), with_experiment, slate_id="s").slate.variant == variant
    )


def test_the_slate_holds_what_was_shown():
    """Positions count from 1; reason, propensity, policy and release travel along."""
    snapshot = replace(SNAPSHOT, experiments={"bottom": EXPERIMENT})
    handled = handle(replace(REQUEST, reader=reader_of("heuristic")), snapshot, slate_id="s1")
    assert [(item.article, item.position, item.propensity) for item in handled.slate.items] == [
        ("a2", 1, 1.0),
        ("a3", 2, 0.5),
    ]
    assert (handled.slate.release, handled.slate.policy) == ("new", "policy of new")


def test_a_reader_shown_nothing_is_still_exposed():
    """The status quo shows nothing; its readers are assigned, exposed and measured all the same."""
    snapshot = replace(SNAPSHOT, experiments={"bottom": EXPERIMENT})
    handled = handle(replace(REQUEST, reader=reader_of("status_quo")), snapshot, slate_id="s1")
    assert handled.slate.items == ()
    assert [one.variant for one in handled.exposures] == ["status_quo"]


def test_without_consent_nobody_is_exposed_and_no_id_is_kept():
    """A reader without consent gets the stable release, in no experiment, with no id in the log."""
    snapshot = replace(SNAPSHOT, experiments={"bottom": EXPERIMENT})
    handled = handle(replace(REQUEST, consent="none"), snapshot, slate_id="s1")
    assert handled.exposures == ()
    assert (handled.slate.reader, handled.slate.visit, handled.slate.release) == ("", "", "old")


def test_a_rollout_splits_between_canary_and_stable():
    """Each step of a rollout is a comparison of its own."""
    rollout = Rollout(rollout="up", placement="bottom", stable="old", canary="new", steps=(0.5, 1.0), salt="up")
    snapshot = replace(SNAPSHOT, rollouts={"bottom": rollout})
    variants = {
        handle(replace(REQUEST, reader=f"r{number}"), snapshot, slate_id="s").slate.variant for number in range(50)
    }
    assert variants == {"canary", "stable"}
    assert handle(REQUEST, snapshot, slate_id="s").exposures[0].experiment == "up/step-1"


def test_at_full_weight_nobody_is_compared():
    """At 100 % there is no stable side left, so no exposure is logged."""
    rollout = Rollout(rollout="up", placement="bottom", stable="old", canary="new", steps=(0.5, 1.0), step=1, salt="up")
    handled = handle(REQUEST, replace(SNAPSHOT, rollouts={"bottom": rollout}), slate_id="s")
    assert (handled.slate.release, handled.exposures) == ("new", ())


def broken(request, placement):
    """A policy with a fault."""
    raise ZeroDivisionError


@pytest.mark.parametrize(("stable", "release"), [("new", "new"), ("old", "old")])
def test_a_failing_policy_never_reaches_the_reader(stable, release, caplog):
    """The stable release answers instead, nothing if that fails too; nobody is counted as exposed, and it is logged."""
    reader = reader_of("heuristic" if stable == "old" else "status_quo")
    rankers = RANKERS | {"new" if stable == "old" else "old": broken}
    snapshot = replace(SNAPSHOT, experiments={"bottom": EXPERIMENT}, rankers=rankers, stable={"bottom": stable})
    handled = handle(replace(REQUEST, reader=reader), snapshot, slate_id="s")
    assert (handled.slate.release, handled.slate.experiment, handled.exposures) == (release, "", ())
    assert "falling back" in caplog.text
    nothing = handle(
        replace(REQUEST, reader=reader), replace(snapshot, rankers={"old": broken, "new": broken}), slate_id="s"
    )
    assert (nothing.slate.items, nothing.exposures) == ((), ())


def test_when_the_stable_release_fails_too_others_stand_in_one_after_the_other(caplog):
    """The first that can answers; the slate says which, whose policy it was, and that nobody is compared."""
    stand_ins = {"popular": broken, "latest": lambda request, placement: [Recommended("a9", "latest")]}
    snapshot = replace(
        SNAPSHOT, experiments={"bottom": EXPERIMENT}, rankers={"old": broken, "new": broken}, stand_ins=stand_ins
    )
    handled = handle(replace(REQUEST, reader=reader_of("heuristic")), snapshot, slate_id="s")
    assert [item.article for item in handled.slate.items] == ["a9"]
    assert (handled.slate.fallback, handled.slate.policy, handled.exposures) == ("latest", "latest", ())
    nothing = handle(REQUEST, replace(snapshot, stand_ins={"popular": broken}), slate_id="s")
    assert (nothing.slate.fallback, nothing.slate.items) == ("nothing", ())
    assert caplog.text.count("popular failed on bottom") == 2


def test_a_release_that_rests_is_passed_over_without_a_word(caplog):
    """Its failures were told of; the stable release answers."""

    def resting(request, placement):
        raise Resting

    snapshot = replace(SNAPSHOT, experiments={"bottom": EXPERIMENT}, rankers=RANKERS | {"new": resting})
    handled = handle(replace(REQUEST, reader=reader_of("heuristic")), snapshot, slate_id="s")
    assert (handled.slate.fallback, handled.slate.release, handled.exposures) == ("stable", "old", ())
    assert caplog.text == ""


def test_an_unknown_placement_names_those_that_exist():
    """The error a developer sees for a misspelt placement."""
    with pytest.raises(UnknownName, match=r"Unknown placement `botom`. Did you mean `bottom`"):
        handle(replace(REQUEST, placement="botom"), SNAPSHOT, slate_id="s")


HOLDOUT = Experiment(
    experiment="holdout",
    placement="",
    control="held_out",
    variants=(
        Variant(name="held_out", weight=0.2, scenario="status_quo", release="old"),
        Variant(name="everyone", weight=0.8, scenario="", release=""),
    ),
    salt="holdout/holdout",
    holdout=True,
)


def test_a_reader_held_out_gets_the_status_quo_whatever_runs():
    """The holdout goes before experiments and rollouts, so that its readers stay untouched for good."""
    snapshot = replace(SNAPSHOT, experiments={"bottom": EXPERIMENT}, holdout=HOLDOUT)
    found = [handle(replace(REQUEST, reader=f"r{n}"), snapshot, slate_id="s") for n in range(1000)]
    held = [one for one in found if one.slate.variant == "held_out"]
    assert 150 < len(held) < 250
    assert {one.slate.release for one in held} == {"old"}
    assert {tuple(each.experiment for each in one.exposures) for one in held} == {("holdout",)}


def test_whoever_is_not_held_out_is_the_other_side_of_the_holdout():
    """Both sides are exposed, the others also to the experiment that runs; bots carry their sign."""
    snapshot = replace(SNAPSHOT, experiments={"bottom": EXPERIMENT}, holdout=HOLDOUT)
    found = [handle(replace(REQUEST, reader=f"r{n}", bot="agent"), snapshot, slate_id="s") for n in range(100)]
    others = [one for one in found if one.slate.variant != "held_out"]
    assert {tuple(each.experiment for each in one.exposures) for one in others} == {("first-light", "holdout")}
    assert {each.bot for one in found for each in one.exposures} == {"agent"}


def test_a_reader_without_an_id_is_in_no_holdout():
    """Who cannot be followed cannot be held out for good."""
    snapshot = replace(SNAPSHOT, holdout=HOLDOUT)
    assert handle(replace(REQUEST, reader="", consent="none"), snapshot, slate_id="s").exposures == ()


def test_what_the_policy_looked_at_is_written_down():
    """Names and moment once per slate, values per item; an item with none, or with other names, has none."""
    noted = Features(("age", "reads"), (1.5, 2.0), as_of=7)
    other = Features(("moon",), (0.5,), as_of=7)
    ranking = [
        Recommended("a2", "new", features=noted),
        Recommended("a3", "pinned"),
        Recommended("a4", "new", features=other),
    ]
    snapshot = replace(SNAPSHOT, rankers={"old": lambda request, placement: ranking})
    request = replace(REQUEST, visit_articles=("a1", "a0"))
    slate = handle(request, snapshot, slate_id="s").slate
    assert [item.features for item in slate.items] == [(1.5, 2.0), (), ()]
    assert (slate.feature_names, slate.as_of, slate.visit_articles) == (("age", "reads"), 7, ("a1", "a0"))
    assert handle(replace(request, consent="none"), snapshot, slate_id="s").slate.visit_articles == ()


def test_without_features_nothing_more_is_written():
    """A slate of a policy that notes nothing does not say what its visit opened."""
    slate = handle(replace(REQUEST, visit_articles=("a1",)), SNAPSHOT, slate_id="s").slate
    assert (slate.feature_names, slate.as_of, slate.visit_articles) == ((), 0, ())
