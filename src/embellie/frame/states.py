"""States: unknowns that are one of a few values, such as an event that happens or does not."""

from embellie.domain.errors import QuestionError
from embellie.domain.question import Distribution
from embellie.frame.amounts import parse_amount

NAMES = ("discrete", "chance")
_FORM = "Write `discrete(-70: 50 %, 50: 30 %, 200: 20 %)`, or `chance(30 %)` for what happens or does not."
_MOST = 50


def read_states(name: str, inside: str) -> Distribution:
    """Read what stands between the brackets of `discrete(…)` or `chance(…)`.

    Raises:
        QuestionError: The values are not distinct numbers, or their chances do not add up to 1.

    >>> read_states("discrete", "-70: 50 %, 50: 30 %, 200: 20 %").parameters
    (-70.0, 50.0, 200.0, 0.5, 0.3, 0.2)
    >>> read_states("chance", "30 %").parameters
    (0.0, 1.0, 0.7, 0.3)
    """
    if name == "chance":
        happens = _number(inside)
        if not 0 < happens < 1:
            raise QuestionError(f"`chance({inside.strip()})` is no chance.", hint="Write one above 0 and below 100 %.")
        return Distribution("discrete", (0.0, 1.0, 1 - happens, happens))
    states = sorted(_state(part) for part in inside.split(",") if part.strip())
    values, chances = [value for value, _ in states], [chance for _, chance in states]
    if not 2 <= len(states) <= _MOST or len(set(values)) < len(values):
        raise QuestionError(f"`discrete({inside.strip()})` needs 2 to {_MOST} different values.", hint=_FORM)
    if min(chances) <= 0 or abs(sum(chances) - 1) > 1e-6:
        raise QuestionError(
            f"The chances of `discrete({inside.strip()})` add up to {sum(chances):.4g}.",
            hint="They must be above 0 and add up to 100 %.",
        )
    return Distribution("discrete", (*values, *chances))


def _state(part: str) -> tuple[float, float]:
    value, colon, chance = part.partition(":")
    if not colon:
        raise QuestionError(f"`{part.strip()}` has no chance.", hint=_FORM)
    return _number(value), _number(chance)


def _number(text: str) -> float:
    amount = parse_amount(text.strip())
    if amount is None or amount.unit:
        raise QuestionError(f"`{text.strip()}` is no number.", hint=f"{_FORM} A unit follows the bracket.")
    return amount.value


def written_order(text: str) -> tuple[int, ...]:
    """Return, for each value in rising order, its place in `discrete(…)` or `chance(…)` as written.

    >>> written_order("discrete(200: 20 %, -70: 50 %, 50: 30 %) EUR")
    (1, 2, 0)
    """
    inside = text.partition("(")[2].rpartition(")")[0]
    parts = [part for part in inside.split(",") if ":" in part]
    values = [_state(part)[0] for part in parts] or [0.0, 1.0]
    return tuple(sorted(range(len(values)), key=values.__getitem__))
