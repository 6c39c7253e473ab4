"""Messages: what goes in and out by HTTP. The OpenAPI document is made from these."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from embellie.app.keys import Role
from embellie.domain.article import Article
from embellie.domain.experiment import Variant
from embellie.domain.release import Release, Setting
from embellie.domain.rule import Rule
from embellie.domain.slate import Consent
from embellie.domain.verdict import Action

MAX_EVENTS = 500
MAX_ARTICLES = 2000
MAX_ITEMS = 50


class _In(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What comes in: a name we do not know is an error, not a silence."""


class _Out(msgspec.Struct, frozen=True, kw_only=True):
    """What goes out."""


# in: the query


class NoQuery(_In, frozen=True, kw_only=True):
    """No parameters."""

    key: str = ""


class SiteQuery(_In, frozen=True, kw_only=True):
    """Which site; not needed when there is one, or with a public key."""

    site: str = ""
    key: str = ""


class SlateQuery(SiteQuery, frozen=True, kw_only=True):
    """Which articles, for this reader, here, now? `exclude` and `seen` hold article ids, separated by commas."""

    placement: str
    article: str = ""
    reader: str = ""
    visit: str = ""
    n: int | None = None
    exclude: str = ""
    seen: str = ""
    consent: Consent | None = None
    language: str = ""


class SeriesQuery(NoQuery, frozen=True, kw_only=True):
    """Which metric; the primary one when left out."""

    metric: str = ""


# in: the body


class EventBatch(_In, frozen=True, kw_only=True):
    """Events, each with its header and its own fields side by side; see the reference of events.

    `sent_at` is when the post left, by the clock that the events' `at` were read from: however wrong that clock goes, what
    lies between the two is right, and `at` is put on the server's clock. `lost` is how many events the sender had to drop
    since its last post that was answered.
    """

    events: list[Any]
    sent_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    lost: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0


class ArticleBatch(_In, frozen=True, kw_only=True):
    """Articles as published; an article sent again replaces the one before."""

    articles: list[Any]


class ReleaseOrder(_In, frozen=True, kw_only=True):
    """What to build."""

    policy: str
    settings: dict[str, Setting] = {}
    note: str = ""


class RolloutOrder(_In, frozen=True, kw_only=True):
    """What to put live, where, and in which steps (those of the configuration when left out)."""

    placement: str
    release: str
    steps: list[float] = []


class Reason(_In, frozen=True, kw_only=True):
    """Why, for the history."""

    reason: str = ""


class TokenOrder(_In, frozen=True, kw_only=True):
    """A token to make."""

    name: str
    role: Role


# out


class SlateItemAnswer(_Out, frozen=True, kw_only=True):
    """One slot of a slate."""

    article: str
    position: int
    url: str
    title: str
    image: str | None
    reason: str
    reason_code: str
    propensity: float


class SlateAnswer(_Out, frozen=True, kw_only=True):
    """What to show, best first. `experiment` is null when the reader takes part in none."""

    schema: Literal["embellie/slate/1"] = "embellie/slate/1"
    slate_id: str
    placement: str
    experiment: str | None
    variant: str
    release: str
    items: list[SlateItemAnswer]


class Quarantined(_Out, frozen=True, kw_only=True):
    """An event that was set aside, and why."""

    index: int
    reason: str
    at: str = ""


class ReceiptAnswer(_Out, frozen=True, kw_only=True):
    """What became of a batch; the accepted events are on disk."""

    schema: Literal["embellie/receipt/1"] = "embellie/receipt/1"
    accepted: int
    duplicates: int
    quarantined: list[Quarantined]
    refused: int = 0


class PublishedAnswer(_Out, frozen=True, kw_only=True):
    """What became of the articles sent."""

    schema: Literal["embellie/published/1"] = "embellie/published/1"
    site: str
    new: int
    updated: int
    unchanged: int


class ArticlesAnswer(_Out, frozen=True, kw_only=True):
    """What readers may be shown now, newest first."""

    schema: Literal["embellie/articles/1"] = "embellie/articles/1"
    site: str
    articles: list[Article]


class ExperimentAnswer(_Out, frozen=True, kw_only=True):
    """An experiment's design and state."""

    schema: Literal["embellie/experiment/1"] = "embellie/experiment/1"
    experiment: str
    placement: str
    control: str
    variants: list[Variant]
    share: float
    layer: str
    unit_kind: str
    primary: str
    metrics: list[str]
    state: Literal["running", "stopped"]
    started_at: datetime | None
    salt: str
    reason: str


class ExperimentsAnswer(_Out, frozen=True, kw_only=True):
    """The experiments of a site, running ones first."""

    schema: Literal["embellie/experiments/1"] = "embellie/experiments/1"
    site: str
    experiments: list[ExperimentAnswer]


class ScorecardAnswer(_Out, frozen=True, kw_only=True):
    """An experiment's results; the same document as `embellie measure NAME --json`."""

    schema: Literal["embellie/scorecard/1"] = "embellie/scorecard/1"
    experiment: str | None = None
    unit: str
    control: str
    variants: dict[str, dict[str, Any]]
    excluded: dict[str, int] = {}
    srm: dict[str, Any]
    effects: list[dict[str, Any]]
    planned: int = 0
    checks: list[dict[str, Any]] = []
    slices: list[dict[str, Any]] = []
    restated: dict[str, Any] = {}


class SeriesAnswer(_Out, frozen=True, kw_only=True):
    """One metric's effects at moments since the start, oldest first; the same as `embellie measure NAME --days --json`."""

    schema: Literal["embellie/scorecard-series/1"] = "embellie/scorecard-series/1"
    experiment: str | None
    metric: str
    control: str
    planned: int = 0
    points: list[dict[str, Any]]
    restated: dict[str, Any] = {}


class QuestionAnswer(_Out, frozen=True, kw_only=True):
    """The question as written and checked."""

    schema: Literal["embellie/question/1"] = "embellie/question/1"
    question: str
    currency: str
    horizon_weeks: float
    discount: float
    quantities: dict[str, Any]
    unknowns: dict[str, Any]
    formulas: dict[str, Any]
    scenarios: dict[str, Any]
    correlations: dict[str, float]
    studies: dict[str, Any]
    groups: dict[str, Any]


class VerdictAnswer(_Out, frozen=True, kw_only=True):
    """What to do now, and why; the same document as `embellie decide --json`."""

    schema: Literal["embellie/verdict/1"] = "embellie/verdict/1"
    question: str
    currency: str
    draws: int
    seed: int
    scenarios: dict[str, dict[str, Any]]
    best: str
    evpi: dict[str, Any]
    unknowns: list[dict[str, Any]]
    studies: list[dict[str, Any]]
    next: dict[str, Any]
    verdict: Action


class ReleaseAnswer(_Out, frozen=True, kw_only=True):
    """A release; the same content is the same release."""

    schema: Literal["embellie/release/1"] = "embellie/release/1"
    release: str
    policy: str
    settings: dict[str, Setting]
    model: str
    data: str
    code: str
    built_at: datetime | None
    note: str


class ReleasesAnswer(_Out, frozen=True, kw_only=True):
    """What was built, and which release each placement shows."""

    schema: Literal["embellie/releases/1"] = "embellie/releases/1"
    site: str
    stable: dict[str, str]
    releases: list[Release]


class RolloutAnswer(_Out, frozen=True, kw_only=True):
    """Where a placement's change stands; `weight` is the share of readers on the canary now."""

    schema: Literal["embellie/rollout/1"] = "embellie/rollout/1"
    rollout: str
    placement: str
    stable: str
    canary: str
    steps: list[float]
    step: int
    weight: float
    state: Literal["running", "held", "completed", "rolled_back"]
    salt: str
    reason: str
    reason_code: str
    reason_figures: dict[str, float]
    by: str
    changed_at: datetime | None


class RolloutsAnswer(_Out, frozen=True, kw_only=True):
    """The rollouts as they stand, open ones first."""

    schema: Literal["embellie/rollouts/1"] = "embellie/rollouts/1"
    site: str
    rollouts: list[RolloutAnswer]


class RulesAnswer(_Out, frozen=True, kw_only=True):
    """The editorial rules that hold now."""

    schema: Literal["embellie/rules/1"] = "embellie/rules/1"
    site: str
    rules: list[Rule]


class LedgerLine(_Out, frozen=True, kw_only=True):
    """One site and hour: received = accepted + duplicates + quarantined; `erased` of them are no longer kept."""

    site: str
    hour: datetime
    received: int
    accepted: int
    duplicates: int
    quarantined: int
    erased: int = 0
    refused: int = 0


class LedgerAnswer(_Out, frozen=True, kw_only=True):
    """The conservation ledger; `balanced` when nothing was lost on the way."""

    schema: Literal["embellie/ledger/1"] = "embellie/ledger/1"
    balanced: bool
    rows: list[LedgerLine]


class ReaderQuery(_In, frozen=True, kw_only=True):
    """Which site; all of them when none is named."""

    key: str = ""
    site: str = ""


class ReaderAnswer(_Out, frozen=True, kw_only=True):
    """All that is kept of a reader: their events, and what was put aside that names them."""

    schema: Literal["embellie/reader/1"] = "embellie/reader/1"
    reader: str
    sites: list[str]
    as_of: datetime
    events: list[dict[str, Any]]
    put_aside: list[dict[str, Any]]


class ErasureAnswer(_Out, frozen=True, kw_only=True):
    """An erasure and its proof: records before and after by place, and the files searched for what may be left.

    `servers` are the others on one log in PostgreSQL, which follow by themselves: `gone_everywhere` is true once all have.
    """

    schema: Literal["embellie/erasure/1"] = "embellie/erasure/1"
    gone: bool
    sites: list[dict[str, Any]]
    kept_on: list[str]
    state_files_removed: int
    files: dict[str, Any]
    seconds: float
    gone_everywhere: bool
    servers: list[dict[str, Any]]
    database_files_may_hold_it: bool


class TokenAnswer(_Out, frozen=True, kw_only=True):
    """A token; its secret is said once, when it is made."""

    schema: Literal["embellie/token/1"] = "embellie/token/1"
    name: str
    role: Role
    secret: str | None = None


class TokensAnswer(_Out, frozen=True, kw_only=True):
    """The tokens, without their secrets."""

    schema: Literal["embellie/tokens/1"] = "embellie/tokens/1"
    tokens: list[TokenAnswer]


class ConcernAnswer(_Out, frozen=True, kw_only=True):
    """One thing that is not as it should be."""

    code: str
    message: str
    hint: str


class HealthAnswer(_Out, frozen=True, kw_only=True):
    """The server answers; `ready` once it can also write and has read all of its log; `degraded` says that it answers, but why not well. `process` is the one that answers."""

    schema: Literal["embellie/health/1"] = "embellie/health/1"
    ready: bool
    simulated: bool
    process: int = 0
    degraded: bool = False
    concerns: list[ConcernAnswer] = []
