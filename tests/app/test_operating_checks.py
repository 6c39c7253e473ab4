"""What `embellie doctor` finds of the machine, the data and the servers; each finding says what to do, in two languages."""

import json
import os
import re
import resource
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from string import Formatter
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from embellie.app import health, operating_checks
from embellie.app.config import read_config
from embellie.app.doctor_words import WORDS
from embellie.app.last_backup import note_backup
from embellie.app.newsroom import Newsroom
from embellie.app.operating_checks import before_start, online, operating
from embellie.app.project import examine, start_project
from embellie.app.syncing import STATE_FILE, FeedMemory, FeedState
from embellie.cli.main import cli
from embellie.domain.event import Event
from embellie.domain.reading import Read
from embellie.domain.release import Release
from embellie.store.log import FILE, SqliteLog
from embellie.web.server import open_keys

NOW = datetime(2026, 3, 8, 12, tzinfo=UTC)


@pytest.fixture
def project(tmp_path):
    """A project that has served for a week: 704 events, keys, no trouble."""
    start_project(tmp_path)
    text = (tmp_path / "embellie.toml").read_text()
    (tmp_path / "embellie.toml").write_text(text.replace("port = 8400", "port = 1"))
    with Newsroom.open(tmp_path, clock=lambda: NOW, threads=0) as newsroom:
        open_keys(newsroom).issue("viewer", name="prometheus")
        for day in range(7):
            at = NOW - timedelta(days=day, hours=1)
            reads = [
                Event(id=f"{day}-{n}", site="gazette", at=at, body=Read(article="a", reader=f"r{n}", visit="v"))
                for n in range(100)
            ]
            newsroom.log.append(reads, received_at=at)
    return tmp_path


def edit(project, old, new):
    file = project / "embellie.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def found(project, *, language="en", now=NOW):
    """Findings by code, or the last of each."""
    return {one.code: one for one in operating(project, read_config(project), language=language, now=now)}


def troubles(project):
    return {(one.code, one.level) for one in found(project).values() if one.level != "ok"}


QUIET = {("no_backup", "warning"), ("lake_behind", "warning")}


def test_nothing_more_is_found_where_nothing_is_wrong(project):
    """A warning that always stands is read by nobody: those that stand can each be made to go."""
    assert troubles(project) <= QUIET | {("few_files", "warning")}
    note_backup(project / "embellie-data", NOW)
    CliRunner().invoke(cli, ["log", "export", str(project / "embellie-data" / "lake"), "--all", "--data", str(project)])
    assert troubles(project) <= {("few_files", "warning")}
    assert found(project)["backup_fresh"].level == "ok"
    assert found(project)["ledger_balances"].message.startswith("704 events")


@pytest.mark.parametrize(
    ("free", "code", "level"),
    [(300_000_000, "disk_low", "error"), (50_000_000_000, "disk_growth", "ok")],
)
def test_the_disk_is_told_with_its_pace(project, monkeypatch, free, code, level):
    """Free room, what a day takes, and how many days that leaves."""
    usage = SimpleNamespace(total=100e9, used=100e9 - free, free=free)
    monkeypatch.setattr(health.shutil, "disk_usage", lambda _: usage)
    one = found(project)[code]
    assert one.level == level
    if code == "disk_growth":
        assert re.search(r"50 GB free; .* \(\d+(\.\d+)? kB a day\), enough for [\d,]+ days", one.message)


@pytest.mark.parametrize(("days", "level"), [(20, "warning"), (2, "error")])
def test_a_disk_that_will_be_full_is_told_before(project, monkeypatch, days, level):
    """Weeks before as a warning, days before as an error."""
    (project / "embellie.toml").touch()
    monkeypatch.setattr(operating_checks, "_daily_bytes", lambda *_, **__: 1e9)
    usage = SimpleNamespace(total=100e9, used=0, free=days * 1e9)
    monkeypatch.setattr(health.shutil, "disk_usage", lambda _: usage)
    one = found(project)["disk_fills"]
    assert (one.level, f"full in {days} days" in one.message) == (level, True)


def test_keys_that_others_may_read_are_an_error(project):
    """As mode says; closed again they are fine."""
    keys = project / "embellie-data" / "keys.json"
    assert found(project)["keys_fine"].message.startswith("1 tokens")
    keys.chmod(0o640)
    assert (found(project)["keys_open"].level, "640" in found(project)["keys_open"].message) == ("error", True)


def test_keys_that_nobody_changed_for_a_year_are_told(project):
    """Tokens do not expire by themselves."""
    keys = project / "embellie-data" / "keys.json"
    long_ago = (datetime.now(UTC) - timedelta(days=400)).timestamp()
    os.utime(keys, (long_ago, long_ago))
    one = {one.code: one for one in before_start(project, read_config(project))}["keys_old"]
    assert (one.level, "40" in one.message) == ("warning", True)


def test_a_ledger_that_does_not_balance_is_an_error(project):
    """Something was changed behind the log's back."""
    log = SqliteLog(project / "embellie-data" / FILE)
    log._writer.execute("DELETE FROM events WHERE seq = 1")
    log.close()
    assert found(project)["ledger_wrong"].level == "error"


def test_a_long_log_is_not_counted_anew(project, monkeypatch):
    """The doctor answers in seconds; the command that counts is named."""
    monkeypatch.setattr(operating_checks, "MOST_COUNTED", 703)
    assert "ledger --verify" in found(project)["ledger_long"].remedy


def test_a_release_whose_model_is_gone_is_told(project):
    """It is served without, and nobody else would notice."""
    with SqliteLog(project / "embellie-data" / FILE) as log:
        body = Release(release="rel-1", policy="ranker", model="m" * 16)
        log.append([Event(id="rel-1", site="gazette", at=NOW, body=body)], received_at=NOW)
    assert found(project)["model_missing"].message.startswith("Release rel-1 ")


def test_feeds_that_were_not_read_are_told_without_their_address(project):
    """An address may hold a password."""
    edit(project, "feeds     = []", 'feeds     = ["https://f.example/?token=hunter2", "https://f.example/b"]')
    states = {
        "https://f.example/?token=hunter2": FeedState(ok_at=NOW - timedelta(hours=5)),
        "https://f.example/b": FeedState(failures=9),
    }
    FeedMemory(project / "embellie-data" / STATE_FILE, "gazette").write(states)
    told = found(project)
    assert (told["feed_stale"].about, told["feed_failing"].about) == (
        "sites.gazette.feeds[1]",
        "sites.gazette.feeds[2]",
    )
    assert "hunter2" not in str(told)


def test_an_old_backup_is_told_and_the_command_notes_each(project, tmp_path):
    """`log backup` notes when; two days later it is old."""
    made = CliRunner().invoke(cli, ["log", "backup", str(tmp_path / "b.tar"), "--data", str(project)])
    assert made.exit_code == 0, made.output
    assert found(project, now=datetime.now(UTC))["backup_fresh"].level == "ok"
    assert found(project, now=datetime.now(UTC) + timedelta(days=3))["backup_old"].level == "warning"


def test_settings_that_one_regrets_are_told(project):
    """No budget, keys off, names kept for good."""
    edit(project, "slots         = 4", "slots         = 4\nbudget_ms = 0.0")
    edit(project, "auth = true", "auth = false")
    edit(project, '"25 months"', '"keep"')
    assert {("no_budget", "warning"), ("anyone_may", "error"), ("names_kept_for_good", "warning")} <= troubles(project)


def test_too_few_files_are_told(project, monkeypatch):
    """Each connection is one."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    assert "1024" in found(project)["few_files"].message


class Answering(BaseHTTPRequestHandler):
    """Answers as told."""

    def do_GET(self):
        status, body, date = self.server.says
        self.send_response_only(status)
        self.send_header("content-type", "application/json")
        self.send_header("date", format_datetime(datetime.now(UTC) + date, usegmt=True))
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def answering(project):
    """A server on the project's port that says what it is told to."""
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        edit(project, "port = 1", f"port = {server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("says", "code", "level"),
    [
        ((200, {"ready": True, "concerns": []}), "server_ready", "ok"),
        ((200, {"ready": True, "concerns": [{"message": "slow", "hint": "wait"}]}), "server_degraded", "warning"),
        ((503, {"error": {"message": "no writes", "hint": "see"}}), "server_not_ready", "error"),
    ],
)
def test_a_running_server_is_asked_how_it_is(project, answering, says, code, level):
    """Ready, degraded, or not ready: in its own words."""
    answering.says = (*says, timedelta())
    assert found(project)[code].level == level


def test_another_program_on_the_port_is_not_taken_for_ours(project, answering):
    """Whatever it answers."""
    for says in ((200, ["hello"]), (404, "nothing"), (200, {"error": 1})):
        answering.says = (*says, timedelta())
        assert not [code for code in found(project) if code.startswith("server_")]


def test_no_server_is_said_and_is_no_fault(project):
    """The doctor also runs before the start."""
    assert found(project)["server_absent"].level == "ok"


@pytest.mark.parametrize(("ahead", "level"), [(0, "ok"), (-20, "warning"), (600, "error")])
def test_clocks_are_compared_with_those_of_the_feeds(project, answering, ahead, level):
    """By the Date header, to some seconds; only when asked to go online."""
    answering.says = (200, {}, timedelta())
    edit(project, "feeds     = []", f'feeds     = ["http://127.0.0.1:{answering.server_port}/feed"]')
    at = datetime.now(UTC) + timedelta(seconds=ahead)
    told = {one.code: one for one in online(read_config(project), clock=lambda: at)}
    assert told["feed_answers"].level == "ok"
    clock = told.get("clock_right") or told["clock_off"]
    assert clock.level == level
    if ahead:
        assert ("ahead of" if ahead > 0 else "behind") in clock.message


def test_a_feed_that_does_not_answer_is_told_when_asked(project):
    """Online only."""
    edit(project, "feeds     = []", 'feeds     = ["http://127.0.0.1:1/feed"]')
    assert [one.code for one in online(read_config(project))] == ["feed_silent"]


def figures(text):
    return sorted({name for _, name, _, _ in Formatter().parse(text) if name})


@pytest.mark.parametrize("code", WORDS)
def test_both_languages_tell_the_same_figures(code):
    """A figure missing in one language would be a fact that half the readers do not get."""
    english, remedy, french, french_remedy = WORDS[code]
    assert figures(english) == figures(french)
    assert figures(remedy) == figures(french_remedy)
    assert bool(remedy) == bool(french_remedy)


def test_whatever_is_wrong_says_what_to_do(project):
    """No finding but a refusal in another's words leaves one alone."""
    edit(project, "auth = true", "auth = false")
    for language in ("en", "fr"):
        for one in examine(project, language=language):
            if one.level != "ok":
                assert one.remedy, one


def test_the_command_speaks_french_and_its_json_carries_codes(project):
    """Exit 1 when something must be mended."""
    edit(project, "auth = true", "auth = false")
    said = CliRunner().invoke(cli, ["doctor", str(project), "--lang", "fr"])
    assert (said.exit_code, "Quiconque l’atteint" in said.output) == (1, True)
    document = json.loads(CliRunner().invoke(cli, ["doctor", str(project), "--json"]).output)
    assert document["schema"] == "embellie/doctor/1"
    assert "anyone_may" in [one["code"] for one in document["findings"]]


def test_a_server_that_starts_says_the_same_words(project, capsys):
    """One system, not two; what is fine is not said."""
    from embellie.cli.doctor_command import warn_before_start

    (project / "embellie-data" / "keys.json").chmod(0o644)
    config = read_config(project)
    warn_before_start(project, replace_language(config))
    said = capsys.readouterr().err
    wanted = found(project, language="fr")["keys_open"]
    assert f"{wanted.message} {wanted.remedy}" in said
    assert "✓" not in said


def replace_language(config):
    import msgspec

    return msgspec.structs.replace(config, language="fr")


@pytest.mark.engines
def test_postgresql_is_looked_at(postgres_url, tmp_path):
    """Version, connections, rights."""
    from embellie.store.log_place import PostgresPlace, open_log
    from embellie.store.postgres_looking import look_at_postgres

    place = PostgresPlace(postgres_url, "looked_at")
    open_log(place).close()
    seen = look_at_postgres(place)
    assert (seen.lacking, seen.behind, seen.user) == ((), (), "tester")
    assert 1 <= seen.used < seen.most
    told = {one.code: one for one in operating_checks._postgres(replace(seen, used=90, most=100), "en")}
    assert told["postgres_crowded"].level == "warning"
    lacking = replace(seen, lacking=("INSERT events",), behind=(("copy", 30.0),))
    assert {one.level for one in operating_checks._postgres(lacking, "fr")} == {"ok", "error", "warning"}
