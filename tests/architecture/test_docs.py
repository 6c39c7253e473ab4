"""The docs are true: every word, command, key and field is there, and every code block runs."""

import ast
import dataclasses
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from embellie.app import config as config_module
from embellie.app.config import Config, parse_config
from embellie.cli.main import COMMANDS
from embellie.domain import metric, plan, question, rollout, verdict
from embellie.domain.event import KINDS
from embellie.recommend.built_in import POLICIES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
GLOSSARY = (DOCS / "glossary.md").read_text(encoding="utf-8")
PAGES = sorted([ROOT / "README.md", *DOCS.rglob("*.md")])

MODULES_WITHOUT_A_WORD = {
    "errors": "an error is an error",
    "reading": "holds Impression, Click, Read, Conversion, each with an entry of its own",
}


def page(name):
    return (DOCS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("module", sorted(path.stem for path in (ROOT / "src/embellie/domain").glob("[!_]*.py")))
def test_every_module_of_the_domain_has_its_word(module):
    """`domain` holds words: one entry of the glossary per module."""
    if module not in MODULES_WITHOUT_A_WORD:
        assert re.search(rf"\*\*{module.replace('_', ' ')}\*\*", GLOSSARY, re.IGNORECASE)


@pytest.mark.parametrize(
    "word",
    [
        *get_args(metric.Role),
        *get_args(verdict.Action),
        *get_args(question.StudyKind),
        *(kind for kind in get_args(question.UnknownKind) if kind),
        *POLICIES,
        "start",
        "advance",
        "hold",
        "complete",
        "rollback",
        "evpi",
        "evppi",
        "evsi",
        "enbs",
    ],
)
def test_every_stable_word_is_in_the_glossary(word):
    """Roles, verdicts, kinds, policies and verbs are explained where people look them up."""
    assert f"`{word}`" in GLOSSARY


def test_rollout_states_are_documented():
    """The page on releases names what a rollout can be."""
    text = page("6-release.md").replace("roll back", "rolled back")
    assert all(state.replace("_", " ") in text for state in get_args(rollout.RolloutState))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_event_and_its_fields_are_documented(kind):
    """The reference of events names each kind and each of its fields."""
    text = page("reference/events.md")
    section = re.search(rf"^##+ `{kind}`.*?(?=^##+ |\Z)", text, re.MULTILINE | re.DOTALL)
    assert section, f"docs/reference/events.md has no heading `{kind}`"
    missing = [field.name for field in dataclasses.fields(KINDS[kind]) if f"`{field.name}`" not in section[0]]
    assert missing == []


def keys_of(struct):
    yield from (field.name for field in msgspec.structs.fields(struct))


@pytest.mark.parametrize(
    "struct",
    [value for value in vars(config_module).values() if isinstance(value, type) and issubclass(value, msgspec.Struct)],
)
def test_every_key_of_the_configuration_is_documented(struct):
    """The reference of embellie.toml names each key."""
    text = page("reference/config.md")
    tables = (
        {
            "server",
            "sites",
            "scenarios",
            "experiments",
            "metrics",
            "rollout",
            "holdout",
            "analysis",
            "storage",
            "training",
            "retention",
        }
        if struct is Config
        else set()
    )
    missing = [key for key in keys_of(struct) if f"`{key}`" not in text and key not in tables]
    missing += [table for table in tables if f"`[{table}" not in text]
    assert missing == []


@pytest.mark.parametrize(
    "record",
    [
        one
        for module in (verdict, plan)
        for one in vars(module).values()
        if isinstance(one, type) and dataclasses.is_dataclass(one) and one.__module__ == module.__name__
    ],
    ids=lambda record: record.__name__,
)
def test_every_field_of_a_verdict_is_documented(record):
    """The reference of the verdict's JSON names each key."""
    text = page("reference/verdict.md")
    assert [field.name for field in dataclasses.fields(record) if f"`{field.name}`" not in text] == []


def test_the_reference_of_commands_is_the_commands():
    """`make reference` writes it; it must be up to date. In a process of its own: a command once called keeps its help options."""
    write = "from embellie.cli.reference import reference; print(reference(), end='')"
    written = subprocess.run([sys.executable, "-c", write], capture_output=True, encoding="utf-8", check=True).stdout
    assert page("reference/cli.md") == written, "Run `make reference`."


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_mentioned_in_the_guides(command):
    """Each command occurs outside the reference too."""
    guides = "".join(path.read_text(encoding="utf-8") for path in PAGES if path.name != "cli.md")
    assert f"embellie {command}" in guides or f"make {command}" in guides


def test_the_docs_are_all_in_the_table_of_contents():
    """No page is lost, none is missing."""
    listed = re.findall(r":\s*([\w/.-]+\.md)\s*$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))


def test_links_between_pages_lead_somewhere():
    """Relative links point to files that exist."""
    broken = [
        f"{path.relative_to(ROOT)} -> {target}"
        for path in PAGES
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", path.read_text(encoding="utf-8"))
        if not (path.parent / target).exists()
    ]
    assert broken == []


BLOCK = re.compile(
    r"(?:<!-- not run: (?P<why>[^>]+?) -->\n)?^```(?P<language>\w+)(?: title=\"(?P<title>[\w.-]+)\")?[^\n]*\n(?P<code>.*?)^```",
    re.MULTILINE | re.DOTALL,
)


def blocks(path):
    return [match for match in BLOCK.finditer(path.read_text(encoding="utf-8")) if not match["why"]]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_code_blocks_run(path, tmp_path):
    """Python runs, commands exit 0 (or as their comment says), TOML and JSON are read; in a how-to they say what is shown."""
    namespace = {"__name__": "docs"}
    for block in blocks(path):
        if block["title"]:  # a file by that name, for the commands below it
            (tmp_path / block["title"]).write_text(block["code"], encoding="utf-8")
        run_block(block["language"], block["code"], tmp_path, namespace, checked=path.parent.name == "how-to")


def run_block(language, code, folder, namespace, *, checked):
    if language == "python":
        before = Path.cwd()
        os.chdir(folder)
        try:
            exec(compile(ast.parse(code), "docs", "exec"), namespace)
        finally:
            os.chdir(before)
    elif language == "console":
        run_session(code, folder, checked=checked)
    elif language == "jsonl":
        for line in code.splitlines():
            json.loads(line)
    elif language == "json":
        json.loads(code)
    elif language == "toml":
        read_toml(code, folder)


def run_session(code, folder, *, checked):
    """Run the commands of a block; where its page's outputs are checked, hold what stands below each to what it says."""
    for part in re.split(r"^\$ ", code, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        if command.startswith("embellie "):
            said = run_command(f"$ {command}", folder)
            check_output(shown if checked else "", said)


def run_command(line, folder):
    command, _, comment = line.removeprefix("$ ").partition("  #")
    expected = int(found[1]) if (found := re.search(r"exit (\d)", comment)) else 0
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    shell = command.replace("embellie", f'"{sys.executable}" -m embellie', 1)
    done = subprocess.run(shell, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert expected == done.returncode, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def check_output(shown, said):
    """What a page shows below a command is what the command says, in that order; `…` stands for what is left out."""
    lines = iter(line.rstrip() for line in said.splitlines())
    for line in (line.rstrip() for line in shown.splitlines()):
        if line.strip() not in {"", "…"}:
            assert line in lines, f"Not said, or not in this order: {line!r}\n{said}"


def read_toml(code, folder):
    raw = tomllib.loads(code)
    first = code.lstrip().splitlines()[0]
    if "question.toml" in first:
        from embellie.frame.question_file import parse_question

        parse_question(code, file="question.toml")
        (folder / "question.toml").write_text(code, encoding="utf-8")
    elif "embellie.toml" in first:
        parse_config({"sites": {"gazette": {}}} | raw, text=code)
