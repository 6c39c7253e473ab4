"""The learned ranker's model as boosted trees that order a list (LambdaRank), by LightGBM; the extra `ml`."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from embellie.domain.errors import InputError
from embellie.recommend.features import Matrix
from embellie.recommend.learning import TrainingSet
from embellie.recommend.popularity import Floats
from embellie.recommend.ranker_file import (
    POSITION,
    TREES,
    about_lists,
    check_columns,
    head_of,
    lists_to_learn_from,
    with_head,
)


@dataclass(frozen=True, eq=False)
class RankerTrees:
    """A fitted ranker: scores articles by their features, more is better.

    `feature_names` are the columns that `score` expects, in order; `about` says how it was fitted.
    """

    feature_names: tuple[str, ...]
    about: dict[str, Any]
    _booster: Any

    def score(self, matrix: Matrix) -> Floats:
        """Score articles (articles × features, in the order of `feature_names`), each as if it stood first.

        Raises:
            InputError: The columns are not as many as the model's.
        """
        check_columns(matrix, self.feature_names)
        if not len(matrix):
            return np.zeros(0)
        table = np.ones((len(matrix), matrix.shape[1] + 1), np.float32)
        table[:, :-1] = matrix
        scores: Floats = self._booster.predict(table, num_threads=1)
        return scores

    def importances(self) -> dict[str, float]:
        """Tell how much each feature lowered the loss in training, as shares, the largest first; `position` among them."""
        gains = self._booster.feature_importance("gain")
        shares = gains / max(float(gains.sum()), 1e-12)
        named = zip((*self.feature_names, POSITION), shares.tolist(), strict=True)
        return dict(sorted(named, key=lambda one: (-one[1], one[0])))

    def dump(self) -> bytes:
        """Write the model as text: what it is in the first line, then LightGBM's own format. The same model, the same bytes."""
        text: str = self._booster.model_to_string()
        return with_head(text.encode(), kind=TREES, feature_names=self.feature_names, about=self.about)

    @classmethod
    def load(cls, data: bytes) -> "RankerTrees":
        """Read what `dump` wrote.

        Raises:
            InputError: It is something else, or LightGBM is not installed.
        """
        head, text = head_of(data)
        names = head["feature_names"]
        lightgbm = _lightgbm()
        try:
            booster = lightgbm.Booster(model_str=text.decode())
        except (lightgbm.basic.LightGBMError, UnicodeDecodeError):
            raise InputError("The ranker's trees are damaged.", hint="Train it again.") from None
        if booster.num_feature() != len(names) + 1:
            raise InputError("The ranker's trees and its list of features do not fit.", hint="Train it again.")
        return cls(names, head["about"], booster)


def fit_trees(
    training: TrainingSet,
    *,
    seed: int,
    trees: int = 100,
    leaves: int = 7,
    learning_rate: float = 0.05,
    least_in_leaf: int = 50,
    levels: int = 10,
) -> RankerTrees:
    """Fit trees that put what was clicked before what was not, list by list.

    LambdaRank: the gradient of each pair of a list is weighed by what swapping the two would change in the list's nDCG
    (Burges, From RankNet to LambdaRank to LambdaMART, 2010). The position is one more feature, so that what only the place
    did is put down to the place; serving sets it to 1 for all. The same set and seed give the same bytes.

    Args:
        training: Lists with at least one label above 0; others teach nothing and are left out.
        seed: Of LightGBM.
        trees: How many.
        leaves: Of each tree at most.
        learning_rate: Shrinks each tree.
        least_in_leaf: Fewest articles a leaf rests on.
        levels: The nDCG is cut at this position.

    Raises:
        InputError: Fewer than twenty such lists, or LightGBM is not installed.
    """
    lightgbm = _lightgbm()
    told = lists_to_learn_from(training)
    table = np.column_stack([told.features, told.positions.astype(np.float32)])
    parameters = {
        "objective": "lambdarank", "lambdarank_truncation_level": levels, "learning_rate": learning_rate,
        "num_leaves": leaves, "min_data_in_leaf": min(least_in_leaf, max(1, len(table) // 20)), "lambda_l2": 1.0,
        "max_bin": 127, "seed": seed, "deterministic": True, "force_row_wise": True, "num_threads": 1, "verbosity": -1,
    }  # fmt: skip
    data = lightgbm.Dataset(
        table,
        label=told.labels,
        group=told.groups,
        weight=told.weights,
        feature_name=[*told.feature_names, POSITION],
        params=parameters,
        free_raw_data=True,
    )
    booster = lightgbm.train(parameters, data, num_boost_round=trees)
    about = about_lists(told) | {"seed": seed, "trees": trees, "leaves": leaves, "learning_rate": learning_rate}
    fitted = RankerTrees(told.feature_names, about, booster)
    # What is served is what was written: read it back, so that the two cannot differ.
    return RankerTrees.load(fitted.dump())


def _lightgbm() -> Any:
    try:
        import lightgbm
    except ImportError:
        raise InputError(
            "The learned ranker needs LightGBM, which is not installed.", hint="Run `pip install 'embellie[ml]'`."
        ) from None
    return lightgbm
