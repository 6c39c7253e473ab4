"""Learning from clicks alone: lists made by replay, where no log says what readers were shown."""

import numpy as np

from embellie.recommend.features import Asked, matrix_of, names_of, signals_of_features
from embellie.recommend.learning import CLICKED, Lists, TrainingSet
from embellie.recommend.replaying import ClickLog, Protocol, Replay, choose_targets
from embellie.recommend.shortlist import shortlist


def training_from_clicks(
    log: ClickLog,
    protocol: Protocol,
    *,
    seed: int,
    passed_over: int = 20,
    candidates: int = 300,
    until: int | None = None,
) -> TrainingSet:
    """Make a list of each target: the article clicked next, and some the ranker would have had to choose from.

    The state is that of the start of the target's window, as in evaluation; features come from the function that serves.
    A target outside the shortlist teaches nothing the ranker could do and is left out, so `hr` of the shortlist bounds what
    is learnt. The others are drawn evenly from the shortlist: nobody knows whether readers saw them, which flatters what is
    popular (it was seen more). Positions are 1 for all.

    Args:
        log: The clicks.
        protocol: How to replay; its `sample` bounds the lists.
        seed: Draws the others.
        passed_over: How many others a list has, at most.
        candidates: The size of the shortlist.
        until: Only targets before this moment (µs), so that later ones can be predicted.
    """
    rng = np.random.default_rng(seed)
    targets = [one for one in choose_targets(log, protocol) if until is None or log.at[one.click] < until]
    replay = Replay(log, protocol, timer=lambda: 0.0, signals=signals_of_features())
    lists = Lists()
    names = names_of()
    for target, request in replay.requests(targets):
        site = replay.state.site(request.site)
        row = site.shelf.row(log.articles[target.click])
        if row is None:
            continue
        asked = Asked(request, site)
        suitable = site.suitable(request) if protocol.seen == "keep" else None
        rows = np.flatnonzero(suitable) if suitable is not None else site.candidates(request)
        chosen = shortlist(asked, rows, most=candidates)
        others = chosen[chosen != row]
        if len(others) == len(chosen) or not len(others):
            continue
        drawn = rng.choice(others, min(passed_over, len(others)), replace=False)
        listed = np.concatenate([[row], np.sort(drawn)])
        labels = [CLICKED] + [0] * len(drawn)
        lists.add(names, matrix_of(asked, listed), labels, [1] * len(listed), at=int(log.at[target.click]))
    return lists.training_set()
