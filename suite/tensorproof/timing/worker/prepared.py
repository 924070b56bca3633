"""A case in a worker: its function compiled, its sets of arguments on the device, ready to be timed block by block."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter_ns  # bound before any framework is imported, as in blocks
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorproof.backend import Backend, Native, Unsupported
from tensorproof.conformance.execution import dtype_of_array, laid_out
from tensorproof.conformance.expectation import arguments_of
from tensorproof.conformance.functions import OperationFunction
from tensorproof.contract.models import implementation_of
from tensorproof.timing.arrays import ITEMSIZES, ROTATED, load_arguments, rotated
from tensorproof.timing.resources import peak, reset_peak, use_huge_pages
from tensorproof.timing.worker.blocks import Usage, cold_latencies, host_flusher, latencies, throughput, undisturbed
from tensorproof.timing.worker.closures import held_arrays
from tensorproof.timing.worker.placement import Host, Placement, movable, move, placed
from tensorproof_reference import trees
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.trees import Tree

WARM_NS = 1_000_000_000
AGREE = 0.05
PART_NS = 1_000_000
"""The first call of a part and the wait at its end take up to 20 µs more than others: a small share of this."""
LATENCY_CALLS = 5
LONG_NS = 20_000_000
"""A call of this length is a block of its own; its latency is what its throughput is."""
COLD_CALLS = 5
VISIBLE = 0.01
"""The share of the largest number by which a result must change so that every dtype shows it."""


@dataclass
class Prepared:
    """What is timed: a call, and the sets of arguments that it rotates through."""

    backend: Backend
    device: str
    operation: Operation
    function: OperationFunction
    """The suite's own part of the call, which an eager call goes through."""
    eager: bool
    call: Callable[..., Any]
    sets: list[tuple[Any, ...]]
    kept: list[Any]
    """The last result for each set."""
    placement: Placement
    fresh: Callable[[int], tuple[Any, ...]]
    """Makes a set of arguments that has not been seen."""
    footprint: int
    """Bytes of one set of arguments."""
    compiled: dict[str, int]
    matters: Callable[[str], bool] = lambda path: True
    """Whether the reference's result changes visibly if the argument there is the second set's."""
    call_ns: float = math.inf
    place: int = 0

    def wait(self, results: Any) -> None:
        """Until these results are computed."""
        self.backend.wait(results, self.device)


def prepare(backend: Backend, device: str, operation: Operation, mode: str, dtype: str, direction: str, path: Path) -> Prepared:
    """Compile a case and put its arguments on the device.

    Raises:
        Unsupported: the backend has no such function.
        ValueError: the function holds arrays that are no arguments of it, which a compiler may fold.
    """
    implementation = implementation_of(backend, operation.name)
    if implementation is None:
        raise Unsupported(backend.operations.reasons.get(operation.name, "not implemented"))
    given, cotangents = load_arguments(path)
    is_step = operation.family == "training"
    sample = replace(given, keywords={**given.keywords, "mode": mode}) if is_step else given
    arguments = arguments_of(operation, sample, dtype)
    primal_paths = () if is_step else arguments.primal_paths
    function = OperationFunction(backend, operation, sample, arguments, primal_paths)
    run_mode = "eager" if is_step else mode

    def dtype_at(path: str) -> str:
        return sample.dtype_at(path, dtype)

    def sent(path: str, array: NDArray[Any]) -> tuple[NDArray[Any], str]:
        return laid_out(backend, operation, path, array, dtype_of_array(sample, path, array, dtype))

    def host(number: int) -> Host:
        leaves = rotated(arguments.leaves, number, dtype_at)
        groups = [[(path, leaves[path]) for path in paths] for paths in (function.primal_paths, function.constant_paths)]
        if direction != "forward":
            groups.append(list(rotated(cotangents, number, dtype_at).items()))
        return tuple(tuple(sent(path, array) for path, array in group) for group in groups)

    def from_numpy(array: NDArray[Any], name: str) -> Native:
        return backend.from_numpy(array, name, device)

    hosts = [host(number) for number in range(ROTATED)]
    with backend.timed_loop(device):
        make = backend.forward if direction == "forward" else backend.value_and_vjp
        call = make(function, run_mode)
        sets = [placed(item, from_numpy) for item in hosts]
        held = held_arrays(backend, call)
        if held:
            raise ValueError(f"the function that is timed holds arrays that are no arguments of it: {', '.join(held)}")
        compiled = _compiled(backend, device, call, sets[0])
        if run_mode == "eager":  # a compiler has traced it, and what it does to arguments and results is in no call any more
            function.settle(*sets[0][:2])
    footprint = _bytes(sample, arguments.leaves, dtype) + (_bytes(sample, cotangents, dtype) if direction != "forward" else 0)
    eager = run_mode == "eager"
    kept: list[Any] = [None] * ROTATED
    placement = Placement(movable(hosts, device), from_numpy)

    def fresh(number: int) -> tuple[Any, ...]:
        return placed(host(number), from_numpy)

    matters = partial(_matters, operation, arguments.inputs, rotated(arguments.leaves, 1, dtype_at), given.keywords)
    return Prepared(backend, device, operation, function, eager, call, sets, kept, placement, fresh, footprint, compiled, matters)


def _matters(operation: Operation, inputs: Tree, others: Mapping[str, Any], keywords: Mapping[str, Any], path: str) -> bool:
    changed = trees.replace_leaves(inputs, lambda place, leaf: others[place] if place == path else leaf)
    with np.errstate(all="ignore"):
        before, after = (operation.function(**given, **keywords) for given in (inputs, changed))
    pairs = zip(trees.leaves(before), trees.leaves(after), strict=True)
    return any(
        np.max(np.abs(new - old), initial=0.0) > VISIBLE * np.max(np.abs(old), initial=0.0) for (_, old), (_, new) in pairs
    )


def _bytes(sample: Sample, arrays: Mapping[str, NDArray[Any]], dtype: str) -> int:
    return sum(leaf.size * ITEMSIZES[dtype_of_array(sample, path, leaf, dtype)] for path, leaf in arrays.items())


def _compiled(backend: Backend, device: str, call: Any, arguments: tuple[Any, ...]) -> dict[str, int]:
    """Nanoseconds of the stages of compiling and of the first call."""
    stages = {f"{stage}_ns": int(ns) for stage, ns in backend.compile_stages(call, arguments).items()}
    start = perf_counter_ns()
    backend.wait(call(*arguments), device)
    stages["first_call_ns"] = perf_counter_ns() - start
    stages["total_ns"] = sum(stages.values())
    return stages


def warm_up(prepared: Prepared) -> float:
    """Call until three blocks agree within 5 % (two of long calls), or for a second; ns of a call.

    Of a block the quickest of three parts counts, which is the last to be disturbed by other processes. A compiler that compiles
    anew at each call takes the whole second, or goes on in the rounds: its recompilations are counted.
    """
    deadline = perf_counter_ns() + WARM_NS
    recent: list[float] = []
    calls = 1
    with undisturbed(), prepared.backend.timed_loop(prepared.device):
        while perf_counter_ns() < deadline:
            spent: list[int] = []
            while len(spent) < 3 and not (spent and spent[0] >= LONG_NS * calls):
                spent.append(throughput(prepared.call, prepared.sets, calls, prepared.place, prepared.wait, prepared.kept))
                prepared.place += calls
            recent = [*recent[-2:], min(spent) / calls]
            enough = 2 if spent[0] >= LONG_NS * calls else 3
            settled = len(recent) >= enough and max(recent) <= (1.0 + AGREE) * min(recent)
            if settled and min(spent) >= PART_NS:
                break
            if min(spent) < PART_NS:
                calls = min(2 * calls, 1 << 20)
    prepared.call_ns = min(recent) if recent else math.inf
    if prepared.call_ns <= 0.0:
        raise ValueError("the clock stood still while calls were made: something has replaced it")
    return prepared.call_ns


def parts_of(call_ns: float) -> int:
    """Of how many parts a block consists. Where the system lets another process run, it costs one part and not the median."""
    return 1 if call_ns >= LONG_NS else 3 if call_ns >= PART_NS else 5


def block(prepared: Prepared, calls: int) -> dict[str, Any]:
    """One block: ns of a call by throughput (the median of parts of ``calls`` calls each), of a few calls each by latency, and
    what the process used."""
    start = perf_counter_ns()
    with undisturbed(), prepared.backend.timed_loop(prepared.device):
        move(prepared.placement, prepared.sets, calls * parts_of(prepared.call_ns) * prepared.call_ns)
        long = prepared.call_ns >= LONG_NS
        if not long:
            # The first result is held until the next block, which puts the others elsewhere; these all lie in one place, since
            # memory that was just taken needs some calls until it is in the caches.
            throughput(prepared.call, prepared.sets, 1, prepared.place, prepared.wait, prepared.placement.results)
            # What ran before has emptied the caches, and put cores to sleep.
            throughput(prepared.call, prepared.sets, calls, prepared.place + 1, prepared.wait, [None] * ROTATED)
            prepared.place += 1 + calls
        parts = []
        with Usage() as usage:
            for left in reversed(range(parts_of(prepared.call_ns))):
                # Only the last result is kept: kept ones would make the next part write to other memory than this one did.
                kept = [None] * ROTATED if left else prepared.kept
                parts.append(throughput(prepared.call, prepared.sets, calls, prepared.place, prepared.wait, kept) / calls)
                prepared.place += calls
        each: Sequence[float]
        if long:
            each = parts
        else:
            count = min(LATENCY_CALLS, calls)
            each = latencies(prepared.call, prepared.sets, count, prepared.place, prepared.wait, prepared.kept)
            prepared.place += count
    if min(parts) <= 0.0:
        raise ValueError("the clock stood still during a block: something has replaced it")
    return {
        "throughput_ns": statistics.median(parts),
        "calls": calls * len(parts),
        "latencies_ns": list(each),
        "inside_ns": perf_counter_ns() - start,
        "wall_ns": usage.wall_ns,
        "cpu_ns": usage.cpu_ns,
        "faults": usage.faults,
    }


def cold(prepared: Prepared) -> list[int]:
    """Latencies with cold caches, in ns; none for long calls, which make little of what is in a cache when they begin, and for
    a device whose caches nobody knows how to empty."""
    flush = host_flusher() if prepared.device == "cpu" else prepared.backend.cache_flusher(prepared.device)
    if flush is None or prepared.call_ns >= LONG_NS:
        return []
    with undisturbed(), prepared.backend.timed_loop(prepared.device):
        return cold_latencies(prepared.call, prepared.sets, COLD_CALLS, flush, prepared.wait, prepared.kept)


def device_times(prepared: Prepared, calls: int) -> dict[str, list[float]]:
    """By the device's own clock, in ns: spans by events with hot and with cold caches, and the sum of kernels; empty lists where
    it has none."""
    backend, device = prepared.backend, prepared.device
    with undisturbed(), backend.timed_loop(device):
        several = [partial(prepared.call, *prepared.sets[number % ROTATED]) for number in range(calls)]
        flush = backend.cache_flusher(device)
        hot = backend.device_spans(several, device) or ()
        # The flushes are on the device's queue as well, each with a span of its own.
        cold = () if flush is None else backend.device_spans([one for call in several for one in (flush, call)], device) or ()
        busy = backend.device_busy(several[0], device)
    return {"spans_ns": list(hot), "cold_spans_ns": list(cold)[1::2], "busy_ns": [] if busy is None else [busy]}


def memory(prepared: Prepared) -> dict[str, Any]:
    """The largest use of memory of one call beyond what there was before it, in bytes, and how it was measured."""
    if prepared.backend.reset_peak_memory(prepared.device):
        prepared.wait(prepared.call(*prepared.sets[0]))
        return {"peak_bytes": prepared.backend.peak_memory(prepared.device), "method": "the device allocator's own count"}
    if prepared.device != "cpu":
        return {"peak_bytes": None, "method": "not measured: the framework does not count this device's memory"}
    with prepared.backend.timed_loop(prepared.device):
        # In pages of 4 KiB: the huge ones that timing uses would hide what is smaller than they are.
        use_huge_pages(False)
        before = reset_peak()
        if before is None:
            return {"peak_bytes": None, "method": "not measured: this system cannot reset a process's high-water mark"}
        prepared.wait(prepared.call(*prepared.sets[0]))
        after = peak()
        use_huge_pages(True)
    return {"peak_bytes": max(0, (after or before) - before), "method": "high-water mark of the process"}
