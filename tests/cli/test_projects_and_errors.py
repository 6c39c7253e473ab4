"""One way to name a project, one shape of errors, in every command."""

import json
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from embellie.app.newsroom import Newsroom
from embellie.cli.main import COMMANDS, cli
from embellie.domain.errors import EmbellieError, InputError
from embellie.domain.evidence import Evidence

WITHOUT_A_PROJECT = {
    ("demo",): "makes its own",
    ("measure", "table"): "any table",
    ("measure", "srm"): "two counts",
    ("measure", "plan"): "figures",
    ("catalogue", "export-feed"): "a file",
}


def leaves():
    context = click.Context(cli, info_name="embellie")
    for name in COMMANDS:
        command = cli.get_command(context, name)
        if isinstance(command, click.Group):
            yield from (((name, sub), one) for sub, one in command.commands.items())
        else:
            yield (name,), command


def run(*arguments):
    done = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    if isinstance(done.exception, EmbellieError):
        raise done.exception
    return done


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "à côté"
    run("init", folder)
    return folder


@pytest.mark.parametrize(("path", "command"), [pytest.param(*leaf, id=" ".join(leaf[0])) for leaf in leaves()])
def test_every_command_names_a_project_the_same_way(path, command):
    """`--project DIR` works wherever an installation is needed, and its help says the same."""
    options = {name: one for one in command.params for name in one.opts}
    if path in WITHOUT_A_PROJECT:
        assert "--project" not in options
    else:
        assert options["--project"].make_metavar(click.Context(command)) == "DIR"
        assert "project" in options["--project"].help


@pytest.mark.parametrize("command", ["doctor", "serve", ("config", "show")])
def test_two_different_folders_are_refused(project, command):
    """By argument or by option, not both."""
    words = command if isinstance(command, tuple) else (command,)
    with pytest.raises(InputError, match="Two folders are given"):
        run(*words, project, "--project", project.parent)


def test_a_project_is_named_either_way(project):
    """Argument and option find the same folder, with a space and an accent in its name."""
    one, two = run("config", "show", project, "--json"), run("config", "show", "--project", project, "--json")
    assert json.loads(one.stdout) == json.loads(two.stdout)


def test_init_says_what_to_type_next(project, tmp_path):
    """The commands it names can be pasted from where one stands."""
    told = run("init", tmp_path / "my paper").stdout
    assert f"embellie decide '{tmp_path / 'my paper'}'" in told
    assert f"embellie serve '{tmp_path / 'my paper'}'" in told


def test_deciding_a_project_takes_the_evidence_in_its_log(project):
    """The question's file alone knows nothing; its project says what the server says."""
    newsroom = Newsroom.open(project)
    newsroom.file("gazette", Evidence(measures="interest", estimate=0.03, se=0.002, study="ab_heuristic"))
    served = newsroom.verdict()
    newsroom.close()
    alone = json.loads(run("decide", project / "question.toml", "--json").stdout)
    told = run("decide", "--project", project, "--json")
    assert json.loads(told.stdout)["verdict"] == served.verdict == "ship" != alone["verdict"]
    assert "interest" in told.stderr
    assert run("decide", project, "--json").stdout == told.stdout


def test_a_question_and_a_project_at_once_are_refused(project):
    """It could not be told whose evidence is meant."""
    with pytest.raises(InputError, match="Both a question"):
        run("frame", project / "question.toml", "--project", project)


def typed(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "embellie", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("decid",), "Did you mean `decide`?"),
        (("decide", "nowhere.toml"), "No file `nowhere.toml` here."),
        (("doctor", "--nope"), "Usage: embellie doctor"),
        (("release", "history", "--project", "nowhere"), "nowhere: No such folder."),
    ],
)
def test_a_wrong_call_is_told_on_standard_error(tmp_path, arguments, says):
    """Exit code 2, nothing on standard output, no traceback."""
    done = typed(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_cannot_be_written_is_told_in_a_line(project):
    """Such as a report in a folder that is not there."""
    done = typed("decide", "--html", "nowhere/report.html", cwd=project)
    assert done.returncode == 2
    assert done.stderr == "Error: No such file or directory: `nowhere/report.html`.\n"


def test_a_release_asks_which_site_when_there_are_several(project):
    """It does not take the first one."""
    with (project / "embellie.toml").open("a") as file:
        file.write('\n[sites.second]\nname = "The Second"\n')
    with pytest.raises(InputError, match="There are 2 sites"):
        run("release", "history", "--project", project)


def test_a_release_asks_which_placement_when_there_are_several(project):
    """What readers see changes where it was said, not on the first placement of the file."""
    with (project / "embellie.toml").open("a") as file:
        file.write("\n[sites.gazette.placements.second]\nslots = 3\n")
    with pytest.raises(InputError, match="There are 2 placements"):
        run("release", "start", "any-release", "--project", project)
