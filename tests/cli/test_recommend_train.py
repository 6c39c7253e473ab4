"""`embellie recommend train` and `models`: what a person and a program see."""

import importlib.util
import json
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from embellie.app import learned_ranker
from embellie.cli.recommend_command import command
from embellie.domain.errors import InputError
from embellie.sandbox.poison import POISONS

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "poisoned_log.py"


@pytest.fixture(scope="module")
def poisoned():
    spec = importlib.util.spec_from_file_location("poisoned_log_for_cli", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    sys.modules["poisoned_log_for_cli"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["poisoned_log_for_cli"]


@pytest.fixture
def log(poisoned, tmp_path, monkeypatch):
    monkeypatch.setattr(learned_ranker, "default_trainer", lambda _: poisoned.SmallTrainer())
    events = poisoned.healthy(readers=240, days=8, seed=4)
    since = poisoned.START + timedelta(days=7)
    return poisoned.write(tmp_path, POISONS["duplicated clicks"](events, since)), since


def run(*arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_train_and_models_tell_what_serves_and_why(log):
    """Exit 0 and a report when accepted; exit 1, the reason and what goes on when refused; both are listed."""
    file, since = log
    healthy = run("train", "--log", file, "--at", since.isoformat())
    assert healthy.exit_code == 0, healthy.output
    for words in ("Before training", "After training", "Accepted: run", "Learned from", "heuristics"):
        assert words in healthy.stdout
    refused = run("train", "--log", file, "--json")
    document = json.loads(refused.stdout)
    assert refused.exit_code == 1
    assert document["state"] == "refused"
    assert "duplicates" in document["refused_for"]
    told = run("train", "--log", file, "--lang", "fr")
    assert told.exit_code == 1
    assert "reste la courante" in told.stdout
    listed = run("models", "--log", file)
    assert "current" in listed.stdout
    assert "for duplicates" in listed.stdout
    runs = json.loads(run("models", "--log", file, "--json").stdout)["runs"]
    assert [one["state"] for one in runs] == ["refused", "refused", "accepted"]
    assert document["current"]["run"] == runs[-1]["run"]


def test_without_the_extra_it_says_what_to_install(log, monkeypatch):
    """A missing library is no traceback."""
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    done = run("train", "--log", log[0])
    assert isinstance(done.exception, InputError)
    assert "embellie[ml]" in str(done.exception)


def test_a_wrong_time_is_refused(log):
    """A time needs its zone."""
    assert isinstance(run("train", "--log", log[0], "--at", "2026-03-02").exception, InputError)
    assert isinstance(run("train", "--log", log[0], "--at", "yesterday").exception, InputError)
