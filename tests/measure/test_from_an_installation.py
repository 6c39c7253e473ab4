"""`embellie measure NAME`: from served slates and reads to the scorecard, through the whole installation."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from embellie.app.newsroom import Newsroom
from embellie.cli.main import cli
from embellie.domain.article import Article
from embellie.domain.errors import EmbellieError, InputError
from embellie.domain.slate import SlateRequest

CONFIG = """
[sites.gazette]
[experiments.first-light]
variants = { status_quo = 1, heuristic = 1 }
"""
START = datetime(2026, 3, 1, 8, tzinfo=UTC)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project in which 300 readers came once; those of the heuristic read one more article, mostly."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "embellie.toml").write_text(CONFIG, encoding="utf-8")
    now = [START]
    newsroom = Newsroom.open(folder, clock=lambda: now[0])
    articles = [
        Article(article=f"a{number}", url=f"https://example.org/{number}", title=f"Title {number}", published_at=START)
        for number in range(6)
    ]
    newsroom.publish("gazette", articles).result()
    for number in range(300):
        now[0] += timedelta(seconds=10)
        variant, raw = visit(newsroom, number, now[0])
        newsroom.receive(raw, site="gazette", public=True).result()
        assert variant in {"status_quo", "heuristic"}
    newsroom.close()
    return folder


def visit(newsroom, number, now):
    reader, visit_id = f"reader-{number}", f"visit-{number}"
    request = SlateRequest(
        site="gazette", placement="article-bottom", n=4, now=now, article="a0", reader=reader, visit=visit_id,
        consent="profiling",
    )  # fmt: skip
    slate = newsroom.slate(request)
    read = 1 + number % 2 + (slate.variant == "heuristic" and number % 3 > 0)
    return slate.variant, [
        {
            "id": f"read-{number}-{place}", "site": "gazette", "kind": "read", "at": now.isoformat(),
            "consent": "profiling", "reader": reader, "visit": visit_id, "article": f"a{place}", "engaged_seconds": 30.0,
        }
        for place in range(read)
    ]  # fmt: skip


def run(project, *arguments):
    return CliRunner().invoke(
        cli, ["measure", *arguments, "--project", str(project)], standalone_mode=False, catch_exceptions=False
    )


def test_the_scorecard_of_an_experiment_comes_from_the_log(project):
    """All 300 readers are there, the effect is found, click-through says why it is missing."""
    document = json.loads(run(project, "first-light", "--json").stdout)
    assert sum(variant["units"] for variant in document["variants"].values()) == 300
    assert document["control"] == "status_quo"
    assert document["srm"]["alarm"] is False
    by_metric = {row["metric"]: row for row in document["effects"]}
    effect = by_metric["articles_per_visit"]
    assert effect["control_value"] == pytest.approx(1.5, abs=0.15)
    assert effect["interval"]["low"] < 2 / 3 < effect["interval"]["high"]
    assert effect["interval"]["low"] > 0
    assert "remedy" in by_metric["click_through"]


def test_the_name_may_be_left_out_when_there_is_one(project):
    """One experiment needs no name; the text says the split and a sentence per metric."""
    said = run(project).stdout
    assert "The split is as designed: `status_quo` " in said
    assert "Articles per visit, `heuristic`: +" in said


def test_an_experiment_can_be_watched(project):
    """`--sequential always` gives an interval that survives every look."""
    document = json.loads(run(project, "first-light", "--sequential", "always", "--planned", "300", "--json").stdout)
    assert document["effects"][0]["interval"]["kind"] == "always"


def test_an_unknown_experiment_is_refused_with_those_there_are(project):
    """The message names the nearest one."""
    with pytest.raises(EmbellieError, match=r"Unknown experiment `first-lite`\. Did you mean `first-light`"):
        run(project, "first-lite")


def test_a_folder_that_is_no_project_says_so(tmp_path):
    """Nothing is created by asking."""
    with pytest.raises(InputError, match="embellie init"):
        run(tmp_path, "first-light")
