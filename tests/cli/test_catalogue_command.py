"""`embellie catalogue`: what a person and a program see."""

import json

import pytest
from click.testing import CliRunner

from embellie.cli.catalogue_command import command
from embellie.domain.article import Article
from embellie.domain.errors import InputError
from embellie.store.feeds import read_feed, write_feed
from embellie.testing.feed_server import Answer, feed_server

ROWS = [
    {"id": name, "url": f"https://g.example/{name}", "title": f"Titre {name}", "date": "2026-05-04"} for name in "ab"
]


@pytest.fixture
def server():
    with feed_server() as served:
        yield served


@pytest.fixture
def project(tmp_path, server):
    feeds = [f"{server.address}/good", f"{server.address}/bad"]
    (tmp_path / "embellie.toml").write_text(f"[sites.gazette]\nfeeds = {json.dumps(feeds)}\n")
    (tmp_path / "articles.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    articles = [Article(article=row["id"], url=row["url"], title=row["title"]) for row in ROWS]
    server.put("/good", Answer(write_feed(articles)))
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_sync_says_what_each_feed_gave(project):
    """One line per feed; the failed one is told on standard error and makes the exit code 1."""
    done = run("sync", "--project", project)
    assert done.exit_code == 1
    assert "2 new, 0 updated, 0 withdrawn, 0 unchanged" in done.stdout
    assert "HTTP 404: the feed is gone." in done.stderr


def test_sync_prints_one_json_document(project):
    """With `--json`, standard output is the report and nothing else."""
    document = json.loads(run("sync", "--project", project, "--json").stdout)
    assert document["schema"] == "embellie/sync/1"
    assert [feed["status"] for feed in document["sites"]["gazette"]] == ["read", "failed"]


def test_import_then_list(project):
    """A file's articles are listed, and importing it again adds none."""
    assert "2 new" in run("import", project / "articles.jsonl", "--project", project).stdout
    assert (
        "0 new, 0 updated, 0 withdrawn, 2 unchanged"
        in run("import", project / "articles.jsonl", "--project", project).stdout
    )
    listed = json.loads(run("list", "--project", project, "--json").stdout)
    assert (listed["total"], {one["title"] for one in listed["articles"]}) == ({"gazette": 2}, {"Titre a", "Titre b"})
    assert "Titre a" in run("list", "--project", project).stdout


def test_a_bad_line_is_told_and_the_rest_imported(project):
    """The exit code says that something was left out."""
    (project / "articles.jsonl").write_text(json.dumps(ROWS[0]) + "\n{oops\n")
    done = run("import", project / "articles.jsonl", "--project", project)
    assert (done.exit_code, "1 new" in done.stdout, "Line 2: not JSON" in done.stderr) == (1, True, True)


def test_export_writes_a_feed(project):
    """The feed on standard output reads back as the file's articles."""
    done = run("export-feed", project / "articles.jsonl", "--kind", "atom")
    assert [one.title for one in read_feed(done.stdout_bytes).articles] == ["Titre a", "Titre b"]


def test_an_absent_file_teaches():
    """The error names the file and what to do."""
    with pytest.raises(InputError, match="Check the path"):
        CliRunner().invoke(command, ["export-feed", "nowhere.jsonl"], catch_exceptions=False)
