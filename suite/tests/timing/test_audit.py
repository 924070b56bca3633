"""What is asked of a case after its last block: results that are kept show, however large the arguments and long the calls."""

import time

import numpy as np
import pytest
from prepared_case import prepared_case

from tensorproof.timing.arrays import ROTATED
from tensorproof.timing.engine import Engine
from tensorproof.timing.entries import Entry
from tensorproof.timing.plan import Contender
from tensorproof.timing.results import trust
from tensorproof.timing.worker.audit import FRESH, audit


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


CLEAR = {"same": [1.0] * 6, "fresh": [1.0] * 6, "unready": [0.0] * 6}
DISTURBED = {**CLEAR, "fresh": [2.7] * 6}
NOT_WAITED_FOR = {**CLEAR, "unready": [0.5] * 6}


class Looking(Engine):
    """An engine whose worker answers the second look so."""

    def __init__(self, second):
        self.second, self.asked = second, []

    def _ask(self, entry, launch, do, **request):
        self.asked.append((do, request))
        return {"audit": self.second}


def entry_with(audit):
    found = Entry(Contender(0, "made up", "made up", "", "cpu", "eager"), "0")
    found.finish, found.prepared, found.calls = {"audit": audit}, {0: {"footprint": 1000}}, 7
    return found


@pytest.mark.parametrize("first", [DISTURBED, NOT_WAITED_FOR])
def test_an_accusation_that_a_second_look_does_not_confirm_is_dropped(first):
    engine, entry = Looking(CLEAR), entry_with(first)
    engine._look_again(entry, 0)
    assert entry.finish["audit"] == CLEAR
    assert engine.asked == [("audit", {"calls": 7})]


@pytest.mark.parametrize("first", [DISTURBED, NOT_WAITED_FOR])
def test_an_accusation_that_is_confirmed_stands(first):
    entry = entry_with(first)
    Looking(DISTURBED)._look_again(entry, 0)
    assert entry.finish["audit"] == first


def test_nothing_is_asked_twice_where_nothing_is_accused():
    engine = Looking(DISTURBED)
    engine._look_again(entry_with(CLEAR), 0)
    assert engine.asked == []


def test_results_that_are_kept_are_told_by_the_second_look_too():
    case_that_keeps = case(keeping(working(0.002)), 2e6, 1000)
    assert trust.accuses(audit(case_that_keeps, 3), 1000)
    assert trust.accuses(audit(case_that_keeps, 3, FRESH), 1000)
