"""The Containerfile: what it copies is there, what it installs is locked, and how it starts the server is right."""

import json
import re
import shlex
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
from click.testing import CliRunner

from embellie.cli.serve_command import command as serve

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Containerfile").read_text(encoding="utf-8")


def instructions():
    """List (instruction, the rest), comments left out and lines joined."""
    lines = [line for line in TEXT.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [tuple(line.split(None, 1)) for line in joined.splitlines()]


def of(name):
    return [rest for instruction, rest in instructions() if instruction == name]


def copied():
    """The paths of the checkout that are copied into the build."""
    return [path for rest in of("COPY") if "--from" not in rest for path in shlex.split(rest)[:-1]]


def test_what_is_copied_is_there_and_not_ignored():
    """A path that the ignore file leaves out would be missing only when someone builds."""
    ignored = [line for line in (ROOT / ".containerignore").read_text().splitlines() if line and line[0] != "#"]
    assert ignored[0] == "*"
    kept = [line[1:] for line in ignored if line[0] == "!"]
    assert copied()
    for path in copied():
        assert (ROOT / path).exists(), path
        assert any(path == one or path.startswith(f"{one}/") for one in kept), path
    assert (ROOT / ".dockerignore").read_text() == (ROOT / ".containerignore").read_text()


@pytest.mark.parametrize(
    "path", ["embellie-data/keys.json", "a/embellie-data/log.sqlite", "log.sqlite-wal", ".git/config"]
)
def test_data_and_keys_never_enter_a_layer(path):
    """Everything is left out but a few names; data and keys even below those."""
    ignored = [line for line in (ROOT / ".containerignore").read_text().splitlines() if line and line[0] not in "#!"]
    assert any(fnmatch(path, one) or fnmatch(f"/{path}", one.replace("**", "*")) for one in ignored)


def test_everything_installed_from_a_registry_has_its_hash():
    """Pip checks what it gets; the wheel of the checkout comes without asking a registry."""
    for line in " && ".join(of("RUN")).split("&&"):
        if "pip install" in line:
            assert "--require-hashes" in line or "--no-index" in line, line
    for lock in ("image", "build"):
        text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
        packages = [line for line in text.splitlines() if re.match(r"[a-z]", line)]
        assert packages
        assert all(line.endswith("\\") for line in packages), lock


def test_the_lock_holds_what_the_wheel_needs():
    """Every dependency, and those of the extras that the image offers; the newest lock of the same versions."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    offered = [need for extra in ("ml", "postgres", "telemetry") for need in project["optional-dependencies"][extra]]
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements/image.txt").read_text(), re.MULTILINE))
    for need in [*project["dependencies"], *offered]:
        assert re.match(r"[a-z0-9-]+", need)[0] in locked, need
    tested = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements/run.txt").read_text(), re.MULTILINE))
    assert {name: locked.get(name) for name in tested} == tested


def test_it_runs_as_nobody_in_particular_and_stops_in_order():
    """Not root; the command is process 1, so that SIGTERM reaches it; the project's folder is the volume."""
    assert of("USER") == ["10001:10001"]
    assert (of("STOPSIGNAL"), of("VOLUME"), of("WORKDIR")[-1]) == (["SIGTERM"], ["/srv/embellie"], "/srv/embellie")
    assert instructions()[-2][0] == "ENTRYPOINT"
    assert json.loads(of("ENTRYPOINT")[0]) == ["embellie"]


def test_its_command_is_one_that_embellie_takes():
    """Every option of CMD is known to `embellie serve`; the health check asks the port it listens on."""
    command = json.loads(of("CMD")[0])
    options = {word for word in command if word.startswith("--")}
    told = CliRunner().invoke(serve, ["--help"]).output
    assert options == {"--host", "--port", "--log-format"}
    assert all(option in told for option in options)
    check = of("HEALTHCHECK")[0]
    assert f":{command[command.index('--port') + 1]}/healthz" in check
    compile(json.loads(check.split("CMD ", 1)[1])[2], "healthcheck", "exec")
    assert of("EXPOSE") == [command[command.index("--port") + 1]]
