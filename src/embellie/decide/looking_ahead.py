"""Looking ahead: which study first, what live meanwhile, what then; valued as a whole by dynamic programming.

A path is what has been done so far: each move puts a scenario live and runs a study to its end. After it one settles on a
scenario, or makes a further move. Backward, from the last move to the first, with y the results so far:

    V(path, y) = max{ E[net benefit of settling on d after path | y] for every d,  E[V(path + move, y, y') | y] for every move }

Expectations are regressions on simulated results (Longstaff and Schwartz 2001): fitted values choose, realised net benefits
value. Each scramble of the draws is fitted by the other seven, so a plan is worth what following it really brings in draws
that had no say in it; what is left of the error makes a plan look worse, never better.

The search is a beam: every first move is valued as the only one, the best of them with a second, the best of those with a third.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from embellie.decide.cross_fitting import Fit, without
from embellie.decide.revealing import Basis, strata
from embellie.decide.simulated_results import Clue
from embellie.domain.verdict import Figure
from embellie.stats.sampling import SCRAMBLES, by_scramble, numerical_error

Array = npt.NDArray[np.float64]

DEPTH = 3
"""At most so many studies one after the other."""

_FIRST, _LATER = 8, 3
"""How many first moves are followed further: to a second study, and to a third."""

_OPTIONS = 3
"""How many further moves are kept after a result."""

_RARE = 0.01
"""A move chosen in a smaller share of the draws is not kept."""


class Move(NamedTuple):
    """Put a choice live, by its number, and run one design of a study, by its number."""

    live: int
    test: int


Path = tuple[Move, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospects:
    """All that may be done.

    `tests` are the designs, `lives` the choices that may be live while one runs, and `settled` gives the net benefits
    (choices, draws) of settling on each choice after a path, all costs of the path taken off. `others` are unknowns, less their
    means, with what each is tied to: those a path learns nothing of are noise to it.
    """

    tests: Sequence[Clue]
    lives: Sequence[int]
    settled: Callable[[Path], Array]
    others: Sequence[tuple[frozenset[str], Array]] = ()


@dataclass(slots=True)
class Node:
    """What to do after a path: `options` are choices to settle on (by number) and further moves (by their nodes).

    All money is above acting at once on the best choice. `settled` (choices, draws) is what settling on each choice brings;
    `realised` (draws,) what following the plan from here on brings, the whole path included; `taken` (draws,) which option each
    draw comes to; `fitted` (options, draws) what one expects of each option by the results so far, by one fit on all draws.
    `worth` is the mean of what is realised, by scramble; where it is a first move's, freed of how the draws differ from the
    laws of what its studies show. `alone` is what it is worth without further moves.
    """

    path: Path
    settled: Array
    realised: Array
    taken: npt.NDArray[np.intp]
    worth: Array
    alone: float = 0.0
    moves: list["Node"] = field(default_factory=list)
    fitted: Array | None = None

    @property
    def options(self) -> Array:
        """The net benefits of every option (options, draws)."""
        return np.concatenate([self.settled, *(move.realised[None] for move in self.moves)])

    @property
    def value(self) -> float:
        """What all that is done brings on average."""
        return float(self.worth.mean())


@dataclass(frozen=True, slots=True)
class Outlook:
    """What was found: the net benefits of acting at once on the choice `best` (draws,), and the first moves, best first."""

    best: int
    at_once: Array
    firsts: tuple[Node, ...]

    def gain(self, node: Node | None) -> Figure:
        """Return what a first move and all that follows is worth above acting at once on the best choice."""
        if node is None:
            return Figure(value=0.0, error=0.0)
        scale = float(np.mean(np.abs(self.at_once)))
        return Figure(value=node.value, error=numerical_error(node.worth, scale=scale))


def look_ahead(prospects: Prospects, *, depth: int = DEPTH) -> Outlook:
    """Value every first move, and the best of them with what may follow.

    Args:
        prospects: All that may be done.
        depth: How many studies may follow one another.
    """
    return _Search(prospects).outlook(depth)


def look_closer(outlook: Outlook, prospects: Prospects, *, most: int) -> Outlook:
    """Value the best first moves anew, with what may follow each as it was found, in more draws.

    What may follow was chosen among many in fewer draws, and so looks a little better there than it is.

    Args:
        outlook: What was found.
        prospects: The same studies and choices in more draws.
        most: How many first moves.
    """
    search = _Search(prospects)
    return search.ordered([search.again(node) for node in outlook.firsts[:most]])


def follow(node: Node, prospects: Prospects, *, fresh: Prospects) -> Array:
    """Follow a plan in draws it has not been made from; return the net benefit of each (draws,).

    Args:
        node: The plan's first move.
        prospects: What it was made from.
        fresh: The same studies and choices in other draws.
    """
    known, other = Basis(prospects.tests, prospects.others), Basis(fresh.tests)

    def brings(node: Node) -> Array:
        tests = {move.test for move in node.path}
        fit = Fit(known.of(tests), known.surprises(tests))
        expected = fit.coefficients(fit.steady(node.options)).T @ other.of(tests)
        options = np.concatenate([fresh.settled(node.path), *(brings(move)[None] for move in node.moves)])
        return np.asarray(np.take_along_axis(options, np.argmax(expected, axis=0)[None], axis=0)[0], dtype=float)

    return brings(node)


class _Search:
    def __init__(self, prospects: Prospects) -> None:
        self.prospects = prospects
        self.tests = prospects.tests
        self._basis = Basis(prospects.tests, prospects.others)
        now = prospects.settled(())
        self.best = int(np.argmax(now.mean(axis=1)))
        self.at_once = now[self.best]
        self._strata: dict[str, Array] = {}
        self._fits: dict[frozenset[int], Fit] = {}

    def outlook(self, depth: int) -> Outlook:
        every = [Move(live, test) for live in self.prospects.lives for test in range(len(self.tests))]
        alone = sorted((self.node((move,)) for move in every), key=lambda node: -node.value)
        kept = self._best_of_each(alone)
        candidates = [node.path[0] for node in kept]
        least = max(0.0, kept[0].value) if kept else 0.0
        # what one would settle on, knowing all, once the first study is over: no second one can bring more
        promising = [node for node in kept if node.settled.max(axis=0).mean() > least]
        for node in promising[:_FIRST] if depth > 1 else ():
            self.extend(node, candidates)
        promising.sort(key=lambda node: -node.value)
        for node in promising[:_LATER] if depth > 2 else ():
            for second in node.moves:
                self.extend(second, candidates)
            self.choose(node)
        return self.ordered(kept)

    def ordered(self, firsts: list[Node]) -> Outlook:
        """Return first moves in the order of their worth; first comes the one to take, explained."""
        firsts.sort(key=lambda node: -node.value)
        if firsts:
            firsts.insert(0, firsts.pop(_first_of(firsts)))
            self.explain(firsts[0])
        return Outlook(self.best, self.at_once, tuple(firsts))

    def again(self, node: Node) -> Node:
        """Value a move and what may follow it in these draws."""
        found = self.node(node.path)
        if node.moves:
            found.moves = [self.again(move) for move in node.moves]
            self.choose(found)
        return found

    def _best_of_each(self, alone: Sequence[Node]) -> list[Node]:
        """Keep the best design of each study and live choice; the best of each study come first, the best of all before."""
        pairs: dict[tuple[int, str], Node] = {}
        for node in alone:
            pairs.setdefault((node.path[0].live, self._study(node.path[0])), node)
        leading = {self._study(node.path[0]): node for node in reversed(pairs.values())}
        others = [node for node in pairs.values() if leading[self._study(node.path[0])] is not node]
        return [*sorted(leading.values(), key=lambda node: -node.value), *others]

    def _study(self, move: Move) -> str:
        return self.tests[move.test].study

    def fit(self, path: Path) -> Fit:
        """Return the fit on the results of a path; in which order they came makes no difference."""
        known = frozenset(move.test for move in path)
        if known not in self._fits:
            self._fits[known] = Fit(self._basis.of(known), self._basis.surprises(known))
        return self._fits[known]

    def node(self, path: Path) -> Node:
        """Return what to do after a path if no further study is run."""
        settled = self.prospects.settled(path) - self.at_once
        node = Node(path, settled, settled[0], np.zeros(settled.shape[1], dtype=np.intp), np.zeros(SCRAMBLES))
        self.choose(node)
        node.alone = node.value
        return node

    def choose(self, node: Node) -> None:
        """Choose among settling and the further moves at hand, and realise it."""
        fit = self.fit(node.path)
        options = fit.steady(node.options)
        node.taken = np.argmax(fit.unseen(options), axis=0)
        node.realised = np.take_along_axis(options, node.taken[None], axis=0)[0]
        freed = self._freed(node) if len(node.path) == 1 else node.realised
        node.worth = by_scramble(freed).mean(axis=1)

    def _freed(self, node: Node) -> Array:
        """Return what a plan brings less what is due to how these draws differ from the laws of what it shows."""
        shown = {self.tests[after.path[-1].test].subject: after.path[-1].test for after in _with_moves(node)}
        for subject, test in shown.items():
            if subject not in self._strata:
                self._strata[subject] = strata(self.tests[test])
        return without(node.realised, np.concatenate([self._strata[subject] for subject in sorted(shown)]))

    def extend(self, node: Node, candidates: Sequence[Move]) -> None:
        """Give a node the further moves that are worth it."""
        alone = node.realised, node.taken, node.worth
        shares = np.bincount(node.taken, minlength=len(node.settled)) / len(node.taken)
        lives = {node.path[-1].live, *np.flatnonzero(shares >= _RARE).tolist()}
        done = {self._study(move) for move in node.path}
        further = [move for move in candidates if move.live in lives and self._study(move) not in done]
        node.moves = [self.node((*node.path, move)) for move in further]
        if node.moves:
            self.choose(node)
            chosen = np.bincount(node.taken, minlength=len(node.options))[len(node.settled) :]
            order = np.argsort(-chosen, kind="stable")[:_OPTIONS]
            node.moves = [node.moves[at] for at in order if chosen[at] >= _RARE * len(node.taken)]
            self.choose(node)
        if node.value <= float(alone[2].mean()):
            node.moves, (node.realised, node.taken, node.worth) = [], alone

    def explain(self, node: Node) -> None:
        """Work out what one expects of each option, for all that may follow."""
        fit = self.fit(node.path)
        node.fitted = fit.whole(fit.steady(node.options))
        for move in node.moves:
            self.explain(move)


def _first_of(firsts: Sequence[Node]) -> int:
    """Return the place of the plan to take: of those that cannot be told from the best, whose first study alone tells most."""
    best = firsts[0]
    equal = [at for at, one in enumerate(firsts) if best.value - one.value <= numerical_error(best.worth - one.worth)]
    return max(equal, key=lambda at: firsts[at].alone)


def _with_moves(node: Node) -> Iterator[Node]:
    """Yield a node and all that may follow it."""
    yield node
    for move in node.moves:
        yield from _with_moves(move)
