"""OpenAPI: the document of the API, made from the table of routes and the messages themselves."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from embellie import __version__
from embellie.domain.event import KINDS, PUBLIC_KINDS
from embellie.web.calls import Call
from embellie.web.problems import ErrorMessage

_REF = "#/components/schemas/{name}"
_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")

_ERRORS = {
    400: "The body is no JSON.",
    401: "A key or token is missing, or not known.",
    403: "The key or role is not enough, or the page's origin is not the site's.",
    404: "A name does not exist; the hint lists those that do.",
    405: "The path does not take this method.",
    409: "The present state does not allow it.",
    413: "More than one call may carry.",
    422: "What was sent is wrong; `at` says where.",
    429: "Too many calls; see `Retry-After`.",
    500: "Something failed on our side.",
    503: "Try again later; see `Retry-After`.",
}


def document(calls: Sequence[Call]) -> dict[str, Any]:
    """Describe the calls in OpenAPI 3.1."""
    schemas = _schemas(calls)
    paths: dict[str, dict[str, Any]] = {}
    for call in calls:
        paths.setdefault(template(call.path), {})[call.method.lower()] = _operation(call, schemas)
    for query in {call.query for call in calls}:
        schemas.pop(query.__name__, None)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "embellie",
            "version": __version__,
            "description": "Recommend articles, measure what it changes, decide on money.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "publicKey": {"type": "apiKey", "in": "query", "name": "key", "description": "A site's public key."},
                "publicKeyHeader": {"type": "apiKey", "in": "header", "name": "X-Embellie-Key"},
                "token": {"type": "http", "scheme": "bearer", "description": "An API token with a role."},
            },
        },
    }


def template(path: str) -> str:
    """Return a route's path as OpenAPI writes it.

    >>> template("/v1/experiments/{name:path}")
    '/v1/experiments/{name}'
    """
    return _PARAMETER.sub(r"{\1}", path)


def _schemas(calls: Iterable[Call]) -> dict[str, Any]:
    types: list[Any] = [ErrorMessage, *KINDS.values()]
    for call in calls:
        types += [call.query, call.answer, call.error, *([call.body] if call.body else [])]
    _, components = msgspec.json.schema_components(types, ref_template=_REF)
    components["Event"] = _event_schema()
    if "EventBatch" in components:
        components["EventBatch"]["properties"]["events"]["items"] = {"$ref": _REF.format(name="Event")}
        components["EventBatch"]["properties"]["events"]["maxItems"] = 500
    if "ArticleBatch" in components:
        components["ArticleBatch"]["properties"]["articles"]["items"] = {"$ref": _REF.format(name="Article")}
    return dict(components)


def _event_schema() -> dict[str, Any]:
    return {
        "description": (
            "A fact: this header and the own fields of its kind, side by side. "
            f"A public key may send: {', '.join(sorted(PUBLIC_KINDS))}."
        ),
        "type": "object",
        "required": ["id", "kind", "at"],
        "properties": {
            "id": {"type": "string", "description": "Minted by the sender: a UUIDv7, or a UUIDv5 of the fact."},
            "site": {"type": "string", "description": "The key's site, when left out."},
            "kind": {"type": "string", "enum": sorted(KINDS)},
            "at": {"type": "string", "format": "date-time", "description": "When it happened, UTC."},
            "consent": {"type": "string", "enum": ["profiling", "measurement", "none"], "default": "none"},
            "schema": {"type": "integer", "default": 1},
        },
        "anyOf": [{"$ref": _REF.format(name=body.__name__)} for body in KINDS.values()],
    }


def _operation(call: Call, schemas: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": _operation_id(call),
        "summary": call.summary,
        "parameters": [*_path_parameters(call), *_query_parameters(call, schemas)],
        "responses": _responses(call),
        "security": _security(call),
        "x-role": call.role or "anyone",
    }
    if call.body is not None:
        schema = {"$ref": _REF.format(name=call.body.__name__)}
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return found


def _operation_id(call: Call) -> str:
    words = [word for word in re.split(r"[/{}.:]+", template(call.path)) if word not in ("", "v1")]
    return "_".join([call.method.lower(), *words])


def _path_parameters(call: Call) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(call.path)
    ]


def _query_parameters(call: Call, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    schema = schemas[call.query.__name__]
    required = schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": kind}
        for name, kind in schema["properties"].items()
        if name != "key"
    ]


def _responses(call: Call) -> dict[str, Any]:
    answer = {"type": "string"} if call.answer is str else {"$ref": _REF.format(name=call.answer.__name__)}
    found: dict[str, Any] = {
        str(call.status): {"description": "Done.", "content": {call.content_type.partition(";")[0]: {"schema": answer}}}
    }
    found |= {str(status): {"description": "Not changed: what the client has still holds."} for status in call.also}
    for status in _error_statuses(call):
        found[str(status)] = {
            "description": _ERRORS[status],
            "content": {"application/json": {"schema": {"$ref": _REF.format(name=_error_of(call, status).__name__)}}},
        }
        if status in (429, 503):
            found[str(status)]["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    return found


def _error_of(call: Call, status: int) -> type:
    """A path that does not take a method answers before any call does."""
    return ErrorMessage if status == 405 else call.error


def _error_statuses(call: Call) -> list[int]:
    statuses = {405, 422, 500, 503}
    if call.role is not None:
        statuses |= {401, 403, 404, 429}
    if call.body is not None:
        statuses |= {400, 413}
    if call.method == "POST" and call.role in ("operator", "admin"):
        statuses.add(409)
    if call.error_as is not None:
        statuses.discard(422)
    return sorted(statuses)


def _security(call: Call) -> list[dict[str, list[str]]]:
    if call.role is None:
        return []
    ways: list[dict[str, list[str]]] = [{"token": []}]
    return [{"publicKey": []}, {"publicKeyHeader": []}, *ways] if call.public else ways
