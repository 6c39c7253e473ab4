"""What every kind of ranker's model shares: the line its bytes begin with, the lists it may learn from, the place left out."""

import json
from collections.abc import Sequence
from typing import Any

from embellie.domain.errors import InputError
from embellie.recommend.features import Matrix
from embellie.recommend.learning import TrainingSet

SCHEMA = "embellie/ranker/1"
POSITION = "position"
"""Where the article stood in training. When serving, all stand first: what the place did is left out."""

TREES, NEURAL = "trees", "neural"
"""The kinds of model; one without a word on it is of trees."""

FEWEST_LISTS = 20
TRAIN = "Train one with `embellie recommend train`."


def head_of(data: bytes) -> tuple[dict[str, Any], bytes]:
    """Read the first line of a model, and return the rest as it is; `kind` and `feature_names` are in the head.

    Raises:
        InputError: It is no ranker.
    """
    first, _, rest = data.partition(b"\n")
    try:
        head = json.loads(first)
        known = head["schema"] == SCHEMA
        head |= {
            "kind": str(head.get("kind", TREES)),
            "feature_names": tuple(map(str, head["feature_names"])),
            "about": dict(head["about"]),
        }
    except (ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise InputError(f"These {len(data)} bytes are no ranker.", hint=TRAIN)
    return head, rest


def with_head(rest: bytes, *, kind: str, feature_names: Sequence[str], about: dict[str, Any], **more: Any) -> bytes:
    """Put the first line before a model's own bytes."""
    head = {"schema": SCHEMA, "kind": kind, "feature_names": list(feature_names), "about": about, **more}
    return (json.dumps(head, sort_keys=True) + "\n").encode() + rest


def check_columns(matrix: Matrix, feature_names: Sequence[str]) -> None:
    """Refuse a matrix of other columns.

    Raises:
        InputError: The columns are not as many as the model's.
    """
    if matrix.shape[1] != len(feature_names):
        raise InputError(
            f"The model takes {len(feature_names)} features, not {matrix.shape[1]}.",
            hint=f"Give: {', '.join(feature_names)}.",
        )


def lists_to_learn_from(training: TrainingSet) -> TrainingSet:
    """Keep the lists that have both a click and an article passed over: the others teach nothing.

    Raises:
        InputError: There are fewer than twenty.
    """
    told = training.with_contrast()
    if len(told.groups) < FEWEST_LISTS:
        raise InputError(
            f"{len(told.groups)} lists have both a click and an article passed over: too few to learn from.",
            hint=f"At least {FEWEST_LISTS} are needed; thousands are better. Log longer.",
        )
    return told


def about_lists(told: TrainingSet) -> dict[str, int]:
    """Say what a model learned from."""
    return {
        "lists": len(told.groups), "articles": len(told.labels),
        "first_at": int(told.at.min()), "last_at": int(told.at.max()),
    }  # fmt: skip
