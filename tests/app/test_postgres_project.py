"""A project whose log is in PostgreSQL: everything works as with a file, for several servers at once."""

import json
import time
from datetime import UTC, datetime
from hashlib import blake2s

import pytest
from click.testing import CliRunner

from embellie.app.asking import of_project
from embellie.app.log_keeping import ledger_document, place_of
from embellie.app.newsroom import Newsroom
from embellie.app.project import examine, start_project
from embellie.cli.main import cli
from embellie.domain.article import Article
from embellie.domain.errors import ConfigError
from embellie.domain.slate import SlateRequest

SITE = "gazette"


def configured(folder, url, schema):
    start_project(folder)
    text = (folder / "embellie.toml").read_text()
    (folder / "embellie.toml").write_text(f'{text}\n[storage]\nlog = "{url}"\nschema = "{schema}"\n')
    return folder


def run(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def test_the_password_is_no_part_of_what_is_shown(tmp_path):
    """`config show` says where the log is, and not how to get in; a database that keeps no log is refused with its line."""
    folder = configured(tmp_path / "a", "postgresql://ana:s3cr3t@127.0.0.1:1/news", "embellie")
    for more in ((), ("--json",)):
        shown = run("config", "show", folder, *more)
        assert "ana:…@127.0.0.1:1/news" in shown.output.replace("\\u2026", "…")
        assert "s3cr3t" not in shown.output
    for command in (("doctor", folder), ("log", "ledger", "--data", folder), ("serve", folder)):
        done = run(*command)
        assert done.exit_code == 1
        assert "s3cr3t" not in done.output + str(done.exception)
    with pytest.raises(ConfigError, match=r"embellie\.toml:\d+: `mysql` keeps no log"):
        Newsroom.open(configured(tmp_path / "b", "mysql://ana:s3cr3t@db/news", "embellie"))


@pytest.fixture
def project(postgres_url, tmp_path):
    schema = f"project_{blake2s(str(tmp_path).encode(), digest_size=8).hexdigest()}"
    return configured(tmp_path / "project", postgres_url, schema)


@pytest.mark.engines
def test_two_newsrooms_are_one_installation(project):
    """An article told to one, a read told to the other: both recommend and count them, and the lake and the commands do too."""
    with Newsroom.open(project) as one, Newsroom.open(project) as other:
        site = next(iter(one.sites))
        now = datetime.now(UTC)
        articles = [Article(article=f"a{n}", title=f"News {n}", published_at=now) for n in range(6)]
        assert len(one.publish(site, articles).result().accepted) == 6
        deadline = time.monotonic() + 20
        while len(other.articles(site)) < 6 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert {each.article for each in other.articles(site)} == {f"a{n}" for n in range(6)}
        slate = other.slate(
            SlateRequest(
                site=site,
                placement="article-bottom",
                reader="r1",
                visit="v1",
                article="a0",
                n=4,
                now=now,
                consent="profiling",
            )
        )
        read = {
            "id": "e1",
            "site": site,
            "kind": "read",
            "at": now.isoformat(),
            "article": "a1",
            "reader": "r1",
            "visit": "v1",
        }
        assert not other.receive([read], site=site, public=True).result().quarantined
        while one.analysis.refresh() < other.log.last() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert one.counts(site) == other.counts(site)
        assert (one.counts(site)["served"], one.counts(site)["read"]) == (1, 1)
        assert slate.slate_id
    document = ledger_document(place_of(project), verify=True)
    assert document["imbalances"] == []
    assert of_project(project).question is not None
    exported = run("log", "export", place_of(project).lake, "--data", project, "--all", "--json")
    assert json.loads(exported.output)["events"] == document["total"]["accepted"]
    assert "0 came since" in run("log", "ledger", "--data", project).output
    assert {each.level for each in examine(project) if each.about == "storage.log"} == {"ok"}
    assert not list((project / "embellie-data").glob("log.sqlite*"))
    with Newsroom.open(project) as again:
        assert again.counts(site)["read"] == 1
        assert again.analysis.through == document["total"]["accepted"]


@pytest.mark.engines
def test_a_reader_is_erased_from_log_and_lake_by_the_command(project):
    """The proof finds nothing, and what comes later is refused."""
    place = place_of(project)
    now = datetime.now(UTC)
    read = {"id": "e1", "site": SITE, "kind": "read", "at": now.isoformat(), "article": "a1", "visit": "v1"}
    with Newsroom.open(project) as newsroom:
        told = [{**read, "reader": "reader-one"}, {**read, "id": "e2", "reader": "reader-two", "visit": "v2"}]
        assert len(newsroom.receive(told, site=SITE, public=True).result().accepted) == 2
    assert run("log", "export", place.lake, "--data", project, "--all").exit_code == 0
    assert run("log", "fold", "--project", project).exit_code == 0
    done = run("reader", "erase", "reader-one", "--yes", "--data", project, "--json")
    assert done.exception is None, done.exception
    document = json.loads(done.output)
    assert (done.exit_code, document["gone"]) == (0, True)
    assert [(one["before"]["log"], one["before"]["lake"], one["after"]["log"]) for one in document["sites"]] == [
        (1, 1, 0)
    ]
    assert json.loads(run("reader", "erase", "reader-one", "--yes", "--data", project, "--json").output)["gone"]
    assert run("reader", "export", "reader-two", "--out", project / "two.json", "--data", project).exit_code == 0
    with Newsroom.open(project) as newsroom:
        late = newsroom.receive([{**read, "id": "e3", "reader": "reader-one"}], site=SITE, public=True).result()
        assert (late.accepted, late.refused) == ((), 1)
    assert ledger_document(place, verify=True)["imbalances"] == []
