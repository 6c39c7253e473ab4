"""A reader's data by HTTP: given out whole, erased at once, and a slate for a dead id is one for nobody."""


def filled(call, keys, newsroom, click):
    post = {"events": [click(number) | {"reader": "reader-of-mine", "visit": "visit-1"} for number in range(1, 6)]}
    assert call("POST", f"/v1/events?key={keys.public['gazette']}", json=post).json()["accepted"] == 5


def test_all_that_is_kept_is_given_and_then_gone(call, keys, tokens, newsroom, click):
    """GET gives every event; DELETE answers with the proof; then there is nothing, and late events are counted and dropped."""
    filled(call, keys, newsroom, click)
    document = call("GET", "/v1/readers/reader-of-mine", token=tokens["operator"]).json()
    assert (document["schema"], len(document["events"])) == ("embellie/reader/1", 5)
    answer = call("DELETE", "/v1/readers/reader-of-mine", token=tokens["operator"])
    proof = answer.json()
    assert (answer.status_code, proof["gone"]) == (200, True)
    assert proof["sites"][0]["before"]["log"] == 5
    assert proof["sites"][0]["after"] == {"log": 0, "quarantine": 0, "lake": 0}
    assert call("GET", "/v1/readers/reader-of-mine", token=tokens["operator"]).json()["events"] == []
    late = {"events": [click(9) | {"reader": "reader-of-mine"}, click(10)]}
    receipt = call("POST", f"/v1/events?key={keys.public['gazette']}", json=late).json()
    assert (receipt["accepted"], receipt["refused"], receipt["quarantined"]) == (1, 1, [])


def test_only_operators_may(call, keys, tokens):
    """A page's key, a viewer's and an editor's token may neither read nor erase a reader."""
    for method in ("GET", "DELETE"):
        for role in ("viewer", "editor"):
            assert call(method, "/v1/readers/r1", token=tokens[role]).status_code == 403
        assert call(method, f"/v1/readers/r1?key={keys.public['gazette']}").status_code == 403


def test_an_unknown_site_is_told(call, tokens):
    """With those that exist."""
    answer = call("DELETE", "/v1/readers/r1?site=gazete", token=tokens["operator"])
    assert (answer.status_code, answer.json()["error"]["at"]) == (404, "?site")


def test_an_erasure_must_name_someone(call, tokens):
    """Sent as an event without a reader it is put aside."""
    event = {"id": "00000000-0000-7000-8000-000000000009", "kind": "erasure", "at": "2026-03-01T00:00:00Z"}
    answer = call("POST", "/v1/events?site=gazette", json={"events": [event]}, token=tokens["editor"]).json()
    assert [one["at"] for one in answer["quarantined"]] == ["$.events[0].reader"]
