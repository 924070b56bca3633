"""The suite's own part of what is timed is small: as ratios to what the standard library takes for the same."""

import gc
import timeit

import pytest

from tensorproof.conformance.expectation import arguments_of
from tensorproof.conformance.functions import OperationFunction
from tensorproof.conformance.selection.cases import workload_of
from tensorproof.contract.backends import specification
from tensorproof.timing.worker.blocks import Usage, latencies, throughput, undisturbed
from tensorproof_numpy import NumpyBackend

CALLS = 5000
REPEATS = 15


def nothing(x, y):
    return None


def no_wait(results):
    return None


def least(*measures):
    """The least of each of several measures, taken in turns."""
    with undisturbed():
        rows = [[measure() for measure in measures] for _ in range(REPEATS)]
    return [min(column) for column in zip(*rows, strict=True)]


def test_the_loop_takes_no_longer_than_that_of_timeit():
    sets = [(1, 2), (3, 4), (5, 6)]
    timer = timeit.Timer("call(*arguments)", globals={"call": nothing, "arguments": sets[0]})
    own, peer = least(
        lambda: throughput(nothing, sets, CALLS, 0, no_wait, [None] * 3) / 1e9,
        lambda: timer.timeit(CALLS),
    )
    assert own < 2.5 * peer


def test_a_latency_takes_two_readings_of_the_clock_more():
    sets = [(1, 2), (3, 4), (5, 6)]
    timer = timeit.Timer(
        "clock(); wait(call(*arguments)); clock()",
        "from time import perf_counter_ns as clock",
        globals={
            "call": nothing,
            "wait": no_wait,
            "arguments": sets[0],
        },
    )
    own, peer = least(
        lambda: sum(latencies(nothing, sets, CALLS, 0, no_wait, [None] * 3)) / 1e9,
        lambda: timer.timeit(CALLS),
    )
    assert own < 2.5 * peer


@pytest.mark.parametrize("name", ["relu", "matmul", "batch_norm", "lstm"])
def test_putting_arrays_in_their_places_is_of_the_order_of_doing_it_by_hand(name):
    backend = NumpyBackend()
    operation = specification()[name]
    sample = workload_of(operation, 0, "S")
    arguments = arguments_of(operation, sample, "float32")
    function = OperationFunction(backend, operation, sample, arguments, arguments.primal_paths)
    primals = tuple(arguments.leaves[path] for path in function.primal_paths)
    constants = tuple(arguments.leaves[path] for path in function.constant_paths)
    before = function(primals, constants)
    function.settle(primals, constants)
    after = function(primals, constants)
    assert [[array.shape for array in group] for group in before] == [[array.shape for array in group] for group in after]
    function.freeze(primals, constants)

    def written_by_hand(primals, constants):
        return (nothing(1, 2),), ()

    own, peer = least(
        lambda: throughput(function, [(primals, constants)], CALLS, 0, no_wait, [None]),
        lambda: throughput(written_by_hand, [((1, 2), ())], CALLS, 0, no_wait, [None]),
    )
    assert own < 12 * peer


def test_sets_are_rotated_through_and_the_last_result_is_kept():
    seen = []

    def call(x):
        seen.append(x)
        return 10 * x

    kept = [None] * 3
    waited = []
    assert throughput(call, [(1,), (2,), (3,)], 5, 1, waited.append, kept) > 0
    assert seen == [2, 3, 1, 2, 3]
    assert kept[2] == 30
    assert len(waited) == 1
    samples = latencies(call, [(1,), (2,), (3,)], 4, 0, waited.append, kept)
    assert len(samples) == 4
    assert kept[0] == 10
    assert len(waited) == 5


def test_garbage_is_not_collected_meanwhile():
    def fails():
        with undisturbed():
            assert not gc.isenabled()
            raise ZeroDivisionError

    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError):
        fails()
    assert gc.isenabled()


def test_usage_is_that_of_the_process_between_entering_and_leaving():
    with Usage() as usage:
        sum(range(200_000))
    assert usage.wall_ns >= usage.cpu_ns * 0.9 > 0
    assert usage.faults is None or usage.faults >= 0
