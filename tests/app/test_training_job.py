"""The job that trains at night."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from embellie.app.config import Config, ScenarioConfig, SiteConfig, TrainingConfig, parse_config
from embellie.app.training_job import every_seconds, next_training, train_aside, train_until, training_line
from embellie.domain.errors import ConfigError

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def config(every="1d", policy="ranker"):
    return Config(
        sites={"gazette": SiteConfig()},
        scenarios={"ml": ScenarioConfig(policy=policy)},
        training=TrainingConfig(every=every),
    )


def test_it_trains_where_a_scenario_needs_a_model_and_nobody_turned_it_off():
    """Nightly by default; not at all without a learned scenario, or when it is off."""
    assert every_seconds(config()) == 86_400
    assert every_seconds(config(every="6h")) == 21_600
    assert every_seconds(config(every="off")) is None
    assert every_seconds(config(policy="affinity")) is None
    with pytest.raises(ConfigError, match="nightly"):
        every_seconds(config(every="nightly"))


def test_nights_stay_nights():
    """A training that ended a little late does not push the next one into the day."""
    late = NOON.replace(hour=3, minute=40)
    assert next_training(late, began=NOON, every=86_400.0, hour=3) == late.replace(minute=0) + timedelta(days=1)
    assert next_training(late, began=NOON, every=7 * 86_400.0, hour=3).hour == 3
    assert next_training(None, began=NOON, every=3_600.0, hour=3) == NOON


def test_a_wrong_setting_is_told_once_and_the_server_goes_on(tmp_path):
    """Nothing is trained, and the line says what to write."""
    told = []
    train_until(tmp_path, config(every="sometimes"), threading.Event(), tell=told.append)
    assert len(told) == 1
    assert "1d" in told[0]


def test_a_training_that_fails_is_told_and_tried_again_next_time(tmp_path):
    """Another process does it; what it said is passed on, and the job waits for the next time."""
    (tmp_path / "embellie.toml").write_text("[sites.gazette]\n")
    stopped, told = threading.Event(), []

    def tell(line):
        told.append(line)
        stopped.set()

    train_until(tmp_path, config(every="1h"), stopped, tell=tell)
    assert told[0].startswith("No model of gazette was trained:")
    assert "No log here yet" in told[0]
    assert "No log here yet" in train_aside(tmp_path, "gazette")


def test_a_line_says_what_a_training_came_to():
    """Accepted, or refused with what stays current."""
    refused = {"state": "refused", "run": "r2", "refused_for": ["bots"], "current": {"run": "r1"}}
    assert "refused (bots); run r1 stays current" in training_line("gazette", refused)
    assert "no model is current yet" in training_line("gazette", refused | {"current": None})
    assert "accepted: run r2" in training_line("gazette", refused | {"state": "accepted"})


def test_the_table_is_checked():
    """Hours and shares that are none are refused with their line."""
    for table in ({"hour": 24}, {"later": 1.0}, {"weeks": 0}, {"keep": 0}, {"often": True}):
        with pytest.raises(ConfigError):
            parse_config({"sites": {"gazette": {}}, "training": table})
