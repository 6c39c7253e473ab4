"""`embellie log`: what one sees and the exit codes."""

import json
import sqlite3

import pytest
from click.testing import CliRunner

from embellie.cli.log_command import command
from embellie.domain.errors import EmbellieError
from embellie.store.log import FILE, SqliteLog
from embellie.testing.event_log_contract import NOON, a_read

CLICKS = "who,sitting,what,when\nr1,v1,a,10\nr2,v2,b,11\nr2,v2,,12\n"
COLUMNS = ["--reader", "who", "--visit", "sitting", "--article", "what", "--at", "when"]


@pytest.fixture
def project(tmp_path):
    (tmp_path / "embellie.toml").write_text('data = "data"\n[sites.gazette]\n')
    (tmp_path / "clicks.csv").write_text(CLICKS)
    return tmp_path


def run(*arguments, project):
    return CliRunner().invoke(command, [*map(str, arguments), "--data", str(project)])


def imported(project, *more):
    return run("import", project / "clicks.csv", *COLUMNS, *more, project=project)


def test_import_says_what_became_of_every_row(project):
    """New, already there and bad are counted; the bad row's line and reason go to standard error."""
    first, again = imported(project), imported(project)
    assert first.stdout == "3 rows: 2 new, 0 already there, 1 bad (1 newly put aside).\n"
    assert "clicks.csv:4: `what` is empty." in first.stderr
    assert again.stdout == "3 rows: 0 new, 2 already there, 1 bad (0 newly put aside).\n"
    assert first.exit_code == again.exit_code == 0


def test_json_is_one_document(project):
    """With `--json` each command prints one document that names its schema, and nothing else."""
    lake = project / "lake"
    results = {
        "log-import": imported(project, "--json"),
        "ledger": run("ledger", "--verify", "--json", project=project),
        "quarantine": run("quarantine", "--json", project=project),
        "log-replay": run("replay", "--json", project=project),
        "log-export": run("export", lake, "--all", "--json", project=project),
    }
    documents = {name: json.loads(result.stdout) for name, result in results.items()}
    assert {name: document["schema"] for name, document in documents.items()} == {
        name: f"embellie/{name}/1" for name in documents
    }
    assert documents["log-import"]["bad_rows"] == [{"line": 4, "reason": "`what` is empty."}]
    counted = {"received": 3, "accepted": 2, "duplicates": 0, "quarantined": 1, "erased": 0, "refused": 0}
    assert documents["ledger"]["total"] == counted
    assert (documents["quarantine"]["total"], documents["log-replay"]["still_quarantined"]) == (1, 1)
    assert documents["log-export"]["events"] == 2


def test_the_ledger_is_a_table_that_adds_up(project):
    """A line per site and hour, a total, and a word when it was counted anew."""
    imported(project)
    lines = run("ledger", "--verify", project=project).stdout.splitlines()
    assert lines[0].split() == ["site", "hour", "received", "accepted", "duplicates", "quarantined"]
    assert lines[-2].split() == ["total", "3", "2", "0", "1"]
    assert lines[-1] == "Counted anew: the ledger balances."


def test_a_ledger_that_does_not_balance_exits_1(project):
    """What is missing is named on standard error."""
    imported(project)
    connection = sqlite3.connect(project / "data" / FILE, isolation_level=None)
    connection.execute("DELETE FROM events WHERE article = 'a'")
    connection.close()
    result = run("ledger", "--verify", project=project)
    assert result.exit_code == 1
    assert "the ledger says 2 accepted, the log holds 1." in result.stderr


def test_quarantine_lists_reason_and_payload(project):
    """One sees where the bad row stood, why it is bad and what it held."""
    imported(project)
    shown = run("quarantine", project=project).stdout
    assert "clicks.csv:4" in shown
    assert "`what` is empty." in shown
    assert '"who": "r2"' in shown
    assert shown.endswith("1 in quarantine, 1 shown.\n")


def test_export_says_what_it_left_out(project):
    """An hour that is not over is left out unless asked for, and one is told."""
    with SqliteLog(project / "data" / FILE) as log:
        log.append([a_read(1)], received_at=NOON.replace(year=2020))
    imported(project)
    result = run("export", project / "lake", project=project)
    assert result.stdout == "1 events in 1 files: 1 written, 0 unchanged.\n"
    assert "2 events arrived in the hour that is not over yet" in result.stderr


def test_a_missing_column_is_a_teaching_error(project):
    """It names the column, and those there are."""
    result = run("import", project / "clicks.csv", *COLUMNS[:-1], "time", project=project)
    assert isinstance(result.exception, EmbellieError)
    assert "Unknown column `time`. Available: sitting, what, when, who." in str(result.exception)
