"""Training: from the log to a model that may be served, or to the reasons why not; yesterday's model goes on meanwhile."""

import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from embellie import __version__
from embellie.app.analysing import lake_to_read
from embellie.app.choosing import choose
from embellie.app.compacting import SPILL
from embellie.app.config import FILE as CONFIG_FILE
from embellie.app.config import Config, StorageConfig, TrainingConfig, read_config
from embellie.app.kept_models import models_of
from embellie.domain.errors import EmbellieError, InputError, unknown_name
from embellie.domain.event import Event
from embellie.domain.moment import iso, micros
from embellie.domain.release import Release
from embellie.recommend.check_telling import NAMES
from embellie.recommend.data_checks import Spread, check_data, check_drift
from embellie.recommend.judging_models import Judged, judge_model, mean_by_reader
from embellie.recommend.log_profile import read_profile, tagged_readers
from embellie.recommend.model_checks import check_model
from embellie.recommend.score_calibration import calibrate
from embellie.recommend.trainer import Gathered, Model, Trainer, fingerprint, spread_of, time_split
from embellie.recommend.training_check import TrainingCheck, alarms
from embellie.store.analysis import Analysis
from embellie.store.log import FILE as LOG_FILE
from embellie.store.log_place import LogPlace, holds_log, log_place, open_log
from embellie.store.log_records import KeptLog
from embellie.store.models import Current, ModelStore, Run

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, of how much."""

_KINDS = ("article", "served", "impression", "click", "read", "consent", "erasure")
_LEAST_LISTS = 20
MODEL_MEMORY = "1GiB"


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """Where a site's models are made: its log, where they are kept, and how they are to be made."""

    site: str
    log: LogPlace
    models: ModelStore
    training: TrainingConfig
    data: Path | None = None
    """The data folder, where it is not the log's own."""

    storage: StorageConfig = field(default_factory=StorageConfig)

    @property
    def folder(self) -> Path:
        """Where there is room for what does not fit in memory, and where the lake is."""
        return self.data or (self.log.parent if isinstance(self.log, Path) else Path())


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What a training came to.

    Attributes:
        run: As it is kept.
        before: The checks of the log.
        after: Those of the model; none when it came to none.
        refused_for: The checks that kept it from readers.
        current: The model that the next release takes, of this run or an earlier one; None when there is none.
    """

    run: Run
    before: Sequence[TrainingCheck]
    after: Sequence[TrainingCheck]
    refused_for: Sequence[str]
    current: Current | None

    @property
    def accepted(self) -> bool:
        """Whether the model may be served."""
        return self.run.state == "accepted"


def workshop_of(project: Path, *, log: Path | None = None, site: str = "") -> Workshop:
    """Find where to train: the project's own log, or another's file, whose models then lie beside it.

    Raises:
        ConfigError: There is neither a project nor a log.
        InputError: The log is absent or is no log, or the site is not told.
    """
    config: Config | None = None
    if log is None or (project / CONFIG_FILE).is_file():
        config = read_config(project)
    if log is not None or config is None:
        file: LogPlace = log or project / LOG_FILE
        data = log.parent if log else project
    else:
        data = project / config.data
        file = log_place(data, config.storage.log, config.storage.schema)
    if not holds_log(file):
        raise InputError(
            "No log here yet." if log is None else f"`{file.name}` is no log of events.",
            hint="`embellie serve` writes one. A table of clicks has no slates to learn from: `embellie recommend evaluate` reads it.",
            at=str(file),
        )
    if config is not None and log is None:
        known: Collection[str] = config.sites
    else:
        with open_log(file) as opened:
            known = {row.site for row in opened.ledger()}
    chosen = choose("site", site, known)
    training = config.training if config else TrainingConfig()
    return Workshop(
        site=chosen,
        log=file,
        data=data,
        models=models_of(data, chosen),
        training=training,
        storage=config.storage if config else StorageConfig(),
    )


def train(
    shop: Workshop,
    trainer: Trainer,
    *,
    now: datetime,
    until: datetime | None = None,
    seed: int | None = None,
    keep: bool = False,
    despite: Collection[str] = (),
    progress: Progress | None = None,
    timer: Callable[[], float] = time.perf_counter,
) -> Trained:
    """Check the log, learn, check the model, keep it; make it current if no check is in alarm.

    Args:
        shop: Where.
        trainer: Learns.
        now: The time, for the record.
        until: As if it were then; `now` when omitted.
        seed: Of the fit; as configured when omitted.
        keep: Learn even when the log's checks are in alarm; the model is then kept and refused.
        despite: Checks that a person answers for: their alarm is recorded and does not refuse.
        progress: Told how far it is.
        timer: Tells seconds.

    Raises:
        UnknownName: `despite` names no check.
        InputError: The log holds nothing to learn from.
    """
    for name in despite:
        if name not in NAMES:
            raise unknown_name("check", name, NAMES, at="--despite")
    end, tell = until or now, progress or _quietly
    seed = shop.training.seed if seed is None else seed
    last = _last_accepted(shop.models)
    about: dict[str, Any] = {
        "site": shop.site, "trainer": trainer.name, "settings": dict(trainer.settings), "seed": seed,
        "code": __version__, "until": iso(end), "despite": sorted(despite),
    }  # fmt: skip
    tell("profile", 0, 1)
    with open_log(shop.log) as log:
        before, bots = _look(log, shop, end, last)
        tell("profile", 1, 1)
        refused = alarms(before, despite)
        if refused and not keep:
            return _finish(shop, None, about=about, before=before, after=(), refused=refused, now=now)
        gathered = _gather(log, shop, trainer, end, leave_out=bots, tell=tell)
    before = [*before, _drift(gathered, last)]
    refused = alarms(before, despite)
    about |= _data_document(gathered, settings=about["settings"], seed=seed)
    if refused and not keep:
        return _finish(shop, None, about=about, before=before, after=(), refused=refused, now=now)
    tell("fit", 0, 1)
    model, judged = _learn(shop, trainer, gathered, seed=seed, timer=timer)
    tell("fit", 1, 1)
    after = check_model(judged, floor=shop.training.floor)
    about |= _model_document(judged)
    refused += alarms(after, despite)
    return _finish(shop, model.dump(), about=about, before=before, after=after, refused=refused, now=now)


def _quietly(what: str, done: int, of: int) -> None:
    """Tell nobody."""


def _look(log: KeptLog, shop: Workshop, end: datetime, last: Run | None) -> tuple[list[TrainingCheck], frozenset[str]]:
    data = shop.folder
    spill = data / f"{SPILL}{os.getpid()}"
    lake = lake_to_read(shop.storage, data)
    analysis = Analysis(log, lake=lake, memory=MODEL_MEMORY, spill=spill)
    try:
        profile = read_profile(analysis, site=shop.site, until=end, weeks=shop.training.weeks)
        bots = tagged_readers(analysis, site=shop.site)
    finally:
        analysis.close()
    since = (end - datetime.fromisoformat(last.about["until"])) / timedelta(days=1) if last else 1.0
    return check_data(profile, recent=max(1, min(7, round(since)))), bots


def _gather(
    log: KeptLog, shop: Workshop, trainer: Trainer, end: datetime, *, leave_out: Collection[str], tell: Progress
) -> Gathered:
    """Gather lists, telling how far the log is read.

    Raises:
        InputError: There are too few to part in two.
    """
    since, total = end - timedelta(weeks=shop.training.weeks), max(log.last(), 1)

    def events() -> Iterator[Event]:
        for number, event in log.scan(kinds=_KINDS):
            if number % 2_000 < 2:
                tell("gather", number, total)
            # An article may be older than all that is learned from, and still be shown.
            if event.site == shop.site and event.at < end and (event.at >= since or event.kind == "article"):
                yield event

    gathered = trainer.gather(events(), site=shop.site, until=end, leave_out=leave_out)
    tell("gather", total, total)
    count = len(gathered.lists.groups)
    if count < _LEAST_LISTS:
        raise InputError(
            f"Only {count} lists in the log were shown, seen and can be learned from.",
            hint=f"At least {_LEAST_LISTS} are needed, thousands are better: serve recommendations for some days first.",
            at=str(shop.log),
        )
    return gathered


def _learn(
    shop: Workshop, trainer: Trainer, gathered: Gathered, *, seed: int, timer: Callable[[], float]
) -> tuple[Model, Judged]:
    """Fit on the earlier lists, look at the model on the later ones. What is checked is what a release would take."""
    earlier, later = time_split(np.asarray(gathered.lists.at), gathered.visits, later=shop.training.later)
    if not earlier.any() or not later.any():
        raise InputError(
            "The lists cannot be parted in time: all are of the same visits.",
            hint="Serve recommendations for some days first.", at=str(shop.log),
        )  # fmt: skip
    model = trainer.fit(gathered.lists.where(earlier), seed=seed)
    before = _current_before(shop, trainer, gathered)
    return model, judge_model(model, gathered, later, seed=seed, timer=timer, before=before)


def _current_before(shop: Workshop, trainer: Trainer, gathered: Gathered) -> Model | None:
    """The current model, if it looks at the same features."""
    current = shop.models.current()
    if current is None or current.run.about.get("features") != list(gathered.lists.feature_names):
        return None
    try:
        return trainer.load(current.data)
    except EmbellieError:
        return None


def _drift(gathered: Gathered, last: Run | None) -> TrainingCheck:
    """Hold what came since the last run against what that one learned from."""
    if last is None or "spread" not in last.about:
        return check_drift(None, None)
    before = Spread(**last.about["spread"])
    since = micros(datetime.fromisoformat(last.about["until"]))
    return check_drift(before, spread_of(gathered.lists, edges=before.edges, since=since))


def _data_document(gathered: Gathered, *, settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    lists, spread = gathered.lists, spread_of(gathered.lists)
    found: dict[str, Any] = {
        "fingerprint": fingerprint(gathered, settings=settings, seed=seed, code=__version__),
        "features": list(lists.feature_names),
        "lists": len(lists.groups),
        "articles": len(lists.labels),
        "readers": len(set(gathered.readers) - {""}),
        "chosen": int((np.asarray(lists.labels) > 0).sum()),
    }
    return found | ({"spread": asdict(spread)} if spread else {})


def _model_document(judged: Judged) -> dict[str, Any]:
    known = ~np.isnan(judged.ndcg)
    if not known.any() or not np.isfinite(judged.scores).all():
        return {"bytes": judged.bytes}
    scaled = calibrate(judged.scores, judged.labels, judged.lists)
    mean = mean_by_reader(judged.ndcg[known], judged.readers[known], judged.counts[known])
    return {
        "bytes": judged.bytes,
        "ndcg": mean.value,
        "heuristics": {name: float(np.nanmean(values)) for name, values in judged.heuristics.items()},
        "importance": dict(sorted(judged.importance.items(), key=lambda one: -one[1])),
        "calibration": None if scaled is None else asdict(scaled),
    }


def _finish(
    shop: Workshop,
    data: bytes | None,
    *,
    about: Mapping[str, Any],
    before: Sequence[TrainingCheck],
    after: Sequence[TrainingCheck],
    refused: Sequence[str],
    now: datetime,
) -> Trained:
    """Keep the run; make it current when nothing refuses it; remove the oldest."""
    checks = [*(check.document() | {"when": "before"} for check in before)]
    checks += [check.document() | {"when": "after"} for check in after]
    accepted = data is not None and not refused
    said = dict(about) | {"checks": checks, "refused_for": list(refused)}
    run = shop.models.keep(data, said, state="accepted" if accepted else "refused", now=now)
    if accepted:
        shop.models.make_current(run.run)
    shop.models.tidy(now)
    shop.models.prune(keep=shop.training.keep, named=released_models(shop.log))
    return Trained(run=run, before=before, after=after, refused_for=refused, current=shop.models.current())


def released_models(log: LogPlace) -> set[str]:
    """Name the models that releases of a log speak of: they are never removed."""
    with open_log(log) as opened:
        bodies = [event.body for _, event in opened.scan(kinds=("release",))]
    return {body.model for body in bodies if isinstance(body, Release) and body.model}


def _last_accepted(models: ModelStore) -> Run | None:
    return next((run for run in reversed(models.runs()) if run.state == "accepted"), None)


def as_of(shop: Workshop, at: datetime | None, *, own: bool) -> datetime:
    """Tell as of when to train: as given, else now for a project's own log, else when the last event of a file happened."""
    if at is not None:
        return at
    if own:
        return datetime.now(UTC)
    with open_log(shop.log) as log:
        last = log.last()
        newest = [event.at for _, event in log.scan(after=max(0, last - 1_000))]
    if not newest:
        raise InputError("The log is empty.", hint="Give one that a server has written.", at=str(shop.log))
    return max(newest) + timedelta(microseconds=1)


def training_document(trained: Trained) -> dict[str, Any]:
    """Return the JSON form (`embellie/training/1`)."""
    return {
        "schema": "embellie/training/1",
        **_run_document(trained.run),
        "checks": list(trained.run.about["checks"]),
        "about": {name: value for name, value in trained.run.about.items() if name not in {"checks", "spread"}},
        "current": _current_document(trained.current),
    }


def _run_document(run: Run) -> dict[str, Any]:
    return {
        "run": run.run,
        "created": iso(run.created),
        "state": run.state,
        "model": run.model or None,
        "refused_for": list(run.about.get("refused_for", ())),
        "fingerprint": run.about.get("fingerprint"),
        "ndcg": run.about.get("ndcg"),
    }


def _current_document(current: Current | None) -> dict[str, Any] | None:
    if current is None:
        return None
    passed = [{"run": run, "reason": reason} for run, reason in current.passed_over]
    return {"run": current.run.run, "model": current.run.model, "passed_over": passed}


def models_document(shop: Workshop) -> dict[str, Any]:
    """Return the runs of a site, newest first, and which is current (`embellie/models/1`)."""
    return {
        "schema": "embellie/models/1",
        "site": shop.site,
        "current": _current_document(shop.models.current()),
        "runs": [_run_document(run) for run in reversed(shop.models.runs())],
    }
