"""The training job: while the server runs, models are trained at night, in a process of their own and of low priority."""

import json
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from embellie.app.config import Config
from embellie.app.kept_models import models_of
from embellie.app.own_process import run_aside
from embellie.app.recommending import duration_seconds
from embellie.domain.errors import ConfigError, EmbellieError, InputError

LEARNED = ("ranker",)
"""Policies that need a model; where no scenario names one there is nothing to train for."""

OFF = "off"
_DAY = 86_400.0
_LONGEST_WAIT = 3_600.0


def train_until(
    folder: Path,
    config: Config,
    stopped: threading.Event,
    *,
    tell: Callable[[str], None],
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Train each site's model when it is due, until stopped. Readers do not notice; what fails is told, and tried again next time.

    Args:
        folder: The project's folder.
        config: Its configuration: `[training]` says when.
        stopped: Set to end, which also ends a training under way.
        tell: Gets a line for each training that ended.
        clock: Tells the time.
    """
    try:
        every = every_seconds(config)
    except EmbellieError as error:
        tell(f"No model will be trained: {error}")
        return
    if every is None:
        return
    tried: dict[str, datetime] = {}
    began = clock()
    while True:
        waits = [_LONGEST_WAIT]
        for site in config.sites:
            runs = models_of(folder / config.data, site).runs()
            last = max([one for one in (tried.get(site), runs[-1].created if runs else None) if one], default=None)
            wait = (next_training(last, began=began, every=every, hour=config.training.hour) - clock()).total_seconds()
            if wait <= 0:
                tried[site] = clock()
                tell(train_aside(folder, site, stopped=stopped))
            else:
                waits.append(wait)
        if stopped.wait(max(1.0, min(waits))):
            return


def every_seconds(config: Config) -> float | None:
    """Return how often to train; None when it is off, or no scenario needs a model.

    Raises:
        ConfigError: `every` is neither a duration nor `off`.
    """
    if config.training.every == OFF or not any(one.policy in LEARNED for one in config.scenarios.values()):
        return None
    try:
        return max(duration_seconds(config.training.every), 60.0)
    except InputError as error:
        raise ConfigError(error.message, hint="Write for example `1d`, or `off`.", at="training.every") from None


def next_training(last: datetime | None, *, began: datetime, every: float, hour: int) -> datetime:
    """Tell when a training is due: after whole days at an hour of the night (UTC), else a while after the last.

    Args:
        last: When the last one was; None for never.
        began: When the server began.
        every: Seconds from one to the next.
        hour: Of the day, where `every` is a day or more.

    >>> day = datetime(2026, 3, 2, 12, tzinfo=UTC)
    >>> next_training(None, began=day, every=86400.0, hour=3).isoformat()
    '2026-03-03T03:00:00+00:00'
    >>> next_training(day, began=day, every=3600.0, hour=3).isoformat()
    '2026-03-02T13:00:00+00:00'
    """
    if every < _DAY:
        return began if last is None else last + timedelta(seconds=every)
    # A training at three in the morning may end a little after; the next is at three again.
    after = began if last is None else last + timedelta(seconds=every) - timedelta(hours=12)
    at = after.astimezone(UTC).replace(hour=hour, minute=0, second=0, microsecond=0)
    return at if at >= after else at + timedelta(days=1)


def train_aside(folder: Path, site: str, *, stopped: threading.Event | None = None) -> str:
    """Train a site's model in another process; say in a line what came of it."""
    ended = run_aside(["recommend", "train", "--project", str(folder), "--site", site, "--json"], stopped=stopped)
    if ended is None:
        return f"The training of {site} was stopped."
    if ended.code not in (0, 1) or not ended.said.strip():
        return f"No model of {site} was trained: {ended.errors.strip()[-500:] or 'the process said nothing'}"
    document: dict[str, Any] = json.loads(ended.said)
    return training_line(site, document)


def training_line(site: str, document: dict[str, Any]) -> str:
    """Say in a line what a training came to, from its document."""
    current = document["current"]
    goes_on = f"run {current['run']} stays current" if current else "no model is current yet"
    if document["state"] == "accepted":
        return f"A model of {site} was trained and accepted: run {document['run']}."
    reasons: Sequence[str] = document["refused_for"]
    return f"A model of {site} was refused ({', '.join(reasons)}); {goes_on}. `embellie recommend models` says more."
