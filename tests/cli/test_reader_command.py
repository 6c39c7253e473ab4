"""`embellie reader`, `log retain`, `log backup`, `log restore`: what one sees, and the exit codes."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from embellie.cli.log_command import command as log_command
from embellie.cli.reader_command import command as reader_command
from embellie.domain.errors import EmbellieError
from embellie.domain.event import Event
from embellie.domain.reading import Erasure
from embellie.store.log import FILE, SqliteLog
from embellie.testing.event_log_contract import a_read

LONG_AGO = datetime.now(UTC) - timedelta(days=60)


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "gazette"
    folder.mkdir()
    (folder / "embellie.toml").write_text('data = "data"\n[sites.gazette]\n[retention]\nprofiling = "30 days"\n')
    with SqliteLog(folder / "data" / FILE) as log:
        log.append([a_read(number, at=LONG_AGO) for number in range(10)], received_at=LONG_AGO)
    return folder


def reader(*arguments, project, **more):
    return CliRunner().invoke(reader_command, [*map(str, arguments), "--data", str(project)], **more)


def test_an_erasure_shows_before_after_and_the_search(project):
    """A person reads that it is gone, a program gets one document; asked again, nothing is there any more."""
    told = reader("erase", "r1", "--yes", project=project)
    assert told.exit_code == 0
    assert [line.split() for line in told.stdout.splitlines()[2:5]] == [
        ["log", "2", "0"],
        ["quarantine", "0", "0"],
        ["lake", "0", "0"],
    ]
    assert "none found" in told.stdout
    assert "Gone" in told.stdout
    document = json.loads(reader("erase", "r2", "--yes", "--json", project=project).stdout)
    assert (document["schema"], document["gone"], document["files"]["left"]) == ("embellie/erasure/1", True, [])
    assert document["sites"][0]["events"] == {"erasure": 1, "read": 2}
    assert "r2" not in json.dumps(document)


def test_what_is_left_makes_it_exit_1(project):
    """And the file is named."""
    (project / "data" / "notes.json").write_text('{"who": "r1"}')
    told = reader("erase", "r1", "--yes", project=project)
    assert told.exit_code == 1
    assert "left: notes.json (1)" in told.stderr
    assert "NOT gone" in told.stdout


def test_an_erasure_wants_to_be_meant(project):
    """Without `--yes`, or without an id, nothing happens, and one is told what to do."""
    for arguments, hint in ((["r1"], "--yes"), (["", "--yes"], "standard input"), (["-", "--yes"], "standard input")):
        with pytest.raises(EmbellieError, match=hint):
            reader("erase", *arguments, project=project, catch_exceptions=False)
    with SqliteLog(project / "data" / FILE) as log:
        assert log.last() == 10


def test_an_id_can_come_from_standard_input(project):
    """So it stands in no list of processes; export and erasure alike."""
    document = json.loads(reader("export", "-", project=project, input="r1\n").stdout)
    assert (document["schema"], len(document["events"])) == ("embellie/reader/1", 2)
    assert reader("erase", "-", "--yes", project=project, input="r1\n").exit_code == 0
    assert json.loads(reader("export", "-", project=project, input="r1\n").stdout)["events"] == []


def test_an_export_file_is_its_owners(project):
    """It holds what a reader did."""
    out = project / "reader.json"
    told = reader("export", "r1", "--out", out, project=project)
    assert told.stdout == f"2 events, 0 put aside: {out}\n"
    assert out.stat().st_mode & 0o077 == 0
    assert len(json.loads(out.read_text())["events"]) == 2


def test_pending_erasures_are_finished(project):
    """Those asked for by an event; and the list of marks grows by them."""
    with SqliteLog(project / "data" / FILE) as log:
        log.append([Event(id="x", site="gazette", at=LONG_AGO, body=Erasure(reader="r3"))], received_at=LONG_AGO)
    told = reader("erase", "--pending", project=project)
    assert (told.exit_code, told.stdout) == (0, "1 erasures were pending, 1 are done.\n")
    document = json.loads(reader("erased", "--json", project=project).stdout)
    assert (document["schema"], len(document["erased"])) == ("embellie/erased/1", 1)


def test_retention_says_what_goes_and_does_it(project):
    """A dry run changes nothing; the real one does, once; one document for a program."""

    def retain(*more):
        return CliRunner().invoke(log_command, ["retain", "--data", str(project), *more])

    dry, done, again = retain("--dry-run"), retain(), json.loads(retain("--json").stdout)
    assert "10 events would change" in dry.stdout
    assert "10 events changed" in done.stdout
    assert (again["schema"], again["nameless"]) == ("embellie/retention/1", 0)


def test_a_backup_comes_back_without_the_erased(project, tmp_path):
    """Refused without `--yes`; then the reader who was erased since is erased again."""
    file = tmp_path / "b.tar"

    def log(*arguments):
        return CliRunner().invoke(log_command, [*map(str, arguments)], catch_exceptions=False)

    saved = log("backup", file, "--data", project)
    assert "every sum is right" in saved.stdout
    reader("erase", "r1", "--yes", project=project)
    with pytest.raises(EmbellieError, match="--yes"):
        log("restore", file, "--project", project)
    done = log("restore", file, "--project", project, "--yes")
    assert done.exit_code == 0
    assert "1 readers erased since were erased again." in done.stdout
    assert json.loads(reader("export", "r1", project=project).stdout)["events"] == []


def test_a_salt_is_rotated_when_one_says_so(project):
    """Only for a site that has one; then a program gets one document."""
    with pytest.raises(EmbellieError, match="pseudonyms"):
        reader("rotate", "--yes", project=project, catch_exceptions=False)
    (project / "embellie.toml").write_text('data = "data"\n[sites.gazette]\npseudonyms = "salted"\n')
    with pytest.raises(EmbellieError, match="--yes"):
        reader("rotate", project=project, catch_exceptions=False)
    before = reader("rotate", "--yes", "--json", project=project)
    assert json.loads(before.stdout) == {"schema": "embellie/rotation/1", "site": "gazette", "rotated": True}
