"""Policy values: off-policy estimates from the project's own log, or from a table of what was shown."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from embellie.app.choosing import choose
from embellie.app.config import Config, sites_of
from embellie.app.crediting import KINDS, CreditBook, Reward
from embellie.app.kept_signals import signals_for, watched_kinds
from embellie.app.number_columns import read_columns
from embellie.app.operations import Operations
from embellie.app.recommending import FOLDED, policy_of
from embellie.domain.errors import InputError, TableError, unknown_name
from embellie.domain.site import Placement
from embellie.domain.slate import Recommended, Slate, SlateRequest
from embellie.domain.unavailable import Unavailable
from embellie.measure.off_policy_values import (
    LoggedDecisions,
    PolicyValue,
    policy_value,
    value_sentences,
    values_picture,
)
from embellie.recommend.editorial import apply_rules
from embellie.recommend.state import State
from embellie.stats.off_policy import ClusteredMean
from embellie.store.log_place import LogPlace, open_log

__all__ = [
    "Logged",
    "PolicyValue",
    "is_log",
    "logged_columns",
    "value_document",
    "value_from_log",
    "value_from_table",
    "value_sentences",
    "values_picture",
]

SQLITE = b"SQLite format 3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """The names of the columns of a table of what was shown, a row per slot."""

    reader: str = "reader"
    article: str = "article"
    propensity: str = "propensity"
    reward: str = "reward"
    would: str = "would"
    target: str = "target"
    position: str = "position"


def logged_columns(text: str) -> Logged:
    """Read which columns are called otherwise.

    >>> logged_columns("reader=who,propensity=p").propensity
    'p'

    Raises:
        InputError: There is no such column.
    """
    known = [one.name for one in fields(Logged)]
    given = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, equals, column = pair.partition("=")
        if name not in known:
            raise unknown_name("column", name, known, at="--columns")
        if not equals or not column:
            raise InputError(f"`{pair}` is no pair.", hint="Write `--columns reader=who,propensity=p`.")
        given[name] = column
    return Logged(**given)


def is_log(path: Path) -> bool:
    """Tell whether a file is the project's own log."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(SQLITE)) == SQLITE


def value_from_table(
    source: str, *, policy: str, columns: Logged | None = None, where: str = "", clip: float = 0.0
) -> PolicyValue:
    """Value a policy on a table: a row per slot shown.

    Columns: `reader`, `propensity` (above 0, at most 1), `reward`, and what the policy would have done: `would`, the article it
    would have shown (beside `article`, the one shown), or `target`, its chance of what was shown. `position` is optional.

    Raises:
        TableError: A column is missing, or a cell cannot be: a propensity of 0 or above 1, a reward that is no number.
    """
    named = columns or Logged()
    found = read_columns(
        source,
        numbers=[named.propensity, named.reward, named.target, named.position],
        texts=[named.reader, named.article, named.would],
        optional=[named.target, named.position, named.article, named.would],
        where=where,
    )
    name = Path(source).name
    propensities = found.numbers[named.propensity]
    for row, propensity in enumerate(propensities, start=1):
        if not 0 < propensity <= 1:
            raise TableError(
                f"The propensity of row {row} is `{propensity:g}`.",
                hint="What was shown had a chance above 0 and at most 1 to be shown; a chance of 0 was never drawn.",
                at=name,
            )
    would = found.texts.get(named.would)
    if would is not None and named.article in found.texts:
        shown = found.texts[named.article]
        targets = [float(one == other) for one, other in zip(shown, would, strict=True)]
        would_show: list[str] | None = would
    elif named.target in found.numbers:
        shown, targets, would_show = [], found.numbers[named.target], None
        for row, target in enumerate(targets, start=1):
            if not 0 <= target <= 1:
                raise TableError(f"The chance in row {row} is `{target:g}`.", hint="Chances lie from 0 to 1.", at=name)
    else:
        raise TableError(
            "The table does not say what the policy would have shown.",
            hint=f"Add `{named.would}` beside `{named.article}`, or `{named.target}`, its chance of what was shown.",
            at=name,
        )
    positions = [int(position) for position in found.numbers.get(named.position, [])]
    return policy_value(
        LoggedDecisions(
            rewards=found.numbers[named.reward],
            propensities=propensities,
            targets=targets,
            readers=found.texts[named.reader],
            shown=shown,
            would=would_show,
            positions=positions,
        ),
        policy=policy,
        clip=clip,
    )


def value_from_log(
    log: LogPlace,
    config: Config,
    *,
    policy: str,
    site: str = "",
    placement: str = "",
    reward: Reward = "read",
    clip: float = 0.0,
) -> PolicyValue:
    """Value a policy on the project's own log: at each slate served, it is asked what it would have shown.

    The log is told again in its order, so that the policy sees what could be known then; the editorial rules of that moment
    apply. Slots that editors pinned are left out, and so are bots.

    Args:
        log: Where the log is.
        config: The project.
        policy: As `policy_of` reads it.
        site: Not needed when there is only one.
        placement: Not needed when the site has only one.
        reward: What a slot earns: 1 for a `read` that lasts, or for a `click`.
        clip: The largest weight; 0 for none.

    Raises:
        InputError: Nothing was served there, or the policy draws by chance.
    """
    places = sites_of(config)
    site = choose("site", site, places)
    spot = places[site].placements[choose("placement", placement, places[site].placements)]
    asked = policy_of(policy, editors_list=places[site].editors_list)
    signals = signals_for([asked], [spot])
    state, operations = State(signals=signals), Operations(places, stable="")
    book = CreditBook(reward=reward, read_seconds=config.read_seconds)
    slots: list[_Slot] = []
    with open_log(log) as events:
        for _, event in events.scan(kinds=(*FOLDED, *KINDS, *watched_kinds(signals))):
            if event.site != site:
                continue
            body = event.body
            if isinstance(body, Slate):
                if body.placement != spot.placement or not body.items or body.shared:
                    continue
                request = _request(body, event.site, spot, event.consent, event.at)
                rules = list(operations.of(site).rules.values())
                would = apply_rules(asked(request, state), request=request, state=state, rules=rules, placement=spot)
                slots += _slots(body, would, policy)
            book.take(event)
            state.apply(event)
            operations.apply(event)
    slots = [slot for slot in slots if slot.reader not in book.bots]
    if not slots:
        raise InputError(
            f"No slate of `{spot.placement}` is in the log.", hint="Serve some first, or name another `--placement`."
        )
    return policy_value(
        LoggedDecisions(
            rewards=[book.earned(slot.slate, slot.article) for slot in slots],
            propensities=[slot.propensity for slot in slots],
            targets=[float(slot.article == slot.would) for slot in slots],
            readers=[slot.reader or slot.slate for slot in slots],
            shown=[slot.article for slot in slots],
            would=[slot.would for slot in slots],
            positions=[slot.position for slot in slots],
        ),
        policy=policy,
        clip=clip,
    )


@dataclass(frozen=True, slots=True)
class _Slot:
    slate: str
    reader: str
    position: int
    article: str
    propensity: float
    would: str


def _request(slate: Slate, site: str, placement: Placement, consent: Any, now: Any) -> SlateRequest:
    return SlateRequest(
        site=site, placement=placement.placement, n=len(slate.items), now=now, article=slate.article, reader=slate.reader,
        visit=slate.visit, consent=consent,
    )  # fmt: skip


def _slots(slate: Slate, would: list[Recommended], policy: str) -> list[_Slot]:
    if any(item.propensity < 1 for item in would):
        raise InputError(
            f"`{policy}` draws by chance: what it would have shown cannot be told.",
            hint="Value a policy that is certain of what it shows; or give a table with its chances.",
        )
    names = {position: item.article for position, item in enumerate(would, start=1)}
    return [
        _Slot(slate.slate_id, slate.reader, item.position, item.article, item.propensity, names.get(item.position, ""))
        for item in slate.items
        if item.reason != "pinned"
    ]


def value_document(value: PolicyValue) -> dict[str, Any]:
    """Return the JSON form (`embellie/off_policy/1`)."""
    found = value.found
    return {
        "schema": "embellie/off_policy/1",
        "policy": value.policy,
        "ips": _figure(value.ips),
        "snips": _figure(value.snips),
        "dr": _figure(value.dr),
        "gain": _figure(value.gain),
        "logged": _figure(found.logged),
        "decisions": found.decisions,
        "readers": found.clusters,
        "agreement": value.agreement,
        "effective_sample_size": found.effective,
        "effective_readers": found.effective_clusters,
        "mean_weight": _figure(found.weight),
        "largest_weight": found.largest,
        "clip": value.clip or None,
        "clipped_share": found.clipped,
        "clip_bias": found.clip_bias,
        "interval": {"level": 0.95, "unit": "reader"},
    }


def _figure(found: ClusteredMean | Unavailable) -> Mapping[str, Any]:
    return found.document() if isinstance(found, Unavailable) else asdict(found)
