"""The learned ranker's model as a small neural network: fitted with autograd (the extra `neural`), served by NumPy alone."""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from embellie.domain.errors import InputError
from embellie.recommend.features import Matrix
from embellie.recommend.learning import TrainingSet
from embellie.recommend.popularity import Floats, Integers
from embellie.recommend.ranker_file import (
    NEURAL,
    about_lists,
    check_columns,
    head_of,
    lists_to_learn_from,
    with_head,
)

Weights: TypeAlias = Mapping[str, NDArray[np.float32]]

KNOTS = 33
"""A feature is told by where its value lies among so many quantiles of the training set."""

PLACES = 20
"""Positions beyond have the effect of this one."""

_BLOCK = 64
_SHAPES: Mapping[str, tuple[str, ...]] = {
    "knots": ("features", "knots"), "levels": ("features", "knots"),
    "w1": ("nets", "features", "first"), "b1": ("nets", "first"),
    "w2": ("nets", "first", "second"), "b2": ("nets", "second"),
    "w3": ("nets", "second"), "skip": ("nets", "features"), "place": ("places",),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class RankerNetwork:
    """A fitted ranker: the mean of a few networks, each of two layers beside a straight line from features to score.

        x = 2 · quantile(feature) − 1;  score = skip · x + w3 · tanh(tanh(x W1 + b1) W2 + b2)

    A value beyond all seen in training counts as the most extreme of those, so a new range moves no score out of bounds.
    """

    feature_names: tuple[str, ...]
    about: dict[str, Any]
    _weights: Weights

    def score(self, matrix: Matrix) -> Floats:
        """Score articles (articles × features, in the order of `feature_names`), each as if it stood first.

        Raises:
            InputError: The columns are not as many as the model's.
        """
        check_columns(matrix, self.feature_names)
        inputs = _placed(matrix, self._weights["knots"], self._weights["levels"])
        # In blocks of one size: how a product is summed goes by its size, and a score must not go by its neighbours.
        rows = len(inputs)
        padded = np.concatenate([inputs, np.zeros((-rows % _BLOCK, inputs.shape[1]))])
        found = [self._block(padded[start : start + _BLOCK]) for start in range(0, rows, _BLOCK)]
        scores: Floats = np.concatenate([*found, np.zeros(0)])[:rows]
        return scores

    def _block(self, inputs: Floats) -> Floats:
        w = self._weights
        first = np.tanh(inputs @ w["w1"] + w["b1"][:, None])
        second = np.tanh(first @ w["w2"] + w["b2"][:, None])
        each = (second @ w["w3"][..., None])[..., 0] + inputs @ w["skip"].mean(axis=0)
        scores: Floats = each.mean(axis=0)
        return scores

    def places(self) -> dict[int, float]:
        """Tell how much more than the first each position was chosen, in logs, as training saw it; negative is less."""
        return {place: float(value) for place, value in enumerate(self._weights["place"], 1)}

    def dump(self) -> bytes:
        """Write the model: what it is in the first line, then its numbers. The same model, the same bytes."""
        body = b"".join(self._weights[name].astype("<f4").tobytes() for name in _SHAPES)
        shapes = {name: list(self._weights[name].shape) for name in _SHAPES}
        return with_head(
            body, kind=NEURAL, feature_names=self.feature_names, about=self.about, shapes=shapes, check=zlib.crc32(body)
        )

    @classmethod
    def load(cls, data: bytes) -> "RankerNetwork":
        """Read what `dump` wrote.

        Raises:
            InputError: It is something else, or damaged.
        """
        head, body = head_of(data)
        names = head["feature_names"]
        try:
            shapes = {name: tuple(int(size) for size in head["shapes"][name]) for name in _SHAPES}
            whole = (
                head["kind"] == NEURAL and head["check"] == zlib.crc32(body) and _fits(shapes, len(names), len(body))
            )
        except (KeyError, TypeError, ValueError):
            whole = False
        if not whole:
            raise InputError("The ranker's network is damaged.", hint="Train it again.")
        numbers, weights = np.frombuffer(body, "<f4").astype(np.float32), {}
        for name, shape in shapes.items():
            size = int(np.prod(shape))
            weights[name], numbers = numbers[:size].reshape(shape), numbers[size:]
        return cls(names, head["about"], weights)


def _fits(shapes: Mapping[str, tuple[int, ...]], features: int, size: int) -> bool:
    """Tell whether shapes agree with each other, with the features and with the bytes there are."""
    sizes = {"features": features}
    for name, axes in _SHAPES.items():
        if len(shapes[name]) != len(axes) or min(shapes[name]) < 1:
            return False
        if any(sizes.setdefault(axis, length) != length for axis, length in zip(axes, shapes[name], strict=True)):
            return False
    return size == 4 * sum(int(np.prod(shape)) for shape in shapes.values())


def fit_network(
    training: TrainingSet,
    *,
    seed: int,
    nets: int = 4,
    first: int = 32,
    second: int = 16,
    epochs: int = 20,
    learning_rate: float = 0.005,
    decay: float = 0.02,
    dropout: float = 0.1,
) -> RankerNetwork:
    """Fit networks that give what was clicked the larger share of its list.

    The loss of a list is −Σ g · log softmax(score + effect of the place), g being 2^label − 1 scaled to one (listwise softmax:
    Cao et al., Learning to rank: from pairwise to listwise approach, ICML 2007). The effect of the place adds to the score in
    training, the first's being 0, and is left out when serving. Fitted by Adam with weight decay and dropout, in random
    batches whose number does not grow with the lists; each network on its own order and beginning. The same set and seed
    give the same bytes on the same machine.

    Args:
        training: Lists with at least one label above 0; others teach nothing and are left out.
        seed: Of beginnings, batches and dropout.
        nets: How many networks are averaged.
        first: Width of the first layer.
        second: Width of the second layer.
        epochs: How often each list is seen.
        learning_rate: At the start; it falls to nothing along half a cosine.
        decay: Of weights at each step, times the learning rate.
        dropout: The share of the first layer left out at each step.

    Raises:
        InputError: Fewer than twenty such lists, or autograd is not installed.
    """
    value_and_grad, gnp = _autograd()
    told = lists_to_learn_from(training)
    knots, levels = _quantiles(told.features)
    tables = _padded(_placed(told.features, knots, levels), told)
    loss = _loss_by(gnp)
    gradient = value_and_grad(loss)
    fitted = [
        _fit_one(gradient, tables, np.random.default_rng([seed, net]), widths=(len(told.feature_names), first, second),
                 epochs=epochs, rate=learning_rate, decay=decay, dropout=dropout)
        for net in range(nets)
    ]  # fmt: skip
    weights = {
        name: np.stack([one[name] for one in fitted]).astype(np.float32) for name in fitted[0] if name != "place"
    }
    place = np.mean([one["place"] for one in fitted], axis=0).astype(np.float32)
    about = about_lists(told) | {
        "seed": seed, "nets": nets, "first": first, "second": second, "epochs": epochs, "learning_rate": learning_rate,
        "decay": decay, "dropout": dropout,
    }  # fmt: skip
    model = RankerNetwork(told.feature_names, about, {"knots": knots, "levels": levels, "place": place, **weights})
    # What is served is what was written: read it back, so that the two cannot differ.
    return RankerNetwork.load(model.dump())


def _quantiles(features: Matrix) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Find each feature's quantiles, and the level of each, the middle one where several are equal (features × knots, both)."""
    knots = np.quantile(features.astype(np.float64), np.linspace(0.0, 1.0, KNOTS), axis=0).astype(np.float32).T
    levels = np.empty_like(knots)
    spread = np.linspace(0.0, 1.0, KNOTS)
    for row, own in zip(levels, knots, strict=True):
        _, which = np.unique(own, return_inverse=True)
        row[:] = (np.bincount(which, weights=spread) / np.bincount(which))[which]
    return np.ascontiguousarray(knots), levels


def _placed(matrix: Matrix, knots: NDArray[np.float32], levels: NDArray[np.float32]) -> Floats:
    """Tell where each value lies among its feature's quantiles, from −1 to 1 (articles × features)."""
    columns = [np.interp(values, own, level) for values, own, level in zip(matrix.T, knots, levels, strict=True)]
    placed: Floats = 2.0 * np.stack(columns, axis=1) - 1.0
    return placed


@dataclass(frozen=True)
class _Tables:
    """Lists side by side, the short ones filled up: inputs (L × longest × F), gains, masks and places (L × longest)."""

    inputs: Floats
    gains: Floats
    mask: Floats
    places: Integers


def _padded(inputs: Floats, told: TrainingSet) -> _Tables:
    longest = int(told.groups.max())
    number = np.repeat(np.arange(len(told.groups)), told.groups)
    place = np.arange(len(inputs)) - np.repeat(np.cumsum(told.groups) - told.groups, told.groups)
    shape = (len(told.groups), longest)
    tables = _Tables(np.zeros((*shape, inputs.shape[1])), np.zeros(shape), np.zeros(shape), np.zeros(shape, np.int64))
    tables.inputs[number, place] = inputs
    tables.gains[number, place] = (2.0**told.labels - 1.0) * told.weights
    tables.mask[number, place] = 1.0
    tables.places[number, place] = np.minimum(told.positions, PLACES) - 1
    totals = tables.gains.sum(axis=1, keepdims=True)
    tables.gains[:] = tables.gains / np.where(totals > 0.0, totals, 1.0)
    return tables


def _loss_by(gnp: Any) -> Callable[..., Any]:
    """Return the loss of a batch as a function of the weights, written in autograd's NumPy."""

    def loss(w: Any, tables: _Tables, kept: Any) -> Any:
        inputs = tables.inputs.reshape(-1, tables.inputs.shape[-1])
        one = gnp.tanh(gnp.dot(inputs, w["w1"]) + w["b1"]) * kept
        two = gnp.tanh(gnp.dot(one, w["w2"]) + w["b2"])
        own = gnp.reshape(gnp.dot(two, w["w3"]) + gnp.dot(inputs, w["skip"]), tables.mask.shape)
        scores = own + (w["place"] - w["place"][0])[tables.places] - 1e9 * (1.0 - tables.mask)
        most = gnp.max(scores, axis=1, keepdims=True)
        total = most + gnp.log(gnp.sum(gnp.exp(scores - most), axis=1, keepdims=True))
        return gnp.sum(tables.gains * (total - scores) * tables.mask) / len(scores)

    return loss


def _fit_one(
    gradient: Callable[..., Any],
    tables: _Tables,
    rng: np.random.Generator,
    *,
    widths: tuple[int, int, int],
    epochs: int,
    rate: float,
    decay: float,
    dropout: float,
) -> dict[str, Floats]:
    """Fit one network by Adam (Kingma and Ba, 2015) with weight decay apart from the gradient (Loshchilov and Hutter, 2019)."""
    features, first, second = widths
    weights: dict[str, Floats] = {
        "w1": rng.normal(0.0, features**-0.5, (features, first)), "b1": np.zeros(first),
        "w2": rng.normal(0.0, first**-0.5, (first, second)), "b2": np.zeros(second),
        "w3": rng.normal(0.0, 0.1 * second**-0.5, second), "skip": np.zeros(features), "place": np.zeros(int(tables.places.max()) + 1),
    }  # fmt: skip
    mean = {name: np.zeros_like(value) for name, value in weights.items()}
    square = {name: np.zeros_like(value) for name, value in weights.items()}
    count = len(tables.gains)
    batch = max(64, -(-count // 200))
    steps, step = epochs * -(-count // batch), 0
    for _ in range(epochs):
        order = rng.permutation(count)
        for start in range(0, count, batch):
            step += 1
            some = order[start : start + batch]
            kept = (rng.random(first) >= dropout) / (1.0 - dropout)
            part = _Tables(tables.inputs[some], tables.gains[some], tables.mask[some], tables.places[some])
            _, slopes = gradient(weights, part, kept)
            now = rate * 0.5 * (1.0 + np.cos(np.pi * step / steps))
            for name, slope in slopes.items():
                mean[name] = 0.9 * mean[name] + 0.1 * slope
                square[name] = 0.999 * square[name] + 0.001 * slope**2
                move = (mean[name] / (1.0 - 0.9**step)) / (np.sqrt(square[name] / (1.0 - 0.999**step)) + 1e-8)
                shrink = 0.0 if name == "place" else decay
                weights[name] = weights[name] - now * (move + shrink * weights[name])
    weights["place"] = weights["place"] - weights["place"][0]
    return weights


def _autograd() -> tuple[Any, Any]:
    try:
        import autograd
        import autograd.numpy
    except ImportError:
        raise InputError(
            "Fitting a neural ranker needs autograd, which is not installed.",
            hint="Run `pip install 'embellie[neural]'`.",
        ) from None
    return autograd.value_and_grad, autograd.numpy
