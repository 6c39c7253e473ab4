"""Configuration: `embellie.toml`, the whole installation in one commented file."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from embellie.app.worth import parse_margin, parse_worth
from embellie.domain.errors import ConfigError, InputError, unknown_name
from embellie.domain.metric import Metric
from embellie.domain.money import Money
from embellie.domain.site import Placement, Site
from embellie.store.object_bucket import check_bucket_url
from embellie.store.postgres_line import check_log_url, without_password

FILE = "embellie.toml"


class ServerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the server listens, how many workers answer, and how long one may give no sign of life (`hang_seconds`).

    What names nobody may be kept by caches for `shared_seconds`, 0 for not at all. Told to stop, it answers on for
    `drain_seconds`; `traces` tell what it does.
    """

    host: str = "127.0.0.1"
    port: int = 8400
    auth: bool = True
    workers: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    hang_seconds: Annotated[float, msgspec.Meta(ge=2)] = 10.0
    shared_seconds: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 5.0
    drain_seconds: Annotated[float, msgspec.Meta(ge=0, le=600)] = 0.0
    traces: bool = False


class PlacementConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A named spot of a page; `section_cap` 0 means no cap, `max_age_hours` 0 means no limit of age.

    `one_per_story` keeps the same story from being told twice; a policy slower than `budget_ms` time and again rests for a while.
    """

    slots: int = 4
    section_cap: int = 2
    max_age_hours: float = 0.0
    one_per_story: bool = True
    budget_ms: Annotated[float, msgspec.Meta(ge=0)] = 200.0


def _default_placements() -> dict[str, PlacementConfig]:
    return {"article-bottom": PlacementConfig()}


class SiteConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A newspaper: its feeds, its placements, the origins its pages are served from.

    `profiling = false`: every scenario in its non-profiling form, for every reader.
    """

    name: str = ""
    url: str = ""
    languages: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    feeds: tuple[str, ...] = ()
    feed_minutes: float = 5.0
    allow_private: bool = False
    editors_list: tuple[str, ...] = ()
    profiling: bool = True
    pseudonyms: Literal["keep", "salted"] = "keep"
    placements: dict[str, PlacementConfig] = msgspec.field(default_factory=_default_placements)


class ScenarioConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A scenario of the question as a policy with its settings."""

    policy: str
    settings: dict[str, str | int | float | bool] = {}


class ExperimentConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A comparison of scenarios; `variants` gives each scenario its weight."""

    placement: str = "article-bottom"
    control: str = "status_quo"
    variants: dict[str, float] = msgspec.field(default_factory=lambda: {"status_quo": 1.0, "heuristic": 1.0})
    share: float = 1.0
    planned: int = 10_000
    looks: int = 0
    pre_days: int = 14
    layer: str = "default"
    primary: str = "articles_per_visit"


class HoldoutConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Readers kept out of everything for good: they get `scenario` on every placement. `share` 0: nobody is."""

    share: float = 0.0
    scenario: str = "status_quo"
    name: str = "holdout"


class AnalysisConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where scorecards are computed: `""` here, or an engine's URL, over the lake at `lake`."""

    engine: str = ""
    lake: str = ""


class StorageConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the log is kept: `""` in a file of the data folder, or a database's URL, in the tables of `schema`; and where the lake.

    `lake` is `""` for the data folder, or a bucket's URL; of its files up to `lake_cache_gb` gigabytes are kept in the data folder.
    """

    log: str = ""
    schema: str = "embellie"
    lake: str = ""
    lake_cache_gb: Annotated[float, msgspec.Meta(gt=0)] = 20.0


class MetricConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A quantity followed per reader, or a ratio of two."""

    numerator: str
    denominator: str = ""
    role: Literal["primary", "guardrail", "diagnostic", "surrogate"] = "diagnostic"
    margin: float | str = 0.0
    proxy: bool = False
    form: Literal["mean", "share", "quantile", "retention"] = "mean"
    goal: str = ""
    quantile: float = 0.5
    days: tuple[int, int] = (0, 0)
    cap: float = 0.0
    worth: str = ""


def _default_scenarios() -> dict[str, ScenarioConfig]:
    return {"status_quo": ScenarioConfig(policy="status_quo"), "heuristic": ScenarioConfig(policy="affinity")}


def _default_metrics() -> dict[str, MetricConfig]:
    return {
        "articles_per_visit": MetricConfig(numerator="reads", denominator="visits", role="primary"),
        "reads_per_reader": MetricConfig(numerator="reads"),
        "click_through": MetricConfig(numerator="clicks", denominator="impressions", proxy=True),
    }


class RolloutConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The steps of a rollout, as shares of readers."""

    steps: tuple[float, ...] = (0.01, 0.05, 0.25, 1.0)


class TrainingConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By what models are trained and when, from how much, and what is asked of them; `every` is a duration or `off`."""

    learner: Literal["trees", "neural"] = "trees"
    every: str = "1d"
    hour: Annotated[int, msgspec.Meta(ge=0, le=23)] = 3
    weeks: Annotated[int, msgspec.Meta(ge=1, le=52)] = 6
    later: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.2
    floor: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0
    keep: Annotated[int, msgspec.Meta(ge=1)] = 10
    seed: int = 0


class RetentionConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long reader and visit are kept, by what was agreed to: a duration such as `13 months` or `7d`, or `keep`."""

    none: str = "keep"
    measurement: str = "keep"
    profiling: str = "keep"


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An installation. Paths are relative to the file."""

    data: str = "embellie-data"
    language: Literal["en", "fr"] = "en"
    question: str = "question.toml"
    read_seconds: float = 10.0
    server: ServerConfig = ServerConfig()
    sites: dict[str, SiteConfig]
    scenarios: dict[str, ScenarioConfig] = msgspec.field(default_factory=_default_scenarios)
    experiments: dict[str, ExperimentConfig] = {}
    metrics: dict[str, MetricConfig] = msgspec.field(default_factory=_default_metrics)
    holdout: HoldoutConfig = HoldoutConfig()
    analysis: AnalysisConfig = AnalysisConfig()
    storage: StorageConfig = StorageConfig()
    rollout: RolloutConfig = RolloutConfig()
    training: TrainingConfig = TrainingConfig()
    retention: RetentionConfig = RetentionConfig()


def read_config(path: Path) -> Config:
    """Read `embellie.toml`, or the one in a folder.

    Raises:
        ConfigError: The file is absent, is no TOML, or holds a wrong key or value; says where and what to write.
    """
    file = path / FILE if path.is_dir() else path
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"No file `{file.name}` here." if path.is_dir() else "No such folder.",
            hint="Run `embellie init` to start a project, or give its folder.",
            at=str(path),
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"`{file.name}` is not UTF-8 text.", hint="Save it as UTF-8.", at=str(file)) from None
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"Not valid TOML: {error}.", hint="Check quotes and brackets there.", at=file.name) from None
    return parse_config(raw, text=text, name=file.name)


def config_document(config: Config) -> dict[str, Any]:
    """Return the configuration as JSON values, defaults included; passwords in URLs are left out."""
    document: dict[str, Any] = msgspec.to_builtins(config)
    document["analysis"]["engine"] = without_password(config.analysis.engine)
    document["storage"]["log"] = without_password(config.storage.log)
    return document


def parse_config(raw: Mapping[str, Any], *, text: str = "", name: str = FILE) -> Config:
    """Check a decoded configuration.

    Raises:
        ConfigError: Naming the key, its line and what is expected.
    """
    try:
        config = msgspec.convert(raw, type=Config)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at ")
        key = where.strip("`").removeprefix("$.") or _last_word(what)
        raise ConfigError(
            f"{what}{f' for `{key}`' if where else ''}.",
            hint="The keys and their values: docs/reference/config.md, or `embellie config show`.",
            at=f"{name}:{line_of(text, key)}",
        ) from None
    _check_names(config, text, name)
    return config


def salted_sites(config: Config) -> tuple[str, ...]:
    """Name the sites whose readers are kept under another word than the one their pages send."""
    return tuple(name for name, site in config.sites.items() if site.pseudonyms == "salted")


def sites_of(config: Config) -> dict[str, Site]:
    """Return the sites as records."""
    return {name: _site(name, site) for name, site in config.sites.items()}


def _site(name: str, site: SiteConfig) -> Site:
    placements = {
        key: Placement(
            placement=key,
            slots=one.slots,
            section_cap=one.section_cap,
            max_age_hours=one.max_age_hours,
            one_per_story=one.one_per_story,
            budget_ms=one.budget_ms,
        )
        for key, one in site.placements.items()
    }
    return Site(
        site=name,
        name=site.name or name,
        url=site.url,
        languages=site.languages,
        origins=site.origins,
        feeds=site.feeds,
        allow_private=site.allow_private,
        editors_list=site.editors_list,
        profiling=site.profiling,
        placements=placements,
    )


def metrics_of(config: Config) -> tuple[Metric, ...]:
    """Return the metrics as records, the primary ones first."""
    metrics = [metric_of(name, one, at=f"metrics.{name}") for name, one in config.metrics.items()]
    return tuple(sorted(metrics, key=lambda metric: metric.role != "primary"))


def metric_of(name: str, one: MetricConfig, *, at: str) -> Metric:
    """Return a metric as a record.

    Raises:
        ConfigError: Its worth or margin cannot be read, or its keys contradict one another.
    """
    margin = parse_margin(one.margin, at=at)
    try:
        return Metric(
            metric=name,
            numerator=one.numerator,
            denominator=one.denominator,
            role=one.role,
            margin=0.0 if isinstance(margin, Money) else margin,
            loss=margin if isinstance(margin, Money) else None,
            worth=parse_worth(one.worth, at=at) if one.worth else None,
            proxy=one.proxy,
            form=one.form,
            goal=one.goal,
            quantile=one.quantile,
            days=one.days,
            cap=one.cap,
        )
    except InputError as error:
        raise ConfigError(error.message, hint=error.hint, at=error.at or at) from None


def _check_names(config: Config, text: str, name: str) -> None:
    placements = {placement for site in config.sites.values() for placement in site.placements}
    for label, experiment in config.experiments.items():
        at = f"{name}:{line_of(text, f'experiments.{label}')}"
        if experiment.placement not in placements:
            raise _config_error("placement", experiment.placement, placements, at)
        for scenario in experiment.variants:
            if scenario not in config.scenarios:
                raise _config_error("scenario", scenario, config.scenarios, at)
        if experiment.control not in experiment.variants:
            raise _config_error("control among the variants", experiment.control, experiment.variants, at)
        if experiment.primary not in config.metrics:
            raise _config_error("metric", experiment.primary, config.metrics, at)
    for label, metric in config.metrics.items():
        metric_of(label, metric, at=f"{name}:{line_of(text, f'metrics.{label}')}")
    _check_storage(config, text, name)
    at = f"{name}:{line_of(text, 'holdout.share')}"
    if not 0 <= config.holdout.share < 1:
        raise ConfigError(
            f"A holdout of `{config.holdout.share:g}` is no share.", hint="Write for example `share = 0.02`.", at=at
        )
    if config.holdout.share and config.holdout.scenario not in config.scenarios:
        raise _config_error("scenario", config.holdout.scenario, config.scenarios, at)


def _check_storage(config: Config, text: str, name: str) -> None:
    if config.storage.lake:
        try:
            check_bucket_url(config.storage.lake)
        except InputError as error:
            at = f"{name}:{line_of(text, 'storage.lake')}"
            raise ConfigError(error.message, hint=error.hint, at=at) from None
    if config.storage.log:
        try:
            check_log_url(config.storage.log)
        except InputError as error:
            at = f"{name}:{line_of(text, 'storage.log')}"
            raise ConfigError(error.message, hint=error.hint, at=at) from None


def _config_error(kind: str, given: str, known: Any, at: str) -> ConfigError:
    wrong = unknown_name(kind, given, known)
    return ConfigError(wrong.message, hint=wrong.hint, at=at)


def _last_word(text: str) -> str:
    return text.rstrip("`").rpartition("`")[2]


def line_of(text: str, key: str) -> int:
    r"""Find the line of a dotted key in a TOML text; 1 when it cannot be told.

    >>> line_of("[server]\nhost = 'x'\nport = 1", "server.port")
    3
    """
    table, _, leaf = key.rpartition(".")
    inside, fallback = table == "", 1
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("["):
            header = stripped.strip("[]").split("]")[0].replace('"', "").replace(" ", "")
            inside = header == table
            if header == key:
                return number
            if inside:
                fallback = number
        elif inside and stripped.partition("=")[0].strip().strip('"') == leaf:
            return number
    return fallback
