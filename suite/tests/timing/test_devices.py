"""An accelerator's clocks: spans by its own events, with hot caches and with cold ones, and latencies after a flush."""

import time
from dataclasses import replace

from tensorproof.conformance.expectation import Expectation
from tensorproof.conformance.selection.cases import workload_of
from tensorproof.contract.backends import specification
from tensorproof.timing.arrays import save_arguments
from tensorproof.timing.worker import prepared
from tensorproof_numpy import NumpyBackend
from tensorproof_reference.errorbars.rules import precision_of

FLUSH_NS, CALL_NS, COLD_NS = 5e6, 1e3, 9e3


class Device(NumpyBackend):
    """NumPy on a device that is pretended: calls take 1 µs by its events, and 9 µs right after a flush."""

    flushed = 0

    def cache_flusher(self, device):
        def flush():
            self.flushed += 1
            self.just_flushed = True
            time.sleep(0.001)

        return flush

    def device_spans(self, calls, device):
        spans = []
        for call in calls:
            self.just_flushed, before = False, getattr(self, "just_flushed", False)
            call()
            spans.append(FLUSH_NS if self.just_flushed else COLD_NS if before else CALL_NS)
        return spans

    def device_busy(self, call, device):
        return 700.0


class NoEvents(NumpyBackend):
    """NumPy on a device that has neither events nor caches that anybody knows how to empty."""


def prepare(backend, folder, device):
    operation = specification()["relu"]
    expectation = Expectation(operation, workload_of(operation, 0, "S"), "float32", 0, precision_of("float32"))
    path = folder / "arguments.npz"
    save_arguments(path, replace(expectation.sample, inputs=expectation.arguments.inputs), {})
    case = prepared.prepare(backend, device, operation, "eager", "float32", "forward", path)
    prepared.warm_up(case)
    return case


def test_spans_are_hot_or_cold_and_never_those_of_the_flush(tmp_path):
    backend = Device()
    found = prepared.device_times(prepare(backend, tmp_path, "pretended:0"), 7)
    assert found == {"spans_ns": [CALL_NS] * 7, "cold_spans_ns": [COLD_NS] * 7, "busy_ns": [700.0]}
    assert backend.flushed == 7


def test_cold_latencies_begin_after_the_flush_has_ended(tmp_path):
    backend = Device()
    latencies = prepared.cold(prepare(backend, tmp_path, "pretended:0"))
    assert len(latencies) == backend.flushed == prepared.COLD_CALLS
    assert min(latencies) < 1_000_000


def test_what_a_device_cannot_tell_is_left_out(tmp_path):
    case = prepare(NoEvents(), tmp_path, "pretended:0")
    assert prepared.device_times(case, 7) == {"spans_ns": [], "cold_spans_ns": [], "busy_ns": []}
    assert prepared.cold(case) == []


def test_the_caches_of_a_cpu_are_emptied_by_the_suite(tmp_path):
    assert len(prepared.cold(prepare(NoEvents(), tmp_path, "cpu"))) == prepared.COLD_CALLS
