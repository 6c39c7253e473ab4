"""Snapshots: folding on from one gives the same bits as folding the whole log."""

import hashlib
import random
from dataclasses import replace

import pytest

from embellie.domain.errors import InputError
from embellie.domain.reading import Erasure
from embellie.recommend.built_in import POLICIES, build_policy
from embellie.recommend.policies import RankedPolicy
from embellie.recommend.signals import signals_of
from embellie.recommend.state import SNAPSHOT, Bounds, State
from embellie.recommend.stories import Stories
from embellie.store.state_file import read_state, write_state

ALL = signals_of(map(build_policy, POLICIES))
WORDS = [
    "maire",
    "budget",
    "tram",
    "pluie",
    "vote",
    "stade",
    "fleuve",
    "gare",
    "musée",
    "école",
    "port",
    "hiver",
    "accord",
    "grève",
    "juge",
]
DIGESTS = {1: "b9a5c40ce7ecac38"}
"""By version of snapshots, what `year` folds to."""
TIGHT = Bounds(history=5, readers=12, visits=40, visit_articles=4, unlisted=3)


def year(gazette, events=900):
    """A log over two years, so that landmarks move: articles, reads, clicks, erasures, several consents, two sites."""
    rng = random.Random(11)
    log = []
    for i in range(events):
        at = 1200.0 * i
        if i % 15 == 0:
            log.append(
                gazette.publish(
                    f"a{i // 15}",
                    at,
                    section=rng.choice(["Sport", "Politics", ""]),
                    language="fr",
                    tags=("x", "y"),
                    title=" ".join(WORDS[i // 30 * step % len(WORDS)] for step in range(1, 8)),
                )
            )
        if i % 200 == 150:
            log.append(gazette.event(at, Erasure(reader=f"r{rng.randrange(20)}")))
        for _ in range(2):
            one = rng.choice([gazette.read, gazette.click])
            log.append(
                one(
                    f"a{max(0, i // 15 - rng.randrange(6))}" if rng.random() < 0.95 else f"unlisted-{rng.randrange(9)}",
                    at + rng.randrange(60),
                    reader=f"r{rng.randrange(20)}",
                    visit=rng.choice(["", f"v{i // 3}", f"v{i // 3}"]),
                    consent=rng.choice(["profiling", "profiling", "measurement"]),
                )
            )
    return log + [replace(event, site="second") for event in log[:50]]


def scores(gazette, state):
    """The bits of every score of every policy, for several requests."""
    at = 1200.0 * 900
    requests = [
        gazette.request(at, article="a58", reader="r3", visit="v299", visit_articles=("a57",)),
        gazette.request(at, article="a57", reader="r4"),
        gazette.request(at, article="a56", consent="measurement"),
        replace(gazette.request(at, article="a1", reader="r4"), site="second"),
    ]
    for name in POLICIES:
        policy = build_policy(name)
        for number, request in enumerate(requests):
            if isinstance(policy, RankedPolicy):
                yield name, number, policy.score(request, state.site(request.site)).values.tobytes()
            yield name, number, list(policy(request, state))


@pytest.mark.parametrize("bounds", [Bounds(), TIGHT], ids=["roomy", "tight"])
@pytest.mark.parametrize("part", [0.0, 0.3, 0.7, 1.0])
def test_folding_on_from_a_snapshot_gives_the_same_bits(gazette, tmp_path, bounds, part):
    """Fold a part, write, read, fold the rest: every score of every policy is that of folding all at once."""
    log = year(gazette)
    whole = State(signals=ALL, bounds=bounds).fold(log)
    begun = State(signals=ALL, bounds=bounds).fold(log[: int(part * len(log))])
    write_state(tmp_path / "state", begun.snapshot(), sequence=7)
    snapshot, sequence = read_state(tmp_path / "state")
    resumed = State(signals=ALL, bounds=bounds).restore(snapshot).fold(log[int(part * len(log)) :])
    assert sequence == 7
    assert list(scores(gazette, resumed)) == list(scores(gazette, whole))
    assert resumed.site("gazette").shelf.articles == whole.site("gazette").shelf.articles


def test_a_snapshot_does_not_change_afterwards(gazette, tmp_path):
    """What is folded after a snapshot was taken is not in it."""
    log = year(gazette)
    state = State(signals=ALL).fold(log[:900])
    snapshot = state.snapshot()
    write_state(tmp_path / "before", snapshot, sequence=1)
    state.fold(log[900:])
    write_state(tmp_path / "after", snapshot, sequence=1)
    assert (tmp_path / "before").read_bytes() == (tmp_path / "after").read_bytes()


@pytest.mark.parametrize(
    ("taken", "asked", "said"),
    [
        ({}, {"signals": ALL}, "lacks .*`covisits`"),
        ({"half_lives": (1.0, 2.0)}, {}, "other half-lives"),
    ],
)
def test_a_snapshot_that_does_not_fit_is_refused(taken, asked, said):
    """A snapshot with other half-lives, or without a signal asked for, is refused: the log must be folded."""
    with pytest.raises(InputError, match=said):
        State(**asked).restore(State(**taken).snapshot())


def test_a_snapshot_of_another_version_is_refused():
    """What another version remembered is not taken up."""
    with pytest.raises(InputError, match="version"):
        State().restore({**State().snapshot(), "version": 0})


def told(value):
    """A snapshot as text; numbers to nine digits, for the last ones differ from one processor to another."""
    if isinstance(value, dict):
        return {name: told(one) for name, one in value.items()}
    if hasattr(value, "tolist"):
        return [value.dtype.str, *told(value.tolist())]
    if isinstance(value, list | tuple):
        return [told(one) for one in value]
    return f"{value:.9g}" if isinstance(value, float) else value


def test_what_is_folded_otherwise_has_another_version(gazette):
    """A state file written before a change of the folds must not be taken up after it.

    When this fails, what is remembered or how it is counted has changed: raise `SNAPSHOT` in `recommend/state.py`, and put
    the new digest beside the new version here.
    """
    snapshot = State(signals=(*ALL, Stories)).fold(year(gazette)).snapshot()
    assert hashlib.sha256(repr(told(snapshot)).encode()).hexdigest()[:16] == DIGESTS[SNAPSHOT]
