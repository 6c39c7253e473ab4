"""Errors: one shape, wherever they come from."""

import logging
import re
import sqlite3

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embellie.domain.errors import EmbellieError
from embellie.web.api import TABLE
from embellie.web.problems import ErrorMessage, problem

PATHS = sorted({re.sub(r"{\w+(:path)?}", "x", entry.path) for entry in TABLE} | {"/nowhere"})

FLAG_WORDS = {"key", "errorCode", "errorDetails"}
"""What the protocol of flags says beside."""


def shape(answer):
    """The error, if the answer is one in the one shape."""
    message = msgspec.json.decode(answer.content, type=ErrorMessage).error
    spoken = FLAG_WORDS if answer.url.path.startswith("/ofrep/") else set()
    assert set(answer.json()) - spoken == {"error"}
    assert set(answer.json()["error"]) == {"code", "message", "hint", "at"}
    assert message.code
    assert message.message.endswith((".", "?"))
    assert "Traceback" not in answer.text
    return message


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"]),
    path=st.sampled_from(PATHS),
    query=st.dictionaries(st.sampled_from(["site", "placement", "n", "key", "consent", "x"]), st.text(max_size=8), max_size=3),
    body=st.one_of(
        st.binary(max_size=40),
        st.builds(msgspec.json.encode, st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["events", "articles", "kind", "id", "policy", "rule"]), inner, max_size=3), max_leaves=6)),
    ),
)  # fmt: skip
def test_whatever_is_sent_fails_in_the_one_shape(call, tokens, method, path, query, body):
    """No call answers 500; each failure has a code, a message, a hint and a place."""
    answer = call(method, path, params=query, content=body, token=tokens["admin"])
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400 and method != "HEAD":
        shape(answer)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code", "at"),
    [
        ("GET", "/v1/slate?site=gazette&placement=botom", None, 404, "unknown_placement", "?placement"),
        ("GET", "/v1/slate?site=gazette", None, 422, "invalid_input", "?placement"),
        ("GET", "/v1/slate?site=gazette&placement=sidebar&n=x", None, 422, "invalid_input", "?n"),
        ("GET", "/v1/slate?site=gazette&placement=sidebar&n=0", None, 422, "invalid_input", "?n"),
        ("GET", "/v1/slate?site=gazette&placment=sidebar", None, 422, "unknown_parameter", "?placment"),
        ("GET", "/v1/slate?site=gazete&placement=sidebar", None, 404, "unknown_site", "?site"),
        ("GET", "/v1/articles", None, 422, "invalid_input", "?site"),
        ("GET", "/v1/experiments/first-ligt", None, 404, "unknown_experiment", ""),
        ("GET", "/v1/slates", None, 404, "not_found", ""),
        ("DELETE", "/v1/slate", None, 405, "method_not_allowed", ""),
        ("POST", "/v1/events?site=gazette", b'{"events": [\n1,,]}', 400, "invalid_json", "line 2, column 3"),
        ("POST", "/v1/events?site=gazette", b"\xff", 400, "invalid_json", "line 1, column 1"),
        ("POST", "/v1/events?site=gazette", b'{"events":' + b"[" * 5000, 400, "invalid_json", ""),
        ("POST", "/v1/events?site=gazette", b'{"event": []}', 422, "invalid_input", "$"),
        ("POST", "/v1/events?site=gazette", b'{"events": {}}', 422, "invalid_input", "$.events"),
        ("POST", "/v1/events?site=gazette", b'{"events":[' + b"{}," * 500 + b"{}]}", 413, "too_many_events", "$.events"),
        ("POST", "/v1/events?site=gazette", b'{"events":["' + b"x" * 256 * 1024 + b'"]}', 413, "too_large", ""),
        ("POST", "/v1/articles?site=gazette", b'{"articles": [{"article": "a", "titel": "T"}]}', 422, "invalid_article", "$.articles[0].titel"),
        ("POST", "/v1/articles?site=gazette", b'{"articles": [{"article": ""}]}', 422, "invalid_input", "$.articles[0].article"),
        ("POST", "/v1/rules?site=gazette", b'{"rule": "x", "action": "bann"}', 422, "invalid_rule", "$.action"),
        ("POST", "/v1/releases?site=gazette", b'{"policy": "populer"}', 404, "unknown_policy", ""),
        ("POST", "/v1/rollouts/none/advance?site=gazette", b"", 404, "unknown_rollout", ""),
        ("POST", "/v1/tokens", b'{"name": "x", "role": "boss"}', 422, "invalid_input", "$.role"),
    ],
)  # fmt: skip
def test_each_mistake_is_answered_with_what_and_where(call, tokens, method, path, body, status, code, at):
    """The status, the code and the place of the mistakes people make."""
    answer = call(method, path, content=body, token=tokens["admin"])
    found = shape(answer)
    assert (answer.status_code, found.code) == (status, code), answer.text
    assert at in found.at


def test_an_unknown_name_comes_with_those_that_exist(call, keys):
    """A typo in a placement is one glance from its correction."""
    answer = call("GET", f"/v1/slate?key={keys.public['gazette']}&placement=articel-bottom")
    assert answer.json()["error"] == {
        "code": "unknown_placement",
        "message": "Unknown placement `articel-bottom`.",
        "hint": "Did you mean `article-bottom`? Available: article-bottom, sidebar.",
        "at": "?placement",
    }


def test_an_unknown_address_comes_with_the_nearest(call):
    """404 suggests the address that was meant."""
    assert "`/v1/slate`" in call("GET", "/v1/slat").json()["error"]["hint"]


def test_the_methods_a_path_takes_are_named(call):
    """405 carries Allow."""
    assert set(call("PUT", "/v1/rules").headers["allow"].split(", ")) >= {"GET", "POST"}


def test_an_unexpected_error_says_nothing_of_our_insides(caplog):
    """500 carries a reference, and the log the rest."""
    with caplog.at_level(logging.ERROR, logger="embellie.web"):
        found = problem(ZeroDivisionError("secret"))
    assert found.status == 500
    assert "secret" not in found.body().decode()
    assert found.detail.hint.split("`")[1] in caplog.text


@pytest.mark.parametrize("error", [sqlite3.OperationalError("database or disk is full"), OSError(28, "No space left")])
def test_a_disk_that_fails_is_a_reason_to_try_later(error):
    """503 with Retry-After."""
    found = problem(error)
    assert (found.status, dict(found.headers)["Retry-After"]) == (503, "1")


def subclasses(type_):
    return [type_, *(below for one in type_.__subclasses__() for below in subclasses(one))]


@pytest.mark.parametrize("type_", subclasses(EmbellieError), ids=lambda type_: type_.__name__)
def test_every_error_of_ours_has_its_status(type_):
    """No error of ours becomes a 500."""
    found = problem(type_("It is `x`.", hint="Do y.", at="z"))
    assert 400 <= found.status <= 503
    assert found.status != 500
    assert (found.detail.message, found.detail.hint, found.detail.at) == ("It is `x`.", "Do y.", "z")


def test_a_word_that_is_no_choice_is_told_the_choices(call, tokens):
    """In a body and in a parameter, the choices and the nearest one; not that an enum is invalid."""
    rule = shape(
        call(
            "POST",
            "/v1/rules?site=gazette",
            token=tokens["editor"],
            json={"rule": "x", "action": "bann", "section": "s"},
        )
    )
    assert (rule.message, rule.hint) == (
        "Unknown action `bann`.",
        "Did you mean `ban`? Available: ban, boost, cap, embargo, floor, pin.",
    )
    assert rule.at == "$.action"
    token = shape(call("POST", "/v1/tokens", token=tokens["admin"], json={"name": "x", "role": "editr"}))
    assert (token.message, token.at) == ("Unknown role `editr`.", "$.role")
    slate = shape(call("GET", "/v1/slate?site=gazette&placement=article-bottom&consent=yes", token=tokens["viewer"]))
    assert slate.hint == "Available: measurement, none, profiling."
