"""From a log to a model that serves, or to the reasons why not; yesterday's goes on meanwhile."""

import importlib.util
import json
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from embellie.app.kept_models import find_model
from embellie.app.training import (
    as_of,
    models_document,
    released_models,
    train,
    training_document,
    workshop_of,
)
from embellie.domain.errors import ConfigError, InputError, UnknownName
from embellie.domain.event import Event
from embellie.domain.release import Release
from embellie.sandbox.poison import POISONS
from embellie.store.log import FILE, SqliteLog

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "poisoned_log.py"
DAYS = 10.0


@pytest.fixture(scope="module")
def poisoned():
    spec = importlib.util.spec_from_file_location("poisoned_log", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    sys.modules["poisoned_log"] = module  # its records look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["poisoned_log"]


@pytest.fixture(scope="module")
def events(poisoned):
    return poisoned.healthy(readers=260, days=DAYS, seed=3)


@pytest.fixture(scope="module")
def until(poisoned):
    return poisoned.START + timedelta(days=DAYS)


@pytest.fixture
def shop(poisoned, events, tmp_path):
    poisoned.write(tmp_path, events)
    return poisoned.shop_of(tmp_path)


def by_name(checks):
    return {check.check: check for check in checks}


def test_the_same_log_settings_and_seed_give_the_same_bytes(shop, poisoned, until):
    """Whoever has the log makes the very same model, and its fingerprint says so."""
    runs = [train(shop, poisoned.SmallTrainer(), now=until, until=until).run for _ in range(2)]
    assert runs[0].model == runs[1].model
    assert runs[0].about["fingerprint"] == runs[1].about["fingerprint"]
    other = train(shop, poisoned.SmallTrainer(), now=until, until=until, seed=9).run
    assert other.about["fingerprint"] != runs[0].about["fingerprint"]


def test_a_healthy_log_gives_a_model_that_serves(shop, poisoned, until):
    """Every check is told, none is in alarm, and the run becomes the current one."""
    trained = train(shop, poisoned.SmallTrainer(), now=until, until=until)
    assert trained.accepted
    assert trained.current.run == trained.run
    assert list(by_name(trained.before)) == [
        "volumes", "schema", "freshness", "labels", "duplicates", "bots", "sections", "drift",
    ]  # fmt: skip
    assert list(by_name(trained.after)) == [
        "sanity", "floor", "heuristics", "yesterday", "slices", "calibration", "cost",
    ]  # fmt: skip
    document = training_document(trained)
    assert json.loads(json.dumps(document, allow_nan=False))["state"] == "accepted"
    assert document["about"]["settings"] == {"ridge": 1.0}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("poison", "days", "guilty"),
    [
        ("bots", 1.0, {"volumes", "bots", "labels"}),
        ("feed outage", 1.0, {"freshness", "schema"}),
        ("duplicated clicks", 1.0, {"duplicates"}),
        ("vanished section", 3.0, {"sections"}),
    ],
)
def test_after_a_poisoned_day_yesterdays_model_goes_on(poisoned, events, tmp_path, poison, days, guilty):
    """What went wrong is named, the model made of it is kept and refused, and the one before it serves on."""
    first, second = poisoned.train_then_poison(tmp_path, events, poison, days=DAYS, bad_days=days)
    assert first.accepted
    assert not second.accepted
    assert guilty <= set(second.refused_for)
    assert second.current.run == first.run
    assert second.run.model
    if poison == "duplicated clicks":
        assert set(second.refused_for) <= {"duplicates", "labels"}


def test_a_poisoned_log_is_not_even_learned_from(shop, poisoned, events, until, tmp_path):
    """Without `--keep` the log's alarm ends it: a run is on record, no model is made, and the poison is named."""
    since = until - timedelta(days=1)
    folder = tmp_path / "poisoned"
    poisoned.write(folder, POISONS["duplicated clicks"](events, since))
    trained = train(poisoned.shop_of(folder), Unwanted(), now=until, until=until)
    assert (trained.run.state, trained.run.model) == ("refused", "")
    assert trained.current is None
    assert "duplicates" in trained.refused_for


class Unwanted:
    """A trainer that must not be asked for anything but its name."""

    name = "unwanted"
    settings = {}


def test_a_person_may_answer_for_an_alarm(poisoned, events, until, tmp_path):
    """`despite` lets a run pass what is known to be right, and that is on record."""
    poisoned.write(tmp_path, POISONS["duplicated clicks"](events, until - timedelta(days=1)))
    shop = poisoned.shop_of(tmp_path)
    trained = train(shop, poisoned.SmallTrainer(), now=until, until=until, despite=["duplicates", "labels"])
    assert trained.accepted
    assert trained.run.about["despite"] == ["duplicates", "labels"]
    with pytest.raises(UnknownName, match="duplicate"):
        train(shop, poisoned.SmallTrainer(), now=until, until=until, despite=["duplicate"])


def test_a_model_that_fails_its_checks_is_kept_and_never_served(shop, poisoned, until):
    """One that ranks backwards is refused after learning; what served before serves on."""
    first = train(shop, poisoned.SmallTrainer(), now=until - timedelta(hours=1), until=until - timedelta(hours=1))

    class Backwards(poisoned.SmallTrainer):
        def fit(self, lists, *, seed):
            return replace(super().fit(lists, seed=seed), weights=(-1.0, -1.0, 0.5, 0.0))

    second = train(shop, Backwards(), now=until, until=until)
    assert "floor" in second.refused_for
    assert second.current.run == first.run
    assert find_model(shop.log.parent, second.run.model) == shop.models.load(second.run.model)
    with pytest.raises(InputError, match="gone or damaged"):
        find_model(shop.log.parent, "ab" * 32)
    document = models_document(shop)
    assert [run["state"] for run in document["runs"]] == ["refused", "accepted"]
    assert document["current"]["run"] == first.run.run


def test_a_damaged_current_model_gives_way_and_is_told(shop, poisoned, until):
    """The hash finds it; the one before serves, with the reason in the list."""
    early = until - timedelta(hours=5)
    first = train(shop, poisoned.SmallTrainer(), now=early, until=early)
    second = train(shop, poisoned.SmallTrainer(), now=until, until=until)
    assert second.accepted
    (shop.models.folder / f"{second.run.model}.model").write_bytes(b"?")
    current = models_document(shop)["current"]
    assert current["run"] == first.run.run
    assert "damaged" in current["passed_over"][0]["reason"]


def test_what_a_release_names_is_known(shop, until):
    """The models of releases are found in the log: they are never removed."""
    assert released_models(shop.log) == set()
    with SqliteLog(shop.log) as log:
        body = Release(release="small-1", policy="ranker", model="ab" * 32)
        log.append([Event(id="release", site="gazette", at=until, body=body)], received_at=until)
    assert released_models(shop.log) == {"ab" * 32}


def test_a_log_with_nothing_to_learn_from_teaches_what_to_do(poisoned, events, tmp_path, until):
    """Without slates there is nothing to train: an error of input, with the remedy."""
    poisoned.write(tmp_path, [event for event in events if event.kind in ("article", "read")])
    with pytest.raises(InputError, match="lists"):
        train(
            poisoned.shop_of(tmp_path), poisoned.SmallTrainer(), now=until, until=until, despite=["labels", "volumes"]
        )


def test_a_workshop_is_found_by_project_or_by_log(tmp_path, poisoned, events, until):
    """A project's own log, or another's file; what is neither is refused with what to give."""
    with pytest.raises(ConfigError):
        workshop_of(tmp_path)
    (tmp_path / "embellie.toml").write_text("[sites.gazette]\n")
    with pytest.raises(InputError, match="No log here yet"):
        workshop_of(tmp_path)
    (tmp_path / "clicks.csv").write_text("a,b\n")
    with pytest.raises(InputError, match="no log of events"):
        workshop_of(tmp_path, log=tmp_path / "clicks.csv")
    file = poisoned.write(tmp_path / "embellie-data", events[:3000])
    assert workshop_of(tmp_path).site == "gazette"
    elsewhere = workshop_of(tmp_path / "nowhere", log=file)
    assert elsewhere.log.name == FILE
    assert as_of(elsewhere, None, own=False) <= until
    assert as_of(elsewhere, until, own=True) == until
