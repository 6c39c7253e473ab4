"""Assignment is a pure hash: even, independent, and still when weights change."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embellie.domain.experiment import Experiment, Variant
from embellie.domain.rollout import Rollout
from embellie.serve.assignment import assign, bucket, on_canary

READERS = [f"r{number}" for number in range(20_000)]


def experiment(weights, *, salt="s", share=1.0, state="running"):
    variants = tuple(Variant(name=name, weight=weight, scenario=name, release=name) for name, weight in weights.items())
    return Experiment(
        experiment="e",
        placement="p",
        control=next(iter(weights)),
        variants=variants,
        salt=salt,
        share=share,
        state=state,
    )


def split(test):
    return {reader: (assign(test, reader) or None) and assign(test, reader).name for reader in READERS}


@pytest.mark.parametrize("weights", [{"a": 1, "b": 1}, {"a": 9, "b": 1}, {"a": 5, "b": 3, "c": 2}])
def test_shares_equal_the_weights(weights):
    """Each variant gets its part of the readers, within four standard errors."""
    counts = Counter(split(experiment(weights)).values())
    for name, weight in weights.items():
        share = weight / sum(weights.values())
        assert abs(counts[name] / len(READERS) - share) < 4 * (share * (1 - share) / len(READERS)) ** 0.5


def test_two_experiments_are_independent():
    """A reader's side in one experiment says nothing about another."""
    one, other = split(experiment({"a": 1, "b": 1})), split(experiment({"a": 1, "b": 1}, salt="t"))
    both = sum(one[reader] == other[reader] for reader in READERS) / len(READERS)
    assert abs(both - 0.5) < 4 * 0.5 / len(READERS) ** 0.5


def test_dropping_a_variant_moves_nobody_else():
    """Readers of the remaining variants stay where they are."""
    before = split(experiment({"a": 1, "b": 1, "c": 1}))
    after = split(experiment({"a": 1, "b": 1}))
    assert all(after[reader] == name for reader, name in before.items() if name != "c")


def test_a_heavier_variant_only_gains():
    """Raising one weight never moves a reader away from that variant."""
    before, after = split(experiment({"a": 1, "b": 1})), split(experiment({"a": 1, "b": 3}))
    assert all(after[reader] == "b" for reader, name in before.items() if name == "b")


def test_raising_the_share_moves_nobody_between_variants():
    """Readers taking part at 20 % keep their variant at 60 %."""
    small, large = experiment({"a": 1, "b": 1}, share=0.2), experiment({"a": 1, "b": 1}, share=0.6)
    taking_part = {reader: name for reader, name in split(small).items() if name}
    assert 0.18 < len(taking_part) / len(READERS) < 0.22
    assert all(assign(large, reader).name == name for reader, name in taking_part.items())


def test_no_unit_no_variant():
    """A reader without an id, or a stopped experiment, gets no variant."""
    assert assign(experiment({"a": 1, "b": 1}), "") is None
    assert assign(experiment({"a": 1, "b": 1}, state="stopped"), "r1") is None


@given(st.text(), st.text())
def test_a_bucket_is_inside_the_unit_interval(salt, unit):
    """Never 0 and never 1, whatever the text: the logarithm is always finite."""
    assert 0 < bucket(salt, unit) < 1


def test_a_canary_only_grows():
    """A reader once on the canary stays there as the weight grows."""
    steps = [
        Rollout(rollout="r", placement="p", stable="a", canary="b", steps=(0.05, 0.25, 1.0), step=step, salt="r")
        for step in range(3)
    ]
    on = [{reader for reader in READERS if on_canary(rollout, reader)} for rollout in steps]
    assert on[0] < on[1] < on[2]
    assert abs(len(on[0]) / len(READERS) - 0.05) < 0.007
    assert len(on[2]) == len(READERS)
