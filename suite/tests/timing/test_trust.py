"""Each question of trust says yes, no, and that it could not be asked; and the machine's limits behind one of them."""

import math

import pytest

from tensorproof.conformance.selection.cases import Case
from tensorproof.timing.reference import _placed_elsewhere
from tensorproof.timing.results import trust
from tensorproof.timing.results.limits import bandwidth_at, measured_bandwidth, measured_gemm, rates, work_done
from tensorproof_reference.operation import Work

PASSED = {"outcome": "passed", "largest_bars": 0.5, "line": ""}
CACHES = {"L1": 32768, "L2": 1 << 20}
MS = 1_000_000.0


@pytest.mark.parametrize(("cpu", "ok"), [(1.0, True), (1.04, True), (1.06, False), (2.0, False), (0.1, True)], ids=str)
def test_threads(cpu, ok):
    answer = trust.threads(cpu * MS, MS, 1)
    assert answer["ok"] is ok
    assert answer["value"] == pytest.approx(cpu)
    assert "cores in use of 1 given" in answer["message"]
    assert trust.threads(4 * cpu * MS, MS, 4)["ok"] is ok


@pytest.mark.parametrize(
    ("error", "differ", "ok"),
    [
        (PASSED, [True, True], True),
        (PASSED, [True, False], False),
        ({"outcome": "failed", "largest_bars": 99.0, "line": "99 bars"}, [True], False),
        ({"outcome": "not_meaningful", "largest_bars": None, "line": "too long a sum"}, [True], None),
        ({"outcome": "not_judged", "largest_bars": None, "line": "random"}, [True], None),
        ({"outcome": "not_judged", "largest_bars": None, "line": "random"}, [False], False),
    ],
    ids=["right", "same_result", "wrong", "not_meaningful", "not_judged", "not_judged_same_result"],
)
def test_output(error, differ, ok):
    assert trust.output(error, differ)["ok"] is ok


@pytest.mark.parametrize(
    ("share", "ok"), [(0.5, True), (1.05, True), (1.06, False), (None, None)], ids=["under", "at", "beyond", "unknown"]
)
def test_roof(share, ok):
    answer = trust.roof({"roof": "compute", "roof_share": share})
    assert answer["ok"] is ok
    assert ("not believable" in answer["message"]) is (ok is False)
    assert trust.roof(None)["ok"] is None


@pytest.mark.parametrize(
    ("same", "fresh", "footprint", "ok"),
    [
        ([1.0] * 5, [1.1] * 6, 1000, True),
        ([0.6] * 5, [1.1] * 6, 1000, False),
        ([1.6] * 5, [1.1] * 6, 1000, False),
        ([0.6, 0.6, 0.6, 0.6, 1.0], [1.1] * 6, 1000, False),
        ([0.6, 0.6, 0.6, 1.0, 1.0], [1.1] * 6, 1000, True),
        ([0.6] * 5, [1.1] * 6, 20000, None),
        ([0.6] * 5, [1.1] * 6, 1 << 30, None),
        ([0.4] * 5, [1.1] * 6, 20000, False),
        ([1.6] * 5, [1.1] * 6, 20000, False),
        ([0.7, 1.6], [1.1, 1.1], 1000, True),
        ([0.7, 0.7], [1.1, 1.1], 1000, False),
        ([], [1.1, 1.1], 1000, True),
        ([], [9.0, 9.0], 1000, False),
        ([], [9.0, 1.1], 1000, True),
        ([1.0] * 5, [9.0] * 6, 1000, False),
        ([1.0] * 5, [9.0, 9.0, 9.0, 9.0, 9.0, 1.2], 1000, False),
        ([1.0] * 5, [9.0, 9.0, 9.0, 9.0, 1.2, 1.2], 1000, True),
        ([1.0] * 5, [9.0] * 6, 1 << 30, False),
    ],
    ids=[
        "alike",
        "quicker",
        "slower",
        "one_outlier",
        "two_outliers",
        "one_fits_a_cache",
        "one_is_larger_than_caches",
        "quicker_than_caches_explain",
        "slower_than_caches_explain",
        "two_that_disagree",
        "two_that_agree",
        "long_calls",
        "unseen_long_calls_slower",
        "unseen_long_calls_disagree",
        "unseen_slower",
        "unseen_once_not",
        "unseen_twice_not",
        "unseen_slower_and_large",
    ],
)
def test_rotation(same, fresh, footprint, ok):
    assert trust.rotation(same, fresh, footprint, CACHES)["ok"] is ok


def test_rotation_of_long_calls_tells_what_it_rests_on():
    assert "never seen" in trust.rotation([], [1.1, -0.2], 1000, CACHES)["message"]


def test_rotation_where_caches_are_not_known():
    assert trust.rotation([0.6] * 5, [1.1] * 6, 20000, {})["ok"] is False
    assert trust.rotation([], [9.0] * 2, 20000, {})["ok"] is False


@pytest.mark.parametrize(("shares", "ok"), [([0.0, 0.01], True), ([0.5, 0.9], False), ([-0.3, 0.1], True)], ids=str)
def test_ready(shares, ok):
    assert trust.ready(shares)["ok"] is ok


def test_faults(monkeypatch):
    monkeypatch.setattr(trust, "fault_ns", lambda: 250.0)
    assert trust.faults(0.0, 1e6)["ok"] is True
    assert trust.faults(400.0, 1e6)["ok"] is True
    assert trust.faults(401.0, 1e6)["ok"] is False
    assert trust.faults(None, 1e6)["ok"] is None


def test_what_a_page_fault_takes_is_measured():
    assert 10.0 < trust.fault_ns() < 1e6
    assert trust.fault_ns() == trust.fault_ns()


@pytest.mark.parametrize(
    ("claimed", "observed", "ok"),
    [
        ([5.0] * 9, [5.5] * 9, True),
        ([5.0] * 9, [5.5] * 8 + [400.0], True),
        ([5.0] * 9, [40.0] * 8 + [6.0], True),
        ([5.0] * 9, [10.5] * 9, False),
        ([5.0] * 9, [4.0] * 9, False),
        ([50.0], [50.1], True),
    ],
    ids=["agree", "one_disturbed", "all_disturbed_but_one", "half_speed", "fast", "one_block"],
)
def test_clock(claimed, observed, ok):
    assert trust.clock([MS * value for value in claimed], [MS * value for value in observed])["ok"] is ok


@pytest.mark.parametrize(("ratio", "ok"), [(1.0, True), (1.019, True), (1.03, False)], ids=str)
def test_resolution(ratio, ok):
    answer = trust.resolution(math.log(ratio))
    assert answer["ok"] is ok
    assert answer["value"] == pytest.approx(ratio - 1.0, abs=1e-12)


ROWS = [
    {"footprint_bytes": 1 << 16, "bytes_per_s": 100e9},
    {"footprint_bytes": 1 << 20, "bytes_per_s": 50e9},
    {"footprint_bytes": 1 << 24, "bytes_per_s": 10e9},
]


@pytest.mark.parametrize(
    ("footprint", "expected"),
    [(1000, 100e9), (1 << 16, 100e9), ((1 << 20) - 1, 100e9), (1 << 20, 50e9), (1 << 26, 10e9)],
    ids=str,
)
def test_bandwidth_is_that_of_the_next_smaller_footprint(footprint, expected):
    assert bandwidth_at(footprint, ROWS) == expected


def test_a_larger_footprint_that_was_faster_lifts_the_roof():
    assert bandwidth_at(1 << 16, [*ROWS, {"footprint_bytes": 1 << 26, "bytes_per_s": 200e9}]) == 200e9


def test_work_counts_the_backward_pass_only_where_it_is_timed():
    work = Work(flops=10, transcendentals=2, backward_flops=5, backward_transcendentals=1, untouched=3)
    assert work_done(work, "forward", 100, 4, 7) == {"flops": 10, "bytes": 97 * 4 + 7, "transcendentals": 2}
    assert work_done(work, "forward+backward", 100, 4, 7) == {"flops": 15, "bytes": 97 * 4 + 7, "transcendentals": 3}
    assert work_done(work, "forward", 2, 4, 7)["bytes"] == 7


def test_the_roof_is_the_resource_that_takes_longer():
    limits = {"gemm_flops_per_s": {"float32": 1e9}, "bandwidth": [{"footprint_bytes": 1, "bytes_per_s": 1e9}]}
    computing = rates({"flops": 2e6, "bytes": 1e6}, 1, "float32", 4e6, limits)
    assert (computing["roof"], computing["roof_share"]) == ("compute", pytest.approx(0.5))
    moving = rates({"flops": 1e6, "bytes": 2e6}, 1, "float32", 1e6, limits)
    assert (moving["roof"], moving["roof_share"]) == ("bandwidth", pytest.approx(2.0))
    assert trust.roof(moving)["ok"] is False
    unknown = rates({"flops": 1e6, "bytes": 2e6}, 1, "float16", 1e6, limits)
    assert unknown["roof_share"] is None
    assert unknown["flops_per_s"] == pytest.approx(1e9)


def test_limits_are_asked_of_a_worker():
    asked = []

    def ask(do, **request):
        asked.append((do, request["name"]))
        return {"bytes_per_s": 1e9, "flops_per_s": 2e9}

    assert measured_gemm(ask) == {"float32": 2e9, "float64": 2e9}
    rows = measured_bandwidth(ask)
    assert [row["bytes_per_s"] for row in rows] == [1e9] * len(rows)
    assert set(asked) == {("kernel", "gemm"), ("kernel", "bandwidth")}


def test_a_compiler_that_goes_on_compiling_is_seen():
    assert trust.steady({"recompiles": 0})["ok"] is True
    assert trust.steady({"recompiles": 3})["ok"] is False
    assert "3 times anew" in trust.steady({"recompiles": 3})["message"]
    assert trust.steady({})["ok"] is None


def test_results_on_another_device_than_asked_for_are_seen():
    case = Case("any", "gpu:0", "eager", "relu", "S", "float32", "forward", True, True, (1, 1))
    told = [{"dtype": "float32", "device": "gpu:0"}, None, {"dtype": "float32", "device": None}]
    assert not _placed_elsewhere(case, told)
    (finding,) = _placed_elsewhere(case, [*told, {"dtype": "float32", "device": "cpu"}])
    assert finding.outcome == "failed"
    assert finding.message == "computed on cpu, asked for gpu:0"
