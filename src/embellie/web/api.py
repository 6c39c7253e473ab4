"""API: the table of routes, and what each call does."""

import asyncio
import hashlib
import os
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import msgspec

from embellie.app.deciding import verdict_document
from embellie.app.erasing import erase_reader, erasure_document
from embellie.app.health import health_of
from embellie.app.intake import body_from
from embellie.app.log_keeping import place_of
from embellie.app.reader_data import reader_document
from embellie.app.releasing import experiment_document, release_document, rollout_document
from embellie.app.restating import restated_document
from embellie.app.scorecard_document import Format, file_bytes, scorecard_document, series_document
from embellie.domain.article import Article
from embellie.domain.errors import Busy, EmbellieError, InputError, unknown_name
from embellie.domain.rule import Rule
from embellie.web.calls import KILOBYTE, Ask, Call, Reply
from embellie.web.event_posts import events, read_post
from embellie.web.messages import (
    MAX_ARTICLES,
    ArticleBatch,
    ArticlesAnswer,
    ConcernAnswer,
    ErasureAnswer,
    EventBatch,
    ExperimentsAnswer,
    HealthAnswer,
    LedgerAnswer,
    LedgerLine,
    NoQuery,
    PublishedAnswer,
    QuestionAnswer,
    ReaderAnswer,
    ReaderQuery,
    Reason,
    ReceiptAnswer,
    ReleaseAnswer,
    ReleaseOrder,
    ReleasesAnswer,
    RolloutAnswer,
    RolloutOrder,
    RolloutsAnswer,
    RulesAnswer,
    ScorecardAnswer,
    SeriesAnswer,
    SeriesQuery,
    SiteQuery,
    SlateAnswer,
    SlateQuery,
    TokenAnswer,
    TokenOrder,
    TokensAnswer,
    VerdictAnswer,
)
from embellie.web.metrics_text import CONTENT_TYPE
from embellie.web.openfeature import CALLS as FLAG_CALLS
from embellie.web.problems import TooLarge
from embellie.web.settling import settled
from embellie.web.slates import slate

if TYPE_CHECKING:
    from embellie.app.newsroom import Newsroom

WIDGET = Path(__file__).parent / "static" / "widget.v1.js"
READY_SECONDS = 2.0
SLOW_SECONDS = 1.0


# serve


# recommend


async def publish(ask: Ask[SiteQuery, ArticleBatch]) -> PublishedAnswer:
    """Publish articles, or publish them again as they changed."""
    site, raw = ask.site(), ask.body.articles
    if len(raw) > MAX_ARTICLES:
        raise TooLarge(f"{len(raw)} articles in one post.", hint=f"Send at most {MAX_ARTICLES}.", at="$.articles")
    articles = [_article(one, f"$.articles[{index}]") for index, one in enumerate(raw)]
    known = [ask.newsroom.article(site, one.article) for one in articles]
    await settled(ask.newsroom.publish(site, articles))
    new = sum(before is None for before in known)
    unchanged = sum(before == now for before, now in zip(known, articles, strict=True))
    return PublishedAnswer(site=site, new=new, updated=len(articles) - new - unchanged, unchanged=unchanged)


def _article(raw: object, at: str) -> Article:
    found = body_from("article", raw, at=at)
    assert isinstance(found, Article)  # noqa: S101 -- what the kind means
    if not found.article:
        raise InputError("The article has no id.", hint="Give each article its own, stable id.", at=f"{at}.article")
    return found


def articles(ask: Ask[SiteQuery, None]) -> ArticlesAnswer:
    """List what readers may be shown now."""
    site = ask.site()
    return ArticlesAnswer(site=site, articles=list(ask.newsroom.articles(site)))


def rules(ask: Ask[SiteQuery, None]) -> RulesAnswer:
    """List the editorial rules that hold now."""
    site = ask.site()
    return RulesAnswer(site=site, rules=list(ask.newsroom.rules(site)))


def rule(ask: Ask[SiteQuery, dict[str, Any]]) -> RulesAnswer:
    """Write or replace an editorial rule; it holds when this returns."""
    site, written = ask.site(), body_from("rule", ask.body)
    assert isinstance(written, Rule)  # noqa: S101 -- what the kind means
    ask.newsroom.file(site, replace(written, by=ask.caller.name or written.by))
    return RulesAnswer(site=site, rules=list(ask.newsroom.rules(site)))


# readers


def reader(ask: Ask[ReaderQuery, None]) -> Any:
    """Give all that is kept of a reader."""
    newsroom = ask.newsroom
    return reader_document(
        place_of(newsroom.folder), ask.path["id"], site=_named_site(ask), now=newsroom.clock(), log=newsroom.log
    )


def forget(ask: Ask[ReaderQuery, None]) -> Reply:
    """Erase a reader everywhere, and tell the proof; `gone` is false when the id is still found anywhere."""
    newsroom = ask.newsroom
    report = erase_reader(
        place_of(newsroom.folder), ask.path["id"], site=_named_site(ask), now=newsroom.clock(), log=newsroom.log
    )
    return Reply(msgspec.json.encode(erasure_document(report)), "application/json")


def _named_site(ask: Ask[ReaderQuery, None]) -> str:
    """Check the site that is named; `""` is all of them."""
    named = ask.query.site
    if named and named not in ask.newsroom.sites:
        raise unknown_name("site", named[:80], ask.newsroom.sites, at="?site")
    return named


# measure


def experiments(ask: Ask[SiteQuery, None]) -> Any:
    """List the experiments."""
    site = ask.site()
    found = [experiment_document(one) for one in ask.newsroom.experiments(site)]
    return {"schema": "embellie/experiments/1", "site": site, "experiments": found}


def scorecard(ask: Ask[NoQuery, None]) -> Any:
    """Score an experiment from the log."""
    name = ask.path["name"]
    return scorecard_document(ask.newsroom.scorecard(name)) | _restated(ask.newsroom, name)


def scorecard_series(ask: Ask[SeriesQuery, None]) -> Any:
    """Tell one metric's effects over time; the primary one's when none is named."""
    name = ask.path["name"]
    metric = ask.query.metric or ask.newsroom.experiment(name).primary
    return series_document(ask.newsroom.scorecard_history(name), metric) | _restated(ask.newsroom, name)


def _restated(newsroom: "Newsroom", experiment: str) -> dict[str, Any]:
    return {"restated": restated_document(newsroom.restated(experiment))}


def scorecard_file(ask: Ask[NoQuery, None], *, as_: Format) -> Reply:
    """Give a scorecard's rows as a file."""
    name = ask.path["name"]
    content = file_bytes(ask.newsroom.scorecard(name), as_=as_)
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "scorecard"
    disposition = f'attachment; filename="{plain}.{as_}"'.encode()
    headers = (
        (b"content-disposition", disposition),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    )
    return Reply(content, FILE_TYPES[as_], headers)


# frame, decide


def question(ask: Ask[NoQuery, None]) -> Any:
    """Read the question as it is written now."""
    found = ask.newsroom.question()
    plain: dict[str, Any] = {
        name: msgspec.to_builtins(getattr(found, name))
        for name in QuestionAnswer.__struct_fields__
        if name not in ("schema", "correlations")
    }
    correlations = {f"{one} ~ {other}": value for (one, other), value in found.correlations.items()}
    return {"schema": "embellie/question/1", **plain, "correlations": correlations}


def verdict(ask: Ask[NoQuery, None]) -> Any:
    """Judge the question with all the evidence."""
    return verdict_document(ask.newsroom.verdict())


# release


def releases(ask: Ask[SiteQuery, None]) -> ReleasesAnswer:
    """List what was built."""
    site = ask.site()
    stable = dict(ask.newsroom.stable(site))
    return ReleasesAnswer(site=site, stable=stable, releases=list(ask.newsroom.releases(site)))


def build(ask: Ask[SiteQuery, ReleaseOrder]) -> Any:
    """Build a release."""
    order = ask.body
    built = ask.newsroom.build(ask.site(), order.policy, order.settings, note=order.note)
    return release_document(built)


def rollouts(ask: Ask[SiteQuery, None]) -> Any:
    """List the rollouts as they stand."""
    site = ask.site()
    found = [rollout_document(one) for one in ask.newsroom.rollouts(site)]
    return {"schema": "embellie/rollouts/1", "site": site, "rollouts": found}


def start(ask: Ask[SiteQuery, RolloutOrder]) -> Any:
    """Start rolling a release out."""
    order = ask.body
    started = ask.newsroom.start(
        ask.site(), order.placement, order.release, steps=tuple(order.steps), by=ask.caller.name
    )
    return rollout_document(started)


def change(ask: Ask[SiteQuery, Reason], *, verb: str) -> Any:
    """Advance, hold, complete or roll back; live when this returns."""
    turn = getattr(ask.newsroom, verb)
    return rollout_document(turn(ask.site(), ask.path["name"], by=ask.caller.name, reason=ask.body.reason))


# operate


def ledger(ask: Ask[NoQuery, None]) -> LedgerAnswer:
    """Read the conservation ledger."""
    rows = [
        LedgerLine(
            site=row.site,
            hour=row.hour,
            received=row.received,
            accepted=row.accepted,
            duplicates=row.duplicates,
            quarantined=row.quarantined,
            erased=row.erased,
            refused=row.refused,
        )
        for row in ask.newsroom.ledger()
    ]
    balanced = all(row.received == row.accepted + row.duplicates + row.quarantined for row in rows)
    return LedgerAnswer(balanced=balanced, rows=rows)


def tokens(ask: Ask[NoQuery, None]) -> TokensAnswer:
    """List the tokens."""
    return TokensAnswer(tokens=[TokenAnswer(name=one.name, role=one.role) for one in ask.desk.door.keys.tokens()])


def issue(ask: Ask[NoQuery, TokenOrder]) -> TokenAnswer:
    """Make a token; its secret is said now and never again."""
    secret = ask.desk.door.keys.issue(ask.body.role, name=ask.body.name)
    return TokenAnswer(name=ask.body.name, role=ask.body.role, secret=secret)


def revoke(ask: Ask[NoQuery, None]) -> TokensAnswer:
    """Revoke a token, and the sessions opened with it, at once."""
    ask.desk.door.keys.revoke(ask.path["name"])
    return tokens(ask)


async def healthz(ask: Ask[NoQuery, None]) -> HealthAnswer:
    """Tell that the process answers."""
    return HealthAnswer(ready=True, simulated=ask.newsroom.simulated, process=os.getpid())


async def readyz(ask: Ask[NoQuery, None]) -> HealthAnswer:
    """Tell that the log takes writes, and what is not as it should be; degraded is ready all the same.

    The folds are complete before the server listens, and follow each write.
    """
    if ask.desk.stopping.is_set():
        raise Busy("The server is stopping.", hint="Ask another one.", code="stopping")
    started = time.monotonic()
    try:
        empty = ask.newsroom.log.submit([], received_at=ask.newsroom.clock())
        await asyncio.wait_for(settled(empty), READY_SECONDS)
    except (EmbellieError, TimeoutError):
        raise Busy("The log does not take writes.", hint="See the disk of the data folder.", code="not_ready") from None
    found = await anyio.to_thread.run_sync(health_of, ask.newsroom)
    concerns = [ConcernAnswer(code=one.code, message=one.message, hint=one.hint) for one in found.concerns]
    if time.monotonic() - started > SLOW_SECONDS:
        concerns.append(
            ConcernAnswer(code="log_busy", message="The log is slow to write.", hint="See the disk of the data folder.")
        )
    serving, wanted = ask.desk.shared.workers()
    if serving < wanted:
        message = f"{serving} of {wanted} workers serve."
        concerns.append(ConcernAnswer(code="workers_missing", message=message, hint="See the server's messages."))
    return HealthAnswer(
        ready=True,
        simulated=ask.newsroom.simulated,
        process=os.getpid(),
        degraded=bool(concerns),
        concerns=concerns,
    )


async def metrics(ask: Ask[NoQuery, None]) -> Reply:
    """Write the server's metrics for Prometheus."""
    found = await anyio.to_thread.run_sync(health_of, ask.newsroom)
    tally, resident, of_the_workers = ask.desk.shared.all()
    gauges = {
        "embellie_degraded": ("What is not as it should be, see /readyz: how many things.", float(len(found.concerns))),
        "embellie_disk_free_bytes": ("Bytes free for the data folder.", float(found.disk_free)),
        "embellie_feeds_stale": ("Feeds that were not read for long.", float(found.feeds_stale)),
        "embellie_models_missing": ("Placements served without their model.", float(found.models_missing)),
        "embellie_log_last_sequence": ("Sequence number of the last event of the log.", float(ask.newsroom.log.last())),
        "embellie_workers": ("Workers that serve.", float(ask.desk.shared.workers()[0])),
        "process_resident_memory_bytes": ("Resident memory, of all workers.", resident),
    } | _state_gauges(ask.newsroom)
    return Reply((tally.text(gauges=gauges) + of_the_workers).encode(), CONTENT_TYPE)


def _state_gauges(newsroom: "Newsroom") -> dict[str, tuple[str, float]]:
    """Tell how the server started, and from what it would start next; no age and size where there is no state file."""
    start = newsroom.started
    gauges = {
        "embellie_state_start_seconds": ("Time to fold the log at the start.", start.seconds),
        "embellie_state_start_events": ("Events folded at the start.", float(start.folded)),
        "embellie_state_start_warm": ("Whether the start took up the state file.", float(start.taken > 0)),
    }
    try:
        found = newsroom.state_file.stat()
    except OSError:
        return gauges
    age = max(0.0, newsroom.clock().timestamp() - found.st_mtime)
    return gauges | {
        "embellie_state_file_age_seconds": ("Time since the state file was written.", age),
        "embellie_state_file_bytes": ("Size of the state file.", float(found.st_size)),
    }


def widget(ask: Ask[NoQuery, None]) -> Reply:
    """Give the widget's script; any page may load it, and browsers keep it for a day."""
    try:
        script = WIDGET.read_bytes()
    except FileNotFoundError:
        raise unknown_name("script", "widget.v1.js", [], at="/widget/v1.js") from None
    tag = f'"{hashlib.sha256(script).hexdigest()[:16]}"'.encode()
    headers = ((b"etag", tag), (b"cache-control", b"public, max-age=86400"), (b"access-control-allow-origin", b"*"))
    unchanged = ask.headers.get(b"if-none-match") == tag
    return Reply(b"" if unchanged else script, "text/javascript; charset=utf-8", headers, 304 if unchanged else 200)


FILE_TYPES: Mapping[Format, str] = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
FILE_WORDS: Mapping[Format, str] = {"csv": "CSV", "parquet": "Parquet"}

VERBS = ("advance", "hold", "complete", "rollback")

TABLE: tuple[Call, ...] = (
    Call(method="GET", path="/v1/slate", handler=slate, public=True, query=SlateQuery, answer=SlateAnswer, also=(304,),
         summary="Which articles to show a reader, here, now."),
    Call(method="POST", path="/v1/events", handler=events, public=True, role="editor", query=SiteQuery, body=EventBatch,
         read=read_post, answer=ReceiptAnswer, status=202, summary="What readers did; answered once it is on disk."),
    *FLAG_CALLS,
    Call(method="GET", path="/v1/articles", handler=articles, query=SiteQuery, answer=ArticlesAnswer,
         summary="What readers may be shown now."),
    Call(method="POST", path="/v1/articles", handler=publish, role="editor", query=SiteQuery, body=ArticleBatch,
         answer=PublishedAnswer, limit=8192 * KILOBYTE, summary="Publish articles, or publish them again."),
    Call(method="GET", path="/v1/rules", handler=rules, query=SiteQuery, answer=RulesAnswer,
         summary="The editorial rules that hold now."),
    Call(method="POST", path="/v1/rules", handler=rule, role="editor", query=SiteQuery, body=Rule,
         answer=RulesAnswer, summary="Write or replace an editorial rule."),
    Call(method="GET", path="/v1/readers/{id:path}", handler=reader, role="operator", query=ReaderQuery,
         answer=ReaderAnswer, summary="All that is kept of a reader."),
    Call(method="DELETE", path="/v1/readers/{id:path}", handler=forget, role="operator", query=ReaderQuery,
         answer=ErasureAnswer, summary="Erase a reader everywhere, at once; answers with the proof."),
    Call(method="GET", path="/v1/experiments", handler=experiments, query=SiteQuery, answer=ExperimentsAnswer,
         summary="The experiments, running ones first."),
    Call(method="GET", path="/v1/experiments/{name:path}/series", handler=scorecard_series, query=SeriesQuery,
         answer=SeriesAnswer, summary="One metric's effects over time: the whole sequence of intervals."),
    *(
        Call(method="GET", path=f"/v1/experiments/{{name:path}}.{as_}", handler=partial(scorecard_file, as_=as_), answer=str,
             content_type=FILE_TYPES[as_], summary=f"The scorecard's rows as a {word} file.")
        for as_, word in FILE_WORDS.items()
    ),
    Call(method="GET", path="/v1/experiments/{name:path}", handler=scorecard, answer=ScorecardAnswer,
         summary="The scorecard of an experiment, from the log."),
    Call(method="GET", path="/v1/question", handler=question, answer=QuestionAnswer,
         summary="The question as it is written now."),
    Call(method="GET", path="/v1/verdict", handler=verdict, answer=VerdictAnswer, summary="What to do now, and why."),
    Call(method="GET", path="/v1/releases", handler=releases, query=SiteQuery, answer=ReleasesAnswer,
         summary="What was built, and what is live."),
    Call(method="POST", path="/v1/releases", handler=build, role="operator", query=SiteQuery, body=ReleaseOrder,
         answer=ReleaseAnswer, summary="Build a release of a policy."),
    Call(method="GET", path="/v1/rollouts", handler=rollouts, query=SiteQuery, answer=RolloutsAnswer,
         summary="The rollouts as they stand, open ones first."),
    Call(method="POST", path="/v1/rollouts", handler=start, role="operator", query=SiteQuery, body=RolloutOrder,
         answer=RolloutAnswer, summary="Start rolling a release out."),
    *(
        Call(method="POST", path=f"/v1/rollouts/{{name}}/{verb}", handler=partial(change, verb=verb), role="operator",
             query=SiteQuery, body=Reason, answer=RolloutAnswer, summary=summary)
        for verb, summary in zip(VERBS, (
            "Go one step further.", "Stay at the present step.", "Give the canary to everyone.",
            "Give everyone the stable release again, at once.",
        ), strict=True)
    ),
    Call(method="GET", path="/v1/ledger", handler=ledger, answer=LedgerAnswer,
         summary="The conservation ledger: received = accepted + duplicates + quarantined."),
    Call(method="GET", path="/v1/tokens", handler=tokens, role="admin", answer=TokensAnswer,
         summary="The tokens, without their secrets."),
    Call(method="POST", path="/v1/tokens", handler=issue, role="admin", body=TokenOrder, answer=TokenAnswer,
         status=201, summary="Make a token with a role."),
    Call(method="DELETE", path="/v1/tokens/{name}", handler=revoke, role="admin", answer=TokensAnswer,
         summary="Revoke a token."),
    Call(method="GET", path="/healthz", handler=healthz, role=None, answer=HealthAnswer,
         summary="The process answers."),
    Call(method="GET", path="/readyz", handler=readyz, role=None, answer=HealthAnswer,
         summary="The log takes writes and all of it has been read; with what is not as it should be."),
    Call(method="GET", path="/metrics", handler=metrics, answer=str, content_type=CONTENT_TYPE,
         summary="Metrics for Prometheus."),
    Call(method="GET", path="/widget/v1.js", handler=widget, role=None, answer=str,
         content_type="text/javascript; charset=utf-8", summary="The widget's script."),
)  # fmt: skip
"""Every call of the API, in the order of the document."""
