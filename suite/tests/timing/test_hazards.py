"""The hazards of measuring: for each, a way to measure that reads wrong, and that what the suite does reads right."""

import functools
import math
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from prepared_case import prepared_case
from timing_faults.harness import bench, doubts
from timing_faults.sharing import Sharing
from timing_faults.slipshod import FIRST_CALL_S, SPIN_NS, shortcut_for_ones, spins

from tensorproof.timing.arrays import ROTATED
from tensorproof.timing.results.statistics import balanced_order, compare
from tensorproof.timing.worker import blocks
from tensorproof.timing.worker import prepared as prepared_module
from tensorproof.timing.worker.blocks import latencies, throughput
from tensorproof.timing.worker.closures import held_arrays
from tensorproof.timing.worker.prepared import PART_NS, block, warm_up
from tensorproof_numpy import NumpyBackend

MAIN = "throughput hot"
TRIES = 3


@pytest.fixture(scope="module")
def timed(tmp_path_factory):
    with bench(tmp_path_factory.mktemp("bench")) as found:
        yield found


def right_after_tries(timed, is_right, *arguments, **options):
    """The timings, measured again if the machine was busy with something else."""
    for _ in range(TRIES):
        timings, _ = timed.measure(*arguments, **options)
        if is_right(timings):
            break
    return timings


class Machine:
    """A simulated machine that slows down while it runs, as one that grows warm does."""

    def __init__(self, seed: int) -> None:
        self.blocks = 0
        self._draw = np.random.default_rng(seed)

    def block(self, cost: float) -> float:
        """What a block takes: more and more, and sometimes much more."""
        self.blocks += 1
        disturbed = self._draw.random() < 0.1
        return cost * (1.0 + 0.004 * self.blocks) * math.exp(self._draw.normal(0.0, 0.004)) * (3.0 if disturbed else 1.0)


@pytest.mark.parametrize(
    ("cost", "verdict"), [(1.0, "same"), (0.95, "faster"), (1.05, "slower")], ids=["same", "faster", "slower"]
)
def test_one_after_the_other_reads_wrong_and_interleaved_right(cost, verdict):
    machine = Machine(1)
    first, second = ([machine.block(each) for _ in range(31)] for each in (1.0, cost))
    for estimate in (min, statistics.mean, statistics.median):
        assert estimate(second) / estimate(first) > cost * 1.06

    machine = Machine(1)
    ratios = []
    for number in range(31):
        taken = {place: machine.block((1.0, cost)[place]) for place in balanced_order(2, number)}
        ratios.append(taken[1] / taken[0])
    found = compare([ratios] * 3)
    assert found.verdict == verdict
    assert found.ratio == pytest.approx(cost, rel=0.01)


def test_a_result_that_is_not_waited_for_costs_nothing_and_one_that_is_what_it_takes():
    with ThreadPoolExecutor(1) as device:

        def call(seconds):
            return device.submit(time.sleep, seconds)

        def wait(results):
            for future in results if isinstance(results, list) else [results]:
                if future is not None:
                    future.result()

        naive = min(latencies(call, [(0.005,)], 5, 0, lambda results: None, [None]))
        wait(call(0.0))
        assert naive < 2_500_000
        assert min(latencies(call, [(0.005,)], 5, 0, wait, [None])) >= 5_000_000
        assert throughput(call, [(0.005,)], 5, 0, wait, [None]) >= 25_000_000


def test_a_wait_is_a_large_share_of_a_short_part_and_a_small_one_of_a_blocks_parts(monkeypatch):
    call_ns, wait_ns, now = 10_000, 20_000, [0]

    def spend(ns):
        now[0] += ns

    for module in (blocks, prepared_module):
        monkeypatch.setattr(module, "perf_counter_ns", lambda: now[0])
    case = prepared_case(lambda: spend(call_ns), call_ns, [()] * ROTATED, wait=lambda results, device: spend(wait_ns))
    assert throughput(case.call, case.sets, 5, 0, case.wait, [None] * ROTATED) / 5 == 1.4 * call_ns
    calls = math.ceil(PART_NS / warm_up(case))
    assert block(case, calls)["throughput_ns"] == pytest.approx(call_ns, rel=0.03)


def holding():
    array = np.ones((2, 2))

    def closure(x):
        return x @ array

    def default(x, weight=array):
        return x @ weight

    def keyword(x, *, weight=array):
        return x @ weight

    def nested(x):
        return closure(x)

    @functools.wraps(closure)
    def wrapped(x):
        return x

    in_a_dict = {"weights": [array]}
    return {
        "closure": closure,
        "default": default,
        "keyword": keyword,
        "nested": nested,
        "wrapped": wrapped,
        "partial": functools.partial(np.matmul, array),
        "partial_keyword": functools.partial(np.matmul, b=array),
        "in_a_dict": lambda x: x @ in_a_dict["weights"][0],
    }


@pytest.mark.parametrize("where", list(holding()))
def test_a_function_that_holds_an_array_is_told(where):
    assert held_arrays(NumpyBackend(), holding()[where])


def test_what_is_no_array_may_be_held():
    scalar, empty, itself = np.ones(()), np.ones((1,)), {}
    itself["itself"] = itself

    def function(x, axis=-1, name="y"):
        return x, scalar, empty, itself, axis, name

    assert not held_arrays(NumpyBackend(), function)
    assert not held_arrays(NumpyBackend(), functools.partial(function, axis=0))


def test_equal_calls_cost_a_look_into_a_cache_and_rotated_ones_what_they_take(timed):
    def is_right(timings):
        ratio = (
            timings["slipshod last_result"]["clocks"][MAIN]["median_ns"] / timings["slipshod eager"]["clocks"][MAIN]["median_ns"]
        )
        return 0.6 < ratio < 1.7 and "rotation" in doubts(timings["slipshod last_result"])

    timings = right_after_tries(timed, is_right, ["slipshod eager", "slipshod last_result"])
    assert is_right(timings)

    @functools.lru_cache(1)
    def remembered(x):
        time.sleep(0.001)
        return x

    equal = throughput(remembered, [(1,)], 30, 0, lambda results: None, [None])
    rotated = throughput(remembered, [(1,), (2,), (3,)], 30, 0, lambda results: None, [None] * 3)
    assert rotated >= 30_000_000 > 2 * equal


def test_the_gradient_of_a_sum_reads_wrong_and_that_for_a_random_cotangent_right(timed):
    def call(primals, constants, cotangents):
        return primals, (), primals

    x = (np.ones(4),)
    naive = min(latencies(shortcut_for_ones(call), [(x, (), x)], 20, 0, lambda results: None, [None]))
    assert naive < SPIN_NS / 2
    timings, _ = timed.measure(["slipshod shortcut_for_ones"], direction="forward+backward")
    assert timings["slipshod shortcut_for_ones"]["clocks"][MAIN]["quantiles_ns"][0] >= SPIN_NS


def test_backends_in_one_process_disturb_each_other_and_in_processes_of_their_own_do_not(timed):
    together = [Sharing(name).forward(lambda primals, constants: (primals, ()), "eager") for name in ("one", "other")]
    assert min(latencies(together[1], [((), ())], 5, 0, lambda results: None, [None])) >= 2 * SPIN_NS
    names = ["sharing_first eager", "sharing_second eager"]

    def is_right(timings):
        return all(timings[name]["clocks"][MAIN]["median_ns"] < 1.5 * SPIN_NS for name in names)

    assert is_right(right_after_tries(timed, is_right, names))


def test_what_is_compiled_in_the_first_call_is_no_part_of_what_calls_take(timed):
    name = "slipshod slow_first_call"
    timings, _ = timed.measure([name])
    median = timings[name]["clocks"][MAIN]["median_ns"]
    first = timings[name]["compile"]["cold"]["first_call_ns"]
    assert first >= FIRST_CALL_S * 1e9
    naive_mean = (first + 30 * median) / 31
    assert naive_mean > 5 * median
    assert timings[name]["clocks"][MAIN]["quantiles_ns"][-1] < FIRST_CALL_S * 1e9 / 10


def launches_of(draw, count, rounds=31, between=0.015, within=0.005):
    """Ratios of the same code in several launches: each launch has a ratio of its own, as with other addresses in memory."""
    return [np.exp(draw.normal(draw.normal(0.0, between), within, rounds)) for _ in range(count)]


def test_one_launch_claims_what_is_not_so_and_several_do_not():
    draw = np.random.default_rng(5)
    one = [compare(launches_of(draw, 1)) for _ in range(300)]
    naive = sum(not 1 / 1.01 < item.ratio < 1.01 for item in one)
    assert naive > 100
    assert not any(item.verdict in ("faster", "slower") and 1 / 1.03 < item.ratio < 1.03 for item in one)
    several = [compare(launches_of(draw, 6)) for _ in range(300)]
    assert sum(item.verdict in ("faster", "slower") for item in several) <= 3


def test_the_clock_by_which_tests_spin_is_not_slow():
    spun = spins(lambda: ((), ()))
    assert min(latencies(spun, [()], 5, 0, lambda results: None, [None])) < 1.2 * SPIN_NS
