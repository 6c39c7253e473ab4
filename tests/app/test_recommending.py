"""Recommending: policies by name, logs as files, slates tried on an installation."""

import json
from datetime import UTC, datetime, timedelta

import duckdb
import numpy as np
import pytest

from embellie.app.config import read_config
from embellie.app.recommending import (
    Source,
    evaluate_source,
    evaluation_document,
    policy_of,
    protocol_of,
    read_catalogue,
    read_source,
    trial_document,
    try_policy,
)
from embellie.domain.article import Article
from embellie.domain.errors import InputError, TableError, UnknownName
from embellie.domain.event import Event
from embellie.domain.reading import Read
from embellie.domain.rule import Rule
from embellie.store.log import FILE, SqliteLog

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
COLUMNS = {"reader": "who", "visit": "sitting", "article": "what", "at": "when", "unit": "s"}


def event(minute, body, site="gazette", consent="profiling"):
    at = NOON + timedelta(minutes=minute)
    return Event(id=f"{site} {at.isoformat()} {body!r}"[:200], site=site, at=at, consent=consent, body=body)


def newspaper():
    """Eight articles, one of them pinned; Ann reads Sport, Zoe agreed to nothing."""
    sections = ["Sport", "Politics"]
    events = [
        event(
            -600 + i,
            Article(
                article=f"a{i}",
                title=f"Title {i}",
                section=sections[i % 2],
                published_at=NOON - timedelta(minutes=600 - i),
            ),
        )
        for i in range(8)
    ]
    events += [event(i, Read(article=f"a{i % 5}", reader=f"r{i}", visit=f"v{i}")) for i in range(20)]
    events += [event(30 + 70 * i, Read(article=f"a{2 * i}", reader="ann", visit="va")) for i in range(3)]
    events += [event(31 + i, Read(article=f"a{i}", reader="zoe", visit="vz"), consent="none") for i in range(3)]
    return [*events, event(5, Rule(rule="front", action="pin", article="a7", position=2))]


@pytest.fixture
def project(tmp_path):
    (tmp_path / "embellie.toml").write_text('[sites.gazette]\neditors_list = ["a3", "a1"]\n')
    with SqliteLog(tmp_path / "embellie-data" / FILE) as log:
        log.append(newspaper(), received_at=NOON + timedelta(hours=9))
    return tmp_path


@pytest.fixture
def clicks(tmp_path):
    file = tmp_path / "clicks.csv"
    rows = [
        f"r{v % 9},v{v},a{(v * step) % 11},{1_700_000_000 + 900 * v + step}" for v in range(80) for step in (1, 2, 3)
    ]
    file.write_text("who,sitting,what,when\n" + "\n".join(rows))
    return file


def test_a_policy_is_named_with_its_settings(tmp_path):
    """`popular?half_life=6&optimism=0` is that policy with those settings; a file's own policy can be named too."""
    assert policy_of("popular?half_life=6&optimism=0") == policy_of("popular?optimism=0.0&half_life=6.0")
    own = tmp_path / "own.py"
    own.write_text(
        "class Own:\n    name = 'own'\n    def __init__(self, word=''): self.word = word\n    def __call__(self, request, view): return []\n"
    )
    assert policy_of(f"{own}:Own?word=yes").word == "yes"
    assert policy_of("embellie.recommend.policies:Latest").name == "latest"


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("ranker9", UnknownName, "Unknown policy"),
        ("popular?half_live=3", InputError, "Did you mean `half_life`"),
        ("nowhere.py:Own", InputError, "Cannot load"),
        ("embellie.recommend.policies:Nothing", InputError, "Cannot load"),
        ("datetime:datetime.min", InputError, "Cannot load"),
        ("json:dumps", InputError, "is no policy"),
    ],
)
def test_a_wrong_policy_teaches(text, error, said):
    """Each wrong way to name a policy gets an error that says what to write."""
    with pytest.raises(error, match=said):
        policy_of(text)


@pytest.mark.parametrize("text", ["", "1", "0h", "-1h", "1 fortnight"])
def test_a_wrong_window_teaches(text):
    """A window is a duration above zero."""
    with pytest.raises(InputError, match="is no duration"):
        protocol_of(window=text)


def test_a_csv_is_evaluated(clicks, tmp_path):
    """The document has the contract's keys, the counts of the file, and ranks that say the same as the hit rate."""
    dump = tmp_path / "ranks.parquet"
    source = Source(log=clicks, **COLUMNS)
    evaluated = evaluate_source(source, ["latest", "popular"], protocol=protocol_of(k=3), rank_dump=dump)
    document = json.loads(json.dumps(evaluation_document(evaluated), allow_nan=False))
    assert document["schema"] == "embellie/evaluation/1"
    assert (document["clicks"], document["visits"], document["readers"]) == (240, 80, 9)
    for name in ("latest", "popular"):
        result = document["policies"][name]
        assert set(result) == {
        "hr", "ndcg", "mrr", "at", "coverage", "novelty_bits", "section_divergence", "fit_seconds", "p50_ms", "p99_ms",
        "series", "normative",
    }  # fmt: skip
        for metric in ("hr", "ndcg", "mrr"):
            assert 0.0 <= result[metric]["low"] <= result[metric]["value"] <= result[metric]["high"] <= 1.0
        (share,) = duckdb.execute(
            "SELECT avg(CASE WHEN rank <= 3 THEN 1.0 ELSE 0.0 END) FROM read_parquet(?) WHERE policy = ?",
            [str(dump), name],
        ).fetchone()
        assert share == pytest.approx(result["hr"]["value"])
    columns = duckdb.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(dump)]).fetchall()
    assert [column[0] for column in columns] == ["visit", "at", "article", "policy", "rank"]


def test_the_same_seed_gives_the_same_result(clicks):
    """A sampled evaluation can be repeated to the last digit."""
    source = Source(log=clicks, **COLUMNS)
    one, again = (
        evaluate_source(source, ["affinity"], protocol=protocol_of(sample=50, seed=4)).evaluation for _ in range(2)
    )
    assert len(one.targets) == 50
    assert np.array_equal(one.policies["affinity"].ranks, again.policies["affinity"].ranks)
    assert one.policies["affinity"].ndcg == again.policies["affinity"].ndcg


def test_a_catalogue_brings_sections(clicks, tmp_path):
    """With a catalogue, the heuristic has sections and no longer excuses itself."""
    file = tmp_path / "articles.jsonl"
    file.write_text("".join(json.dumps({"id": f"a{i}", "section": f"s{i % 3}"}) + "\n" for i in range(11)))
    source = Source(log=clicks, catalogue=file, **COLUMNS)
    evaluated = evaluate_source(source, ["affinity", "popular"], protocol=protocol_of())
    assert evaluated.evaluation.notes == []
    ranks = {name: result.ranks.tolist() for name, result in evaluated.evaluation.policies.items()}
    assert ranks["affinity"] != ranks["popular"]


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"section": "Sport"}', '{"id": "a", "published_at": "2026-01-01T08:00:00"}']
)
def test_a_wrong_catalogue_says_where(tmp_path, line):
    """The error names the file and the line, and shows what a line looks like."""
    file = tmp_path / "articles.jsonl"
    file.write_text('{"id": "a"}\n' + line)
    with pytest.raises(TableError, match=r"articles\.jsonl:2"):
        read_catalogue(file)


def test_a_line_of_a_catalogue_ends_at_the_line_feed_alone(tmp_path):
    """A title may hold a line separator of its own, as JSON allows."""
    file = tmp_path / "articles.jsonl"
    file.write_text('{"id": "a", "title": "Rain\u2028ends"}\r\n{"id": "b"}\n', encoding="utf-8")
    assert list(read_catalogue(file)) == ["a", "b"]


def test_the_own_log_is_read_with_its_catalogue_and_consents(project):
    """Reads of the project's own log, sections known, and no reader where there was no consent to profiling."""
    log, _, _ = read_source(Source(log=project / "embellie-data" / FILE))
    assert len(log) == 26
    assert "ann" in log.readers
    assert "zoe" not in log.readers
    assert log.catalogue["a2"].section == "Sport"
    evaluated = evaluate_source(
        Source(log=project / "embellie-data" / FILE), ["affinity"], protocol=protocol_of(window="30m")
    )
    assert len(evaluated.evaluation.targets) == 4


def test_a_log_of_several_sites_asks_which(project):
    """Clicks of two newspapers are never mixed."""
    file = project / "embellie-data" / FILE
    with SqliteLog(file) as log:
        log.append([event(0, Read(article="x", reader="r", visit="v"), site="herald")], received_at=NOON)
    with pytest.raises(InputError, match="gazette, herald"):
        read_source(Source(log=file))
    assert len(read_source(Source(log=file, site="herald"))[0]) == 1
    with pytest.raises(UnknownName, match="gazette"):
        read_source(Source(log=file, site="gazete"))


def trial(project, **asked):
    asked = {"now": NOON + timedelta(hours=4)} | asked
    return try_policy(project, read_config(project), **{"policy": "affinity"} | asked)


def test_a_slate_is_tried_with_its_reasons(project):
    """The slate has titles and reasons, keeps what was read out, and honours the pin."""
    document = trial_document(trial(project, reader="ann", consent="profiling", n=3))
    assert [item["position"] for item in document["items"]] == [1, 2, 3]
    assert document["items"][1]["article"] == "a7"
    assert document["items"][1]["reason"] == "pinned"
    assert not {"a0", "a2", "a4"} & {item["article"] for item in document["items"]}
    assert document["reads_known"] == 3
    assert all(item["title"].startswith("Title") for item in document["items"])


def test_trying_as_of_an_earlier_time_forgets_what_came_later(project):
    """As of noon, Ann had read nothing."""
    assert trial(project, reader="ann", consent="profiling", now=NOON).reads_known == 0


def test_the_editors_list_comes_from_the_configuration(project):
    """`status_quo?list=editors` shows the site's list of `embellie.toml`."""
    shown = trial(project, policy="status_quo?list=editors", n=4).items
    assert [item.article for item, _ in shown] == ["a3", "a7", "a1"]


def test_trying_writes_nothing(project):
    """The log is as long after as before."""
    with SqliteLog(project / "embellie-data" / FILE) as log:
        before = log.last()
    trial(project)
    with SqliteLog(project / "embellie-data" / FILE) as log:
        assert log.last() == before


def test_a_wrong_site_or_an_absent_log_teaches(project, tmp_path):
    """Unknown names list the known ones; without a log, the next step is said."""
    with pytest.raises(UnknownName, match="gazette"):
        trial(project, site="gazzette")
    with pytest.raises(UnknownName, match="article-bottom"):
        trial(project, placement="bottom")
    (project / "embellie-data" / FILE).rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="catalogue sync"):
        trial(project)


@pytest.mark.parametrize(
    ("text", "says"),
    [("def f(:", "invalid syntax"), ("import nowhere_at_all", "No module named"), ("x = 1", "there is no `Own` in it")],
)
def test_a_file_of_one_s_own_that_does_not_load_is_said_why(tmp_path, text, says):
    """A typing mistake in one's policy is told in a line."""
    file = tmp_path / "own.py"
    file.write_text(text)
    with pytest.raises(InputError, match=says):
        policy_of(f"{file}:Own")
