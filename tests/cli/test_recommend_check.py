"""`embellie recommend check`: exit 0 where replay finds what was written when serving, 1 where it does not."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from embellie.app.newsroom import Newsroom
from embellie.cli.recommend_command import command
from embellie.domain.article import Article
from embellie.domain.errors import InputError
from embellie.domain.slate import Slate, SlateRequest
from embellie.store.log import FILE, SqliteLog

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
CONFIG = """
[sites.gazette]
[scenarios.ml]
policy = "{policy}"
"""


def run(*arguments):
    return CliRunner().invoke(command, ["check", *map(str, arguments)])


def served(folder, policy="ranker"):
    """A newspaper that served five slates."""
    folder.mkdir()
    (folder / "embellie.toml").write_text(CONFIG.format(policy=policy))
    with Newsroom.open(folder, clock=lambda: NOON) as newsroom:
        articles = [
            Article(article=f"a{i}", section=("Sport", "Local")[i % 2], published_at=NOON - timedelta(hours=i))
            for i in range(8)
        ]
        newsroom.publish("gazette", articles).result()
        for reader in range(5):
            asked = {"reader": f"r{reader}", "visit": f"v{reader}", "article": f"a{reader}", "consent": "profiling"}
            newsroom.slate(SlateRequest(site="gazette", placement="article-bottom", n=4, now=NOON, **asked))
    return folder / "embellie-data" / FILE


@pytest.fixture
def project(tmp_path):
    served(tmp_path / "gazette")
    return tmp_path / "gazette"


def test_the_same_to_the_last_bit(project):
    """A person is told how much was compared; a program gets one document."""
    done = run("--project", project)
    assert done.exit_code == 0, done.output
    assert "every feature the same to the last bit" in done.stdout
    document = json.loads(run("--project", project, "--json").stdout)
    assert document["schema"] == "embellie/features/1"
    assert (document["same"], document["slates"]) == (True, 5)
    assert json.loads(run("--project", project, "--every", 2, "--json").stdout)["slates"] == 2
    assert json.loads(run("--project", project, "--site", "another", "--json").stdout)["slates"] == 0


def test_a_planted_skew_is_named(project, tmp_path):
    """One feature that the server told in another unit: exit 1, its name and by how much, in words and in the document."""
    with SqliteLog(project / "embellie-data" / FILE) as log:
        events = [event for _, event in log.scan()]
    with SqliteLog(tmp_path / "skewed" / FILE) as log:
        log.submit([skewed(event) for event in events], received_at=NOON).result()
    done = run("--log", tmp_path / "skewed" / FILE)
    assert done.exit_code == 1
    assert "`age_hours` differs" in done.stdout
    document = json.loads(run("--log", tmp_path / "skewed" / FILE, "--json").stdout)
    assert not document["same"]
    assert [one["feature"] for one in document["skews"]] == ["age_hours"]


def skewed(event):
    if not isinstance(event.body, Slate):
        return event
    place = event.body.feature_names.index("age_hours")
    items = tuple(
        replace(item, features=(*item.features[:place], item.features[place] + 60.0, *item.features[place + 1 :]))
        for item in event.body.items
    )
    return replace(event, body=replace(event.body, items=items))


def test_a_log_without_features_has_nothing_to_differ(tmp_path):
    """No policy that learns: exit 0, and what to declare; no log at all is a wrong call."""
    served(tmp_path / "plain", policy="popular")
    done = run("--project", tmp_path / "plain")
    assert done.exit_code == 0
    assert "Declare a scenario or release a policy `ranker`" in done.stdout
    document = json.loads(run("--project", tmp_path / "plain", "--json").stdout)
    assert "remedy" in document["features"]
    assert isinstance(run("--log", tmp_path / "nowhere").exception, InputError)
