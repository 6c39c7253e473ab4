"""`embellie recommend compare`, `tune`, and what `evaluate` tells beside the first figures."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from embellie.app.tuning import GRIDS
from embellie.cli.recommend_command import command
from embellie.domain.errors import InputError
from embellie.recommend.built_in import POLICIES, build_policy
from embellie.recommend.leaks import Leak

DESKDROP = Path(__file__).parents[2] / ".." / "shared" / "data" / "deskdrop" / "users_interactions.csv.gz"
COLUMNS = ["--reader", "who", "--visit", "sitting", "--article", "what", "--at", "when"]


def run(*arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def clicks(tmp_path_factory):
    """A newspaper of hourly articles that are read for a few hours: recency and popularity matter."""
    rng = np.random.default_rng(8)
    file = tmp_path_factory.mktemp("log") / "clicks.csv"
    rows = ["who,sitting,what,when"]
    for visit in range(500):
        at = 1_700_000_000 + visit * 300
        for step in range(3):
            article = max(0, visit // 12 - int(rng.exponential(4)))
            rows.append(f"r{rng.integers(60)},v{visit},a{article},{at + 7 * step}")
    file.write_text("\n".join(rows))
    return file


def test_evaluate_takes_several_k_and_leads_with_the_largest(clicks):
    """`hr`, `ndcg` and `mrr` stay where they were, at the largest k; the others stand in `at`."""
    document = json.loads(run("evaluate", "--log", clicks, *COLUMNS, "--k", "10,5,3", "--json").stdout)
    assert (document["k"], document["k_reported"]) == (10, [3, 5, 10])
    popular = document["policies"]["popular"]
    assert popular["at"]["10"]["hr"] == popular["hr"]
    assert popular["at"]["3"]["hr"]["value"] <= popular["at"]["5"]["hr"]["value"] <= popular["hr"]["value"]
    assert {one["policy"] for one in document["differences"]} <= set(document["policies"])
    assert len(document["differences"]) == 9
    assert document["leaks"] == {"checked": False}
    assert sum(one["targets"] for one in popular["series"]) == document["targets"]


def test_evaluate_prints_what_stands_beside(clicks):
    """A person sees the other k, novelty, the real differences, and that no leak was found."""
    done = run("evaluate", "--log", clicks, *COLUMNS, "--k", "5,20", "--check-leaks")
    assert done.exit_code == 0
    for words in ("hr@5", "novelty (bits)", "Real differences in ndcg", "No leak found"):
        assert words in done.stdout


@pytest.mark.parametrize("k", ["0", "five", "5,,10", "-3"])
def test_a_wrong_k_teaches(clicks, k):
    """Positions are whole numbers above 0."""
    with pytest.raises(InputError, match="is no number of positions"):
        raise run("evaluate", "--log", clicks, *COLUMNS, f"--k={k}").exception


def test_a_planted_leak_is_refused(clicks, tmp_path):
    """A policy that reads the log's file and lifts what its visit opens next ends the command, with what to do."""
    file = tmp_path / "mine.py"
    file.write_text(f"""
import csv
from dataclasses import dataclass
from embellie.recommend.policies import Popular, Scored

coming = {{}}
with open({str(clicks)!r}) as log:
    for row in csv.DictReader(log):
        coming.setdefault(row["sitting"], set()).add(row["what"])

@dataclass(frozen=True)
class Mine(Popular):
    name = "mine"

    def score(self, request, site):
        popular = super().score(request, site)
        known = coming.get(request.visit, ())
        return Scored(popular.values + [1e6 * (name in known) for name in site.shelf.ids], popular.reason)
""")
    arguments = ["evaluate", "--log", clicks, *COLUMNS, "--policy", f"{file}:Mine", "--policy", "popular"]
    flattered = json.loads(run(*arguments, "--json").stdout)["policies"]
    assert flattered[f"{file}:Mine"]["hr"]["value"] > flattered["popular"]["hr"]["value"]
    found = run(*arguments, "--check-leaks").exception
    assert isinstance(found, Leak)
    assert f"`{file}:Mine` leaks" in str(found)


def test_compare_tells_what_differs_and_whether_it_is_real(clicks):
    """Settings that differ, scores side by side, the paired difference, what it has been worth in production."""
    done = run("compare", "popular?half_life=1", "popular?half_life=168", "--log", clicks, *COLUMNS)
    assert done.exit_code == 0
    assert "half_life" in done.stdout
    assert "freshness" not in done.stdout
    assert "real" in done.stdout
    assert "In production so far: These scores have not been shown to predict anything." in done.stdout


def test_compare_prints_json(clicks):
    """A program gets both configurations, both scores, and A's difference from B."""
    document = json.loads(run("compare", "latest", "affinity", "--log", clicks, *COLUMNS, "--json").stdout)
    assert document["schema"] == "embellie/comparison/1"
    assert document["differ"]["policy"] == {"a": "latest", "b": "affinity"}
    assert document["differ"]["affinity_days"] == {"b": 14.0}
    scores = document["scores"]
    (ndcg,) = (one for one in document["differences"] if one["metric"] == "ndcg")
    assert ndcg["value"] == pytest.approx(scores["a"]["ndcg"]["value"] - scores["b"]["ndcg"]["value"])
    assert ndcg["low"] <= ndcg["value"] <= ndcg["high"]
    assert "unavailable" in document["in_production"]


def test_configurations_are_compared_without_a_log():
    """What differs between two policies needs no clicks."""
    document = json.loads(run("compare", "popular", "popular?optimism=0", "--configuration", "--json").stdout)
    assert document["differ"] == {"optimism": {"a": 0.5, "b": 0}}
    assert "scores" not in document


def test_the_same_policy_twice_is_refused(clicks):
    """There is nothing to compare."""
    with pytest.raises(InputError, match="are the same"):
        raise run("compare", "popular", "popular?half_life=0", "--log", clicks, *COLUMNS).exception


def test_tune_chooses_before_and_reports_after(clicks):
    """The choice is made on earlier clicks only, its gain told on later ones, with an interval."""
    done = run(
        "tune", "popular", "--set", "half_life=1,168", "--set", "optimism=0,1", "--log", clicks, *COLUMNS, "--json"
    )
    document = json.loads(done.stdout)
    assert document["schema"] == "embellie/tuning/1"
    assert len(document["tried"]) == 5
    assert document["first_targets"] > document["later_targets"] > 100
    best = max(document["tried"], key=lambda one: one["value"])
    assert document["chosen_policy"] == best["policy"]
    gain = document["later"]["gain"]
    assert gain["value"] == pytest.approx(document["later"]["chosen"]["value"] - document["later"]["defaults"]["value"])
    assert document["better"] == (gain["real"] and gain["value"] > 0)


def test_tune_finds_settings_that_matter(clicks):
    """A start that is plainly wrong is left, and that is told as more than chance."""
    done = run("tune", "popular?optimism=0&half_life=168", "--set", "half_life=0.5,6", "--log", clicks, *COLUMNS)
    assert "That is more than chance" in done.stdout


def test_tune_says_when_the_defaults_are_as_good(clicks):
    """Settings that hardly change a rank are not sold as a gain."""
    done = run("tune", "popular", "--set", "enough_reads=50,51", "--log", clicks, *COLUMNS)
    assert "defaults" in done.stdout
    assert "eep them" in done.stdout


def test_tune_uses_usual_values_of_real_settings():
    """What is tried by default exists."""
    for name, grid in GRIDS.items():
        assert name in POLICIES
        if name != "factors":
            build_policy(name, {setting: float(values[0]) for setting, values in grid.items()})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["latest"], "Which settings"),
        (["popular", "--set", "half_life"], "says nothing to try"),
        (["popular", "--set", "enough_reads=" + ",".join(map(str, range(1, 200)))], "more than 100"),
        (["popular", "--set", "nonsense=1"], "setting of `popular`"),
    ],
)
def test_tune_teaches(clicks, arguments, said):
    """Nothing to try, too much to try, a setting that is none: each says what to write."""
    assert said in str(run("tune", *arguments, "--log", clicks, *COLUMNS).exception)


@pytest.mark.real_data
@pytest.mark.skipif(not DESKDROP.is_file(), reason="DeskDrop is not in ../shared/data/deskdrop.")
def test_real_clicks_show_no_leak_and_a_real_difference():
    """On a year of real clicks the built-in policies pass the check, and popularity is surely above recency alone."""
    columns = ["--reader", "personId", "--visit", "sessionId", "--article", "contentId", "--at", "timestamp"]
    policies = ["--policy", "popular", "--policy", "latest"]
    arguments = ["--log", DESKDROP, *columns, "--unit", "s", "--sample", 3000, "--check-leaks", "--json", *policies]
    document = json.loads(run("evaluate", *arguments).stdout)
    assert document["leaks"]["checked"]
    (ndcg,) = (one for one in document["differences"] if one["metric"] == "ndcg")
    assert ndcg["real"]
    assert 0.0 < ndcg["low"] < ndcg["high"] < 0.1
