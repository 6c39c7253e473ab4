"""The page of step 6: what is live, how it got there, and the way back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from embellie.domain.event import Event
from embellie.domain.experiment import Experiment
from embellie.domain.release import Release
from embellie.domain.rollout import Rollout
from embellie.web.front_page import live_now
from embellie.web.phrases import MESSAGES
from embellie.web.picture import drawn
from embellie.web.traffic_pictures import release_text
from embellie.web.view import View, is_open, iso

VERBS = ("advance", "hold", "complete", "rollback")
HISTORY = 40


def release_page(view: View) -> dict[str, Any]:
    """What is live, open rollouts with their buttons, what can be started, and the history."""
    newsroom, words = view.newsroom, view.words
    rollouts = list(newsroom.rollouts(view.site))
    history = list(newsroom.rollout_history(view.site))
    return {
        "may_operate": view.query.get("may_operate", "") == "yes",
        "rollouts": [track(view, rollout) for rollout in rollouts if is_open(rollout)],
        "releases": [
            release_row(view, release, built_at(release, history)) for release in newsroom.releases(view.site)
        ],
        "start": startable(view, rollouts),
        "history": [history_row(view, event) for event in reversed(history[-HISTORY:])],
        "figures": {"live": drawn(words("live.title"), live_now(view))},
    }


def track(view: View, rollout: Rollout) -> dict[str, Any]:
    """A rollout as a track of steps, with what can be done to it now."""
    words, last = view.words, len(rollout.steps) - 1
    verbs = [verb for verb in VERBS if _possible(rollout, verb, last)]
    return {
        "rollout": rollout.rollout,
        "placement": rollout.placement,
        "state": words(f"rollout.{rollout.state}"),
        "held": rollout.state == "held",
        "text": words(
            "rollout.text",
            canary=release_text(view, rollout.canary),
            stable=release_text(view, rollout.stable),
            placement=rollout.placement,
            share=words.share(rollout.weight),
        ),
        "reason": rollout_reason(view, rollout),
        "by": by_text(view, rollout.by),
        "steps": [
            {
                "share": words.share(share),
                "state": "done" if place < rollout.step else "here" if place == rollout.step else "ahead",
                "said": words(
                    "rollout.step_done"
                    if place < rollout.step
                    else "rollout.step_here"
                    if place == rollout.step
                    else "rollout.step_ahead"
                ),
            }
            for place, share in enumerate(rollout.steps)
        ],
        "verbs": [{"verb": verb, "label": words(f"verb.{verb}"), "help": words(f"verb.{verb}_help")} for verb in verbs],
    }


def rollout_reason(view: View, rollout: Rollout) -> str:
    """Why a rollout last changed: in the page's words when a verb or a gate said it, else as a person wrote it."""
    words, figures = view.words, rollout.reason_figures
    if f"gate.{rollout.reason_code}" not in MESSAGES:
        return rollout.reason
    shares = {name: words.share(figures.get(name, 0.0), 1, signed=True) for name in ("low", "high")}
    counts = {name: words.number(figures.get(name, 0.0)) for name in ("readers", "min_readers")}
    margin = words.share(figures.get("margin", 0.0), 1)
    return words(f"gate.{rollout.reason_code}", margin=margin, **shares, **counts)


def by_text(view: View, by: str) -> str:
    """Who did it: a person by their name, the gate and the autopilot in the page's words."""
    return view.words(f"by.{by}") if f"by.{by}" in MESSAGES else by


def _possible(rollout: Rollout, verb: str, last: int) -> bool:
    return {
        "advance": rollout.step < last,
        "hold": rollout.state == "running",
        "complete": True,
        "rollback": True,
    }[verb]


def built_at(release: Release, history: Sequence[Event]) -> datetime | None:
    """When a release was built: as it says, else when the log first told of it."""
    told = (event.at for event in history if isinstance(event.body, Release) and event.body.release == release.release)
    return release.built_at or next(told, None)


def release_row(view: View, release: Release, at: datetime | None) -> dict[str, Any]:
    """A release and what it holds."""
    words = view.words
    return {
        "release": release.release,
        "policy": words.named("policy", release.policy),
        "settings": ", ".join(f"{name} = {value}" for name, value in release.settings.items()),
        "built_at": words.moment(at) if at else "–",
        "note": release.note,
    }


def startable(view: View, rollouts: list[Rollout]) -> dict[str, Any]:
    """The placements with no open rollout and the releases one could start there."""
    busy = {rollout.placement for rollout in rollouts if is_open(rollout)}
    placements = [name for name in view.newsroom.sites[view.site].placements if name not in busy]
    stable = set(view.newsroom.stable(view.site).values())
    releases = sorted(view.newsroom.releases(view.site), key=lambda each: each.release in stable)
    return {
        "placements": placements,
        "releases": [
            {"release": each.release, "label": f"{release_text(view, each.release)} · {each.release}"}
            for each in releases
        ],
        "steps": ", ".join(view.words.share(step) for step in view.newsroom.config.rollout.steps),
    }


def history_row(view: View, event: Event) -> dict[str, str]:
    """One line of the history, in words."""
    words, body = view.words, event.body
    text, reason, by = event.kind, "", ""
    if isinstance(body, Release):
        text = words("history.release", policy=words.named("policy", body.policy), release=body.release)
        reason = body.note
    elif isinstance(body, Rollout):
        text = words(
            f"history.rollout_{body.state}",
            rollout=body.rollout,
            canary=release_text(view, body.canary),
            placement=body.placement,
            share=words.share(body.weight),
        )
        reason, by = rollout_reason(view, body), body.by
    elif isinstance(body, Experiment):
        text = words(f"history.experiment_{body.state}", experiment=body.experiment, placement=body.placement)
        reason = body.reason
    return {
        "at": words.moment(event.at),
        "iso": iso(event.at),
        "kind": event.kind,
        "kind_label": words(f"history.kind_{event.kind}"),
        "text": text,
        "reason": reason,
        "by": by_text(view, by),
    }
