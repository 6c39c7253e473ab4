"""The front page: what to do next, and why."""

from typing import Any

from embellie.domain.scorecard import Scorecard
from embellie.domain.unavailable import Unavailable
from embellie.domain.verdict import UnknownValue, Verdict
from embellie.web.effect_pictures import capitalised, effect_over_time_picture
from embellie.web.money_pictures import (
    ask_of,
    burn_down_picture,
    money_range_text,
    money_text,
    net_benefit_picture,
    study_text,
    worth_at_most,
    worth_text,
)
from embellie.web.picture import Picture, drawn
from embellie.web.standing import Standing, standing
from embellie.web.traffic_pictures import live_picture
from embellie.web.view import View


def front_page(view: View) -> dict[str, Any]:
    """Answer first: the verdict in large words, then the pictures it rests on."""
    verdict = view.verdict()
    words = view.words
    return {
        "answer": answer(view, verdict),
        "facts": facts(view, verdict),
        "next": next_to_learn(view, verdict),
        "figures": {
            "net_benefit": drawn(words("net_benefit.short"), of_verdict(view, verdict, net_benefit_picture)),
            "effect": drawn(words("effect.short"), running_effect(view)),
            "burndown": drawn(words("burndown.title"), burn_down(view)),
            "live": drawn(words("live.title"), live_now(view)),
        },
    }


def answer(view: View, verdict: Verdict | Unavailable) -> dict[str, Any]:
    """The verdict in words, or why there is none."""
    if isinstance(verdict, Unavailable):
        return verdict.document()
    stands = standing(view, verdict)
    return {
        "action": verdict.verdict,
        "standing": stands.state,
        "label": view.words(f"action.{verdict.verdict}"),
        "headline": headline(view, verdict, stands),
        "because": because(view, verdict, stands),
        "onward": onward(view, verdict, stands),
        "question": verdict.question,
    }


def headline(view: View, verdict: Verdict, stands: Standing) -> str:
    """What to do, in a few words; or that it is done, or being done."""
    words, several = view.words, len(view.newsroom.sites[view.site].placements) > 1
    the = view.the(verdict.next.scenario or verdict.best)
    if stands.state == "asked":
        return words(f"answer.{verdict.verdict}", the=the)
    return words(
        f"answer.{stands.state}_there" if stands.rollout and several else f"answer.{stands.state}",
        the=the,
        begun=capitalised(the),
        placement=words.together(list(stands.placements)),
        share=words.share(stands.rollout.weight) if stands.rollout else "",
        readers=words(
            "state.measure_one" if stands.readers == 1 else "state.measure_many", n=words.number(stands.readers)
        ),
    )


def because(view: View, verdict: Verdict, stands: Standing) -> str:
    """Why, in a few sentences."""
    words, then = view.words, verdict.next
    if stands.experiment is not None:
        return _because_running(view, verdict, stands)
    said = words.tidy(then.because.get(words.language) or then.because.get("en", ""), verdict.currency)
    return without_headline(named(view, verdict, said))


def _because_running(view: View, verdict: Verdict, stands: Standing) -> str:
    words, then, experiment = view.words, verdict.next, stands.experiment
    design = next(
        (
            each
            for each in verdict.studies
            if (each.name, each.weeks, each.share) == (then.study, then.weeks, then.share)
        ),
        None,
    )
    said = []
    if stands.readers and experiment is not None and experiment.started_at is not None:
        said.append(words("because.since", started=words.moment(experiment.started_at)))
    if design is not None:
        enbs = worth_text(view, verdict, design.enbs.value)
        cost = money_text(view, verdict, design.cost)
        said.append(
            words(
                "because.going_on" if stands.readers else "because.beginning",
                weeks=words.weeks(design.weeks),
                enbs=enbs,
                cost=cost,
            )
        )
    best = next(value for value in verdict.scenarios if value.scenario == verdict.best)
    said.append(words("because.today", the=view.the(verdict.best), p=words.chance(best.p_best)))
    return " ".join(said)


def named(view: View, verdict: Verdict, sentence: str) -> str:
    """Say the scenarios a sentence names between backticks by the words used on every page."""
    for value in verdict.scenarios:
        the = view.the(value.scenario)
        sentence = sentence.replace(f". `{value.scenario}`", f". {capitalised(the)}").replace(
            f"`{value.scenario}`", the
        )
    return sentence


ONWARD = {
    "asked": ("/release", "", "onward.ship"),
    "partly": ("/release", "", "onward.ship"),
    "shipping": ("/release", "", "onward.shipping"),
    "held": ("/release", "", "onward.shipping"),
    "waiting": ("/serve", "tag-title", "onward.waiting"),
    "running": ("/measure", "", "onward.running"),
}
"""Where to go next by what stands: a page, a place on it, and the words of the link."""


def onward(view: View, verdict: Verdict, stands: Standing) -> dict[str, str]:
    """Where to go from here; nowhere when the verdict is to leave things as they are."""
    if stands.state == "live":
        return _onward_from_live(view, verdict)
    if stands.state == "asked" and verdict.verdict != "ship":
        return {}
    page, at, key = ONWARD[stands.state]
    return {"page": page, "at": at, "text": view.words(key)}


def _onward_from_live(view: View, verdict: Verdict) -> dict[str, str]:
    asked = _most_worth_knowing(verdict)
    if asked is None:
        return {"page": "/decide", "at": "changes-title", "text": view.words("onward.settled")}
    return {"page": "/", "at": "next-title", "text": view.words("onward.live", ask=ask_of(view, asked))}


def _most_worth_knowing(verdict: Verdict) -> UnknownValue | None:
    opened = [unknown for unknown in verdict.unknowns if unknown.open]
    return max(opened, key=lambda unknown: unknown.evppi.value, default=None)


def without_headline(because: str) -> str:
    """Leave out the first words of a reason when they only announce it: the headline has said them.

    >>> without_headline("Ship heuristic: it is expected to pay.")
    'It is expected to pay.'
    """
    head, colon, rest = because.partition(":")
    if not colon or len(head) > 40 or "." in head:
        return because
    return capitalised(rest.strip())


def facts(view: View, verdict: Verdict | Unavailable) -> list[dict[str, str]]:
    """The few numbers a product lead asks for."""
    if isinstance(verdict, Unavailable):
        return []
    words = view.words
    best = next(value for value in verdict.scenarios if value.scenario == verdict.best)
    found = [
        _fact(words("fact.best"), view.scenario(best.scenario), words("fact.p_best", p=words.chance(best.p_best))),
        _fact(
            words("fact.mean"),
            money_text(view, verdict, best.net_benefit.mean),
            money_range_text(view, verdict, best.net_benefit),
        ),
        _fact(words("fact.evpi"), worth_text(view, verdict, verdict.evpi.value), words("fact.evpi_note")),
    ]
    card = _scorecard(view)
    if isinstance(card, Scorecard):
        readers = words.number(sum(card.units.values()))
        found.append(_fact(words("fact.readers"), readers, words("fact.readers_note", experiment=card.experiment)))
    return found


def _fact(label: str, value: str, note: str) -> dict[str, str]:
    return {"label": label, "value": value, "note": note}


def _scorecard(view: View) -> Scorecard | Unavailable:
    experiment = view.experiment()
    if isinstance(experiment, Unavailable):
        return experiment
    return view.ask(lambda: view.newsroom.scorecard(experiment.experiment))


def next_to_learn(view: View, verdict: Verdict | Unavailable) -> dict[str, Any]:
    """The unknown most worth knowing and the study that pays best, in money."""
    if isinstance(verdict, Unavailable):
        return verdict.document()
    words = view.words
    top = _most_worth_knowing(verdict)
    if top is None:
        return {"headline": words("next.nothing"), "text": words("next.nothing_text"), "ask": "", "study": ""}
    paying = [study for study in verdict.studies if study.enbs.value > 0]
    study = (
        words(
            "next.study",
            study=study_text(view, paying[0]),
            enbs=worth_text(view, verdict, paying[0].enbs.value),
            cost=money_text(view, verdict, paying[0].cost),
        )
        if paying
        else words("next.no_study")
    )
    return {
        "ask": ask_of(view, top),
        "headline": words("next.headline", worth=worth_at_most(view, verdict, top.evppi.value)),
        "text": words("next.text"),
        "study": study,
    }


def of_verdict(view: View, verdict: Verdict | Unavailable, draw: Any) -> Picture | Unavailable:
    """Draw a picture of the verdict, or pass on why there is none."""
    if isinstance(verdict, Unavailable):
        return verdict
    found: Picture | Unavailable = view.ask(lambda: draw(view, verdict))
    return found


def burn_down(view: View) -> Picture | Unavailable:
    """The burn-down of uncertainty."""
    return view.ask(lambda: burn_down_picture(view, view.newsroom.verdict_history()))


def running_effect(view: View, metric: str = "") -> Picture | Unavailable:
    """The running experiment's effect through time."""
    experiment = view.experiment()
    if isinstance(experiment, Unavailable):
        return experiment
    history = view.ask(lambda: view.newsroom.scorecard_history(experiment.experiment))
    if isinstance(history, Unavailable):
        return history
    return effect_over_time_picture(view, experiment, history, metric)


def live_now(view: View) -> Picture | Unavailable:
    """What is live on each placement."""
    newsroom, site = view.newsroom, view.site
    placements = list(newsroom.sites[site].placements)
    return view.ask(lambda: live_picture(view, placements, newsroom.experiments(site), newsroom.rollouts(site)))
