"""Trainer: what training asks of a learner, and what every learner is owed: a split in time, a fingerprint, the same bytes."""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from embellie.domain.event import Event
from embellie.recommend.data_checks import Spread

Floats32 = NDArray[np.float32]
Numbers = NDArray[Any]

BINS = 10


class Lists(Protocol):
    """Lists to learn from: L lists, one after the other, of n rows in all."""

    @property
    def features(self) -> Floats32:
        """One row per article of a list, one column per feature (n x F)."""
        ...

    @property
    def labels(self) -> Numbers:
        """What became of it (n): 0 nothing, more is better."""
        ...

    @property
    def groups(self) -> Numbers:
        """How many rows each list has (L)."""
        ...

    @property
    def weights(self) -> Numbers:
        """How much each row counts (n)."""
        ...

    @property
    def at(self) -> Numbers:
        """When each list was shown (L, µs)."""
        ...

    @property
    def feature_names(self) -> Sequence[str]:
        """Of the F columns."""
        ...

    def where(self, keep: NDArray[np.bool_]) -> Self:
        """Keep some lists (L)."""
        ...


class Model(Protocol):
    """A fitted thing: scores rows, and is bytes."""

    def score(self, matrix: Floats32) -> Numbers:
        """Score rows (n x F); more is better."""
        ...

    def dump(self) -> bytes:
        """Return it as bytes, always the same."""
        ...


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """A training set, and what is known of its lists beside.

    Attributes:
        lists: What to learn from.
        ids: Of the lists, in order: what was used, for the fingerprint.
        readers: Of each list, in order; `""` where unknown: then the list stands for itself.
        visits: Of each list, in order; `""` where unknown.
        heuristics: Scores of the rows by the policies without learning, by name.
        slices: A value per list, by dimension (`section`, `reader`, `hour`).
        positions: Where each row stood, from 1; None where that is not known, or lists were in no order.
    """

    lists: Lists
    ids: Sequence[str]
    readers: Sequence[str]
    visits: Sequence[str]
    heuristics: Mapping[str, Numbers] = field(default_factory=dict)
    slices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    positions: Numbers | None = None


class Trainer(Protocol):
    """Gathers lists from a log, and learns from them."""

    @property
    def name(self) -> str:
        """What its models are called."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """All that decides the model beside the log and the seed, as JSON values."""
        ...

    def gather(self, events: Iterable[Event], *, site: str, until: datetime, leave_out: Collection[str]) -> Gathered:
        """Gather the lists shown on a site before a moment, but for those of some readers."""
        ...

    def fit(self, lists: Any, *, seed: int) -> Model:
        """Learn from lists of its own making; the same lists and seed give the same bytes."""
        ...

    def load(self, data: bytes) -> Model:
        """Read what a model's `dump` wrote."""
        ...


def list_numbers(lists: Lists) -> NDArray[np.int64]:
    """Return the number of the list of each row, from 0."""
    return np.repeat(np.arange(len(lists.groups)), np.asarray(lists.groups))


def time_split(at: Numbers, visits: Sequence[str], *, later: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Part lists in time, by visits: an earlier part to learn from, a later one to check on.

    The cut is where a share `later` of the lists lies behind it. A visit that begins before the cut is of the earlier part,
    with those of its lists that lie before the cut; what it saw after the cut is of neither.

    Args:
        at: When each list was shown (µs).
        visits: Of each list; `""` is a visit of its own.
        later: The share to check on, between 0 and 1.

    Returns:
        Two masks over lists.

    >>> earlier, after = time_split(np.array([1, 2, 3, 4]), ["a", "b", "a", "c"], later=0.5)
    >>> earlier.tolist(), after.tolist()
    ([True, True, False, False], [False, False, False, True])
    """
    cut = np.sort(at)[min(len(at) - 1, round(len(at) * (1.0 - later)))] if len(at) else 0
    begins: dict[str, int] = {}
    for visit, when in zip(visits, at.tolist(), strict=True):
        if visit:
            begins[visit] = min(when, begins.get(visit, when))
    began = np.array([begins.get(visit, when) for visit, when in zip(visits, at.tolist(), strict=True)], np.int64)
    return at < cut, began >= cut


def fingerprint(gathered: Gathered, *, settings: Mapping[str, Any], seed: int, code: str) -> str:
    """Name the data a model is made from, with all else that decides it: 64 hexadecimal digits (SHA-256).

    It covers, in order: the code's version, the settings, the seed, the names of the features, the ids of the lists, and every
    array with its type and shape. So whoever has the log can tell whether they would make the same model.

    Args:
        gathered: The lists.
        settings: The trainer's, as JSON values.
        seed: Of the fit.
        code: The version of the code.
    """
    lists = gathered.lists
    found = hashlib.sha256(b"embellie/training/1\n")
    head = [code, settings, seed, list(lists.feature_names)]
    found.update(json.dumps(head, sort_keys=True, separators=(",", ":"), default=str).encode())
    for names in (gathered.ids, gathered.readers, gathered.visits):
        found.update("\x1f".join(names).encode() + b"\n")
    for array in (lists.features, lists.labels, lists.groups, lists.weights, lists.at):
        plain = np.ascontiguousarray(array)
        plain = plain.astype(plain.dtype.newbyteorder("<"), copy=False)
        found.update(f"{plain.dtype.str}{plain.shape}".encode() + plain.tobytes())
    return found.hexdigest()


def spread_of(
    lists: Lists, *, edges: Mapping[str, Sequence[float]] | None = None, since: int | None = None
) -> Spread | None:
    """Tell how features are spread over bins: by tenths of these lists, or over given edges.

    Args:
        lists: The lists.
        edges: Of a former run, by feature; new ones when omitted.
        since: Only lists shown from then on (µs).
    """
    kept = lists if since is None else lists.where(np.asarray(lists.at) >= since)
    if not len(kept.labels):
        return None
    matrix = np.asarray(kept.features, np.float64)
    inner = np.linspace(0, 1, BINS + 1)[1:-1]
    bounds: dict[str, list[float]] = {}
    shares: dict[str, list[float]] = {}
    for column, name in enumerate(lists.feature_names):
        values = matrix[:, column]
        values = values[np.isfinite(values)]
        if edges is not None and name not in edges:
            continue
        if not len(values):
            continue
        own = np.unique(np.quantile(values, inner)) if edges is None else np.asarray(edges[name], np.float64)
        counts = np.bincount(np.searchsorted(own, values, side="left"), minlength=len(own) + 1)
        bounds[name], shares[name] = own.tolist(), (counts / counts.sum()).tolist()
    return Spread(lists=len(kept.groups), edges=bounds, shares=shares)
