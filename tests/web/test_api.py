"""What each call takes and answers."""

from datetime import timedelta

import msgspec
import pytest

from embellie.web import api
from embellie.web.api import TABLE


def test_a_slate_carries_what_a_page_needs_to_show_it(call, keys):
    """CONTRACTS: items with position, url, title, image (null when none), reason and propensity."""
    path = f"/v1/slate?key={keys.public['gazette']}&site=gazette&placement=sidebar&article=x&reader=r1&visit=v1"
    # the sidebar runs no experiment: the first scenario, the status quo, shows nothing there
    document = call("GET", path).json()
    assert document["schema"] == "embellie/slate/1"
    assert (document["placement"], document["experiment"], document["items"]) == ("sidebar", None, [])
    shown = next(
        slate
        for reader in range(40)
        if (slate := call("GET", path.replace("sidebar", "article-bottom").replace("r1", f"r{reader}")).json())["items"]
    )
    assert shown["experiment"] == "first-light"
    assert shown["variant"] == "heuristic"
    assert {item["article"]: (item["title"], item["image"]) for item in shown["items"]} == {
        "a1": ("Rain ends", None),
        "a2": ("Bridge opens", "https://i.example/2.jpg"),
    }
    assert [item["position"] for item in shown["items"]] == [1, 2]
    assert all(item["reason"] and item["reason"] != item["reason_code"] for item in shown["items"])


def test_a_reader_who_refuses_is_not_followed(call, keys, newsroom):
    """`consent=none` wins over a reader's id: no experiment, and no id in the log."""
    answer = call(
        "GET",
        "/v1/slate",
        params={"key": keys.public["gazette"], "placement": "article-bottom", "reader": "r1", "consent": "none"},
    )
    assert answer.json()["experiment"] is None
    newsroom.publish("gazette", []).result()
    served = [event.body for _, event in newsroom.log.scan(kinds=["served"])]
    assert [slate.reader for slate in served] == [""]


def test_events_are_durable_when_acknowledged(call, keys, newsroom, click):
    """202 means on disk; a bad event is set aside alone; a repeated one is counted once."""
    path = f"/v1/events?key={keys.public['gazette']}"
    erasure = {"id": "00000000-0000-7000-8000-000000000004", "kind": "erasure", "at": click()["at"], "reader": "r1"}
    batch = {"events": [click(1), click(2, positon=3), click(3, site="herald"), "no event", erasure]}
    answer = call("POST", path, json=batch)
    assert answer.status_code == 202
    document = answer.json()
    assert (document["accepted"], document["duplicates"]) == (1, 0)
    assert [(one["index"], one["at"]) for one in document["quarantined"]] == [
        (1, "$.events[1].positon"),
        (2, "$.events[2].site"),
        (3, "$.events[3]"),
        (4, "$.events[4].kind"),
    ]
    assert "Did you mean `position`?" in document["quarantined"][0]["reason"]
    assert [event.id for _, event in newsroom.log.scan(kinds=["click"])] == [click(1)["id"]]
    again = call(
        "POST", path, content=msgspec.json.encode({"events": [click(1)]}), headers={"content-type": "text/plain"}
    )
    assert (again.json()["accepted"], again.json()["duplicates"]) == (0, 1)


def test_a_post_that_says_when_it_left_puts_its_events_on_the_servers_clock(call, newsroom, keys, click):
    """A device hours off tells how long ago something happened; without a time zone it says nothing."""
    path = f"/v1/events?key={keys.public['gazette']}"
    wrong = click(1) | {"at": "2031-01-01T00:00:00Z"}
    before = newsroom.clock()
    assert call("POST", path, json={"events": [wrong], "sent_at": "2031-01-01T00:02:00Z"}).json()["accepted"] == 1
    (event,) = [event for _, event in newsroom.log.scan(kinds=("click",))]
    assert timedelta(0) <= event.at - (before - timedelta(minutes=2)) < timedelta(minutes=1)
    answer = call("POST", path, json={"events": [wrong], "sent_at": "2031-01-01T00:02:00"})
    assert answer.status_code == 422
    assert "$.sent_at" in answer.text


def test_a_back_end_sends_conversions_with_a_token(call, tokens, newsroom):
    """What costs money to forge takes a token."""
    conversion = {
        "id": "00000000-0000-7000-8000-000000000009", "kind": "conversion", "at": "2026-03-02T09:00:00Z",
        "goal": "subscription", "reader": "r1", "amount": {"amount": 9.5, "currency": "EUR"},
    }  # fmt: skip
    answer = call("POST", "/v1/events?site=gazette", token=tokens["editor"], json={"events": [conversion]})
    assert answer.json()["accepted"] == 1
    refused = call(
        "POST", "/v1/events?site=gazette", token=tokens["editor"], json={"events": [conversion | {"kind": "rollout"}]}
    )
    assert refused.status_code == 403
    assert refused.json()["error"]["at"] == "$.events[0].kind"


def test_articles_are_published_and_published_again(call, tokens):
    """New, updated and unchanged are told apart, and what is live can be listed."""
    sent = [
        {"article": "a1", "title": "Rain ends at last"},
        {"article": "a2", "url": "https://gazette.example/a2", "title": "Bridge opens", "image": "https://i.example/2.jpg", "section": "city"},
        {"article": "a3", "title": "Fair opens", "published_at": "2026-03-01T00:00:00Z"},
    ]  # fmt: skip
    answer = call("POST", "/v1/articles?site=gazette", token=tokens["editor"], json={"articles": sent})
    assert {name: answer.json()[name] for name in ("new", "updated", "unchanged")} == {
        "new": 1,
        "updated": 1,
        "unchanged": 1,
    }
    listed = call("GET", "/v1/articles?site=gazette", token=tokens["viewer"]).json()
    assert {one["article"]: one["title"] for one in listed["articles"]}["a1"] == "Rain ends at last"


def test_a_rule_holds_when_it_is_acknowledged(call, tokens, keys):
    """A banned article is in no slate from then on, and the rule says who wrote it."""
    ban = {"rule": "no-rain", "action": "ban", "article": "a1"}
    written = call("POST", "/v1/rules?site=gazette", token=tokens["editor"], json=ban)
    assert [(one["rule"], one["by"]) for one in written.json()["rules"]] == [("no-rain", "editor")]
    for reader in range(20):
        path = f"/v1/slate?key={keys.public['gazette']}&placement=article-bottom&reader=r{reader}"
        assert "a1" not in [item["article"] for item in call("GET", path).json()["items"]]


def test_a_release_is_rolled_out_and_taken_back(call, tokens):
    """Build, start, advance, roll back: each is live when it returns, and says who did it."""
    operator = tokens["operator"]
    built = call("POST", "/v1/releases?site=gazette", token=operator, json={"policy": "popular", "note": "try"}).json()
    order = {"placement": "sidebar", "release": built["release"], "steps": [0.1, 1.0]}
    started = call("POST", "/v1/rollouts?site=gazette", token=operator, json=order).json()
    assert (started["state"], started["weight"], started["by"]) == ("running", 0.1, "operator")
    path = f"/v1/rollouts/{started['rollout']}"
    assert call("POST", f"{path}/advance?site=gazette", token=operator).json()["weight"] == 1.0
    back = call("POST", f"{path}/rollback?site=gazette", token=operator, json={"reason": "Enough."}).json()
    assert (back["state"], back["reason"], back["weight"]) == ("rolled_back", "Enough.", 0.0)
    again = call("POST", f"{path}/advance?site=gazette", token=operator)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "conflict")


@pytest.mark.parametrize(
    "entry", [one for one in TABLE if one.method == "GET" and one.path.startswith("/v1") and one.answer is not str]
)
def test_each_answer_is_as_the_document_says(call, tokens, entry):
    """What a call answers can be read as the type the OpenAPI document gives for it, and carries that schema."""
    query = "site=gazette&placement=sidebar" if entry.path == "/v1/slate" else "site=gazette"
    path = entry.path.replace("{name:path}", "first-light") + (
        f"?{query}" if "site" in entry.query.__struct_fields__ else ""
    )
    answer = call("GET", path, token=tokens["admin"])
    assert answer.status_code == 200, answer.text
    msgspec.convert(answer.json(), entry.answer)
    assert answer.json()["schema"] == msgspec.inspect.type_info(entry.answer).fields[0].default


def test_the_ledger_balances(call, keys, tokens, click):
    """Received = accepted + duplicates + quarantined."""
    call("POST", f"/v1/events?key={keys.public['gazette']}", json={"events": [click(1), click(1), {}]})
    document = call("GET", "/v1/ledger", token=tokens["viewer"]).json()
    assert document["balanced"]
    assert sum(row["quarantined"] for row in document["rows"]) == 1


def test_health_and_readiness(call, newsroom):
    """Both answer to anyone; a server whose log is closed is not ready."""
    assert call("GET", "/healthz").status_code == call("GET", "/readyz").status_code == 200
    newsroom.close()
    assert call("GET", "/healthz").status_code == 200
    assert call("GET", "/readyz").status_code == 503


def test_metrics_count_what_happened(call, keys, tokens, click):
    """Requests by route and status, events by outcome, slates by policy: as Prometheus reads them."""
    call("POST", f"/v1/events?key={keys.public['gazette']}", json={"events": [click(1), click(1), {}]})
    call("GET", f"/v1/slate?key={keys.public['gazette']}&placement=sidebar")
    call("GET", "/nowhere")
    text = call("GET", "/metrics", token=tokens["viewer"]).text
    for line in (
        'embellie_requests_total{route="/v1/events",method="POST",status="202"} 1',
        'embellie_requests_total{route="other",method="GET",status="404"} 1',
        'embellie_request_seconds_count{route="/v1/slate"} 1',
        'embellie_events_total{site="gazette",outcome="duplicate"} 1',
        'embellie_events_total{site="gazette",outcome="quarantined"} 1',
        'embellie_slates_total{site="gazette",placement="sidebar",policy="status_quo",variant=""} 1',
    ):
        assert line in text.splitlines()
    assert "process_resident_memory_bytes" in text


def test_metrics_tell_how_the_server_started(call, tokens, newsroom):
    """Cold, and from what the next start would go on: nothing, then a file of so many bytes."""
    lines = call("GET", "/metrics", token=tokens["viewer"]).text.splitlines()
    assert "embellie_state_start_warm 0" in lines
    assert not any(line.startswith("embellie_state_file") for line in lines)
    newsroom.state_file.write_bytes(b"12345")
    lines = call("GET", "/metrics", token=tokens["viewer"]).text.splitlines()
    assert "embellie_state_file_bytes 5" in lines
    assert any(line.startswith("embellie_state_file_age_seconds ") for line in lines)


def test_what_pages_dropped_is_counted(call, keys, tokens, click):
    """A page tells how many events it had to drop; a number that cannot be is refused, and its events with it."""
    address = f"/v1/events?key={keys.public['gazette']}"
    for number, lost in enumerate([3, 0, 4]):
        assert call("POST", address, json={"events": [click(number)], "lost": lost}).status_code == 202
    assert call("POST", address, json={"events": [click(9)], "lost": -1}).status_code == 422
    lines = call("GET", "/metrics", token=tokens["viewer"]).text.splitlines()
    assert 'embellie_events_lost_total{site="gazette"} 7' in lines


def test_the_widget_is_kept_by_browsers(call, tmp_path, monkeypatch):
    """Any page may load it; asked again with its tag, it is not sent again."""
    script = tmp_path / "widget.v1.js"
    script.write_text("export {}")
    monkeypatch.setattr(api, "WIDGET", script)
    first = call("GET", "/widget/v1.js", headers={"origin": "https://gazette.example"})
    assert first.text == "export {}"
    assert first.headers["access-control-allow-origin"] == "*"
    assert "max-age" in first.headers["cache-control"]
    again = call("GET", "/widget/v1.js", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
