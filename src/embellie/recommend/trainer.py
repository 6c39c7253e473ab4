"""Trainer: what training asks of a learner, and what every learner is owed: a split in time, a fingerprint, the same bytes."""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from embellie.domain.event import Event
from embellie.recommend.data_checks import Spread

Floats32 = NDArray[np.float32]
Numbers = NDArray[Any]

BINS = 10


class Lists(Protocol):
    """Lists to learn from, row by row; the rows of a list stand together."""

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
        """The list of each row (n), numbered in any way; or the sizes of the lists, in order."""
        ...

    @property
    def weights(self) -> Numbers:
        """How much each row counts (n)."""
        ...

    @property
    def at(self) -> Numbers:
        """When it was shown (n, µs)."""
        ...

    @property
    def feature_names(self) -> Sequence[str]:
        """Of the F columns."""
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
        ids: Of the rows, in order: what was used, for the fingerprint.
        readers: Of each list, in order; `""` where unknown: then the list stands for itself.
        visits: Of each list, in order; `""` where unknown.
        heuristics: Scores of the rows by the policies without learning, by name.
        slices: A value per list, by dimension (`section`, `reader`, `hour`).
    """

    lists: Lists
    ids: Sequence[str]
    readers: Sequence[str]
    visits: Sequence[str]
    heuristics: Mapping[str, Numbers] = field(default_factory=dict)
    slices: Mapping[str, Sequence[str]] = field(default_factory=dict)


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

    def fit(self, lists: Lists, *, seed: int) -> Model:
        """Learn; the same lists and seed give the same bytes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some of the lists: itself a `Lists`, `groups` being the number of the list of each row."""

    features: Floats32
    labels: Numbers
    groups: Numbers
    weights: Numbers
    at: Numbers
    feature_names: Sequence[str]


def list_numbers(groups: Numbers, rows: int) -> NDArray[np.int64]:
    """Number the list of each row from 0, from numbers in any manner or from sizes.

    >>> list_numbers(np.array([7, 7, 9]), 3).tolist(), list_numbers(np.array([2, 3]), 5).tolist()
    ([0, 0, 1], [0, 0, 1, 1, 1])

    Raises:
        ValueError: The rows of a list do not stand together, or sizes do not add up.
    """
    given = np.asarray(groups).astype(np.int64)
    if len(given) != rows:
        if int(given.sum()) != rows:
            raise ValueError(f"Lists of {int(given.sum())} rows in all, but there are {rows} rows.")
        return np.repeat(np.arange(len(given)), given)
    if not rows:
        return given
    new = np.concatenate([[False], given[1:] != given[:-1]])
    if len(np.unique(given)) != int(new.sum()) + 1:
        raise ValueError("The rows of a list do not stand together.")
    return np.cumsum(new).astype(np.int64)


def part_of(lists: Lists, rows: NDArray[np.bool_]) -> Part:
    """Keep some rows."""
    numbers = list_numbers(lists.groups, len(lists.labels))
    return Part(
        features=np.ascontiguousarray(lists.features[rows]),
        labels=np.asarray(lists.labels)[rows],
        groups=numbers[rows],
        weights=np.asarray(lists.weights)[rows],
        at=np.asarray(lists.at)[rows],
        feature_names=tuple(lists.feature_names),
    )


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
    cut = np.sort(at)[min(len(at) - 1, int(round(len(at) * (1.0 - later))))] if len(at) else 0
    begins: dict[str, int] = {}
    for visit, when in zip(visits, at.tolist(), strict=True):
        if visit:
            begins[visit] = min(when, begins.get(visit, when))
    began = np.array([begins.get(visit, when) for visit, when in zip(visits, at.tolist(), strict=True)], np.int64)
    return at < cut, began >= cut


def fingerprint(gathered: Gathered, *, settings: Mapping[str, Any], seed: int, code: str) -> str:
    """Name the data a model is made from, with all else that decides it: 64 hexadecimal digits (SHA-256).

    It covers, in order: the code's version, the settings, the seed, the names of the features, the ids of the rows, and every
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
    at, matrix = np.asarray(lists.at), np.asarray(lists.features)
    rows = np.ones(len(at), np.bool_) if since is None else at >= since
    numbers = list_numbers(lists.groups, len(at))[rows]
    if not len(numbers):
        return None
    matrix = matrix[rows].astype(np.float64)
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
    return Spread(lists=len(np.unique(numbers)), edges=bounds, shares=shares)


Fit = Callable[[Lists], Model]
"""How a model is fitted, everything else decided."""
