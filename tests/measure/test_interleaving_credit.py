"""Interleaving measured from the log: reads that last, per reader; an order, and never money."""

import json
from dataclasses import fields
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from click.testing import CliRunner

from embellie.app.interleaving_log import preference_document, preference_from_log, preference_from_table
from embellie.app.measuring import evidence_from
from embellie.cli.measure_interleaving import command
from embellie.domain.article import Article
from embellie.domain.errors import InputError, TableError
from embellie.domain.event import Event
from embellie.domain.experiment import Exposure
from embellie.domain.reading import Click, Read
from embellie.domain.release import Release
from embellie.domain.site import Placement, Site
from embellie.domain.slate import SlateRequest
from embellie.measure.interleaving_credit import Preference, preference, preference_sentences
from embellie.recommend.editorial import apply_rules
from embellie.recommend.interleaving import Interleaved
from embellie.recommend.state import State
from embellie.serve.handling import Snapshot, handle
from embellie.store.log import FILE, SqliteLog

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


def newspaper(folder, *, slates=700, likes="latest", seed=1, stays=1.0):
    """A log of slates that `latest` and `popular` drafted, as the server writes them; readers click what one of them chose."""
    rng = np.random.default_rng(seed)
    events = [
        Event(id=f"a{k}", site="gazette", at=AT - timedelta(hours=30 - k),
              body=Article(article=f"a{k}", title=f"A {k}", published_at=AT - timedelta(hours=30 - k)))
        for k in range(20)
    ]  # fmt: skip
    events += [
        Event(
            id=f"old{k}",
            site="gazette",
            at=AT - timedelta(minutes=60 - k),
            body=Read(article=f"a{k % 7}", visit=f"o{k}"),
        )
        for k in range(60)
    ]
    view, policy = State().fold(events), Interleaved(first="latest", second="popular")
    spot = Placement(placement="article-bottom")
    snapshot = Snapshot(
        site=Site(site="gazette", name="gazette", placements={spot.placement: spot}),
        releases={"r": Release(release="r", policy="interleaved")},
        rankers={"r": lambda request, place: apply_rules(
            policy(request, view), request=request, state=view, rules=[], placement=place
        )},
        stable={spot.placement: "r"},
    )  # fmt: skip
    for k in range(slates):
        at = AT + timedelta(seconds=10 * k)
        request = SlateRequest(
            site="gazette", placement=spot.placement, n=4, now=at, reader=f"r{rng.integers(300)}", visit=f"v{k}",
            consent="measurement",
        )  # fmt: skip
        slate = handle(request, snapshot, slate_id=f"s{k}").slate
        bodies = [slate]
        for item in slate.items:
            if rng.random() < (0.3 if item.team == likes else 0.15):
                who = {"article": item.article, "reader": slate.reader, "visit": slate.visit}
                bodies.append(Click(slate_id=slate.slate_id, position=item.position, **who))
                bodies.append(Read(engaged_seconds=60.0 if rng.random() < stays else 1.0, **who))
        events += [
            Event(id=f"s{k}-{n}", site="gazette", at=at + timedelta(milliseconds=n), consent="measurement", body=body)
            for n, body in enumerate(bodies)
        ]
    bot = Exposure(experiment="e", unit="r0", variant="a", bot="agent")
    events.append(Event(id="bot", site="gazette", at=AT, body=bot))
    (folder / "embellie.toml").write_text("[sites.gazette]\n")
    with SqliteLog(folder / "embellie-data" / FILE) as log:
        log.append(events, received_at=AT)
    return folder / "embellie-data" / FILE


def test_the_log_tells_whom_readers_side_with(tmp_path):
    """Credit goes to the team that owned what was read; bots are left out."""
    told = preference_from_log(newspaper(tmp_path), read_seconds=10)
    assert (told.first, told.second) == ("latest", "popular")
    assert told.verdict == "first"
    assert told.readers < 300
    assert "side with `latest`" in preference_sentences(told)[0]


def test_clicks_that_do_not_last_earn_nothing(tmp_path):
    """A click without a read of ten seconds is no credit, unless clicks are asked for."""
    log = newspaper(tmp_path, stays=0.0)
    told = preference_from_log(log, read_seconds=10)
    assert (told.verdict, told.credited) == ("unknown", 0)
    assert preference_from_log(log, read_seconds=10, reward="click").verdict == "first"


def test_readers_who_like_neither_more_give_no_verdict(tmp_path):
    """Random clicks leave the mean credit at nought, within its error."""
    told = preference_from_log(newspaper(tmp_path, likes=""), read_seconds=10)
    assert told.verdict == "open"
    assert abs(told.found.mean_credit) < 4 * told.found.mean_credit_se


def test_a_preference_is_never_money(tmp_path):
    """It has no worth, no effect and no relative effect; it cannot become evidence; its document says why."""
    told = preference_from_log(newspaper(tmp_path), read_seconds=10)
    assert not {"worth", "money", "effects", "relative"} & {field.name for field in fields(Preference)}
    with pytest.raises(AttributeError):
        evidence_from(told, study="s", measures="m", metric="reads", variant="latest")
    assert "no amount" in preference_document(told)["money"]["unavailable"]


def test_the_command_tells_a_program_and_a_person(tmp_path):
    """One JSON document; sentences in two languages, and a picture."""
    newspaper(tmp_path)
    asked = ["--project", str(tmp_path)]
    document = json.loads(CliRunner().invoke(command, [*asked, "--json"], catch_exceptions=False).stdout)
    assert document["schema"] == "embellie/interleaving/1"
    assert document["preference"]["wins"] > document["preference"]["losses"]
    assert "●" in CliRunner().invoke(command, asked).stdout
    assert "préfèrent `latest`" in CliRunner().invoke(command, [*asked, "--lang", "fr"]).stdout


def test_a_log_without_shared_slates_says_how_to_share_one(tmp_path):
    """Nothing interleaved is an error that names the policy."""
    log = newspaper(tmp_path, slates=0)
    with pytest.raises(InputError, match="interleaved"):
        preference_from_log(log, read_seconds=10)


def test_few_readers_tell_nothing():
    """Below a hundred readers with credit there is no preference, and the verdict is unknown, not a tie."""
    told = preference({f"r{k}": (1.0, 0.0) for k in range(99)}, first="a", second="b")
    assert told.verdict == "unknown"
    assert told.found.code == "few_credited"
    assert preference({f"r{k}": (1.0, 1.0) for k in range(200)}, first="a", second="b").found.code == "all_ties"


def credits_file(path, rows):
    path.write_text("reader,team,credit\n" + "".join(f"{a},{b},{c}\n" for a, b, c in rows))
    return str(path)


def test_a_table_of_credit_will_do(tmp_path):
    """Rows of a reader and team are added up; the teams are named as in the table."""
    rows = [(f"r{k}", "model", 1) for k in range(150)] + [(f"r{k}", "rule", k % 2) for k in range(150)]
    told = preference_from_table(credits_file(tmp_path / "c.csv", rows))
    assert (told.first, told.found.wins, told.found.losses) == ("model", 75, 0)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("r1", "a", 1), ("r1", "b", 0), ("r1", "c", 1)], "3 values"),
        ([("r1", "a", -1), ("r1", "b", 0)], "credit of row 1 is `-1`"),
        ([("r1", "a", "much"), ("r1", "b", 0)], "holds `much`"),
    ],
)
def test_a_table_that_cannot_be_is_refused(tmp_path, rows, message):
    """Three teams, negative credit, text for a number."""
    with pytest.raises(TableError, match=message):
        preference_from_table(credits_file(tmp_path / "c.csv", rows))
