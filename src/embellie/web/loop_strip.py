"""The strip across the top of every page: the six steps, in order, with where each stands."""

from collections.abc import Callable, Mapping

from embellie.domain.unavailable import Unavailable
from embellie.web.standing import standing
from embellie.web.view import View, is_open

STEPS = ("frame", "recommend", "serve", "measure", "decide", "release")


def strip(view: View, here: str) -> list[dict[str, object]]:
    """Return each step with its word, its state in a few words and its address."""
    states: Mapping[str, Callable[[View], str]] = {
        "frame": _frame_state,
        "recommend": _recommend_state,
        "serve": _serve_state,
        "measure": _measure_state,
        "decide": _decide_state,
        "release": _release_state,
    }
    return [
        {
            "step": step,
            "title": view.words(f"step.{step}"),
            "state": state_text(view, states[step]),
            "href": f"/{step}",
            "here": step == here,
        }
        for step in STEPS
    ]


def state_text(view: View, state: Callable[[View], str]) -> str:
    """A step's state, or that it has none yet."""
    said = view.ask(lambda: state(view))
    return view.words("state.none") if isinstance(said, Unavailable) else said


def _frame_state(view: View) -> str:
    verdict = view.newsroom.verdict()
    count = sum(1 for unknown in verdict.unknowns if unknown.open)
    return _counted(view, "state.frame", count)


def _recommend_state(view: View) -> str:
    return _counted(view, "state.recommend", len(view.newsroom.articles(view.site)))


def _serve_state(view: View) -> str:
    return _counted(view, "state.serve", view.newsroom.counts(view.site).get("served", 0))


def _measure_state(view: View) -> str:
    experiment = view.experiment()
    if isinstance(experiment, Unavailable):
        return view.words("state.measure_none")
    card = view.newsroom.scorecard(experiment.experiment)
    return _counted(view, "state.measure", sum(card.units.values()))


def _decide_state(view: View) -> str:
    verdict = view.newsroom.verdict()
    stands = standing(view, verdict)
    done = stands.state in {"live", "shipping", "held", "waiting", "running"}
    return view.words(f"state.decide_{stands.state}" if done else f"action.{verdict.verdict}")


def _release_state(view: View) -> str:
    rollouts = [each for each in view.newsroom.rollouts(view.site) if is_open(each)]
    if not rollouts:
        return view.words("state.release_none")
    return view.words(f"state.release_{rollouts[0].state}", share=view.words.share(rollouts[0].weight))


def _counted(view: View, key: str, count: int) -> str:
    return view.words(f"{key}_one" if count == 1 else f"{key}_many", n=view.words.number(count))
