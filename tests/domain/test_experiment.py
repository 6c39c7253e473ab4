"""An experiment that could not be analysed cannot be written down."""

import pytest

from embellie.domain.errors import InputError, UnknownName
from embellie.domain.experiment import Experiment, Variant


def experiment(*weights, control="v0", names=None, **fields):
    names = names or [f"v{number}" for number in range(len(weights))]
    variants = tuple(
        Variant(name=name, weight=weight, scenario=name, release=name)
        for name, weight in zip(names, weights, strict=True)
    )
    return Experiment(experiment="e", placement="bottom", control=control, variants=variants, salt="e", **fields)


def test_two_variants_and_a_control_are_an_experiment():
    """Weights need not sum to one."""
    assert experiment(1.0, 3.0, share=0.5).variants[1].weight == 3.0


@pytest.mark.parametrize(
    ("weights", "fields"),
    [
        ((1.0,), {}),
        ((1.0, 1.0), {"names": ["v0", "v0"]}),
        ((1.0, 0.0), {}),
        ((1.0, float("nan")), {}),
        ((1.0, 1.0), {"share": 0.0}),
        ((1.0, 1.0), {"share": 1.1}),
    ],
)
def test_what_cannot_be_compared_is_refused(weights, fields):
    """One side, the same side twice, a side nobody sees, a share that is none: said at once, with what to write."""
    with pytest.raises(InputError) as caught:
        experiment(*weights, **fields)
    assert caught.value.hint


def test_the_control_is_one_of_the_variants():
    """A slip in its name is told with the names there are."""
    with pytest.raises(UnknownName, match="Available: v0, v1"):
        experiment(1.0, 1.0, control="none")
