"""Recommending: policies tried on an installation, and evaluated on a log."""

import importlib
import json
import re
import runpy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np

from embellie.app.choosing import choose
from embellie.app.config import Config, sites_of
from embellie.app.evaluation_document import difference_document, leaks_document, result_document
from embellie.app.kept_signals import signals_for, watched_kinds
from embellie.app.operations import Operations
from embellie.app.serving import permitted
from embellie.domain.article import Article
from embellie.domain.errors import InputError, TableError
from embellie.domain.moment import iso, micros
from embellie.domain.release import setting_of
from embellie.domain.site import Placement, Site
from embellie.domain.slate import Recommended, SlateRequest
from embellie.ports import EventLog, Policy
from embellie.recommend.built_in import build_policy
from embellie.recommend.diversity import price
from embellie.recommend.editorial import apply_rules
from embellie.recommend.evaluation import Evaluation, evaluate
from embellie.recommend.features import signals_of_features, with_features
from embellie.recommend.leaks import LeakCheck, check_leaks
from embellie.recommend.replaying import ClickLog, Protocol
from embellie.recommend.signals import Signal
from embellie.recommend.state import State
from embellie.store.article_files import USUAL
from embellie.store.clicks import BadRow, Unit, is_log, read_clicks
from embellie.store.log_place import LogPlace, holds_log, log_place, open_log
from embellie.store.rank_table import write_ranks

FOLDED = ("article", "read", "click", "consent", "erasure", "rule")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def policy_of(text: str, *, editors_list: Sequence[str] = ()) -> Policy[State]:
    """Build the policy that a person named.

    Args:
        text: `popular`; with settings, `popular?half_life=6&optimism=0`; somebody's own, `package.module:Name` or
            `file.py:Name`.
        editors_list: The site's list, for `status_quo?list=editors`.

    Raises:
        UnknownName: No such policy.
        InputError: No such setting or value, or what is named is no policy.
    """
    name, _, query = text.partition("?")
    settings = {key: setting_of(value) for key, value in parse_qsl(query, keep_blank_values=True)}
    if ":" not in name:
        return build_policy(name, settings, editors_list=editors_list)
    made = _imported(name)
    policy = made(**settings) if isinstance(made, type) else made
    if not callable(policy) or not getattr(policy, "name", ""):
        raise InputError(
            f"`{name}` is no policy.", hint="It needs a `name` and `__call__(request, view)`: docs/2-recommend.md."
        )
    found: Policy[State] = policy
    return found


def _imported(name: str) -> Any:
    where, _, what = name.rpartition(":")
    try:
        if where.endswith(".py"):
            return runpy.run_path(where)[what]
        return getattr(importlib.import_module(where), what)
    except (AttributeError, KeyError):
        raise InputError(
            f"Cannot load `{name}`: there is no `{what}` in it.", hint="Write `package.module:Name` or `file.py:Name`."
        ) from None
    except FileNotFoundError:
        raise InputError(f"Cannot load `{name}`: no such file.", hint="Paths are from the folder you are in.") from None
    except (ImportError, OSError, SyntaxError) as error:
        raise InputError(f"Cannot load `{name}`: {error}.", hint="Mend the file; it must run by itself.") from error


def duration_seconds(text: str) -> float:
    """Read a duration.

    >>> duration_seconds("1h"), duration_seconds("30m"), duration_seconds("1.5 d")
    (3600.0, 1800.0, 129600.0)

    Raises:
        InputError: It is no duration, or none at all.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*", text)
    if not found or float(found[1]) <= 0.0:
        raise InputError(f"`{text}` is no duration.", hint="Write for example `30m`, `1h` or `1d`.")
    return float(found[1]) * _UNITS[found[2]]


# evaluate


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where clicks come from: a file, its columns, and what is known of its articles (a file of JSON lines)."""

    log: LogPlace
    reader: str = ""
    visit: str = ""
    article: str = ""
    at: str = ""
    unit: Unit = "auto"
    where: str = ""
    site: str = ""
    catalogue: Path | None = None


def read_source(source: Source) -> tuple[ClickLog, Sequence[BadRow], int]:
    """Read a click log: the project's own, CSV or Parquet; with the first bad rows and how many were left out.

    Raises:
        TableError: The file or a column is missing, or nothing can be read.
    """
    if not isinstance(source.log, Path) or is_log(source.log):
        return _own_clicks(source), (), 0
    table = read_clicks(
        source.log,
        reader=source.reader,
        visit=source.visit,
        article=source.article,
        at=source.at,
        unit=source.unit,
        where=source.where,
    )
    log = ClickLog(
        readers=table.reader.tolist(),
        visits=table.visit.tolist(),
        articles=table.article.tolist(),
        at=table.at,
        catalogue=read_catalogue(source.catalogue) if source.catalogue else {},
    )
    return log, table.reasons, table.skipped


def _own_clicks(source: Source) -> ClickLog:
    """Read the reads of one site from the project's own log, with its catalogue; readers only where they agreed."""
    with open_log(source.log) as log:
        events = [event for _, event in log.scan(kinds=("article", "read"))]
    if not events:
        raise InputError(
            "The log holds neither articles nor reads yet.", hint="Serve or import some first.", at=source.log.name
        )
    site = choose("site", source.site, {event.site for event in events})
    events = [event for event in events if event.site == site]
    catalogue = {event.body.article: event.body for event in events if isinstance(event.body, Article)}
    reads = sorted((event for event in events if event.kind == "read"), key=lambda event: event.at)
    bodies: list[Any] = [event.body for event in reads]
    return ClickLog(
        # Evaluating per-reader policies is profiling too: no reader without their consent.
        readers=[
            body.reader if event.consent == "profiling" else "" for event, body in zip(reads, bodies, strict=True)
        ],
        visits=[body.visit for body in bodies],
        articles=[body.article for body in bodies],
        at=np.array([micros(event.at) for event in reads], np.int64),
        catalogue=catalogue | (read_catalogue(source.catalogue) if source.catalogue else {}),
    )


def read_catalogue(path: Path) -> dict[str, Article]:
    """Read what is known of articles: JSON lines with `article` (or `id`) and `section`, `published_at`, `language`.

    Raises:
        TableError: The file cannot be read; says which line.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # a text may hold a line separator of its own
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(
            f"Cannot read the catalogue: {error}.", hint="Give a file of JSON lines.", at=str(path)
        ) from None
    found: dict[str, Article] = {}
    for number, line in enumerate(lines, start=1):
        if line.strip():
            article = _catalogued(line, f"{path.name}:{number}")
            found[article.article] = article
    return found


def _catalogued(line: str, at: str) -> Article:
    try:
        raw = json.loads(line)
        named = {USUAL.get(name, name): value for name, value in raw.items() if value not in (None, "")}
        published = named.get("published_at")
        return Article(
            article=str(named["article"]),
            section=str(named.get("section", "")),
            language=str(named.get("language", "")),
            title=str(named.get("title", "")),
            summary=str(named.get("summary", "")),
            tags=tuple(map(str, named.get("tags", ()))) if isinstance(named.get("tags"), list) else (),
            published_at=None if published is None else _utc(str(published)),
        )
    except (ValueError, KeyError, AttributeError) as error:
        raise TableError(
            f"No article can be read from this line: {error}.",
            hint='Write for example {"article": "a1", "section": "Sport", "published_at": "2026-01-01T08:00:00Z"}.',
            at=at,
        ) from None


def _utc(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"`{text}` has no time zone")
    return moment


def protocol_of(*, window: str = "1h", **options: Any) -> Protocol:
    """Build the way a log is replayed, from a window as people write it and `Protocol`'s own fields.

    >>> protocol_of(window="1h", target="last").window
    3600000000
    """
    return Protocol(window=round(duration_seconds(window) * 1e6), **options)


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """An evaluation, how long it took, and what was left out of the log."""

    evaluation: Evaluation
    seconds: float
    skipped: int
    reasons: Sequence[BadRow]
    leaks: LeakCheck | None = None


def evaluate_source(
    source: Source,
    policies: Sequence[str],
    *,
    protocol: Protocol,
    rank_dump: Path | None = None,
    leaks: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluated:
    """Read a log, replay it in order of time, and score each policy.

    Args:
        source: The log.
        policies: As `policy_of` reads them.
        protocol: How to replay.
        rank_dump: Where to write the rank of every target, as Parquet.
        leaks: Whether to check first that no policy knows what it cannot (`check_leaks`).
        progress: Told targets done and targets in all.
    """

    def build() -> dict[str, Policy[State]]:
        return {text: policy_of(text) for text in dict.fromkeys(policies)}

    built = build()
    began = time.perf_counter()
    log, reasons, skipped = read_source(source)
    read_seconds = time.perf_counter() - began
    checked = check_leaks(log, build, protocol=protocol, timer=time.perf_counter) if leaks else None
    began = time.perf_counter()
    found = evaluate(log, built, protocol=protocol, timer=time.perf_counter, progress=progress)
    seconds = read_seconds + time.perf_counter() - began
    if rank_dump is not None:
        _dump(rank_dump, log, found)
    return Evaluated(evaluation=found, seconds=seconds, skipped=skipped, reasons=reasons, leaks=checked)


def _dump(path: Path, log: ClickLog, found: Evaluation) -> None:
    clicks = [target.click for target in found.targets]
    times = len(found.policies)
    write_ranks(
        path,
        {
            "visit": np.array([log.visits[click] for click in clicks] * times, object),
            "at": np.tile(log.at[clicks], times),
            "article": np.array([log.articles[click] for click in clicks] * times, object),
            "policy": np.repeat(np.array(list(found.policies), object), len(clicks)),
            "rank": np.concatenate([result.ranks for result in found.policies.values()]),
        },
    )


def evaluation_document(evaluated: Evaluated) -> dict[str, Any]:
    """Return the JSON form (`embellie/evaluation/1`)."""
    found = evaluated.evaluation
    protocol = found.protocol
    return {
        "schema": "embellie/evaluation/1",
        "clicks": found.clicks,
        "visits": found.visits,
        "readers": found.readers,
        "targets": len(found.targets),
        "articles": found.articles,
        "unseen_targets": found.unseen,
        "skipped_rows": evaluated.skipped,
        "k": protocol.k,
        "k_reported": sorted({*protocol.more_k, protocol.k}),
        "target": protocol.target,
        "seen": protocol.seen,
        "window_seconds": protocol.window / 1e6,
        "sample": protocol.sample,
        "seed": protocol.seed,
        "interval": {"level": 0.95, "unit": "reader"},
        "policies": {name: result_document(result) for name, result in found.policies.items()},
        "differences": [difference_document(one) for one in found.differences],
        "leaks": leaks_document(evaluated.leaks),
        "seconds": evaluated.seconds,
        "clicks_per_second": found.clicks / evaluated.seconds,
        "notes": list(found.notes),
    }


# try


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A slate as a policy would make it now, and the half-life of popularity in use."""

    site: Site
    placement: Placement
    policy: str
    request: SlateRequest
    half_life: float
    reads_known: int
    items: Sequence[tuple[Recommended, Article | None]]
    price: float | None = None
    """The share of the scores' sum that diversity gives up; `None` where nothing is diversified, or scores are no amounts."""


def try_policy(
    folder: Path,
    config: Config,
    *,
    policy: str,
    site: str = "",
    placement: str = "",
    features: bool = False,
    **asked: Any,
) -> Trial:
    """Fold an installation's log and make one slate; nothing is written.

    Args:
        folder: The project's folder.
        config: Its configuration.
        policy: As `policy_of` reads it.
        site: Not needed when there is only one.
        placement: Not needed when the site has only one.
        features: Whether to note what a learned ranker would look at, article by article.
        asked: The request's own fields; `now` at least.

    Raises:
        UnknownName: No such site, placement or policy.
        InputError: There is no log yet.
    """
    place = sites_of(config)[choose("site", site, config.sites)]
    spot = place.placements[choose("placement", placement, place.placements)]
    file = log_place(folder / config.data, config.storage.log, config.storage.schema)
    if not holds_log(file):
        raise InputError("No log yet.", hint="Bring in articles first: `embellie catalogue sync`.", at=str(file))
    chosen = policy_of(policy, editors_list=place.editors_list)
    with open_log(file) as log:
        signals = signals_for([chosen], [spot])
        if features:
            signals = tuple(dict.fromkeys((*signals, *signals_of_features())))
        state, operations = fold_log(log, sites_of(config), until=asked["now"], signals=signals)
    given: dict[str, Any] = {"site": place.site, "placement": spot.placement, "n": spot.slots}
    given |= {name: value for name, value in asked.items() if value not in (None, "", ())}
    request = permitted(SlateRequest(**given), place)
    ranking = chosen(request, state)
    known = list(operations.of(place.site).rules.values())
    slate = apply_rules(ranking, request=request, state=state, rules=known, placement=spot)
    if features:
        slate = with_features(slate, request, state.site(place.site))
    followed = getattr(chosen, "followed", None)  # what a policy that diversifies would show undiversified
    plain = (
        apply_rules(followed(request, state), request=request, state=state, rules=known, placement=spot)
        if followed
        else []
    )
    counters, now = state.site(place.site).counters, micros(request.now)
    return Trial(
        site=place,
        placement=spot,
        policy=policy,
        request=request,
        half_life=counters.half_lives[counters.step(now)],
        reads_known=len(state.site(place.site).history(request)),
        items=[(item, state.article(place.site, item.article)) for item in slate],
        price=price(plain, slate) if followed else None,
    )


def fold_log(
    log: EventLog, sites: Mapping[str, Site], *, until: datetime, signals: Sequence[type[Signal]] = ()
) -> tuple[State, Operations]:
    """Fold a log up to a time into what policies see and what editors ruled, as a running newsroom does."""
    state, operations = State(signals=signals), Operations(sites, stable="")
    for _, event in log.scan(kinds=(*FOLDED, *watched_kinds(signals))):
        if event.at <= until:
            state.apply(event)
            operations.apply(event)
    return state, operations


def _features(item: Recommended) -> dict[str, float]:
    return dict(zip(item.features.names, item.features.values, strict=True)) if item.features else {}


def trial_document(trial: Trial) -> dict[str, Any]:
    """Return the JSON form (`embellie/trial/1`)."""
    return {
        "schema": "embellie/trial/1",
        "site": trial.site.site,
        "placement": trial.placement.placement,
        "policy": trial.policy,
        "now": iso(trial.request.now),
        "reader": trial.request.reader,
        "article": trial.request.article,
        "half_life_hours": trial.half_life,
        "reads_known": trial.reads_known,
        **({} if trial.price is None else {"diversity_price": trial.price}),
        "items": [
            {
                "article": item.article,
                "position": position,
                "url": article.url if article else "",
                "title": article.title if article else "",
                "section": article.section if article else "",
                "reason": item.reason,
                "propensity": item.propensity,
                "score": item.score,
                **({"features": _features(item)} if item.features else {}),
            }
            for position, (item, article) in enumerate(trial.items, start=1)
        ],
    }
