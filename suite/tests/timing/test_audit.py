"""What is asked of a case after its last block: results that are kept show, however large the arguments and long the calls."""

import time

import numpy as np
import pytest
from prepared_case import prepared_case

from tensorproof.timing.arrays import ROTATED
from tensorproof.timing.results import trust
from tensorproof.timing.worker.audit import audit


def case(call, call_ns, footprint):
    def fresh(number):
        return ((np.full(4, float(number)),), ())

    return prepared_case(call, call_ns, [fresh(number) for number in range(ROTATED)], fresh, footprint)


def working(seconds):
    def call(primals, constants):
        time.sleep(seconds)
        return ((primals[0] + 1.0,), ())

    return call


def keeping(call):
    kept = {}

    def instead(primals, constants):
        key = float(primals[0][0])
        if key not in kept:
            kept[key] = call(primals, constants)
        return kept[key]

    return instead


@pytest.mark.parametrize("footprint", [1000, 2_000_000], ids=["small", "larger than caches"])
@pytest.mark.parametrize("seconds", [0.005, 0.05], ids=["short", "long"])
def test_results_that_are_kept_show(seconds, footprint):
    honest, kept = working(seconds), keeping(working(seconds))
    for call, ok in ((honest, True), (kept, False)):
        found = audit(case(call, seconds * 1e9, footprint), 1)
        assert found["same"] == []
        assert trust.rotation(found["same"], found["fresh"], footprint, {"L1": 32768})["ok"] is ok


def test_a_block_of_several_calls_is_compared_with_one_set_of_arguments():
    found = audit(case(working(0.0005), 5e5, 1000), 3)
    assert len(found["same"]) > 2
