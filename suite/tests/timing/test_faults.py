"""The timing harness is tested by faults: each deliberately wrong backend is caught, by the check that is meant for it."""

import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from timing_faults.catalogue import FAILURES, FAULTS
from timing_faults.catching import BESIDE, answer, caught, survived
from timing_faults.harness import ROUNDS, bench, doubts
from write_timing_fault_table import PAGE, rows_in

from tensorproof.timing import engine
from tensorproof.timing.resources import cores_apart, worker_cores

TRIES = 3
"""Timings on a machine that does something else may be in doubt; a fault that is there is caught all the same."""


@pytest.fixture(scope="module")
def timed(tmp_path_factory):
    with bench(tmp_path_factory.mktemp("bench")) as found:
        yield found


def cores_to_spare() -> float:
    """How many cores two threads get now."""
    data = bytes(1 << 20)
    with ThreadPoolExecutor(2) as pool:
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(30):
            list(pool.map(hashlib.sha256, [data, data]))
        return (time.process_time() - cpu) / (time.perf_counter() - wall)


@pytest.mark.parametrize("planted", FAULTS, ids=lambda planted: planted.key)
def test_a_fault_is_caught(planted, timed):
    for attempt in range(TRIES):
        found = caught(planted, timed)
        if found.caught:
            return
        if planted.contender.startswith("more_threads") and attempt and cores_to_spare() < 1.3:
            pytest.skip(f"this machine has no second core to spare now: {found.says}")
    pytest.fail(f"{planted.caught_by}: {found.says}")


@pytest.mark.parametrize("contender", ["slipshod eager", "slipshod asynchronous", "slipshod spins", "slipshod spins_long"])
def test_a_right_backend_is_not_doubted(contender, timed):
    for _ in range(TRIES):
        timings, _ = timed.measure([contender])
        if not doubts(timings[contender]):
            break
    assert timings[contender]["status"] == "measured"
    assert not doubts(timings[contender])


@pytest.mark.parametrize("planted", FAILURES, ids=lambda planted: planted.key)
def test_a_failure_costs_its_own_series_only(planted, timed):
    for _ in range(TRIES):
        found = survived(planted, timed)
        if not found.says.startswith("in doubt"):  # only a doubt may be the machine's
            break
    assert found.caught, found.says
    for name in BESIDE:
        assert found.timings[name]["clocks"]["throughput hot"]["rounds"] == ROUNDS


def test_a_failure_in_one_launch_leaves_other_contenders_all_of_theirs(timed):
    timings, duels = timed.measure([*BESIDE, "failing raises_block"], operation="relu", launches=2, rounds=12)
    assert timings["failing raises_block"]["status"] == "error"
    for name in BESIDE:
        clock = timings[name]["clocks"]["throughput hot"]
        assert clock["rounds"] == 12
        assert len(clock["launch_medians_ns"]) == 2
    (duel,) = duels
    assert (duel["reference"], duel["contender"], duel["launches"]) == (*BESIDE, 2)


@pytest.mark.skipif(len(cores_apart(1)) < 2, reason="this takes two cores to tie a process to")
def test_workers_are_back_on_their_cores_after_a_preparation_that_failed(timed, monkeypatch):
    elsewhere_first = cores_apart(1)[::-1]
    monkeypatch.setattr(engine, "cores_apart", lambda threads: elsewhere_first)
    timings, _ = timed.measure(["failing raises_prepare", *BESIDE], operation="relu")
    assert timings["failing raises_prepare"]["status"] == "error"
    assert os.sched_getaffinity(timed.crew("failing").worker(0).identifier) == set(worker_cores(1))


def test_a_clock_of_the_module_time_that_stands_still_changes_nothing(timed):
    timings, _ = timed.measure(["patched_time spins"])
    line = timings["patched_time spins"]
    # The call takes 200 µs by the clock.
    assert 200_000 <= line["clocks"]["throughput hot"]["quantiles_ns"][0] < 400_000
    assert line["compile"]["cold"]["first_call_ns"] >= 200_000


def test_what_catches_a_fault_does_not_catch_what_is_right(timed):
    faults = [planted for planted in FAULTS if planted.caught_by.startswith("trust:")]
    assert len(faults) > 10
    for _ in range(TRIES):
        right, _ = timed.measure(["slipshod eager"])
        line = right["slipshod eager"]
        doubted = [planted.key for planted in faults if answer(planted, {planted.contender: line}, [])[0]]
        if not doubted:
            break
    assert not doubted


def test_the_page_lists_the_faults_that_there_are():
    text = PAGE.read_text(encoding="utf-8")
    assert rows_in(text) == [planted.does for planted in (*FAULTS, *FAILURES)], "out of date: write_timing_fault_table.py"


def test_an_anchor_whose_worker_ends_costs_no_series(tmp_path):
    with bench(tmp_path) as workers:
        before = workers.anchors.worker(0)
        before.close()
        timings, _ = workers.measure(["numpy eager"])
    assert timings["numpy eager"]["status"] == "measured"
    assert timings["numpy eager"]["anchor"]["ratio"] > 0
