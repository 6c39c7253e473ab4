"""The learned ranker as a trainer: whose lists they are, and the same bytes from the same log."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from embellie.app.config import TrainingConfig
from embellie.app.kept_models import find_model, models_of
from embellie.app.learned_ranker import LearnedRanker, settings_text
from embellie.app.training import Workshop, train
from embellie.domain.article import Article
from embellie.domain.errors import EmbellieError
from embellie.domain.event import Event
from embellie.domain.reading import Click, Impression
from embellie.domain.slate import Slate, SlateItem
from embellie.recommend.ranker_model import load_ranker
from embellie.recommend.ranker_network import RankerNetwork
from embellie.store.log import FILE, SqliteLog

pytest.importorskip("lightgbm", reason="LightGBM is not installed: the extra `ml`.")
pytest.importorskip("embellie.recommend.learning", reason="The learned ranker is not here.")

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NAMES = ("popular", "affinity", "reader_reads")


def events(slates=400):
    """Slates of three articles with three features, two and two at the same moment; the most popular is clicked more."""
    rng = np.random.default_rng(2)
    found = [Event(id="p", site="gazette", at=NOON, body=Article(article="page", section="sport"))]
    for number in range(slates):
        at = NOON + timedelta(minutes=number // 2 * 2)
        rows = rng.normal(size=(3, 3)).round(3)
        rows[:, 2] = number % 2
        items = tuple(
            SlateItem(article=f"a{place}", position=place + 1, propensity=1.0, reason="", features=tuple(row))
            for place, row in enumerate(rows.tolist())
        )
        who = {"reader": f"r{number % 7}", "visit": f"v{number}"}
        base = {"placement": "bottom", "variant": "ml", "release": "x", "policy": "ranker", "article": "page"}
        slate = Slate(slate_id=f"s{number}", items=items, feature_names=NAMES, **base, **who)
        bodies = [
            slate,
            *(Impression(slate_id=f"s{number}", article=f"a{one}", position=one + 1, **who) for one in range(3)),
        ]
        best = int((rows[:, 0] + rng.gumbel(size=3)).argmax())
        bodies.append(Click(slate_id=f"s{number}", article=f"a{best}", position=best + 1, **who))
        for place, body in enumerate(bodies):
            when = at + timedelta(seconds=min(place, 1))
            found.append(Event(id=f"{number}-{place}", site="gazette", at=when, consent="profiling", body=body))
    return found


def gather(told, **changes):
    return LearnedRanker().gather(
        told, **{"site": "gazette", "until": NOON + timedelta(days=2), "leave_out": frozenset()} | changes
    )


def test_each_list_knows_its_slate_reader_and_visit():
    """Also where two slates were served at the same moment: their features tell them apart."""
    found = gather(events())
    assert len(found.ids) == len(found.lists.groups) == 400
    assert sorted(found.ids) == sorted(f"s{number}" for number in range(400))
    assert [f"v{name[1:]}" for name in found.ids] == list(found.visits)
    assert set(found.readers) == {f"r{number}" for number in range(7)}
    assert set(found.heuristics) == {"popular", "affinity"}
    assert set(found.slices["section"]) == {"sport"}
    assert set(found.slices["reader"]) == {"new", "returning"}


def test_bots_and_the_future_are_left_out():
    """What tagged readers were shown, and what came later, is not learned from."""
    assert "r3" not in gather(events(), leave_out={"r3"}).readers
    early = gather(events(), until=NOON + timedelta(hours=2))
    assert 0 < len(early.ids) < 400


def test_the_same_lists_and_seed_give_the_same_bytes():
    """And what is read back scores alike."""
    ranker, lists = LearnedRanker(), gather(events()).lists
    one, other = (ranker.fit(replace(lists), seed=4).dump() for _ in range(2))
    assert one == other
    assert ranker.load(one).score(lists.features).shape == (len(lists.labels),)
    assert "lightgbm" in settings_text(ranker.settings)


def test_a_network_learns_from_the_same_lists():
    """With the learner `neural`: the same bytes twice; the settings name the learner; either reads the other's model."""
    pytest.importorskip("autograd", reason="autograd is not installed: the extra `neural`.")
    ranker, lists = LearnedRanker("neural"), gather(events()).lists
    one, other = (ranker.fit(replace(lists), seed=4).dump() for _ in range(2))
    assert one == other
    assert LearnedRanker("trees").load(one).score(lists.features).shape == (len(lists.labels),)
    assert 'learner="neural"' in settings_text(ranker.settings)
    assert "autograd" in settings_text(ranker.settings)


def test_an_unknown_learner_is_answered_with_those_there_are():
    """A wrong word says which are right."""
    with pytest.raises(EmbellieError, match="tree") as error:
        LearnedRanker("tree")
    assert "trees" in str(error.value)


def test_a_network_goes_through_the_registry_and_the_checks(tmp_path):
    """It is checked, kept, and read back like trees; the log of a few hours keeps it from readers."""
    pytest.importorskip("autograd", reason="autograd is not installed: the extra `neural`.")
    with SqliteLog(tmp_path / FILE) as log:
        log.submit(events(), received_at=NOON + timedelta(days=1)).result()
    shop = Workshop(
        site="gazette", log=tmp_path / FILE, models=models_of(tmp_path, "gazette"), training=TrainingConfig()
    )
    trained = train(shop, LearnedRanker("neural"), now=NOON + timedelta(days=1), keep=True)
    assert {"floor", "heuristics", "calibration", "cost"} <= {check.check for check in trained.after}
    assert trained.run.about["settings"]["learner"] == "neural"
    assert isinstance(load_ranker(find_model(tmp_path, trained.run.model)), RankerNetwork)
