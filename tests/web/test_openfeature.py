"""Which variant a reader has, asked by OpenFeature's remote evaluation protocol."""

import json
import socket
import threading
import time

import pytest
import uvicorn

from embellie.serve.assignment import assign
from embellie.web.server import create_app

ONE = "/ofrep/v1/evaluate/flags/first-light"
ALL = "/ofrep/v1/evaluate/flags"


@pytest.fixture
def ask(call, keys):
    """Asks with the site's public key, as a flag client sends it."""

    def ask_(path=ONE, *, headers=None, key="gazette", **context):
        sent = {"authorization": f"Bearer {keys.public[key]}"} | (headers or {})
        return call("POST", path, headers=sent, json={"context": context})

    return ask_


def exposures(newsroom):
    newsroom.publish("gazette", []).result()
    return [event.body for _, event in newsroom.log.scan(kinds=["exposure"])]


def test_a_flag_is_an_experiment_and_its_value_the_readers_variant(ask, newsroom):
    """The protocol's five fields; the variant is that of the hash, for every reader."""
    experiment = newsroom.experiment("first-light")
    for number in range(50):
        document = ask(targetingKey=f"r{number}").json()
        assert set(document) == {"key", "value", "variant", "reason", "metadata"}
        assert document["value"] == document["variant"] == assign(experiment, f"r{number}").name
        assert (document["key"], document["reason"]) == ("first-light", "SPLIT")
        assert document["metadata"]["takesPart"] is True


def test_a_flag_says_what_a_slate_shows(ask, call, keys):
    """Asked both ways, a reader is in one variant."""
    for number in range(20):
        path = f"/v1/slate?key={keys.public['gazette']}&placement=article-bottom&reader=r{number}"
        assert ask(targetingKey=f"r{number}").json()["value"] == call("GET", path).json()["variant"]


def test_to_ask_exposes_nobody(ask, newsroom):
    """Flags are fetched ahead, for pages that are never opened: no exposure is written."""
    ask(targetingKey="r1")
    ask(ALL, targetingKey="r1")
    assert exposures(newsroom) == []


def test_an_exposure_is_told_when_and_never_what(ask, newsroom):
    """`exposure` puts the server's own assignment in the log, once; a variant named by the client changes nothing."""
    for _ in range(3):
        answer = ask(targetingKey="r1", exposure=True, variant="heuristic", value="heuristic").json()
    (only,) = exposures(newsroom)
    assert (only.experiment, only.unit, only.variant) == ("first-light", "r1", answer["variant"])
    refused = ask(ALL, targetingKey="r1", exposure=True)
    assert (refused.status_code, refused.json()["errorCode"]) == (400, "INVALID_CONTEXT")


def test_a_reader_who_refused_takes_no_part(ask, newsroom):
    """`consent: none` needs no id; the value is what the placement shows everyone, and nothing is written."""
    answer = ask(consent="none", exposure=True).json()
    assert (answer["value"], answer["reason"]) == ("status_quo", "DEFAULT")
    assert answer["metadata"]["takesPart"] is False
    assert ask(targetingKey="r1", consent="none", exposure=True).json() == answer
    assert exposures(newsroom) == []


def test_what_was_rolled_out_is_what_the_flag_says(ask, newsroom):
    """After the experiment, readers get the variant whose release is live: first some of them, then all."""
    release = next(one for one in newsroom.releases("gazette") if one.policy == "latest").release
    rollout = newsroom.start("gazette", "article-bottom", release, steps=(0.5, 1.0))
    told = {json.dumps([one["value"], one["reason"]]) for n in range(40) if (one := ask(targetingKey=f"r{n}").json())}
    assert told == {'["heuristic", "SPLIT"]', '["status_quo", "SPLIT"]'}
    newsroom.complete("gazette", rollout.rollout)
    answer = ask(targetingKey="r1").json()
    assert (answer["value"], answer["reason"]) == ("heuristic", "STATIC")


def test_an_experiment_that_is_over_is_disabled(ask, newsroom):
    """When what is live is none of its variants, the flag is off and says the control."""
    newsroom.stop("gazette", "first-light", reason="enough")
    built = newsroom.build("gazette", "popular", {})
    rollout = newsroom.start("gazette", "article-bottom", built.release, steps=(1.0,))
    newsroom.complete("gazette", rollout.rollout)
    answer = ask(targetingKey="r1").json()
    assert (answer["value"], answer["reason"]) == ("status_quo", "DISABLED")


def test_all_flags_at_once_and_nothing_when_nothing_changed(ask, newsroom):
    """ETag and 304; another reader in another variant has another tag."""
    first = ask(ALL, targetingKey="r1")
    assert [one["key"] for one in first.json()["flags"]] == ["first-light"]
    tag = first.headers["etag"]
    again = ask(ALL, targetingKey="r1", headers={"if-none-match": f'"other", W/{tag}'})
    assert (again.status_code, again.content) == (304, b"")
    tags = {ask(ALL, targetingKey=f"r{number}").headers["etag"] for number in range(20)}
    assert len(tags) == 2
    newsroom.stop("gazette", "first-light", reason="enough")
    assert ask(ALL, targetingKey="r1", headers={"if-none-match": tag}).status_code == 200


def test_the_key_says_whose_readers_they_are(ask, newsroom):
    """Another site's key asks for that site: the exposure is that site's."""
    ask(key="herald", targetingKey="r1", exposure=True)
    newsroom.publish("gazette", []).result()
    assert [event.site for _, event in newsroom.log.scan(kinds=["exposure"])] == ["herald"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "PARSE_ERROR"),
        (b"[]", 400, "INVALID_CONTEXT"),
        (b'{"context": 3}', 400, "INVALID_CONTEXT"),
        (b"{}", 400, "TARGETING_KEY_MISSING"),
        (b'{"context": {"targetingKey": 7}}', 400, "INVALID_CONTEXT"),
        (b'{"context": {"targetingKey": "r1", "consent": "perhaps"}}', 400, "INVALID_CONTEXT"),
        (b'{"context": {"targetingKey": "' + b"r" * 300 + b'"}}', 400, "INVALID_CONTEXT"),
        (b'{"context": {"x": "' + b"r" * 20_000 + b'"}}', 413, "GENERAL"),
    ],
)
def test_errors_are_the_protocols_and_ours(call, keys, body, status, code):
    """`errorCode` and `errorDetails` for the flag client, `error` as everywhere for whoever reads."""
    answer = call("POST", ONE, headers={"x-api-key": keys.public["gazette"]}, content=body)
    assert (answer.status_code, answer.json()["errorCode"]) == (status, code)
    assert answer.json()["errorDetails"]
    assert answer.json()["error"]["message"]
    assert answer.json()["key"] == "first-light"


def test_a_key_is_needed_and_a_wrong_one_refused(call, keys, tokens):
    """401 without or with an unknown key, 404 for an unknown flag, a viewer's token will do."""
    body = {"context": {"targetingKey": "r1"}}
    assert call("POST", ONE, json=body).status_code == 401
    assert call("POST", ONE, json=body, headers={"x-api-key": "pk_wrong"}).status_code == 401
    assert call("POST", ONE, json=body, headers={"authorization": "Bearer pk_wrong"}).status_code == 401
    unknown = call("POST", f"{ALL}/nothing?key={keys.public['gazette']}", json=body)
    assert (unknown.status_code, unknown.json()["errorCode"]) == (404, "FLAG_NOT_FOUND")
    assert call("POST", f"{ONE}?site=gazette", json=body, token=tokens["viewer"]).status_code == 200


def test_a_flag_client_of_a_page_may_call(call):
    """The browser's question beforehand names the headers that flag clients send, and `ETag` may be read."""
    asked = call("OPTIONS", ONE, headers={"origin": "https://gazette.example"})
    assert asked.status_code == 204
    assert {"authorization", "if-none-match", "x-api-key"} <= set(
        asked.headers["access-control-allow-headers"].split(", ")
    )


@pytest.fixture
def address(newsroom, keys):
    """A running server."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(newsroom, keys=keys), log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{taken.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    taken.close()


@pytest.mark.engines
def test_somebody_elses_flag_client_is_answered(address, keys, newsroom):
    """OpenFeature's own Python SDK and its provider evaluate a real flag, and understand each refusal."""
    openfeature = pytest.importorskip("openfeature.api", reason="needs openfeature-sdk")
    ofrep = pytest.importorskip("openfeature.contrib.provider.ofrep", reason="needs openfeature-provider-ofrep")
    from openfeature.evaluation_context import EvaluationContext
    from openfeature.exception import ErrorCode

    def client(key):
        provider = ofrep.OFREPProvider(address, headers_factory=lambda: {"Authorization": f"Bearer {key}"})
        openfeature.set_provider(provider)
        return openfeature.get_client()

    own, experiment = client(keys.public["gazette"]), newsroom.experiment("first-light")
    for number in range(20):
        found = own.get_string_details("first-light", "none", EvaluationContext(f"r{number}"))
        assert (found.value, found.error_code) == (assign(experiment, f"r{number}").name, None)
        assert (str(found.reason), found.variant) == ("SPLIT", found.value)
        assert found.flag_metadata["placement"] == "article-bottom"
    assert own.get_string_details("nothing", "x", EvaluationContext("r1")).error_code == ErrorCode.FLAG_NOT_FOUND
    assert own.get_string_details("first-light", "x").error_code == ErrorCode.TARGETING_KEY_MISSING
    wrong = own.get_string_details("first-light", "x", EvaluationContext("r1", {"consent": "perhaps"}))
    assert (wrong.value, wrong.error_code) == ("x", ErrorCode.INVALID_CONTEXT)
    assert own.get_boolean_details("first-light", True, EvaluationContext("r1")).error_code == ErrorCode.TYPE_MISMATCH
    assert exposures(newsroom) == []
    own.get_string_value("first-light", "x", EvaluationContext("r1", {"exposure": True}))
    assert [one.unit for one in exposures(newsroom)] == ["r1"]
    assert client("pk_wrong").get_string_value("first-light", "kept", EvaluationContext("r1")) == "kept"
    openfeature.shutdown()
