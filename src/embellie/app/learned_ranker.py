"""The learned ranker as a trainer: lists from the features written down when slates were served, trees or a network fitted to them."""

import importlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from typing import Any

import numpy as np

from embellie.domain.article import Article
from embellie.domain.errors import InputError, unknown_name
from embellie.domain.event import Event
from embellie.domain.moment import micros, moment
from embellie.domain.slate import Slate
from embellie.recommend.ranker_model import load_ranker
from embellie.recommend.trainer import Gathered, Model, Trainer

HEURISTICS = ("popular", "affinity")
"""Heuristics whose score is itself a feature, so that they rank the very same lists."""


LEARNERS = {
    "trees": ("lightgbm", "ml", "embellie.recommend.ranker_trees", "fit_trees"),
    "neural": ("autograd", "neural", "embellie.recommend.ranker_network", "fit_network"),
}
"""What may learn: its library, the extra that brings it, and where it is fitted."""


def default_trainer(learner: str = "trees") -> Trainer:
    """Return the trainer that `embellie recommend train` uses.

    Args:
        learner: One of `LEARNERS`.

    Raises:
        UnknownName: There is no such learner.
        InputError: Its extra is not installed.
    """
    return LearnedRanker(learner)


class LearnedRanker:
    """Gathers lists by `recommend.learning`, fits trees (the extra `ml`) or a network (the extra `neural`) to them."""

    name = "ranker"

    def __init__(self, learner: str = "trees") -> None:
        if learner not in LEARNERS:
            raise unknown_name("learner", learner, tuple(LEARNERS), at="training.learner")
        self.learner = learner
        self._library, extra, module, fit = LEARNERS[learner]
        try:
            self._learning: Any = importlib.import_module("embellie.recommend.learning")
            self._fit: Any = getattr(importlib.import_module(module), fit)
            importlib.import_module(self._library)
        except ImportError as error:
            raise InputError(
                f"There is nothing to train: the learner `{learner}` needs `{error.name}`, which is not installed.",
                hint=f"Run `pip install 'embellie[{extra}]'`.",
            ) from None

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the fit is called with, as it stands in its signature, the learner, and the version of its library."""
        defaults: dict[str, Any] = dict(self._fit.__kwdefaults__ or {})
        defaults.pop("seed", None)
        return defaults | {"learner": self.learner, self._library: version(self._library)}

    def gather(self, events: Iterable[Event], *, site: str, until: datetime, leave_out: Collection[str]) -> Gathered:
        """Gather the lists shown on a site before a moment, but for those of some readers.

        Raises:
            InputError: No slate of the log has features.
        """
        beside = _Beside()
        kept = (one for one in events if one.at < until and getattr(one.body, "reader", "") not in leave_out)
        lists = self._learning.training_from_log(beside.hear(kept, site), site=site)
        slates = [beside.slate(at, row) for at, row in zip(lists.at.tolist(), _first_rows(lists), strict=True)]
        names = list(lists.feature_names)
        columns = {name: lists.features[:, names.index(name)] for name in HEURISTICS if name in names}
        return Gathered(
            lists=lists,
            ids=[slate.slate_id if slate else "" for slate in slates],
            readers=[slate.reader if slate else "" for slate in slates],
            visits=[slate.visit if slate else "" for slate in slates],
            heuristics=columns,
            positions=getattr(lists, "positions", None),
            slices={
                "section": [beside.sections.get(slate.article, "") if slate else "" for slate in slates],
                "reader": [_kind(slate, row, names) for slate, row in zip(slates, _first_rows(lists), strict=True)],
                "hour": [_part_of_day(at) for at in lists.at.tolist()],
            },
        )

    def fit(self, lists: Any, *, seed: int) -> Model:
        """Fit; the same lists and seed give the same bytes."""
        model: Model = self._fit(lists, seed=seed)
        return model

    def load(self, data: bytes) -> Model:
        """Read a model, whichever learner made it."""
        return load_ranker(data)


class _Beside:
    """What is known of lists beside their features: the slates, by when they were served, and the sections of pages."""

    def __init__(self) -> None:
        self.sections: dict[str, str] = {}
        self._slates: defaultdict[int, list[Slate]] = defaultdict(list)

    def hear(self, events: Iterable[Event], site: str) -> Iterator[Event]:
        """Pass events on, noting slates and sections."""
        for event in events:
            if event.site == site:
                if isinstance(event.body, Article):
                    self.sections[event.body.article] = event.body.section
                elif isinstance(event.body, Slate):
                    self._slates[micros(event.at)].append(event.body)
            yield event

    def slate(self, at: int, row: Sequence[float]) -> Slate | None:
        """Find the slate that a list is of: served then, with these features."""
        found = self._slates.get(at, [])
        if len(found) == 1:
            return found[0]
        first = np.asarray(row, np.float32)
        for slate in found:
            for item in slate.items:
                own = np.asarray(getattr(item, "features", ()), np.float32)
                if own.shape == first.shape and bool((own == first).all()):
                    return slate
        return None


def _first_rows(lists: Any) -> list[Any]:
    starts = np.cumsum(lists.groups) - lists.groups
    return [lists.features[start] for start in starts.tolist()]


def _kind(slate: Slate | None, row: Sequence[float], names: Sequence[str]) -> str:
    if slate is None or not slate.reader:
        return "unknown"
    if "reader_reads" in names:
        return "returning" if row[names.index("reader_reads")] > 0 else "new"
    return "known"


def _part_of_day(at: int) -> str:
    start = moment(at).hour // 6 * 6
    return f"{start:02}-{start + 6:02}"


def settings_text(settings: Mapping[str, Any]) -> str:
    """Write settings in one line.

    >>> settings_text({"trees": 120, "leaves": 15})
    'leaves=15, trees=120'
    """
    return ", ".join(f"{name}={json.dumps(value)}" for name, value in sorted(settings.items()))
