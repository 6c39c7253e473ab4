"""Reference and published cases, written as questions, through the same command as every question."""

import importlib.util
import sys
from functools import cache
from pathlib import Path

import pytest

from embellie.domain.errors import QuestionError

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "reference_cases.py"
SMALL = 0.02
"""Below this share of EVPI a value changes no decision: its stated error counts, not its relative one."""


def load():
    spec = importlib.util.spec_from_file_location("reference_cases", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclass looks itself up there
    spec.loader.exec_module(module)
    return module


cases = load()
figures = cache(cases.figures)
answer = cache(cases.answer)


def bound(figure, error):
    """Return the width that the stated error and the oracle's own leave."""
    return (error**2 + (1.96 * figure.error) ** 2) ** 0.5 + cases.ROUNDING * abs(figure.expected)


def check(figure):
    """Within half a percent; a negligible value or an oracle that is no closed form, within a few times what is stated."""
    document = answer(figure.file)
    value, error = cases.obtained(document, figure.what)
    negligible = "evppi" in figure.what and figure.expected < SMALL * document["evpi"]["value"]
    allowed = 0.005 * abs(figure.expected)
    if negligible or figure.by != "closed form":
        allowed = max(allowed, 3 * bound(figure, error or 0.0))
    assert abs(value - figure.expected) <= allowed, f"{figure.what}: {value}, expected {figure.expected}"


def check_errors(found):
    """Nine stated errors in ten or more hold, as they are 95 % bounds, and none is far too small."""
    ratios = {}
    for figure in found:
        value, error = cases.obtained(answer(figure.file), figure.what)
        if (
            error is not None and figure.what != "after"
        ):  # told for some forty ranges of results, to a tenth of a per cent
            ratios[figure.file, figure.what] = abs(value - figure.expected) / bound(figure, error)
    assert sum(ratio <= 1 for ratio in ratios.values()) >= 0.9 * len(ratios), ratios
    assert max(ratios.values()) < 4, ratios


@pytest.mark.parametrize("number", range(len(cases.KNOWN)), ids=lambda number: cases.KNOWN[number].__name__)
def test_reference_figures_are_found(number):
    """Each in closed form, within half a percent."""
    for figure in figures((cases.KNOWN[number],)):
        check(figure)


def test_their_stated_errors_hold_as_often_as_they_say():
    """A stated error is a 95 % bound."""
    check_errors(figures(cases.KNOWN))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(cases.PUBLISHED)), ids=lambda number: cases.PUBLISHED[number].__name__)
def test_published_figures_are_found(number):
    """Health economics, marketing and a newspaper, against quadrature and simulation."""
    for figure in figures((cases.PUBLISHED[number],)):
        check(figure)


@pytest.mark.slow
def test_the_stated_errors_of_published_figures_hold_as_often_as_they_say():
    """A stated error is a 95 % bound, also where the truth is known by simulation alone."""
    check_errors(figures(cases.PUBLISHED))


@pytest.mark.parametrize("name", cases.REFUSED)
def test_a_range_that_is_none_is_refused_with_the_way_out(name):
    """Its middle lies too close to an end; the message says where and what to write."""
    with pytest.raises(QuestionError, match="give a bound, or only the two outer points") as error:
        cases.answer(name)
    assert error.value.at.endswith(".toml:5")


@pytest.mark.slow
def test_every_case_is_checked():
    """No file lies in the folder without a figure that is expected of it."""
    files = {path.stem for path in cases.QUESTIONS.glob("*.toml")}
    assert files == {figure.file for figure in figures()} | set(cases.REFUSED)


@pytest.mark.slow
def test_what_is_expected_by_simulation_is_found_again():
    """Another two million draws agree with each figure that is written down."""
    for name, (value, error) in cases.simulated(batches=4, size=500_000).items():
        expected, _, known = cases.SIMULATED[name]
        assert abs(value - expected) < 4 * (error**2 + known**2) ** 0.5
