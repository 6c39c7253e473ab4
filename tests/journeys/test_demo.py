"""The demo, as a person runs it: from the command line."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest


def demo(*arguments: str, port: int = 0, seconds: int = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "embellie", "demo", *arguments],
        capture_output=True,
        text=True,
        timeout=seconds,
        env={**os.environ, "PORT": str(port)},
        check=False,
    )


@pytest.fixture(scope="module")
def once(tmp_path_factory) -> tuple[subprocess.CompletedProcess[str], Path]:
    folder = tmp_path_factory.mktemp("demo") / "project"
    return demo("--once", "6", "--json", "--readers", "2000", "--folder", str(folder)), folder


def test_the_loop_turns(once):
    """Readers are served, an effect is estimated, a verdict is given: exit 0."""
    done, _ = once
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["schema"] == "embellie/demo/1"
    assert document["pages"] > 100
    assert document["quarantined"] == 0
    assert document["effect"]["low"] < document["effect"]["high"]
    assert document["verdict"]["schema"] == "embellie/verdict/1"
    assert document["verdicts"][0]["verdict"] == "learn_more"


def test_it_says_what_it_does_and_that_it_is_simulated(once):
    """Messages go to standard error: the link, the label, the truth beside the estimate."""
    done, folder = once
    assert "SIMULATED" in done.stderr
    assert "http://127.0.0.1:" in done.stderr
    assert "true effect" in done.stderr
    assert str(folder) in done.stderr


def test_the_folder_is_a_project_one_can_look_at(once):
    """What is kept can be read by the other commands."""
    _, folder = once
    done = subprocess.run(
        [sys.executable, "-m", "embellie", "doctor", str(folder)], capture_output=True, text=True, check=False
    )
    assert "1 experiment" in done.stdout + done.stderr
    assert (folder / "question.toml").exists()


def test_a_folder_in_use_is_left_alone(once):
    """A second demo into the same folder is refused, and says what to do."""
    _, folder = once
    done = demo("--once", "1", "--folder", str(folder))
    assert done.returncode == 1
    assert "earlier demo" in done.stderr


def test_a_port_in_use_is_said():
    """With the dashboard's port taken, the error names it and offers another."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = demo("--no-browser", port=port)
    assert done.returncode == 1
    assert f"Port {port} is in use" in done.stderr
    assert "--port" in done.stderr


@pytest.mark.slow
def test_the_verdict_changes_for_a_reason_and_a_release_goes_out():
    """In two minutes: learn more first, then ship; a rollout starts; the interval is told beside the truth."""
    done = demo("--once", "100", "--json", seconds=180)
    document = json.loads(done.stdout)
    assert [one["verdict"] for one in document["verdicts"]][:2] == ["learn_more", "ship"]
    assert document["effect"]["low"] > 0
    assert document["truth"]["effect"] == pytest.approx(0.08, abs=0.03)
    assert "Rollout under way, heuristic on 20% of readers" in done.stderr
