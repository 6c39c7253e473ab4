"""Interleaving from the log: readers' credit to each of the two policies that drafted their slates."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from embellie.app.choosing import choose
from embellie.app.crediting import KINDS, CreditBook, Reward
from embellie.app.number_columns import read_columns
from embellie.domain.errors import InputError, TableError
from embellie.domain.slate import Slate
from embellie.domain.unavailable import Unavailable
from embellie.measure.interleaving_credit import (
    PLANNED,
    Preference,
    no_money,
    preference,
    preference_picture,
    preference_sentences,
)
from embellie.store.log_place import LogPlace, open_log

__all__ = [
    "PLANNED",
    "preference_document",
    "preference_from_log",
    "preference_from_table",
    "preference_picture",
    "preference_sentences",
]

Credit = dict[str, tuple[float, float]]


def preference_from_log(
    log: LogPlace,
    *,
    site: str = "",
    placement: str = "",
    read_seconds: float,
    reward: Reward = "read",
    planned: int = PLANNED,
) -> Preference:
    """Credit each reader's reads to the policy that put the article there, over all interleaved slates.

    What editors pinned, and what belongs to neither, earns nobody anything. A reader without an id is left out, and bots are.

    Args:
        log: Where the log is.
        site: Not needed when there is only one with such slates.
        placement: The same.
        read_seconds: Attention that makes a read.
        reward: Credit for a `read` that lasts, or for a `click`.
        planned: Readers with credit at which the interval is tightest.

    Raises:
        InputError: No slate is shared by two policies, or by more than two over time.
    """
    book = CreditBook(reward=reward, read_seconds=read_seconds)
    shared: dict[tuple[str, str], list[Slate]] = {}
    with open_log(log) as events:
        for _, event in events.scan(kinds=KINDS):
            book.take(event)
            body = event.body
            if isinstance(body, Slate) and body.reader and any(item.team for item in body.items):
                shared.setdefault((event.site, body.placement), []).append(body)
    if not shared:
        raise InputError(
            "No slate in the log is shared by two policies.",
            hint='Release the policy `interleaved` on a placement, for instance with first = "popular", second = "affinity".',
        )
    site = choose("site", site, {one for one, _ in shared})
    placement = choose("placement", placement, {spot for one, spot in shared if one == site})
    slates = [slate for slate in shared[site, placement] if slate.reader not in book.bots]
    first, second = _teams(slates)
    credit: Credit = {}
    for slate in slates:
        one, other = credit.get(slate.reader, (0.0, 0.0))
        for item in slate.items:
            earned = book.earned(slate.slate_id, item.article)
            one, other = one + earned * (item.team == first), other + earned * (item.team == second)
        credit[slate.reader] = (one, other)
    return preference(credit, first=first, second=second, planned=planned)


def _teams(slates: list[Slate]) -> tuple[str, str]:
    seen = Counter(item.team for slate in slates for item in slate.items if item.team)
    if len(seen) != 2:
        names = ", ".join(f"`{name}`" for name in sorted(seen))
        raise InputError(
            f"The slates are shared by {len(seen)} policies: {names}.",
            hint="A preference is between two; measure each pair on a placement or in a time of its own.",
        )
    first, second = sorted(seen)
    return first, second


def preference_from_table(source: str, *, planned: int = PLANNED) -> Preference:
    """Read credit from a table with the columns `reader`, `team` and `credit`; rows of a reader and team are added up.

    A row with credit 0 says that the reader saw that team's choices.

    Raises:
        TableError: A column is missing, a credit is no number or below 0, or there are not two teams.
    """
    found = read_columns(source, numbers=["credit"], texts=["reader", "team"])
    teams = sorted(set(found.texts["team"]))
    if len(teams) != 2:
        raise TableError(
            f"Column `team` has {len(teams)} values.", hint="A preference is between two rankers.", at=Path(source).name
        )
    credit: Credit = {}
    rows = zip(found.texts["reader"], found.texts["team"], found.numbers["credit"], strict=True)
    for row, (reader, team, earned) in enumerate(rows, start=1):
        if earned < 0:
            raise TableError(
                f"The credit of row {row} is `{earned:g}`.", hint="Credit is 0 or more.", at=Path(source).name
            )
        one, other = credit.get(reader, (0.0, 0.0))
        credit[reader] = (one + earned, other) if team == teams[0] else (one, other + earned)
    return preference(credit, first=teams[0], second=teams[1], planned=planned)


def preference_document(told: Preference) -> dict[str, Any]:
    """Return the JSON form (`embellie/interleaving/1`)."""
    figures: Mapping[str, Any] = (
        {"preference": told.found.document()}
        if isinstance(told.found, Unavailable)
        else {"preference": asdict(told.found)}
    )
    return {
        "schema": "embellie/interleaving/1",
        "first": told.first,
        "second": told.second,
        "readers": told.readers,
        "credited": told.credited,
        "verdict": told.verdict,
        **figures,
        "money": no_money().document(),
    }
