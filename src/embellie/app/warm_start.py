"""Warm start: what is folded from the log is taken up from the state file, and only what came since is folded."""

import hashlib
import inspect
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from embellie.app.erased_readers import Erased, nobody
from embellie.app.kept_signals import watched_kinds
from embellie.app.known_exposures import KnownExposures
from embellie.domain.errors import EmbellieError
from embellie.domain.event import Event
from embellie.domain.experiment import Exposure
from embellie.domain.reading import Erasure
from embellie.domain.site import Site
from embellie.ports import EventLog
from embellie.recommend.signals import Signal
from embellie.recommend.state import SNAPSHOT, Bounds, State
from embellie.store.state_file import About, look_at_state, read_state, write_state

FILE = "state.bin"
"""The state file's name in the data folder."""

FOLDED = ("article", "read", "click", "consent", "erasure", "exposure")
"""The kinds that change a state or who is exposed: what is served and seen, most of a log, is read only for signals that watch it."""

ENOUGH = 50_000
"""Events since the file that make another one due: a start folds them in a second or two."""

_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How the folds came about: up to which event, from which on they were folded, how many, and in how long.

    `taken` is the last event of the state file, 0 without one; `refused` says why there was one that did not serve.
    """

    sequence: int
    taken: int
    folded: int
    seconds: float
    refused: str = ""

    def __str__(self) -> str:
        whence = f"taken up from the state file at event {self.taken:,}" if self.taken else "from the log's beginning"
        told = f"Folded in {self.seconds:.1f} s: {whence}, {self.folded:,} events since."
        return f"{told} The state file did not serve: {self.refused}" if self.refused else told


def fold_log(
    log: EventLog,
    *,
    sites: Mapping[str, Site],
    signals: Iterable[type[Signal]],
    file: Path | None = None,
    bounds: Bounds | None = None,
    erased: Erased | None = None,
    now: Callable[[], float] = time.perf_counter,
) -> tuple[State, KnownExposures, Start]:
    """Fold a log as far as it goes, from where a state file ends, or from its beginning; the outcome is the same, bit for bit.

    Args:
        log: The log.
        sites: The sites; what the log holds of others is left alone.
        signals: What the state is to remember.
        file: The state file. One that is absent, damaged, or not of this log, these sites and this code does not serve.
        bounds: What the state keeps at most.
        erased: Gets to know who was erased; none can be told by their marks without it.
        now: Tells seconds.
    """
    began, signals = now(), tuple(signals)
    state, exposed, taken, refused = State(signals=signals, bounds=bounds), KnownExposures(), 0, ""
    if file is not None and file.is_file():
        try:
            taken = _take_up(file, log, state, exposed, about=about(sites, signals, bounds))
        except EmbellieError as error:
            refused = str(error)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:  # written by who knows whom
            refused = f"It does not hold what it should: {error!r}."
        if refused:
            state, exposed = State(signals=signals, bounds=bounds), KnownExposures()
    erased = Erased(nobody) if erased is None else erased  # an empty one is false
    # What was taken up holds what the log held then: who was erased since may be in it.
    erased.alive = taken > 0
    if taken:
        for sequence, event in log.scan(kinds=("erasure",)):
            if sequence <= taken:
                erased.note(event)
    last, folded = log.last(), 0
    for sequence, event in log.scan(after=taken, kinds=(*FOLDED, *watched_kinds(signals))):
        last, folded = max(last, sequence), folded + 1
        if event.site not in sites:
            continue
        told = erased.forget(event, state, exposed) if isinstance(event.body, Erasure) else event
        if told is not None:
            state.apply(told)
            fold_exposure(exposed, told)
    erased.alive = True
    start = Start(sequence=max(last, taken), taken=taken, folded=folded, seconds=now() - began, refused=refused)
    return state, exposed, start


def fold_exposure(exposed: KnownExposures, event: Event) -> None:
    """Take into account what an event says of who is exposed."""
    match event.body:
        case Exposure() as body:
            exposed.add((event.site, body.experiment, body.unit, body.variant))
        case Erasure(reader=reader):
            exposed.forget(event.site, reader)
        case _:
            pass


def keep(
    file: Path,
    log: EventLog,
    *,
    state: State,
    exposed: KnownExposures,
    sequence: int,
    sites: Mapping[str, Site],
    bounds: Bounds | None = None,
) -> None:
    """Write the state file of a log folded up to an event.

    Raises:
        InputError: It cannot be written.
    """
    at = {**about(sites, state.signals, bounds), "last": _identity(log, sequence)}
    write_state(file, {"state": state.snapshot(), "exposed": exposed.snapshot()}, sequence=sequence, about=at)


def about(sites: Iterable[str], signals: Iterable[type[Signal]], bounds: Bounds | None = None) -> dict[str, Any]:
    """Tell what else than the log a state depends on: the version of its folds, the sites, the bounds, others' signals.

    The version is of the folds, not of the program: an upgrade that leaves them alone starts warm. Signals that other
    packages bring have no version that we know of; the text of their module stands for it.
    """
    return {
        "folds": f"{_FORMAT}.{SNAPSHOT}",
        "numpy": np.__version__,
        "sites": sorted(sites),
        "bounds": list(astuple(bounds or Bounds())),
        "signals": {signal.name: _text_of(signal) for signal in signals},
    }


def _text_of(signal: type[Signal]) -> str:
    if signal.__module__.startswith("embellie."):
        return ""
    try:
        return hashlib.sha256(inspect.getsource(inspect.getmodule(signal) or signal).encode()).hexdigest()
    except (OSError, TypeError):
        return signal.__module__


def why_not(found: About, sequence: int, log: EventLog, *, wanted: Mapping[str, Any]) -> str:
    """Tell why a state file does not serve, from what it says of itself; `""` when it does."""
    kept, asked = found.get("signals", {}), wanted["signals"]
    last = log.last()
    for what, wrong in (
        (
            "Its events were folded by another version.",
            any(found.get(one) != wanted[one] for one in ("folds", "numpy")),
        ),
        ("The configuration names other sites now.", found.get("sites") != wanted["sites"]),
        ("It was to keep more, or less.", found.get("bounds") != wanted["bounds"]),
        ("A policy looks at what it does not hold.", any(kept.get(name) != text for name, text in asked.items())),
        (f"The log ends at event {last:,}, before its {sequence:,}: is it an older copy?", last < sequence),
    ):
        if wrong:
            return what
    if found.get("last") != _identity(log, sequence):
        return f"Event {sequence:,} of the log is another: it is of another log, or was erased from this one."
    return ""


def _identity(log: EventLog, sequence: int) -> list[str]:
    """Tell which event is in a place of the log: no two logs agree on it."""
    number, event = next(iter(log.scan(after=sequence - 1)), (0, None))
    return [event.site, event.id] if event is not None and number == sequence else []


def _take_up(file: Path, log: EventLog, state: State, exposed: KnownExposures, *, about: Mapping[str, Any]) -> int:
    sequence, found = look_at_state(file)
    refused = why_not(found, sequence, log, wanted=about)
    if refused:
        raise ValueError(refused)
    snapshot, sequence = read_state(file)
    state.restore(snapshot["state"])
    exposed.restore(snapshot["exposed"])
    return sequence
