"""`recommend evaluate`, `compare` and `check` in English and in French: other words, the same figures."""

import ast
import re
from dataclasses import replace
from pathlib import Path
from string import Formatter

import numpy as np
import pytest
from click.testing import CliRunner

from embellie.app.checking_features import FeaturesChecked
from embellie.app.replay_words import _BLIND, _FEW, _REASONS_FR, WORDS, Voice, differences_told, features_told
from embellie.cli import recommend_command
from embellie.recommend.feature_checks import FeatureCheck, Skew
from embellie.recommend.paired import Difference

COLUMNS = ["--reader", "who", "--visit", "sitting", "--article", "what", "--at", "when"]
PACKAGE = Path(__file__).parents[2] / "src" / "embellie" / "recommend"
CHECK = FeatureCheck(
    slates=1200,
    articles=4800,
    policies={"ranker": 4800},
    skews=(
        Skew(feature="clicks", articles=12, share=0.0025, median=0.5, largest=1234.5, example="slate s1, article a1"),
    ),
    unknown=("tempo",),
    lost=1234,
)


@pytest.fixture(scope="module")
def clicks(tmp_path_factory):
    """A few hundred visits to hourly articles."""
    rng = np.random.default_rng(8)
    file = tmp_path_factory.mktemp("log") / "clicks.csv"
    rows = ["who,sitting,what,when"]
    for visit in range(400):
        for step in range(3):
            article = max(0, visit // 12 - int(rng.exponential(4)))
            rows.append(f"r{rng.integers(60)},v{visit},a{article},{1_700_000_000 + visit * 300 + 7 * step}")
    file.write_text("\n".join(rows))
    return file


def spoken(*arguments):
    done = CliRunner().invoke(recommend_command.command, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done.output


def figures(text, language):
    """Every number of a text, however the language writes it; not those that time takes."""
    text = re.sub(r"[\d.,]+ ms|[\d,\u202f]+ cli(ck|c)s/s|(p99 ms).*", "", text)
    text = re.sub(r"(?<=\d)\u202f(?=\d)" if language == "fr" else r"(?<=\d),(?=\d{3}\b)", "", text)
    return sorted(one.replace(",", ".") for one in re.findall(r"[+-]?\d+(?:[.,]\d+)?", text))


@pytest.mark.parametrize(
    "arguments",
    [
        ("evaluate", "--k", "5,20", "--check-leaks"),
        ("compare", "popular", "popular?half_life=1"),
        ("compare", "popular", "latest", "--configuration"),
    ],
)
def test_both_languages_tell_the_same_figures(clicks, arguments):
    """Written as each language writes them: a comma and a semicolon in French."""
    source = () if "--configuration" in arguments else ("--log", clicks, *COLUMNS)
    english, french = (spoken(*arguments, *source, "--lang", language) for language in ("en", "fr"))
    assert english != french
    assert figures(english, "en") == figures(french, "fr")
    if source:
        assert re.search(r"0,\d{4} \[0,\d{4} ; 0,\d{4}\]", french)
        assert not re.search(r"\d\.\d{4}", french)


def test_french_leaves_no_english_sentence(clicks):
    """What stands in one language stands in one language only."""
    english, french = (
        spoken("evaluate", "--check-leaks", "--log", clicks, *COLUMNS, "--lang", language) for language in ("en", "fr")
    )
    same = {line for line in english.splitlines() if re.search(r"[a-z]{4,} [a-z]{3,} [a-z]{2,}", line)}
    assert same
    assert not same & set(french.splitlines())


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_check_that_differs_says_all_it_found(language):
    """What differs, what is not computed, what is lost, and what to do."""
    told = "\n".join(features_told(FeaturesChecked(check=CHECK, every=1), language))
    space, comma = ("\u202f", ",") if language == "fr" else (",", ".")
    for figure in (f"4{space}800", f"1{space}234", f"0{comma}", f"1234{comma}5", "`clicks`", "`tempo`", "slate s1"):
        assert figure in told
    assert len(told.splitlines()) == 5


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_check_without_anything_to_compare_says_so(language):
    """No slate with features, or none whose articles are known; all the same."""
    none = replace(CHECK, slates=0, articles=0, skews=(), unknown=(), lost=0, policies={})
    first, second = WORDS["no_features"][language == "fr"], WORDS["declare_ranker"][language == "fr"]
    assert features_told(FeaturesChecked(check=none, every=1), language) == [first, second]
    same = replace(CHECK, skews=(), unknown=(), lost=0, policies={})
    (told,) = features_told(FeaturesChecked(check=same, every=1), language)
    assert Voice(language).count(4800) in told


def test_differences_name_the_better_first():
    """By how much, and the interval of that."""
    found = [
        Difference(policy="a", against="b", metric="ndcg", value=-0.02, low=-0.03, high=-0.01, p=0.001, p_holm=0.002)
    ]
    assert differences_told(found) == ["`b` above `a` by 0.0200 [0.0100, 0.0300]"]
    assert differences_told(found, "fr") == ["`b` au-dessus de `a` de 0,0200 [0,0100 ; 0,0300]"]


@pytest.mark.parametrize("name", WORDS)
def test_every_sentence_carries_the_same_figures(name):
    """A figure missing in one language would be a fact that half the readers do not get."""
    english, french = WORDS[name]

    def named(text):
        return sorted(field for _, field, _, _ in Formatter().parse(text) if field)

    assert named(english) == named(french)


def reasons():
    """Every text by which an evaluation says that there is no figure, and what to do."""
    for file in ("evaluation.py", "normative.py", "paired.py"):
        for node in ast.walk(ast.parse((PACKAGE / file).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Unavailable":
                for word in node.keywords:
                    if isinstance(word.value, ast.Constant):
                        yield word.value.value


def test_every_reason_is_known_in_french():
    """A new reason that nobody translated would be told in English among French."""
    found = set(reasons())
    assert len(found) > 5
    assert found <= set(_REASONS_FR)
    assert _FEW.fullmatch("1 reader has targets: a difference needs at least two.")
    assert _BLIND.fullmatch("No section is known, so `same_section` ranks as `popular`. Give `--catalogue` to try it.")
