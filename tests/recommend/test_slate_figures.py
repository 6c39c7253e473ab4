"""Slate figures: novelty and section divergence keep their bounds; what cannot be is an error."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embellie.recommend.built_in import build_policy
from embellie.recommend.evaluation import evaluate, gains
from embellie.recommend.replaying import ClickLog, Protocol
from embellie.recommend.slate_figures import (
    ImpossibleFigure,
    behold,
    section_divergence,
    self_information,
    within,
)

COUNTS = st.lists(st.integers(0, 50), min_size=3, max_size=8).filter(any)


@given(COUNTS, COUNTS)
def test_divergence_lies_between_none_and_all(read, shown):
    """0 to 1, the same both ways, 0 for the same mix whatever its size."""
    size = max(len(read), len(shown))
    p, q = (np.array(each + [0] * (size - len(each)), float) for each in (read, shown))
    found = section_divergence(p, q)
    assert -1e-12 <= found <= 1.0 + 1e-12
    assert found == pytest.approx(section_divergence(q, p), abs=1e-12)
    assert section_divergence(p, 3.0 * p) == pytest.approx(0.0, abs=1e-12)


def test_nothing_in_common_is_one():
    """Who reads only sport and is shown only culture gets the worst there is."""
    assert section_divergence(np.array([0.0, 3.0, 0.0]), np.array([0.0, 0.0, 9.0])) == 1.0


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30))
def test_novelty_falls_with_reads(reads):
    """The more an article is read, the less it tells; never below 0 bits, never above those of an unread one."""
    values = np.array(sorted(reads))
    total = values.sum() + len(values)
    found = self_information(values, total)
    assert np.all(np.diff(found) <= 1e-9)
    assert np.all((found >= -1e-9) & (found <= math.log2(total) + 1e-9))


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, math.inf])
def test_an_impossible_figure_is_an_error(value):
    """Not a number that somebody reads."""
    with pytest.raises(ImpossibleFigure, match="which cannot be"):
        within(value, 0.0, 1.0, name="ndcg")


def test_a_rank_beyond_the_articles_is_an_error(monkeypatch):
    """A ranking that puts the true article at a place that does not exist stops the evaluation."""
    monkeypatch.setattr("embellie.recommend.evaluation.rank", lambda *_, **__: (99, np.zeros(0, np.int64)))
    log = ClickLog(readers="aabb", visits="vvww", articles="xyxy", at=np.array([1, 2, 3, 4]) * 3_600_000_000)
    with pytest.raises(ImpossibleFigure, match="rank"):
        evaluate(log, {"popular": build_policy("popular")}, protocol=Protocol(), timer=lambda: 0.0)


def test_figures_at_several_k_and_over_time():
    """A larger k never hits less; spans hold all targets; what everyone reads is less novel than what is new."""
    rng = np.random.default_rng(0)
    n = 400
    log = ClickLog(
        readers=[f"r{i}" for i in rng.integers(0, 30, n)],
        visits=[f"v{i // 3}" for i in range(n)],
        articles=[f"a{i}" for i in (rng.pareto(1.0, n) * 3).astype(int) % 60],
        at=1_700_000_000_000_000 + np.arange(n) * 600_000_000,
    )
    found = evaluate(
        log,
        {name: build_policy(name) for name in ("latest", "popular")},
        protocol=Protocol(k=20, more_k=(5, 10)),
        timer=lambda: 0.0,
    )
    for result in found.policies.values():
        hits = [result.at[k]["hr"].value for k in (5, 10, 20)]
        assert hits == sorted(hits)
        assert result.at[20]["ndcg"] == result.ndcg
        assert sum(span.targets for span in result.series) == len(found.targets)
        whole = sum(span.targets * span.figures["hr"] for span in result.series) / len(found.targets)
        assert whole == pytest.approx(gains(result.ranks, 20)["hr"].mean())
    assert found.policies["popular"].novelty.value < found.policies["latest"].novelty.value


def test_calibration_needs_a_history_and_sections(gazette):
    """Without sections nobody's taste in them is known; with them, what a reader reads is counted."""
    from embellie.recommend.state import State

    bare = State().fold([gazette.publish("a"), gazette.read("a", 1)]).site("gazette")
    assert behold(gazette.request(2, reader="ann"), bare).read is None
    known = State().fold([gazette.publish("a", section="Sport"), gazette.read("a", 1)]).site("gazette")
    assert behold(gazette.request(2, reader="ann"), known).read.tolist() == [0.0, 1.0]
    assert behold(gazette.request(2, reader="bob"), known).read is None
    assert behold(gazette.request(2, reader="ann", consent="none"), known).read is None
