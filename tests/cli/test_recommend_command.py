"""`embellie recommend`: what a person and a program see."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from embellie.cli.recommend_command import command
from embellie.domain.article import Article
from embellie.domain.errors import TableError
from embellie.domain.event import Event
from embellie.recommend.features import names_of
from embellie.store.log import FILE, SqliteLog
from embellie.testing.policy_contract import NOW, SITE, gazette

COLUMNS = ["--reader", "who", "--visit", "sitting", "--article", "what", "--at", "when"]
DESKDROP = Path(__file__).parents[2] / ".." / "shared" / "data" / "deskdrop" / "users_interactions.csv.gz"


def run(*arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


@pytest.fixture
def clicks(tmp_path):
    file = tmp_path / "clicks.csv"
    rows = [
        f"r{v % 9},v{v},a{(v * step) % 11},{1_700_000_000 + 900 * v + step}" for v in range(40) for step in (1, 2, 3)
    ]
    file.write_text("who,sitting,what,when\n" + "\n".join(rows) + "\nr1,v1,a1,yesterday\n")
    return file


@pytest.fixture
def project(tmp_path):
    (tmp_path / "embellie.toml").write_text(f"[sites.{SITE}]\n")
    with SqliteLog(tmp_path / "embellie-data" / FILE) as log:
        log.append(gazette(), received_at=NOW)
        new = Article(article="b1", title="Une nouvelle", section="Sport", published_at=NOW)
        log.append([Event(id="b1", site=SITE, at=NOW, body=new)], received_at=NOW)
    return tmp_path


def test_evaluate_prints_one_json_document(clicks):
    """With `--json`, standard output is the document and nothing else; what was left out is told beside it."""
    done = run("evaluate", "--log", clicks, *COLUMNS, "--policy", "popular", "--k", 5, "--json")
    document = json.loads(done.stdout)
    assert document["clicks"] == 120
    assert list(document["policies"]) == ["popular"]
    assert "line 122" in done.stderr


def test_evaluate_prints_a_table_with_intervals(clicks):
    """A person sees a row per policy with its interval, and the note about sections."""
    done = run("evaluate", "--log", clicks, *COLUMNS)
    for word in ("latest", "popular", "affinity", "hr@20", "[", "clicks/s", "Note: No section is known"):
        assert word in done.stdout


def test_evaluate_tells_what_readers_and_desks_get(clicks, tmp_path):
    """Beneath the scores: fit, fragmentation, and which desk gets less than it publishes; without sections, what to give."""
    without = run("evaluate", "--log", clicks, *COLUMNS, "--policy", "latest").stdout
    assert "What lists give, by the first 20 places" in without
    assert "No section is known. Give a catalogue with sections (`--catalogue`)." in without
    known = tmp_path / "catalogue.jsonl"
    rows = [{"article": f"a{i}", "section": ("Sport", "Culture")[i % 2]} for i in range(11)]
    known.write_text("\n".join(map(json.dumps, rows)))
    given = ("--log", clicks, *COLUMNS, "--catalogue", known, "--policy", "latest")
    assert "Desks short by `latest`" in run("evaluate", *given).stdout
    document = json.loads(run("evaluate", *given, "--json").stdout)
    normative = document["policies"]["latest"]["normative"]
    assert {desk["section"] for desk in normative["desks"]} == {"Sport", "Culture"}
    assert set(normative["desks"][0]["against_published"]) == {"value", "low", "high", "p", "p_holm", "real"}
    assert normative["lists"] == document["targets"]
    compared = run("compare", "latest", "popular", *given[:-2]).stdout
    assert "fragmentation" in compared


def test_evaluate_refuses_a_missing_column(clicks):
    """A wrong column is an error that names those there are."""
    done = run("evaluate", "--log", clicks, *COLUMNS[:-1], "wen")
    assert isinstance(done.exception, TableError)
    assert "Did you mean `when`" in str(done.exception)


def test_try_shows_titles_and_reasons(project):
    """A person sees the slate with its reasons, and how fast popularity fades at this traffic."""
    done = run("try", "--project", project, "--reader", "r1", "--article", "a4", "--at", "2026-03-02T12:05:00Z")
    assert done.exit_code == 0
    assert "Popularity halves every" in done.stdout
    assert "reads known" in done.stdout
    assert len([line for line in done.stdout.splitlines() if "Article" in line or "Une nouvelle" in line]) == 4


def test_try_prints_json(project):
    """A program gets the same slate."""
    done = run("try", "--project", project, "--policy", "latest", "--at", "2026-03-02T12:05:00Z", "-n", 2, "--json")
    items = json.loads(done.stdout)["items"]
    assert items[0] | {"score": 0} == {
        "article": "b1", "position": 1, "url": "", "title": "Une nouvelle", "section": "Sport", "reason": "latest",
        "propensity": 1.0, "score": 0,
    }  # fmt: skip


def test_try_tells_what_is_known_of_each_article(project):
    """`--features`: beside score and propensity, every number that a learned ranker would look at, in words and in JSON."""
    asked = ("--project", project, "--policy", "popular", "--at", "2026-03-02T12:05:00Z", "--features")
    items = json.loads(run("try", *asked, "--json").stdout)["items"]
    assert all(tuple(item["features"]) == names_of() for item in items)
    first = items[0]
    assert f"age_hours {first['features']['age_hours']:.4g}" in run("try", *asked).stdout


def test_try_says_when_nothing_is_shown(project):
    """The status quo shows nothing, and that is said."""
    assert "Nothing is shown." in run("try", "--project", project, "--policy", "status_quo").stdout


def test_a_wrong_time_teaches(project):
    """A time without its zone is refused."""
    assert "End it in `Z`" in str(run("try", "--project", project, "--at", "2026-03-02T12:05").exception)


@pytest.mark.real_data
@pytest.mark.skipif(not DESKDROP.is_file(), reason="DeskDrop is not in ../shared/data/deskdrop.")
def test_deskdrop_is_evaluated_in_time_order():
    """Three policies on a year of real clicks: all counted, all in order, popularity above recency alone."""
    columns = ["--reader", "personId", "--visit", "sessionId", "--article", "contentId", "--at", "timestamp"]
    done = run("evaluate", "--log", DESKDROP, *columns, "--unit", "s", "--json")
    document = json.loads(done.stdout)
    assert (document["clicks"], document["readers"]) == (72312, 1895)
    assert document["policies"]["popular"]["hr"]["low"] > document["policies"]["latest"]["hr"]["high"]
    assert document["clicks_per_second"] > 1000
    assert any("No section is known" in note for note in document["notes"])


def test_try_tells_what_diversity_costs(project):
    """A policy that diversifies is set beside the one it diversifies: the share of its score given up; for others no such line."""
    asked = ["try", "--project", project, "--at", NOW.isoformat(), "--policy"]
    document = json.loads(run(*asked, "diverse?policy=popular&relevance=0.1", "--json").stdout)
    assert 0.0 < document["diversity_price"] < 1.0
    assert (
        f"Diversity costs {document['diversity_price']:.1%}"
        in run(*asked, "diverse?policy=popular&relevance=0.1").stdout
    )
    assert "Diversity" not in run(*asked, "popular").stdout
    assert "diversity_price" not in json.loads(run(*asked, "popular", "--json").stdout)
