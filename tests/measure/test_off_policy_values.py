"""Off-policy values from a table and from the project's log; refused where the log cannot tell."""

import csv
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from click.testing import CliRunner

from embellie.app.config import read_config
from embellie.app.policy_values import Logged, value_from_log, value_from_table
from embellie.cli.recommend_command import command
from embellie.domain.article import Article
from embellie.domain.errors import InputError, TableError, UnknownName
from embellie.domain.event import Event
from embellie.domain.experiment import Exposure
from embellie.domain.reading import Click, Read
from embellie.domain.slate import Slate, SlateItem
from embellie.domain.unavailable import Unavailable
from embellie.measure.off_policy_values import LoggedDecisions, policy_value, value_sentences
from embellie.stats.off_policy import ClusteredMean
from embellie.store.log import FILE, SqliteLog

EARNS = {"a": 0.1, "b": 0.2, "c": 0.5, "d": 0.1}
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


def table(path, *, rows=2000, readers=300, seed=3, **columns):
    """Articles shown at random; the policy would show `c`, which earns most."""
    rng = np.random.default_rng(seed)
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        names = ["reader", "article", "propensity", "reward", "would"]
        out.writerow(names)
        for _ in range(rows):
            article = "abcd"[rng.integers(4)]
            row = {
                "reader": f"r{rng.integers(readers)}", "article": article, "propensity": 0.25,
                "reward": int(rng.random() < EARNS[article]), "would": "c",
            }  # fmt: skip
            row |= {name: change(row) for name, change in columns.items()}
            out.writerow([row[name] for name in names])
    return path


def test_a_table_gives_the_value_of_what_was_never_live(tmp_path):
    """From articles shown at random, the value of always showing the best one, and the gain."""
    value = value_from_table(str(table(tmp_path / "shown.csv")), policy="best")
    for found in (value.ips, value.snips, value.dr):
        assert isinstance(found, ClusteredMean)
        assert found.low < EARNS["c"] < found.high
    assert value.gain.low > 0
    assert value.found.effective == pytest.approx(500, rel=0.1)
    assert value.agreement == pytest.approx(0.25, abs=0.03)


def test_without_knowing_the_article_there_is_no_model(tmp_path):
    """A table with the policy's chances, and no articles, gives both weighted estimates and says why not the third."""
    file = table(tmp_path / "shown.csv")
    rows = list(csv.DictReader(file.read_text().splitlines()))
    with (tmp_path / "chances.csv").open("w", newline="") as out:
        lines = csv.writer(out)
        lines.writerow(["who", "p", "reward", "chance"])
        lines.writerows([row["reader"], row["propensity"], row["reward"], float(row["article"] == "c")] for row in rows)
    columns = Logged(reader="who", propensity="p", target="chance")
    value = value_from_table(str(tmp_path / "chances.csv"), policy="best", columns=columns)
    assert isinstance(value.dr, Unavailable)
    assert value.ips == value_from_table(str(file), policy="best").ips


@pytest.mark.parametrize(
    ("columns", "code", "word"),
    [
        ({"propensity": lambda _: 1.0}, "certain", "explore"),
        ({"would": lambda row: "c" if hash_of(row) else "never"}, "no_support", "Explore"),
        ({"propensity": lambda _: 0.1}, "wrong_propensities", "chance"),
    ],
)
def test_a_log_that_cannot_tell_is_refused(tmp_path, columns, code, word):
    """Certain propensities, articles without a chance, and untrue propensities are told apart, each with its remedy."""
    value = value_from_table(str(table(tmp_path / "shown.csv", **columns)), policy="best")
    for found in (value.ips, value.snips, value.dr, value.gain):
        assert isinstance(found, Unavailable)
        assert found.code == code
        assert word in found.remedy


def hash_of(row):
    return int(row["reader"][1:]) % 2


def test_a_log_that_is_too_small_is_refused(tmp_path):
    """Below 50 effective decisions, or 30 effective readers, nothing is said."""
    few = value_from_table(str(table(tmp_path / "few.csv", rows=120)), policy="best")
    assert few.ips.code == "few_effective"
    alike = value_from_table(str(table(tmp_path / "alike.csv", readers=12)), policy="best")
    assert alike.ips.code == "few_effective"
    assert alike.found.effective > 400


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"propensity": lambda _: 0}, "propensity of row 1 is `0`"),
        ({"propensity": lambda _: 1.5}, "propensity of row 1 is `1.5`"),
        ({"propensity": lambda _: "nan"}, "holds `nan`"),
        ({"propensity": lambda _: ""}, "`propensity` is empty"),
        ({"reward": lambda _: "yes"}, "holds `yes`"),
        ({"reader": lambda _: ""}, "`reader` is empty"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, columns, message):
    """Impossible chances and missing values are named with their row."""
    with pytest.raises(TableError, match=message):
        value_from_table(str(table(tmp_path / "shown.csv", rows=5, **columns)), policy="best")


def test_a_table_must_say_what_the_policy_would_do(tmp_path):
    """Neither an article nor a chance: the missing column is named."""
    (tmp_path / "shown.csv").write_text("reader,propensity,reward\nr1,0.5,1\n")
    with pytest.raises(TableError, match="would have shown"):
        value_from_table(str(tmp_path / "shown.csv"), policy="best")


def newspaper(folder, *, slates=1500, certain=False, seed=5):
    """A log of slates of one article drawn evenly from six; `a5` is the newest, and earns most."""
    rng = np.random.default_rng(seed)
    events = [
        Event(id=f"a{k}", site="gazette", at=AT + timedelta(minutes=k),
              body=Article(article=f"a{k}", title=f"A {k}", published_at=AT + timedelta(minutes=k)))
        for k in range(6)
    ]  # fmt: skip
    for k in range(slates):
        at = AT + timedelta(hours=1, seconds=10 * k)
        row = 5 if certain else int(rng.integers(6))
        who = {"reader": f"r{rng.integers(400)}", "visit": f"v{k}"}
        item = SlateItem(article=f"a{row}", position=1, propensity=1.0 if certain else 1 / 6, reason="new")
        # A page on which the reader has seen nothing: without profiling, nobody's history keeps an article out.
        bodies = [Slate(slate_id=f"s{k}", placement="article-bottom", article="", variant="", release="r", policy="p",
                        items=(item,), **who)]  # fmt: skip
        if rng.random() < 0.6:
            bodies.append(Click(slate_id=f"s{k}", article=f"a{row}", position=1, **who))
            stays = rng.random() < (0.8 if row == 5 else 0.3)
            bodies.append(Read(article=f"a{row}", engaged_seconds=40.0 if stays else 2.0, **who))
        events += [
            Event(id=f"s{k}-{n}", site="gazette", at=at + timedelta(seconds=n), consent="measurement", body=body)
            for n, body in enumerate(bodies)
        ]
    events.append(
        Event(id="bot", site="gazette", at=AT, body=Exposure(experiment="e", unit="r1", variant="a", bot="agent"))
    )
    (folder / "embellie.toml").write_text("[sites.gazette]\n")
    with SqliteLog(folder / "embellie-data" / FILE) as log:
        log.append(events, received_at=AT)
    return folder


def test_the_projects_log_values_a_policy(tmp_path):
    """Asked at each slate what it would have shown, `latest` is worth what the newest article earned: lasting reads."""
    folder = newspaper(tmp_path)
    value = value_from_log(folder / "embellie-data" / FILE, read_config(folder), policy="latest")
    assert value.dr.low < 0.6 * 0.8 < value.dr.high
    clicks = value_from_log(folder / "embellie-data" / FILE, read_config(folder), policy="latest", reward="click")
    assert clicks.dr.low < 0.6 < clicks.dr.high
    assert value.found.clusters < 400, "the bot is left out"


def test_the_command_tells_a_program_and_a_person(tmp_path):
    """JSON has the three estimates and the effective sample size; sentences come in two languages, with a picture."""
    folder = newspaper(tmp_path)
    asked = ["ope", "--project", str(folder), "--policy", "latest"]
    document = json.loads(CliRunner().invoke(command, [*asked, "--json"], catch_exceptions=False).stdout)
    assert document["schema"] == "embellie/off_policy/1"
    assert {"ips", "snips", "dr", "effective_sample_size"} <= set(document)
    assert document["mean_weight"]["low"] < 1 < document["mean_weight"]["high"]
    english = CliRunner().invoke(command, asked).stdout
    assert "`latest` would have earned 0." in english
    assert "●" in english
    assert "aurait rapporté 0," in CliRunner().invoke(command, [*asked, "--lang", "fr"]).stdout


def test_a_certain_log_says_to_explore(tmp_path):
    """A project whose policies draw nothing by chance is told so, in its language."""
    folder = newspaper(tmp_path, slates=100, certain=True)
    asked = ["ope", "--project", str(folder), "--policy", "popular", "--lang", "fr"]
    assert "Laissez une version explorer" in CliRunner().invoke(command, asked).stdout


def test_without_slates_there_is_nothing_to_value(tmp_path):
    """A log in which nothing was served is an error that says what to do."""
    folder = newspaper(tmp_path, slates=0)
    with pytest.raises(InputError, match="No slate"):
        value_from_log(folder / "embellie-data" / FILE, read_config(folder), policy="latest")


def test_columns_may_be_called_otherwise(tmp_path):
    """`--columns` renames; a name that is none is refused with those there are."""
    file = table(tmp_path / "shown.csv")
    file.write_text(file.read_text().replace("reader,", "who,", 1))
    asked = ["ope", "--log", str(file), "--policy", "best", "--json"]
    done = CliRunner().invoke(command, [*asked, "--columns", "reader=who"], catch_exceptions=False)
    assert json.loads(done.stdout)["decisions"] == 2000
    assert isinstance(CliRunner().invoke(command, [*asked, "--columns", "raeder=who"]).exception, UnknownName)


def test_a_table_needs_no_name_of_the_policy_and_a_log_does(tmp_path):
    """A table says itself what the policy would have shown; for a log it must be named."""
    done = CliRunner().invoke(command, ["ope", "--log", str(table(tmp_path / "shown.csv")), "--json"])
    assert json.loads(done.stdout)["policy"] == "policy"
    nameless = CliRunner().invoke(command, ["ope", "--project", str(newspaper(tmp_path, slates=1))])
    assert isinstance(nameless.exception, InputError)


def test_cut_weights_are_told():
    """Cutting says how often, and what it took off."""
    rng = np.random.default_rng(1)
    shown = rng.random(4000) < 0.1
    decisions = LoggedDecisions(
        rewards=shown * 1.0, propensities=np.where(shown, 0.1, 0.9), targets=shown * 1.0,
        readers=[str(k) for k in range(4000)],
    )  # fmt: skip
    told = " ".join(value_sentences(policy_value(decisions, policy="rare", clip=9.7)))
    assert "Weights above 9.7 were cut" in told
