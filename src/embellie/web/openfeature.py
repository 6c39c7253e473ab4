"""OpenFeature: which variant a reader has, by its remote evaluation protocol (OFREP), for any flag client.

A flag is an experiment; its value is the name of the reader's variant. To ask is not yet to show: an exposure is put in
the log only when the context says `exposure = true`, and then it is the server's own, whatever the client believes.

Source: the protocol's OpenAPI document, https://github.com/open-feature/protocol/blob/main/service/openapi.yaml
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from embellie.domain.errors import InputError, unknown_name
from embellie.domain.experiment import Evaluation, Why
from embellie.domain.slate import Consent, SlateRequest
from embellie.web.bots import bot_sign
from embellie.web.calls import KILOBYTE, Ask, Call, Reply
from embellie.web.messages import SiteQuery
from embellie.web.problems import ErrorDetail, Problem

FlagError = Literal["PARSE_ERROR", "TARGETING_KEY_MISSING", "INVALID_CONTEXT", "FLAG_NOT_FOUND", "GENERAL"]

LONGEST_KEY = 256
"""Characters that a reader's id may have here."""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks: `targetingKey` is the reader's id. Other attributes are left alone; nothing else decides.

    `consent` is as for a slate; with `none` no id is needed, and no reader takes part. `exposure` says that the reader meets
    the variant now.
    """

    targetingKey: str = ""  # noqa: N815 -- the protocol's word
    consent: Consent | None = None
    exposure: bool = False


class FlagRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a flag client sends."""

    context: Context = Context()


class FlagMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """What else there is to know of a flag's value."""

    placement: str
    scenario: str
    release: str
    takesPart: bool  # noqa: N815 -- the protocol's spelling


class FlagValue(msgspec.Struct, frozen=True, kw_only=True):
    """A flag's value: the name of the reader's variant."""

    key: str
    value: str
    variant: str
    reason: Why
    metadata: FlagMetadata


class FlagValues(msgspec.Struct, frozen=True, kw_only=True):
    """All flags of a site."""

    flags: list[FlagValue]


class FlagProblem(msgspec.Struct, frozen=True, kw_only=True):
    """A failed evaluation, in the protocol's words and in those of every other call."""

    errorCode: FlagError  # noqa: N815 -- the protocol's spelling
    errorDetails: str  # noqa: N815 -- the protocol's spelling
    error: ErrorDetail
    key: str = ""


async def evaluate_flag(ask: Ask[SiteQuery, FlagRequest]) -> FlagValue:
    """Tell which variant of one experiment a reader has."""
    key = ask.path["key"]
    known = [one.experiment for one in ask.newsroom.experiments(ask.site())]
    if key not in known:
        raise unknown_name("flag", key[:80], known)
    (found,) = ask.newsroom.evaluate(_request(ask), key, expose=ask.body.context.exposure)
    return _value(found)


async def evaluate_flags(ask: Ask[SiteQuery, FlagRequest]) -> Reply:
    """Tell which variant of each experiment a reader has; 304 when that is what the client knows."""
    if ask.body.context.exposure:
        raise InputError(
            "`exposure` with all flags at once.",
            hint="Ask for the one flag that the reader meets now: to fetch flags ahead shows nothing to anyone.",
            at="$.context.exposure",
        )
    found = sorted(ask.newsroom.evaluate(_request(ask)), key=lambda one: one.experiment.experiment)
    body = msgspec.json.encode(FlagValues(flags=[_value(one) for one in found]))
    tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'.encode()
    known = {one.strip().removeprefix(b"W/") for one in ask.headers.get(b"if-none-match", b"").split(b",")}
    headers = ((b"etag", tag), (b"cache-control", b"private, no-cache"), (b"access-control-expose-headers", b"etag"))
    unchanged = tag in known
    return Reply(b"" if unchanged else body, "application/json", headers, 304 if unchanged else 200)


def _request(ask: Ask[SiteQuery, FlagRequest]) -> SlateRequest:
    context, newsroom = ask.body.context, ask.newsroom
    if not context.targetingKey and context.consent != "none":
        raise InputError(
            "`targetingKey` is missing.",
            hint="Give the reader's id, or `consent: none` for a reader who may not be followed.",
            at="$.context.targetingKey",
            code="targeting_key_missing",
        )
    if len(context.targetingKey) > LONGEST_KEY:
        raise InputError(
            f"`targetingKey` has more than {LONGEST_KEY} characters.",
            hint="Give a pseudonymous id.",
            at="$.context.targetingKey",
        )
    return SlateRequest(
        site=ask.site(),
        placement="",
        n=0,
        now=newsroom.clock(),
        reader=context.targetingKey,
        consent=context.consent or "measurement",
        bot=bot_sign(ask.headers.get(b"user-agent", b"")),
    )


def _value(found: Evaluation) -> FlagValue:
    variant = next(one for one in found.experiment.variants if one.name == found.variant)
    return FlagValue(
        key=found.experiment.experiment,
        value=found.variant,
        variant=found.variant,
        reason=found.reason,
        metadata=FlagMetadata(
            placement=found.experiment.placement,
            scenario=variant.scenario,
            release=variant.release,
            takesPart=found.takes_part,
        ),
    )


_CODES: Mapping[str, FlagError] = {
    "invalid_json": "PARSE_ERROR",
    "targeting_key_missing": "TARGETING_KEY_MISSING",
    "invalid_input": "INVALID_CONTEXT",
    "unknown_flag": "FLAG_NOT_FOUND",
}


def as_flag_problem(found: Problem, path: Mapping[str, str]) -> Problem:
    """Write a problem as the protocol has it: its own codes, and 400 for what cannot be read."""
    detail = found.detail
    said = FlagProblem(
        key=path.get("key", ""),
        errorCode=_CODES.get(detail.code, "GENERAL"),
        errorDetails=f"{detail.message} {detail.hint}".strip(),
        error=detail,
    )
    status = 400 if found.status == 422 else found.status
    return Problem(status, detail, found.headers, msgspec.json.encode(said))


_SHARED: dict[str, Any] = {
    "method": "POST",
    "public": True,
    "query": SiteQuery,
    "body": FlagRequest,
    "limit": 16 * KILOBYTE,
    "error": FlagProblem,
    "error_as": as_flag_problem,
}

CALLS: tuple[Call, ...] = (
    Call(
        path="/ofrep/v1/evaluate/flags/{key}",
        handler=evaluate_flag,
        answer=FlagValue,
        summary="Which variant of an experiment a reader has (OpenFeature).",
        **_SHARED,
    ),
    Call(
        path="/ofrep/v1/evaluate/flags",
        handler=evaluate_flags,
        answer=FlagValues,
        summary="Which variant of each experiment a reader has (OpenFeature).",
        also=(304,),
        **_SHARED,
    ),
)
"""The calls of the protocol."""
