"""Real input, all the way: two newspapers' archives become slates, a year of clicks an evaluation, a headline test a scorecard."""

import asyncio
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import duckdb
import httpx
import pytest

from embellie.app.newsroom import Newsroom
from embellie.testing.feed_server import Answer, feed_server
from embellie.web.server import create_app, open_keys

pytestmark = pytest.mark.real_data

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
CLICKS = ["--reader", "personId", "--visit", "sessionId", "--article", "contentId", "--at", "timestamp", "--unit", "s"]

CONFIG = """[sites.wikinews]
name = "Wikinews"
languages = ["fr", "en"]
feeds = ["{fr}", "{en}"]
[sites.wikinews.placements.article-bottom]
slots = 6
max_age_hours = 0.0
[scenarios.heuristic]
policy = "affinity"
"""


def given(name):
    """A file of a set that is not ours to keep here."""
    file = DATA / name
    if not file.is_file():
        pytest.skip(f"needs `{file.name}` in ../shared/data/{file.parent.name} (not part of this repository)")
    return file


def embellie(*arguments, cwd, code=0):
    done = subprocess.run(
        [sys.executable, "-m", "embellie", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    return done.stdout


def articles_of(language):
    rows = given(f"wikinews_{language}/articles.jsonl").read_text(encoding="utf-8").split("\n")
    return {row["id"]: row for row in map(json.loads, filter(None, rows))}


def slate(app, **asked):
    async def send():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://embellie.example") as client:
            return await client.get("/v1/slate", params=asked)

    return asyncio.run(send()).raise_for_status().json()["items"]


@pytest.fixture
def archive(tmp_path):
    """A bilingual site whose two feeds were synced from the command line; with the articles as they were written."""
    written = {language: articles_of(language) for language in ("fr", "en")}
    feeds = {}
    with feed_server() as server:
        for language in written:
            file = tmp_path / f"{language}.xml"
            embellie(
                "catalogue", "export-feed", DATA / f"wikinews_{language}/articles.jsonl", "--out", file, cwd=tmp_path
            )
            feeds[language] = server.put(f"/{language}", Answer(file.read_bytes()))
        (tmp_path / "embellie.toml").write_text(CONFIG.format(**feeds))
        synced = json.loads(embellie("catalogue", "sync", "--json", cwd=tmp_path))
    assert [one["new"] for one in synced["sites"]["wikinews"]] == [len(written["fr"]), len(written["en"])]
    newsroom = Newsroom.open(tmp_path)
    yield newsroom, written
    newsroom.close()


def test_an_archive_in_two_languages_is_served_in_each(archive):
    """Articles years old are served (any age is allowed), each page's in its own language, with its own words."""
    newsroom, written = archive
    key = open_keys(newsroom).public["wikinews"]
    app = create_app(newsroom)
    assert {row["date"][:4] for own in written.values() for row in own.values()} >= {"2016", "2020"}
    for language, own in written.items():
        other = written["en" if language == "fr" else "fr"]
        for number, page in enumerate(list(own)[::40]):
            asked = {"key": key, "placement": "article-bottom", "article": page, "reader": f"r-{number}", "visit": "v"}
            items = slate(app, **asked)
            assert len(items) == 6
            for item in items:
                assert item["article"] not in other
                assert (item["url"], item["title"]) == (own[item["article"]]["url"], own[item["article"]]["title"])
            assert page not in {item["article"] for item in items}


def test_a_language_asked_for_goes_before_the_page_s(archive):
    """`language` says so; `*` mixes them only because it was asked for."""
    newsroom, written = archive
    key = open_keys(newsroom).public["wikinews"]
    app = create_app(newsroom)
    page = next(iter(written["fr"]))
    asked = {"key": key, "placement": "article-bottom", "article": page, "n": 50}
    for language, own in written.items():
        items = slate(app, **asked, language=language)
        assert len(items) == 50
        assert {item["article"] for item in items} <= set(own)


def test_a_year_of_clicks_is_evaluated_alike_from_its_file_and_from_the_log(tmp_path):
    """Imported from the command line or read as it is, the clicks are the same, and so is every figure."""
    file = given("deskdrop/users_interactions.csv.gz")
    embellie("init", cwd=tmp_path)
    imported = json.loads(embellie("log", "import", file, *CLICKS, "--consent", "profiling", "--json", cwd=tmp_path))
    assert (imported["rows"], imported["accepted"], imported["bad_rows"]) == (72_312, 72_312, [])
    asked = ["recommend", "evaluate", "--policy", "latest", "--policy", "popular", "--policy", "affinity"]
    dump = tmp_path / "ranks.parquet"
    read = json.loads(embellie(*asked, "--log", file, *CLICKS, "--rank-dump", dump, "--json", cwd=tmp_path))
    kept = json.loads(embellie(*asked, "--json", cwd=tmp_path))
    for document in (read, kept):
        assert document["schema"] == "embellie/evaluation/1"
        assert (document["clicks"], document["readers"]) == (72_312, 1_895)
        for policy in ("latest", "popular", "affinity"):
            result = document["policies"][policy]
            assert all(0 < result[each]["low"] < result[each]["value"] < result[each]["high"] < 1 for each in METRICS)
            assert 0 < result["coverage"] <= 1
            assert 0 < result["p50_ms"] <= result["p99_ms"]
            assert result["fit_seconds"] > 0
    assert {name: [one[each] for each in METRICS] for name, one in read["policies"].items()} == {
        name: [one[each] for each in METRICS] for name, one in kept["policies"].items()
    }
    check_ranks(dump, read)


METRICS = ("hr", "ndcg", "mrr")


def check_ranks(dump, document):
    """Per policy, the ranks give the hit rate that was said; the last months are targets, not only the first."""
    rows = duckdb.sql(
        f"SELECT policy, count(*), avg(CASE WHEN rank BETWEEN 1 AND 20 THEN 1.0 ELSE 0 END), "
        f"count(DISTINCT date_trunc('month', \"at\")) FROM '{dump}' GROUP BY policy"
    ).fetchall()
    assert len(rows) == 3
    for policy, targets, hit_rate, months in rows:
        assert targets == document["targets"]
        assert hit_rate == pytest.approx(document["policies"][policy]["hr"]["value"], abs=1e-9)
        assert months >= 12


def test_a_summer_of_real_readers_assigned_anew(tmp_path):
    """All who came in a period, from the command line: visits and returns are wrong as often as they say, with their past too."""
    file = given("deskdrop/users_interactions.csv.gz")
    embellie("init", cwd=tmp_path)
    embellie("log", "import", file, *CLICKS, "--consent", "profiling", cwd=tmp_path)
    asked = ["measure", "aa", "--from", "2016-06-01", "--to", "2016-08-31", "--runs", "300", "--json"]
    document = json.loads(embellie(*asked, cwd=tmp_path))
    assert document["schema"] == "embellie/aa/1"
    assert document["passed"]
    assert 900 < document["units"] <= 1895
    rows = {(row["metric"], row["adjusted"]): row for row in document["metrics"] if "error_rate" in row}
    assert {("visits_per_reader", False), ("visits_per_reader", True), ("came_back", False)} <= set(rows)
    for row in rows.values():
        assert row["error_rate"]["low"] <= 0.05 <= row["error_rate"]["high"]
        assert 0.85 < row["se_ratio"] < 1.15
    assert any("error_rate" not in row for row in document["metrics"])  # clicks say nothing of impressions


def test_the_documented_scorecard_of_a_real_headline_test(tmp_path):
    """The command of docs/4-measure.md on Upworthy, as it stands there."""
    (tmp_path / "upworthy.parquet").symlink_to(given("upworthy/upworthy_clean_exploratory.parquet"))
    page = (ROOT / "docs" / "4-measure.md").read_text(encoding="utf-8")
    found = re.search(r"^\$ embellie (measure table upworthy.*)$", page, re.MULTILINE)
    assert found
    document = json.loads(embellie(*shlex.split(found[1]), "--json", cwd=tmp_path))
    assert document["schema"] == "embellie/scorecard/1"
    assert document["srm"]["p_value"] == pytest.approx(0.799, abs=5e-4)
    assert len(document["effects"]) == 3
    for row in document["effects"]:
        assert row["interval"]["low"] < row["effect"] < row["interval"]["high"]
        assert row["relative"]["low"] < row["relative"]["effect"] < row["relative"]["high"]
