"""Secrets stay secret: after a day of use and misuse, no token stands in any log, answer, metric or file."""

import inspect
import json
import logging

from embellie.app.keys import FILE as KEYS_FILE
from embellie.app.keys import Keys
from embellie.app.syncing import FeedReport, _log


def test_no_secret_is_written_or_said(call, newsroom, tokens, caplog, monkeypatch, project):
    """Right, wrong and misplaced tokens, sessions, refusals and faults of ours: none leaves a trace of the secret."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.WARNING, logger="httpx")  # the test's own client
    wrong = "sk_wrong_but_long_enough_to_be_found"
    secrets = [*tokens.values(), wrong]
    answers = []

    def ask(method, path, **options):
        answers.append(call(method, path, **options))
        return answers[-1]

    for secret in secrets:
        ask("GET", "/v1/verdict", token=secret)
        ask("GET", f"/login?token={secret}&next=/measure")
        ask("GET", f"/login?token={secret}&next=//evil.example")
        ask(
            "POST",
            "/login?next=/",
            content=f"token={secret}",
            headers={"content-type": "application/x-www-form-urlencoded"},
        )
        ask("GET", f"/v1/slate?key={secret}&placement=article-bottom")
        ask("POST", "/v1/events", headers={"x-embellie-key": secret}, json={"events": []})
        ask("POST", "/ofrep/v1/evaluate/flags", headers={"x-api-key": secret}, json={"context": {}})
        ask("GET", f"/measure?token={secret}", headers={"accept": "text/html"})
        ask("GET", f"/v1/ledger?site={'x' * 3}", token=secret)
        ask("GET", "/nothing", token=secret, headers={"cookie": f"embellie_session={secret}"})

    def fail(*_, **__):
        raise RuntimeError("the disk is on fire")

    monkeypatch.setattr(newsroom, "verdict", fail)
    failed = ask("GET", f"/v1/verdict?key={tokens['admin']}", token=tokens["viewer"])
    assert failed.status_code == 500
    ask("GET", "/v1/tokens", token=tokens["admin"])
    ask("GET", "/metrics", token=tokens["viewer"])
    newsroom.publish("gazette", []).result()

    said = [one.text + str(one.headers) for one in answers]
    written = [path.read_bytes() for path in project.rglob("*") if path.is_file()]
    assert "the disk is on fire" in caplog.text
    assert "the disk is on fire" not in failed.text
    (kept_at,) = project.rglob(KEYS_FILE)
    session = json.loads(kept_at.read_text())["session_key"]
    for secret in [*secrets, session]:
        assert secret not in caplog.text
        assert [text for text in said if secret in text] == []
        kept = [data for data in written if secret.encode() in data]
        # The key that signs sessions is kept, in the one file only its owner can read.
        assert len(kept) == (1 if secret == session else 0)
    assert kept_at.stat().st_mode & 0o077 == 0


def test_a_session_cookie_is_out_of_a_scripts_reach(call, tokens):
    """HttpOnly, SameSite, for the whole site; Secure wherever the page came by TLS; and no secret in itself."""
    answer = call("GET", f"/login?token={tokens['admin']}")
    cookie = answer.headers["set-cookie"].lower()
    assert {"httponly", "samesite=lax", "path=/"} <= {part.strip() for part in cookie.split(";")}
    assert tokens["admin"].lower() not in cookie
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_secrets_are_compared_in_constant_time():
    """Where a secret is checked, nothing but `compare_digest` compares."""
    for check in (Keys.token_of, Keys.session_token):
        source = inspect.getsource(check)
        assert "compare_digest" in source
        assert "sha256 ==" not in source
        assert "signature ==" not in source


def test_a_feeds_address_is_logged_without_its_query(caplog):
    """A feed's address may hold the newspaper's own token: messages name the feed without it."""
    feed = "https://feeds.example/rss?token=hunter2"
    _log("gazette", FeedReport(feed=feed, status="failed", error=f"{feed}: No answer within 10 s."))
    assert "https://feeds.example/rss" in caplog.text
    assert "No answer" in caplog.text
    assert "hunter2" not in caplog.text
