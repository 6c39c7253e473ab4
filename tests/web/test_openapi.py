"""The OpenAPI document says what the server does."""

from pathlib import Path

import pytest
from starlette.routing import Route

from embellie.domain.event import KINDS
from embellie.web.api import TABLE
from embellie.web.openapi import document, template


@pytest.fixture(scope="module")
def described():
    return document(TABLE)


def references(value):
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


def test_every_route_is_described_and_nothing_else(call, described):
    """The document's paths and methods are those of the running application."""
    served = {
        (template(route.path), method)
        for route in call.app.routes
        if isinstance(route, Route)
        and route.path.startswith(("/v1", "/ofrep", "/widget", "/metrics", "/healthz", "/readyz"))
        for method in route.methods - {"HEAD", "OPTIONS"}
    }
    written = {(path, method.upper()) for path, methods in described["paths"].items() for method in methods}
    assert written == served


def test_every_reference_leads_somewhere(described):
    """No dangling `$ref`, no unused schema."""
    wanted = {one.rpartition("/")[2] for one in references(described)}
    assert wanted == set(described["components"]["schemas"])


def test_every_kind_of_event_is_described(described):
    """An event's own fields are in the document."""
    kinds = {one["$ref"].rpartition("/")[2] for one in described["components"]["schemas"]["Event"]["anyOf"]}
    assert kinds == {body.__name__ for body in KINDS.values()}


def test_every_call_has_a_name_of_its_own_and_its_errors(described):
    """Generated clients get distinct names, and know every status."""
    operations = [one for methods in described["paths"].values() for one in methods.values()]
    names = [one["operationId"] for one in operations]
    assert len(set(names)) == len(names)
    assert all({"405", "500"} < set(one["responses"]) for one in operations)


def test_the_document_is_served_to_anyone(call, described):
    """/openapi.json, version 3.1."""
    answer = call("GET", "/openapi.json")
    assert answer.json()["openapi"].startswith("3.1")
    assert answer.json()["paths"].keys() == described["paths"].keys()


def test_the_page_on_http_names_every_call():
    """The reference for people lists what the document for machines does."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "http.md").read_text(encoding="utf-8")
    assert [entry for entry in TABLE if f"`{entry.method} {template(entry.path)}`" not in page] == []
