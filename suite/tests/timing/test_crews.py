"""Crews start workers when they are needed, and tell a wrong command line from a worker that will not start again."""

import os
import queue
import threading
import time

import pytest

from tensorproof.errors import UsageError
from tensorproof.timing.crews import Crew, Origin, anchor_crew, at_once, own_python
from tensorproof.timing.resources import cores_apart, has_affinity, tie, tied_to
from tensorproof.timing.worker.__main__ import Worker
from tensorproof.worker_process import WorkerFailure


def test_an_unknown_backend_is_a_usage_error(tmp_path):
    crew = Crew(Origin("nump", "", own_python(), None), 1, None, tmp_path)
    with pytest.raises(UsageError, match="did you mean numpy"):
        crew.worker(0)
    assert not crew.workers


def test_one_that_will_not_start_again_costs_a_case_and_not_the_run(tmp_path):
    crew = Crew(Origin("nump", "", own_python(), None), 1, None, tmp_path, hello={"protocol": 1})
    with pytest.raises(WorkerFailure, match="a new worker does not start") as failure:
        crew.worker(0)
    assert failure.value.status == "crashed"


def test_a_worker_that_has_ended_is_started_anew(tmp_path):
    crew = anchor_crew(1, None, tmp_path)
    try:
        first = crew.worker(0)
        assert crew.worker(0) is first
        first.close()
        assert crew.ask(0, "kernel", 60.0, name="anchor", calls=1)["ns"] > 0
        assert crew.worker(0) is not first
    finally:
        crew.close()


@pytest.mark.skipif(not has_affinity(), reason="this system cannot tie a process to cores")
def test_a_worker_is_tied_to_cores_with_all_its_threads():
    before = os.sched_getaffinity(0)
    ended = threading.Event()
    identifiers = queue.SimpleQueue()

    def wait():
        identifiers.put(threading.get_native_id())
        ended.wait()

    thread = threading.Thread(target=wait)
    thread.start()
    other = identifiers.get()
    try:
        threads = tied_to(before)
        assert {other, threading.get_native_id()} <= threads
        tie(threads, [min(before)])
        assert os.sched_getaffinity(0) == os.sched_getaffinity(other) == {min(before)}
    finally:
        tie(tied_to([min(before)]), before)
        ended.set()
        thread.join()
    assert os.sched_getaffinity(0) == before


@pytest.mark.skipif(not has_affinity(), reason="this system cannot tie a process to cores")
def test_workers_that_prepare_at_once_share_no_core():
    available = os.sched_getaffinity(0)
    for threads in range(1, len(available) + 1):
        groups = cores_apart(threads)
        assert [len(group) for group in groups] == [threads] * (len(available) // threads)
        used = [core for group in groups for core in group]
        assert len(set(used)) == len(used)
        assert set(used) <= available


def test_what_is_done_at_once_is_done_by_so_many():
    together, most = [], []

    def action(first, second):
        together.append((first, second))
        time.sleep(0.01)
        most.append(len(together))
        together.remove((first, second))

    at_once(2, action, [(number, 0) for number in range(8)])
    assert len(most) == 8
    assert max(most) == 2


def test_what_one_raises_is_raised():
    def action(first, second):
        if first == 3:
            raise UsageError("of the third")

    with pytest.raises(UsageError, match="of the third"):
        at_once(2, action, [(number, 0) for number in range(8)])


@pytest.mark.skipif(not has_affinity() or len(os.sched_getaffinity(0)) < 2, reason="this takes two cores")
def test_a_thread_that_went_elsewhere_by_itself_is_left_there():
    before = os.sched_getaffinity(0)
    own, other = sorted(before)[:2]
    ended, identifiers = threading.Event(), queue.SimpleQueue()

    def wait(core):
        os.sched_setaffinity(0, {core})
        identifiers.put(threading.get_native_id())
        ended.wait()

    escaped = threading.Thread(target=wait, args=(other,))
    os.sched_setaffinity(0, {own})
    try:
        worker = Worker()
        escaped.start()
        thread = identifiers.get()
        for away in (own, other):
            worker.tie([away])
            assert os.sched_getaffinity(0) == {away}
            worker.untie()
            assert os.sched_getaffinity(0) == {own}
            assert os.sched_getaffinity(thread) == {other}
    finally:
        ended.set()
        escaped.join()
        os.sched_setaffinity(0, before)
