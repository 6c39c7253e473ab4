"""What is to be done once is done by one server, and by another when that one goes."""

import threading
import time
from hashlib import blake2s

import pytest

from embellie.app.one_server_leads import lead_of, lead_until
from embellie.store.log_place import PostgresPlace, log_place


def job(running):
    def work(stopped):
        running.append(threading.current_thread())
        stopped.wait()
        running.remove(threading.current_thread())

    return work


def started(lead, running, stopped):
    thread = threading.Thread(target=lead_until, args=(lead, [job(running)], stopped), kwargs={"look_seconds": 0.05})
    thread.start()
    return thread


def wait_for(what):
    deadline = time.monotonic() + 20
    while not what() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert what()


def test_a_server_alone_leads(tmp_path):
    """Its jobs run until it is told to stop."""
    running, stopped = [], threading.Event()
    thread = started(lead_of(log_place(tmp_path, "", "")), running, stopped)
    wait_for(lambda: running)
    stopped.set()
    thread.join()
    assert running == []


@pytest.mark.engines
def test_of_two_servers_one_leads_and_the_other_takes_over(postgres_url, tmp_path):
    """When the first stops, and when its line is cut, the jobs go on elsewhere; never on both for longer than a look."""
    import psycopg

    place = PostgresPlace(postgres_url, f"lead_{blake2s(str(tmp_path).encode(), digest_size=8).hexdigest()}")
    ones, others = [], []
    stop_one, stop_other = threading.Event(), threading.Event()
    one = started(lead_of(place), ones, stop_one)
    wait_for(lambda: ones)
    other = started(lead_of(place), others, stop_other)
    time.sleep(0.3)
    assert (len(ones), len(others)) == (1, 0)
    stop_one.set()
    one.join()
    wait_for(lambda: others)
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'embellie log'")
    wait_for(lambda: others and others[0].is_alive())
    stop_other.set()
    other.join()
    assert (ones, others) == ([], [])
