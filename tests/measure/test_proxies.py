"""Proxies: what they have been worth so far, told, drawn, and refused where it is not known."""

import csv
import json
import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from click.testing import CliRunner

from embellie.app.proxy_validity import crossed, offline_worth, pairs_from_file, proxies_from_log, validity_document
from embellie.cli.measure_proxies import command
from embellie.cli.recommend_command import command as recommend
from embellie.domain.errors import InputError, TableError
from embellie.domain.event import Event
from embellie.domain.experiment import Experiment, Exposure, Variant
from embellie.domain.metric import Metric
from embellie.domain.reading import Click, Impression, Read
from embellie.domain.unavailable import Unavailable
from embellie.measure.aggregates import Aggregates, needs_of
from embellie.measure.proxies import (
    FEWEST,
    EffectPair,
    Ratio,
    SignAgreement,
    effects_picture,
    pair_from_moments,
    proxy_validity,
    validity_sentences,
)
from embellie.stats.moments import Moments
from embellie.store.log import FILE, SqliteLog

CTR = Metric(metric="click_through", numerator="clicks", denominator="impressions", proxy=True)
READS = Metric(metric="articles_per_visit", numerator="reads", denominator="visits", role="primary")


def past(n=60, *, slope=0.4, seed=1, shared=0.5):
    rng = np.random.default_rng(seed)
    true = rng.normal(0, 0.05, n)
    noise = rng.multivariate_normal([0, 0], [[1e-4, shared * 1e-4], [shared * 1e-4, 1e-4]], n)
    return [
        EffectPair(
            experiment=f"e{k}",
            proxy_effect=true[k] + noise[k, 0],
            proxy_se=0.01,
            metric_effect=slope * true[k] + rng.normal(0, 0.01) + noise[k, 1],
            metric_se=0.01,
            covariance=shared * 1e-4,
        )
        for k in range(n)
    ]


def written(path, pairs, *, whole=True, **changed):
    names = ["experiment", "proxy_effect", "proxy_se", "metric_effect", "metric_se", "covariance"]
    names = names if whole else names[:-1]
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(names)
        for number, pair in enumerate(pairs):
            cells = [getattr(pair, name) for name in names]
            if number == 2:
                cells = [changed.get(name, cell) for name, cell in zip(names, cells, strict=True)]
            rows.writerow(cells)
    return path


@pytest.mark.parametrize(("slope", "verdict"), [(0.4, "foretells"), (-0.4, "against"), (0.0, "not_shown")])
def test_a_proxy_is_judged_by_its_interval(slope, verdict):
    """Whether it foretells, misleads or has shown nothing follows from where the slope's interval lies."""
    found = proxy_validity(past(slope=slope), proxy="click_through", metric="articles_per_visit")
    assert found.verdict == verdict
    assert found.slope.low <= slope <= found.slope.high


def test_few_experiments_tell_nothing():
    """Below the floor every figure is refused, with how many are missing."""
    found = proxy_validity(past(12))
    assert found.verdict == "unknown"
    assert isinstance(found.slope, Unavailable)
    assert str(FEWEST - 12) in found.slope.remedy
    assert isinstance(found.agreement, Unavailable)


def test_effects_that_are_noise_tell_nothing():
    """Sixty experiments in which the proxy never moved are refused, and the naive slope is marked as such."""
    rng = np.random.default_rng(4)
    pairs = [
        EffectPair(
            experiment=str(k), proxy_effect=x, proxy_se=1.0, metric_effect=y, metric_se=1.0, covariance=0.8
        )
        for k, (x, y) in enumerate(rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], 60))
    ]  # fmt: skip
    found = proxy_validity(pairs)
    assert isinstance(found.slope, Unavailable)
    assert found.naive_slope > 0.5
    assert isinstance(found.agreement, SignAgreement)
    assert found.agreement.by_noise == pytest.approx(0.5 + math.asin(0.8) / math.pi)
    assert any("noise they share" in line for line in validity_sentences(found))


def test_pairs_of_one_experiment_count_once():
    """Thirty comparisons of ten experiments are ten experiments."""
    pairs = [
        EffectPair(experiment=f"e{k % 10}", proxy_effect=0.1 * k, proxy_se=0.1, metric_effect=0.1, metric_se=0.1)
        for k in range(30)
    ]
    assert proxy_validity(pairs).experiments == 10


def test_covariance_of_relative_effects_against_simulated_experiments():
    """Standard errors and covariance from moments are those seen over 3,000 repetitions of an experiment."""
    rng = np.random.default_rng(7)
    n, repetitions = 400, 3000
    found, effects = [], []
    for _ in range(repetitions):
        sides = []
        for lift in (1.0, 1.2):
            visits = 1 + rng.poisson(2, n)
            taste = rng.gamma(4, 0.25, n)
            reads = rng.poisson(visits * taste * lift)
            sides.append({"clicks": rng.binomial(reads, 0.5), "impressions": visits, "reads": reads, "visits": visits})
        pair = pair_from_moments(
            *(_moments(side) for side in sides),
            proxy=Ratio("clicks", "impressions"),
            metric=Ratio("reads", "visits"),
            experiment="e",
        )
        found.append((pair.proxy_se**2, pair.metric_se**2, pair.covariance))
        effects.append((pair.proxy_effect, pair.metric_effect))
    seen = np.cov(np.array(effects), rowvar=False)
    np.testing.assert_allclose(np.mean(found, axis=0), [seen[0, 0], seen[1, 1], seen[0, 1]], rtol=0.08)


def _moments(columns):
    names, table = list(columns), np.array(list(columns.values()), float)
    covariance = np.cov(table)
    return Moments(
        table.shape[1],
        {name: table[i].mean() for i, name in enumerate(names)},
        {(one, other): covariance[i, j] for i, one in enumerate(names) for j, other in enumerate(names) if i <= j},
    )


@pytest.mark.parametrize(
    ("proxy", "metric"),
    [
        (CTR, READS),
        (CTR, Metric(metric="sold", numerator="amount", goal="subscription", cap=0.99)),
        (Metric(metric="sold", numerator="amount", goal="ad", denominator="visits"), READS),
        (Metric(metric="time", numerator="engaged_seconds", denominator="visits"), READS),
    ],
)
def test_every_pair_of_columns_is_asked_for(proxy, metric):
    """What is summed up holds each covariance that two metrics' effects need."""
    needs = needs_of(crossed(proxy, metric))
    asked = {frozenset(pair) for pair in needs.pairs}
    own = set(needs_of([proxy, metric]).names)
    assert {frozenset((one, other)) for one in own for other in own} <= asked


def test_from_a_log_stopped_experiments_count():
    """Stopped experiments give a pair for each variant; running ones, and those without the metric, none."""
    rng = np.random.default_rng(11)

    def summed(experiment, metrics):
        assert experiment.state == "stopped"
        lift = 1 + 0.1 * rng.normal()
        sides = {}
        for name, times in (("a", 1.0), ("b", lift)):
            visits = 1 + rng.poisson(2, 2000)
            reads = rng.poisson(visits * times)
            shown = 0 * visits if experiment.experiment == "e0" and name == "a" else visits
            sides[name] = _moments(
                {"clicks": np.minimum(reads, shown), "impressions": shown, "reads": reads, "visits": visits}
            )
        return Aggregates(moments=sides)

    def test_of(k, state):
        variants = tuple(Variant(name=name, weight=1, scenario=name, release=name) for name in "ab")
        return Experiment(experiment=f"e{k}", placement="p", control="a", variants=variants, salt="s", state=state)

    tests = [test_of(k, "stopped") for k in range(41)] + [test_of(99, "running")]
    (found,) = proxies_from_log(tests, [READS, CTR], summed)
    assert (found.proxy, found.metric) == ("click_through", "articles_per_visit")
    assert (found.experiments, found.skipped) == (40, 1)
    assert found.verdict == "foretells"


def test_without_a_proxy_declared_it_says_how_to():
    """A project that declares none is told what to write."""
    with pytest.raises(InputError, match="proxy = true"):
        proxies_from_log([], [READS], lambda *_: pytest.fail("nothing to sum up"))


def test_a_file_gives_json_sentences_and_a_picture(tmp_path):
    """The command tells the same figures to a program and, in two languages, to a person."""
    file = written(tmp_path / "past.csv", past())
    document = json.loads(CliRunner().invoke(command, [str(file), "--json"]).stdout)
    assert document["schema"] == "embellie/proxies/1"
    (found,) = document["proxies"]
    assert found["slope"]["low"] < 0.4 < found["slope"]["high"]
    assert found["comparisons"] == len(found["pairs"]) == 60
    english = CliRunner().invoke(command, [str(file), "--proxy", "ctr", "--metric", "subscriptions"]).stdout
    assert "an effect of 1 on ctr has meant +0." in english
    assert "│" in english
    assert "·" in english
    french = CliRunner().invoke(command, [str(file), "--lang", "fr"]).stdout
    assert "il l’a annoncé jusqu’ici" in french
    assert "Corrélation" in french


def test_without_covariance_it_is_said(tmp_path):
    """A file that does not say how errors go together is read as if they did not, and that is said beside the result."""
    done = CliRunner().invoke(command, [str(written(tmp_path / "past.csv", past(), whole=False)), "--json"])
    assert "independent" in done.stderr
    assert json.loads(done.stdout)["proxies"][0]["verdict"] == "foretells"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"proxy_se": "small"}, "Column `proxy_se` holds `small` in row 3"),
        ({"metric_effect": ""}, "Column `metric_effect` is empty in row 3"),
        ({"metric_effect": "inf"}, "holds `inf`"),
        ({"metric_effect": "nan"}, "holds `nan`"),
        ({"metric_se": 0}, "standard error of row 3"),
        ({"covariance": 1}, "covariance `1` of row 3"),
    ],
)
def test_a_bad_cell_is_named(tmp_path, changed, message):
    """What cannot be is refused with its row."""
    with pytest.raises(TableError, match=message):
        pairs_from_file(str(written(tmp_path / "past.csv", past(), **changed)))


def test_a_missing_column_is_named(tmp_path):
    """A column that is not there is refused with the nearest one."""
    file = tmp_path / "past.csv"
    file.write_text("experiment,proxy_effect,proxy_sd,metric_effect,metric_se\n")
    with pytest.raises(TableError, match="proxy_s"):
        pairs_from_file(str(file))


def test_an_empty_file_is_refused(tmp_path):
    """No rows, no answer."""
    with pytest.raises(TableError, match="no rows"):
        pairs_from_file(str(written(tmp_path / "past.csv", [])))


def test_offline_scores_are_worth_nothing_until_shown(tmp_path):
    """Without history, offline scores have not been shown to predict anything; with it, what they were worth."""
    assert isinstance(offline_worth(""), Unavailable)
    assert offline_worth(str(written(tmp_path / "past.csv", past()))).verdict == "foretells"


def test_documents_are_the_same_for_the_same_seed():
    """Same pairs, same seed, same bytes."""
    one, other = (json.dumps(validity_document([proxy_validity(past(), seed=5)])) for _ in range(2))
    assert one == other


def test_the_picture_has_a_place_for_every_extreme():
    """The largest effects lie on the frame, none outside."""
    lines = effects_picture(proxy_validity(past(40)))
    assert all(len(line) <= 49 for line in lines[:13])
    assert sum(line.count(mark) for line in lines[:13] for mark in "·•●") > 20


def test_the_command_reads_the_projects_log(tmp_path):
    """A stopped experiment of the log is one pair; with one, the rest is refused with how many are missing."""
    at = datetime(2026, 3, 2, 12, tzinfo=UTC)
    variants = tuple(Variant(name=name, weight=1, scenario=name, release=name) for name in "ab")
    test = Experiment(
        experiment="first", placement="article-bottom", control="a", variants=variants, salt="s", state="stopped",
        started_at=at, stopped_at=at + timedelta(hours=2),
    )  # fmt: skip
    bodies = [test]
    for k in range(400):
        who = {"reader": f"r{k}", "visit": f"v{k}"}
        bodies.append(Exposure(experiment="first", unit=f"r{k}", variant="ab"[k % 2]))
        bodies += [Impression(slate_id=f"s{k}", article="x", position=1, **who)]
        bodies += [Click(slate_id=f"s{k}", article="x", position=1, **who)] if k % 5 < 2 else []
        bodies += [Read(article=f"a{n}", engaged_seconds=30, **who) for n in range(1 + k % 3)]
    events = [
        Event(id=f"e{k}", site="gazette", at=at + timedelta(seconds=k), consent="profiling", body=body)
        for k, body in enumerate(bodies)
    ]
    (tmp_path / "embellie.toml").write_text("[sites.gazette]\n")
    (tmp_path / "question.toml").write_text("")
    with SqliteLog(tmp_path / "embellie-data" / FILE) as log:
        log.append(events, received_at=at)
    done = CliRunner().invoke(command, ["--project", str(tmp_path), "--json"], catch_exceptions=False)
    (found,) = json.loads(done.stdout)["proxies"]
    assert (found["proxy"], found["metric"], found["experiments"]) == ("click_through", "articles_per_visit", 1)
    (pair,) = found["pairs"]
    assert pair["proxy_se"] > 0
    assert abs(pair["covariance"]) <= pair["proxy_se"] * pair["metric_se"]
    assert "29 more" in found["slope"]["remedy"]


def test_evaluate_tells_what_its_scores_have_been_worth(tmp_path):
    """Beside offline scores stands what they were worth in production: nothing known without a history."""
    clicks = tmp_path / "clicks.csv"
    rows = [f"r{v % 9},v{v},a{(v * step) % 11},{1_700_000_000 + 900 * v + step}" for v in range(40) for step in (1, 2)]
    clicks.write_text("who,sitting,what,when\n" + "\n".join(rows) + "\n")
    columns = ["--reader", "who", "--visit", "sitting", "--article", "what", "--at", "when", "--policy", "latest"]
    asked = ["evaluate", "--log", str(clicks), *columns]
    assert "not been shown to predict anything" in CliRunner().invoke(recommend, asked).stdout
    with_history = [*asked, "--history", str(written(tmp_path / "past.csv", past()))]
    assert "it has foretold it so far" in CliRunner().invoke(recommend, with_history).stdout
    told = json.loads(CliRunner().invoke(recommend, [*with_history, "--json"]).stdout)["in_production"]
    assert told["verdict"] == "foretells"
