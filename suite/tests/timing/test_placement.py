"""Arguments lie elsewhere in each block, and are the same; results lie in one place within a block."""

import weakref

import numpy as np
import pytest
from prepared_case import prepared_case

from tensorproof.timing.arrays import ROTATED
from tensorproof.timing.worker.placement import MOST_BYTES, Placement, movable, move, placed
from tensorproof.timing.worker.prepared import block, parts_of


def hosts(count=3, size=1000):
    return [(((np.arange(size, dtype=np.float32) + number, "float32"),), ()) for number in range(count)]


def as_given(array, dtype):
    return array


def addresses(sets):
    return [arguments[0][0].ctypes.data for arguments in sets]


def test_every_set_is_moved_and_keeps_its_values():
    given = hosts()
    sets = [placed(host, as_given) for host in given]
    placement = Placement(given, as_given, draw=np.random.default_rng(0))
    seen = [addresses(sets)]
    for _ in range(20):
        move(placement, sets, 1e12)
        seen.append(addresses(sets))
    assert all(len({row[number] for row in seen}) > 5 for number in range(3))
    for (array,), host in zip((item[0] for item in sets), given, strict=True):
        np.testing.assert_array_equal(array, host[0][0][0])


def test_backends_that_keep_the_memory_they_are_given_get_copies():
    (host,) = hosts(1)
    assert placed(host, as_given)[0][0] is not host[0][0][0]


def test_strides_are_kept():
    array = np.arange(12.0).reshape(3, 4).T
    ((moved,),) = placed((((array, "float64"),),), as_given)
    assert moved.strides == array.strides


def test_what_takes_longer_than_a_block_is_done_less_often():
    calls = []

    def slow(array, dtype):
        calls.append(dtype)
        return array.copy()

    given = hosts(1, 100)
    sets = [placed(given[0], slow)]
    placement = Placement(given, slow)
    move(placement, sets, 1.0)
    assert placement.every > 100
    calls.clear()
    for _ in range(100):
        move(placement, sets, 1.0)
    assert len(calls) <= 1


@pytest.mark.parametrize(
    ("device", "size", "moved"),
    [("cpu", 1000, 3), ("cuda:0", 1000, 0), ("cpu", MOST_BYTES // 8, 0)],
    ids=["cpu", "accelerator", "larger than caches"],
)
def test_only_what_caches_of_a_cpu_hold_is_moved(device, size, moved):
    assert len(movable(hosts(3, size), device)) == moved


class Result:
    """What a call returns: something whose end shows."""


def test_all_but_the_first_result_of_a_block_find_the_same_memory_free():
    alive, held_at_each_call = weakref.WeakSet(), []

    def call():
        held_at_each_call.append({id(result) for result in alive})
        result = Result()
        alive.add(result)
        return result

    prepared = prepared_case(call, 1e4, [()] * ROTATED)
    calls = 4
    for _ in range(3):
        held_at_each_call.clear()
        block(prepared, calls)
        measured = 1 + calls * (1 + parts_of(prepared.call_ns))
        assert len({frozenset(held) for held in held_at_each_call[1:measured]}) == 1
