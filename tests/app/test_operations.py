"""Operations: of one name, the latest holds, in whatever order events arrive."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

from embellie.app.operations import Operations, comparisons
from embellie.domain.event import Event, new_id
from embellie.domain.release import Release
from embellie.domain.rollout import Rollout
from embellie.domain.site import Placement, Site
from embellie.release import changing

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
SITES = {"gazette": Site(site="gazette", name="Gazette", placements={"bottom": Placement(placement="bottom")})}


def event(body, minute):
    at = START + timedelta(minutes=minute)
    return Event(id=new_id(at, bytes(10)), site="gazette", at=at, body=body)


def test_the_state_does_not_depend_on_the_order_of_arrival():
    """Every permutation of a rollout's events ends in the same place."""
    first = Rollout(rollout="up", placement="bottom", stable="old", canary="new", steps=(0.1, 1.0))
    second = changing.advance(first, by="ana", now=START)
    done = changing.complete(second, by="ana", now=START)
    events = [event(body, minute) for minute, body in enumerate([first, second, done])]
    for order in permutations(events):
        operations = Operations(SITES, stable="old")
        for one in order:
            operations.apply(one)
        assert operations.of("gazette").rollouts["up"] == done
        assert operations.snapshot("gazette", {}).stable == {"bottom": "new"}
        assert [one.body for one in operations.of("gazette").history] == [first, second, done]


def test_of_two_rollouts_of_one_name_the_one_that_began_first_is_it():
    """Two servers start one at the same moment: in whatever order their events arrive, all end with the same, and obey only its changes."""
    first = Rollout(rollout="up", placement="bottom", stable="old", canary="new", steps=(0.1, 1.0))
    other = Rollout(rollout="up", placement="bottom", stable="old", canary="newer", steps=(0.2, 1.0))
    held = changing.hold(first, by="ana", now=START)
    also = changing.advance(other, by="ben", now=START)
    told = {"first": event(first, 0), "other": event(other, 1), "held": event(held, 2), "also": event(also, 3)}
    orders = [
        one
        for one in permutations(told)
        if one.index("first") < one.index("held") and one.index("other") < one.index("also")
    ]
    assert len(orders) == 6
    for order in orders:
        operations = Operations(SITES, stable="old")
        for name in order:
            operations.apply(told[name])
        assert operations.of("gazette").rollouts["up"] == held


def test_the_same_event_twice_changes_nothing():
    """A follower may see what its own process wrote."""
    operations = Operations(SITES, stable="old")
    one = event(Release(release="new", policy="latest"), 0)
    assert operations.apply(one)
    assert not operations.apply(one)
    assert len(operations.of("gazette").history) == 1


def test_a_completed_rollout_can_be_taken_back():
    """After the rollback the earlier release is the stable one again."""
    operations = Operations(SITES, stable="old")
    up = Rollout(rollout="up", placement="bottom", stable="old", canary="new", steps=(1.0,))
    done = changing.complete(up, by="ana", now=START)
    for minute, body in enumerate([up, done, changing.rollback(done, by="ana", now=START)]):
        operations.apply(event(body, minute))
    assert operations.snapshot("gazette", {}).stable == {"bottom": "old"}


def test_each_step_of_a_rollout_is_a_comparison_from_its_first_event_to_the_next_step():
    """Holding does not restart a step; advancing ends it; at 100 % there is nothing to compare."""
    first = Rollout(rollout="up", placement="bottom", stable="old", canary="new", steps=(0.1, 0.5, 1.0))
    held = changing.hold(first, by="gate", now=START)
    second = changing.advance(held, by="ana", now=START)
    last = changing.advance(second, by="ana", now=START)
    found = comparisons([event(body, minute) for minute, body in enumerate([first, held, second, last])])
    minutes = {
        name: [(at - START).seconds // 60 for at in (one.started_at, one.stopped_at)] for name, one in found.items()
    }
    assert minutes == {"up/step-1": [0, 2], "up/step-2": [2, 3]}
    assert {one.state for one in found.values()} == {"stopped"}
