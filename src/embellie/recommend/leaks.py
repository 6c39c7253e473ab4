"""Leaks: whether a policy's ranks hold where it cannot know what comes next; a check for policies of anyone's own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from embellie.domain.article import Article
from embellie.domain.errors import InputError
from embellie.domain.moment import micros
from embellie.ports import Policy
from embellie.recommend.replaying import ClickLog, Protocol, Replay, Target, choose_targets, rank
from embellie.recommend.signals import signals_of
from embellie.recommend.state import State

CUTS = 6
"""At how many windows the log is cut."""

A_CUT = 20
"""How many targets are asked again after each cut, at most."""

OTHERWISE = "~"
"""What stands before every name when the log is told with other names; their order stays as it was."""


@dataclass(frozen=True, kw_only=True)
class LeakCheck:
    """What the check found: how many targets it asked again, and of which policies the names had to be left as they are."""

    targets: int
    cuts: int
    names_matter: tuple[str, ...]


class Leak(InputError):
    """A policy knows what it cannot know."""

    code = "leak"


def check_leaks(
    log: ClickLog,
    build: Callable[[], Mapping[str, Policy[State]]],
    *,
    protocol: Protocol,
    timer: Callable[[], float],
) -> LeakCheck:
    """Ask policies a sample of targets again, twice otherwise, and refuse one whose ranks differ.

    *Cut*: the log ends where the target's window starts, the catalogue with it, and state and policies are made anew.
    Whatever looks ahead through the replay, or has picked up clicks of other requests, ranks otherwise now.

    *Renamed*: readers, visits and articles are called otherwise, in the same order. Who learns from the log alone
    cannot tell; who looks things up elsewhere, in a file or in the log itself, finds nothing any more. Policies that
    say `names_matter` (they draw by chance from names, or carry a list) are spared, and named in the result.

    It finds leaks, it cannot prove there are none: one that goes by the clock or by the number of an article alone
    would pass.

    Args:
        log: The clicks.
        build: Makes the policies anew, by name.
        protocol: How they are evaluated.
        timer: Tells seconds.

    Raises:
        Leak: A policy's rank differs; says which, where and how.
    """
    targets = choose_targets(log, protocol)
    chosen = _spread(log, targets, protocol.window)
    if not chosen:
        raise InputError("No target to check.", hint="Check the visit and article columns.")
    expected = _ranks(log, build(), chosen, protocol, timer)
    windows = _by_window(log, chosen, protocol.window)
    for start, among in windows.items():
        _compare(
            "With the log cut where the window starts",
            {name: [expected[name][i] for i in among] for name in expected},
            _cut_ranks(log, build(), [chosen[i] for i in among], start=start, protocol=protocol, timer=timer),
        )
    policies = build()
    by_name = tuple(name for name, policy in policies.items() if getattr(policy, "names_matter", False))
    others = {name: policy for name, policy in policies.items() if name not in by_name}
    if others:
        _compare(
            "With readers, visits and articles called otherwise",
            {name: expected[name] for name in others},
            _ranks(renamed(log), others, chosen, protocol, timer),
        )
    return LeakCheck(targets=len(chosen), cuts=len(windows), names_matter=by_name)


def _spread(log: ClickLog, targets: Sequence[Target], window: int) -> list[Target]:
    """Choose windows spread evenly over the targets, and the last targets of each: they could look back the most."""
    windows: dict[int, list[Target]] = {}
    for target in targets:
        at = int(log.at[target.click])
        windows.setdefault(at - at % window, []).append(target)
    starts = list(windows)
    places = sorted({round(place) for place in np.linspace(0, len(starts) - 1, min(CUTS, len(starts)))})
    return [target for place in places for target in windows[starts[place]][-A_CUT:]]


def _by_window(log: ClickLog, targets: Sequence[Target], window: int) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for number, target in enumerate(targets):
        at = int(log.at[target.click])
        found.setdefault(at - at % window, []).append(number)
    return found


def _ranks(
    log: ClickLog,
    policies: Mapping[str, Policy[State]],
    targets: Sequence[Target],
    protocol: Protocol,
    timer: Callable[[], float],
) -> dict[str, list[int]]:
    replay = Replay(log, protocol, timer=timer, signals=signals_of(policies.values()))
    found: dict[str, list[int]] = {name: [] for name in policies}
    for target, request in replay.requests(targets):
        for name, policy in policies.items():
            article = log.articles[target.click]
            found[name].append(rank(policy, request, replay.state, article=article, seen=protocol.seen)[0])
    return found


def _cut_ranks(
    log: ClickLog,
    policies: Mapping[str, Policy[State]],
    targets: Sequence[Target],
    *,
    start: int,
    protocol: Protocol,
    timer: Callable[[], float],
) -> dict[str, list[int]]:
    """Rank targets, in reverse, in a state that was told a log which ends before `start` and nothing else."""
    asked = Replay(log, protocol, timer=timer)
    cut = Replay(cut_before(log, start), protocol, timer=timer, signals=signals_of(policies.values()))
    cut.fold_all()
    found: dict[str, list[int]] = {name: [] for name in policies}
    for target in reversed(targets):
        request = asked.request(target)
        for name, policy in policies.items():
            article = log.articles[target.click]
            found[name].append(rank(policy, request, cut.state, article=article, seen=protocol.seen)[0])
    return {name: ranks[::-1] for name, ranks in found.items()}


def cut_before(log: ClickLog, start: int) -> ClickLog:
    """Return a log as it stood before a time (µs), with the articles published or read by then."""
    end = int(np.searchsorted(log.at, start, side="left"))
    read = set(log.articles[:end])
    return ClickLog(
        readers=log.readers[:end],
        visits=log.visits[:end],
        articles=log.articles[:end],
        at=log.at[:end],
        catalogue={
            name: article
            for name, article in log.catalogue.items()
            if name in read or (article.published_at is not None and micros(article.published_at) < start)
        },
    )


def renamed(log: ClickLog) -> ClickLog:
    """Return a log that tells the same of readers, visits and articles of other names, in the same order of names."""

    def others(names: Sequence[str]) -> list[str]:
        return [f"{OTHERWISE}{name}" if name else "" for name in names]

    def other(article: Article) -> Article:
        return replace(article, article=OTHERWISE + article.article)

    return ClickLog(
        readers=others(log.readers),
        visits=others(log.visits),
        articles=others(log.articles),
        at=log.at,
        catalogue={OTHERWISE + name: other(article) for name, article in log.catalogue.items()},
    )


def _compare(how: str, expected: Mapping[str, list[int]], found: Mapping[str, list[int]]) -> None:
    for name, ranks in expected.items():
        differ = [(one, other) for one, other in zip(ranks, found[name], strict=True) if one != other]
        if differ:
            one, other = differ[0]
            raise Leak(
                f"`{name}` leaks: {how[0].lower()}{how[1:]}, {len(differ)} of {len(ranks)} ranks differ, for instance"
                f" {other or 'none'} instead of {one or 'none'}.",
                hint="It knows something besides the past that it is handed: a file, the log itself, the requests of"
                " others. Let it look only at `request` and `view`; its scores cannot be believed before.",
            )
