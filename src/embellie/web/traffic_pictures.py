"""Pictures of traffic: events through time, who was shown what, what is read now, what is live."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from embellie.domain.article import Article
from embellie.domain.experiment import Experiment
from embellie.domain.release import Release
from embellie.domain.rollout import Rollout
from embellie.domain.unavailable import Unavailable
from embellie.web.effect_pictures import share_bar
from embellie.web.picture import Picture
from embellie.web.view import View, is_open

KINDS = ("served", "impression", "click", "read", "conversion")
"""The kinds of event worth drawing, from the first to the last a reader does."""


def traffic_picture(view: View, rows: Sequence[Mapping[str, Any]]) -> Picture | Unavailable:
    """Draw events through time by kind."""
    words = view.words
    drawn = [row for row in rows if row["kind"] in KINDS]
    if not any(row["count"] for row in drawn):
        return view.missing("traffic")
    totals = {kind: sum(row["count"] for row in drawn if row["kind"] == kind) for kind in KINDS}
    present = [kind for kind in KINDS if totals[kind]]
    moments = sorted({str(row["at"]) for row in drawn})
    span = [words.moment(datetime.fromisoformat(moments[place])) for place in (0, -1)]
    return Picture(
        drawing="traffic",
        title=words("traffic.title"),
        sentence=words(
            "traffic.sentence",
            first=span[0],
            last=span[1],
            counts=words.together([f"{words.number(totals[kind])} {words.named('events', kind)}" for kind in present]),
        ),
        note=words("traffic.note"),
        columns=(words("column.at"), *(words.named("events", kind) for kind in present)),
        rows=_traffic_rows(view, drawn, moments[-24:], present),
        data={
            "kinds": [{"kind": kind, "label": words.named("events", kind)} for kind in present],
            "points": [{"at": str(row["at"]), "kind": row["kind"], "count": row["count"]} for row in drawn],
        },
    )


def _traffic_rows(
    view: View, drawn: Sequence[Mapping[str, Any]], moments: Sequence[str], kinds: Sequence[str]
) -> list[list[str]]:
    counts = {(str(row["at"]), row["kind"]): row["count"] for row in drawn}
    return [
        [
            view.words.moment(datetime.fromisoformat(moment)),
            *(view.words.number(counts.get((moment, kind), 0)) for kind in kinds),
        ]
        for moment in moments
    ]


def served_picture(view: View, served: Mapping[str, int]) -> Picture | Unavailable:
    """Draw which variants were really served."""
    words, total = view.words, sum(served.values())
    if not total:
        return view.missing("served")
    parts = [
        {
            "name": scenario_of(view, name),
            "label": served_label(view, name),
            "share": count / total,
            "text": words.share(count / total),
        }
        for name, count in sorted(served.items(), key=lambda item: (-item[1], item[0]))
    ]
    return Picture(
        drawing="shares",
        title=words("served.title"),
        sentence=words(
            "served.sentence",
            n=words.number(total),
            parts=words.together([words("live.part", label=part["label"], share=part["text"]) for part in parts]),
        ),
        columns=(words("column.variant"), words("column.served"), words("column.share")),
        rows=[
            [served_label(view, name), words.number(count), words.share(count / total, 1)]
            for name, count in served.items()
        ],
        data={"bars": [share_bar("", parts)]},
    )


def served_label(view: View, name: str) -> str:
    """A variant in words; a side of a rollout, or a release outside any comparison, as what it carries out, said so."""
    if name in {"stable", "canary"}:
        rollouts = view.newsroom.rollouts(view.site)
        carried = {release_text(view, each.canary if name == "canary" else each.stable) for each in rollouts}
        return view.words("served.rollout", name=carried.pop() if len(carried) == 1 else view.scenario(name))
    released = {each.release for each in view.newsroom.releases(view.site)}
    if name in released or not name:
        return view.words("served.outside", name=release_text(view, name))
    return view.scenario(name)


def popular_picture(view: View, popular: Sequence[tuple[Article, float]]) -> Picture | Unavailable:
    """Draw what is read most now, by section."""
    words = view.words
    if not popular or popular[0][1] <= 0:
        return view.missing("popular")
    top = popular[0][1]
    return Picture(
        drawing="popular",
        title=words("popular.title"),
        sentence=words(
            "popular.sentence",
            title=popular[0][0].title or popular[0][0].article,
            section=view.words.section(popular[0][0].section) or "–",
        ),
        note=words("popular.note"),
        columns=(words("column.article"), words("column.section"), words("column.popularity")),
        rows=[
            [each.title or each.article, view.words.section(each.section), words.share(value / top)]
            for each, value in popular
        ],
        data={
            "rows": [
                {
                    "article": each.article,
                    "label": each.title or each.article,
                    "section": view.words.section(each.section),
                    "value": value / top,
                }
                for each, value in popular
            ]
        },
    )


def live_picture(
    view: View, placements: Sequence[str], experiments: Sequence[Experiment], rollouts: Sequence[Rollout]
) -> Picture | Unavailable:
    """Draw, for each placement, which readers are shown what now."""
    words = view.words
    bars = [_live_bar(view, placement, experiments, rollouts) for placement in placements]
    if not bars:
        return view.missing("placements")
    said = [
        words(
            "live.placement",
            placement=bar["label"],
            parts=words.together(
                [words("live.part", label=part["label"], share=part["text"]) for part in bar["parts"]]
            ),
        )
        for bar in bars
    ]
    return Picture(
        drawing="shares",
        title=words("live.title"),
        sentence=" ".join(said),
        columns=(words("column.placement"), words("column.shown"), words("column.share"), words("column.because")),
        rows=[[bar["label"], part["label"], part["text"], part["because"]] for bar in bars for part in bar["parts"]],
        data={"bars": bars},
    )


def _live_bar(
    view: View, placement: str, experiments: Sequence[Experiment], rollouts: Sequence[Rollout]
) -> dict[str, Any]:
    parts: list[dict[str, Any]] = []
    left = 1.0
    for experiment in experiments:
        if experiment.state == "running" and experiment.placement == placement and left > 0:
            parts += _experiment_parts(view, experiment, left)
            left *= 1 - experiment.share
    if left > 1e-9:
        open_here = [each for each in rollouts if each.placement == placement and is_open(each)]
        parts += _rollout_parts(view, placement, open_here, left)
    return share_bar(placement, parts)


def _experiment_parts(view: View, experiment: Experiment, left: float) -> list[dict[str, Any]]:
    whole = sum(variant.weight for variant in experiment.variants)
    because = view.words("live.experiment", experiment=experiment.experiment)
    return [
        _live_part(
            view, variant.scenario, view.scenario(variant.scenario), left * experiment.share * variant.weight / whole
        )
        | {"because": because}
        for variant in experiment.variants
    ]


def _rollout_parts(view: View, placement: str, rollouts: Sequence[Rollout], left: float) -> list[dict[str, Any]]:
    words = view.words
    if not rollouts:
        release = view.newsroom.stable(view.site).get(placement, "")
        return [_released(view, release, left) | {"because": words("live.stable")}]
    rollout = rollouts[0]
    sides = [(rollout.canary, rollout.weight), (rollout.stable, 1 - rollout.weight)]
    because = words("live.rollout", rollout=rollout.rollout)
    return [_released(view, release, left * share) | {"because": because} for release, share in sides if share > 0]


def _released(view: View, release: str, share: float) -> dict[str, Any]:
    return _live_part(view, scenario_of(view, release), release_text(view, release), share) | {"release": release}


def _live_part(view: View, name: str, label: str, share: float) -> dict[str, Any]:
    return {"name": name, "label": label, "share": share, "text": view.words.share(share)}


def _release_of(view: View, release: str) -> Release | None:
    return next((each for each in view.newsroom.releases(view.site) if each.release == release), None)


def scenario_of(view: View, release: str) -> str:
    """The scenario a release carries out, its settings tuned or not; the name itself when it carries out none."""
    built = _release_of(view, release)
    if built is None:
        return release
    same = [name for name, each in view.newsroom.config.scenarios.items() if each.policy == built.policy]
    exact = [name for name in same if dict(view.newsroom.config.scenarios[name].settings) == dict(built.settings)]
    return next(iter(exact + same), release)


def release_text(view: View, release: str) -> str:
    """The scenario or the policy a release carries out, in words; its own name when it is not known."""
    scenario = scenario_of(view, release)
    if scenario != release:
        return view.scenario(scenario)
    built = _release_of(view, release)
    return view.words.named("policy", built.policy) if built else release
