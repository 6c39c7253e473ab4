"""Every call of the API, fuzzed from its own OpenAPI document: whatever is sent, the answer is one the document promises.

By hand, for longer: `EMBELLIE_FUZZ=500 pytest tests/web/test_fuzz.py -m slow -s`, 500 requests for each call and kind of
data; it prints how many requests were answered with which status.
"""

import os
import sys
import warnings
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from embellie.app.keys import ROLES

EXAMPLES = int(os.environ.get("EMBELLIE_FUZZ", "12"))
WAYS = (*["admin"] * 6, *ROLES, "public", "public", "wrong", "nobody")
"""Most get through the door: what lies behind it is what is fuzzed."""


class Showing:
    """The application, called with what a caller shows in place of what was made up for it."""

    def __init__(self, app):
        self.app, self.shown = app, {}

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            mine = {b"authorization", b"x-api-key", b"x-embellie-key", b"cookie"}
            kept = [pair for pair in scope["headers"] if pair[0] not in mine]
            scope["headers"] = kept + [(name.encode(), value.encode()) for name, value in self.shown.items()]
        await self.app(scope, receive, send)


@pytest.fixture
def headers(keys, tokens):
    """What each caller shows."""
    shown = {role: {"authorization": f"Bearer {secret}"} for role, secret in tokens.items()}
    wrong = {"authorization": "Bearer sk_wrong"}
    return shown | {"nobody": {}, "wrong": wrong, "public": {"x-embellie-key": keys.public["gazette"]}}


@pytest.mark.slow
def test_whatever_is_sent_the_answer_is_one_that_the_document_promises(call, headers):
    """All calls, fitting and unfitting data, all callers: no 5xx, no undocumented status, every body as described."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis (requirements/engines.txt)")
        from schemathesis.core.result import Ok
        from schemathesis.generation.modes import GenerationMode
        from schemathesis.specs.openapi.checks import (
            content_type_conformance,
            response_schema_conformance,
            status_code_conformance,
        )

        checks = [status_code_conformance, content_type_conformance, response_schema_conformance]
        app = Showing(call.app)
        schema = schemathesis.openapi.from_asgi("/openapi.json", app)
        operations = [one.ok() for one in schema.get_all_operations() if isinstance(one, Ok)]
        answered, failures = Counter(), []
        for operation in operations:
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                try:
                    _fuzz(operation, mode, app, headers, answered, checks)
                except Unsatisfiable:
                    continue  # a call without parameters cannot be asked unfittingly
                except Exception as error:  # noqa: BLE001 -- each call's failure is told, not the first alone
                    failures.append(f"{operation.label} ({mode}): {error}")
    sys.stderr.write(
        f"\n{sum(answered.values())} requests to {len(operations)} calls: {dict(sorted(answered.items()))}\n"
    )
    assert not failures, "\n\n".join(failures)
    assert len(operations) == len({(one.method, one.path) for one in operations}) > 25
    assert {200, 401, 403, 404} <= set(answered)


def _fuzz(operation, mode, app, headers, answered, checks):
    @given(case=operation.as_strategy(generation_mode=mode), way=st.sampled_from(WAYS))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def one(case, way):
        (case.query or {}).pop("key", None)
        app.shown = headers[way]
        answer = case.call()
        answered[answer.status_code] += 1
        assert answer.status_code < 500, (case.as_curl_command(), answer.text)
        case.validate_response(answer, checks=checks)

    one()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    route=st.integers(0, 10_000),
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE"]),
    query=st.dictionaries(
        st.sampled_from(["site", "lang", "token", "next", "experiment", "metric", "reader", "placement"])
        | st.text(max_size=8),
        st.text(max_size=20),
        max_size=4,
    ),
    body=st.binary(max_size=60) | st.just(b"verb=advance&site=gazette&rollout=%FF&reason=%00"),
    way=st.sampled_from(WAYS),
)
def test_pages_and_forms_take_anything(call, headers, route, method, query, body, way):
    """Every route of the application, pages and forms included, asked with any method, query and body: never a 5xx."""
    # The stream of ticks goes on for a minute by design.
    paths = sorted({one.path for one in call.app.routes if one.path != "/events"})
    path = paths[route % len(paths)].replace("{name:path}", "x/y").replace("{", "").replace("}", "")
    answer = call(method, path, params=query, content=body, headers=headers[way] | {"accept": "text/html"})
    assert answer.status_code < 500, (path, answer.text)
