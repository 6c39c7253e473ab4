"""A file that one process at a time holds, freed by the system when that process ends."""

import os
import subprocess
import sys
import threading
import time

import pytest

from embellie.store.file_lock import FileLead, fcntl, file_locked, who_leads

pytestmark = pytest.mark.skipif(fcntl is None, reason="This system has no flock.")

HOLD = """
import sys, time
from pathlib import Path
from embellie.store.file_lock import FileLead
lead = FileLead(Path(sys.argv[1]))
print(lead.held(), flush=True)
time.sleep(600)
"""


def holder(file):
    """Another process that tries to lead, and whether it does."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(file)], stdout=subprocess.PIPE, text=True)
    return process, process.stdout.readline().strip() == "True"


def test_one_of_two_processes_leads_and_the_other_when_it_is_killed(tmp_path):
    """`kill -9` frees the lead at once; who has it can be told."""
    file = tmp_path / "data" / "lead.lock"
    process, leads = holder(file)
    assert leads
    other = FileLead(file)
    assert not other.held()
    assert who_leads(file) == process.pid
    process.kill()
    process.wait()
    process.stdout.close()
    assert other.held()
    assert who_leads(file) == os.getpid()
    other.close()
    assert who_leads(file) is None


def test_two_leads_of_one_process_exclude_each_other_too(tmp_path):
    """And one that closed may take it again."""
    one, other = FileLead(tmp_path / "lead.lock"), FileLead(tmp_path / "lead.lock")
    assert (one.held(), other.held(), one.held()) == (True, False, True)
    one.close()
    assert (other.held(), one.held()) == (True, False)
    other.close()


def test_who_holds_a_file_that_is_gone_leads_no_more_than_whoever_holds_the_new_one(tmp_path):
    """A data folder put back from a backup: one leads, not two."""
    file = tmp_path / "lead.lock"
    one, other = FileLead(file), FileLead(file)
    assert one.held()
    file.unlink()
    assert other.held()
    assert not one.held()
    one.close()
    other.close()


def test_a_held_file_is_waited_for(tmp_path):
    """What two do with a file between reading and writing it is done by one after the other."""
    counted, file = tmp_path / "n", tmp_path / ".lock"
    counted.write_text("0")

    def add():
        for _ in range(20):
            with file_locked(file):
                before = int(counted.read_text())
                time.sleep(0.0005)
                counted.write_text(str(before + 1))

    adding = [threading.Thread(target=add) for _ in range(4)]
    for thread in adding:
        thread.start()
    for thread in adding:
        thread.join()
    assert counted.read_text() == "80"
