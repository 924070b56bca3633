"""A case in a worker: its function compiled, its sets of arguments on the device, ready to be timed block by block."""

import copy
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter_ns  # bound before any framework is imported, as in blocks
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorproof.backend import Backend, Unsupported
from tensorproof.execution import OperationFunction, from_backend, to_backend
from tensorproof.expectation import arguments_of
from tensorproof.models import implementation_of
from tensorproof.timing.arrays import ITEMSIZES, ROTATED, load_arguments, rotated
from tensorproof.timing.blocks import Usage, cold_latencies, latencies, throughput, undisturbed
from tensorproof.timing.closures import held_arrays
from tensorproof.timing.resources import peak, reset_peak, use_huge_pages
from tensorproof_reference import trees
from tensorproof_reference.operation import Operation, Sample, Tree

WARM_NS = 1_000_000_000
AGREE = 0.05
PART_NS = 250_000
BLOCK_NS = 1_000_000
LATENCY_CALLS = 5
LONG_NS = 20_000_000
"""A call of this length is a block of its own; its latency is what its throughput is."""
COLD_CALLS = 5
FRESH = 6
IGNORED_NS = 200_000_000
"""How long to look for arguments that are ignored."""
VISIBLE = 0.01
"""The share of the largest number by which a result must change so that every dtype shows it."""
UNREAD = 2.0
AUDITED = 6
AUDITED_LONG = 2
AUDITED_NS = 2_000_000


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
    inputs, keywords, cotangents = load_arguments(path)
    is_step = operation.family == "training"
    sample = Sample(name=path.stem, inputs=inputs, keywords={**keywords, "mode": mode} if is_step else keywords)
    arguments = arguments_of(operation, sample, dtype)
    primal_paths = () if is_step else arguments.primal_paths
    function = OperationFunction(backend, operation, sample, arguments, primal_paths)
    run_mode = "eager" if is_step else mode

    def native(number: int) -> tuple[Any, ...]:
        leaves = rotated(arguments.leaves, number, dtype)
        place = partial(to_backend, backend, device, operation)
        primals = tuple(place(name, leaves[name], dtype) for name in function.primal_paths)
        constants = tuple(place(name, leaves[name], dtype) for name in function.constant_paths)
        if direction == "forward":
            return primals, constants
        return primals, constants, tuple(place(name, array, dtype) for name, array in rotated(cotangents, number, dtype).items())

    with backend.timed_loop(device):
        make = backend.forward if direction == "forward" else backend.value_and_vjp
        call = make(function, run_mode)
        sets = [native(number) for number in range(ROTATED)]
        held = held_arrays(backend, call)
        if held:
            raise ValueError(f"the function that is timed holds arrays that are no arguments of it: {', '.join(held)}")
        compiled = _compiled(backend, device, call, sets[0])
    footprint = _bytes(arguments.leaves, dtype) + (_bytes(cotangents, dtype) if direction != "forward" else 0)
    eager = run_mode == "eager"
    kept: list[Any] = [None] * ROTATED
    matters = partial(_matters, operation, arguments.inputs, rotated(arguments.leaves, 1, dtype), keywords)
    return Prepared(backend, device, operation, function, eager, call, sets, kept, native, footprint, compiled, matters)


def _matters(operation: Operation, inputs: Tree, others: Mapping[str, Any], keywords: Mapping[str, Any], path: str) -> bool:
    changed = trees.replace_leaves(inputs, lambda place, leaf: others[place] if place == path else leaf)
    with np.errstate(all="ignore"):
        before, after = (operation.function(**given, **keywords) for given in (inputs, changed))
    pairs = zip(trees.leaves(before), trees.leaves(after), strict=True)
    return any(
        np.max(np.abs(new - old), initial=0.0) > VISIBLE * np.max(np.abs(old), initial=0.0) for (_, old), (_, new) in pairs
    )


def _bytes(arrays: Mapping[str, NDArray[Any]], dtype: str) -> int:
    size = ITEMSIZES[dtype]
    return sum(leaf.size * (size if np.issubdtype(leaf.dtype, np.floating) else leaf.itemsize) for leaf in arrays.values())


def _compiled(backend: Backend, device: str, call: Any, arguments: tuple[Any, ...]) -> dict[str, int]:
    """Nanoseconds of the stages of compiling and of the first call."""
    stages = {f"{stage}_ns": int(ns) for stage, ns in backend.compile_stages(call, arguments).items()}
    start = perf_counter_ns()
    backend.wait(call(*arguments), device)
    stages["first_call_ns"] = perf_counter_ns() - start
    stages["total_ns"] = sum(stages.values())
    return stages


def warm_up(prepared: Prepared) -> float:
    """Call until three blocks agree within 5 %, or for a second; ns of a call. Of a block the quickest of three parts counts,
    which is the last to be disturbed by other processes. A compiler that compiles anew at each call takes the whole second, or
    goes on in the rounds: its recompilations are counted."""
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
            settled = len(recent) == 3 and max(recent) <= (1.0 + AGREE) * min(recent)
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
    return 1 if call_ns >= LONG_NS else 3 if call_ns >= BLOCK_NS else 9


def block(prepared: Prepared, calls: int) -> dict[str, Any]:
    """One block: ns of a call by throughput (the median of parts of ``calls`` calls each), of a few calls each by latency, and
    what the process used."""
    start = perf_counter_ns()
    with undisturbed(), prepared.backend.timed_loop(prepared.device):
        long = prepared.call_ns >= LONG_NS
        if not long:  # what ran before has emptied the caches, and put cores to sleep
            settling = calls if prepared.call_ns < BLOCK_NS else 1
            throughput(prepared.call, prepared.sets, settling, prepared.place, prepared.wait, [None] * ROTATED)
            prepared.place += settling
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
    """Latencies with cold caches, in ns; none for long calls, which make little of what is in a cache when they begin.

    Of a CPU: an accelerator's caches are not reached by writing to the host's memory.
    """
    if prepared.call_ns >= LONG_NS:
        return []
    with undisturbed(), prepared.backend.timed_loop(prepared.device):
        return cold_latencies(prepared.call, prepared.sets, COLD_CALLS, prepared.wait, prepared.kept)


def device_times(prepared: Prepared, calls: int) -> dict[str, Any]:
    """By the device's own clock, in ns: spans by events, and the sum of kernels; empty lists where it has none."""
    with undisturbed(), prepared.backend.timed_loop(prepared.device):
        several = [partial(prepared.call, *prepared.sets[number % ROTATED]) for number in range(calls)]
        spans = prepared.backend.device_spans(several, prepared.device)
        busy = prepared.backend.device_busy(several[0], prepared.device)
    return {"spans_ns": list(spans or ()), "busy_ns": [] if busy is None else [busy]}


def audit(prepared: Prepared, calls: int) -> dict[str, Any]:
    """What would show if the work were not done within the clock, or not done at all.

    ``same`` are ratios of blocks with one set of arguments to blocks with the rotated ones, taken in turns. ``fresh`` are ratios
    of a call's latency with arguments that were never seen to one with the same again. ``unready`` is how much longer the
    results of a block that was waited for take to be read for the first time than for the second, as a share of the block; or,
    if one call's results take longer to be read than arguments do by more than two such calls, by how many.
    """
    same, fresh, unready, unread = [], [], [], []
    results: list[Any] = [None] * ROTATED
    calls = max(calls, math.ceil(AUDITED_NS / prepared.call_ns))  # so long that waiting for three results is nothing beside it
    with undisturbed(), prepared.backend.timed_loop(prepared.device):
        throughput(prepared.call, prepared.sets, calls, 0, prepared.wait, results)  # as cold as it will never be again
        long = prepared.call_ns >= LONG_NS
        for number in range(AUDITED_LONG if long else AUDITED):
            taken = {}
            for count in (ROTATED, 1) if number % 2 == 0 else (1, ROTATED):
                taken[count] = throughput(prepared.call, prepared.sets[:count], calls, 0, prepared.wait, results)
                if count == ROTATED:
                    first_read, second_read = _read_ns(prepared, results), _read_ns(prepared, results)
                    unready.append((first_read - second_read) / taken[count])
            same.append(taken[1] / taken[ROTATED])
        for number in range(AUDITED_LONG if long else FRESH):
            new = [prepared.fresh(ROTATED + number)]
            prepared.wait(new)
            # A call with seen ones goes before, since making arrays has emptied the caches of code.
            _, first, again = latencies(prepared.call, [prepared.sets[0], *new, *new], 3, 0, prepared.wait, results)
            fresh.append(first / again)
            _read_ns(prepared, [prepared.sets[0]])
            unread.append(_unread_ns(prepared, results[2], new[0]) / again)
    is_unread = statistics.median(unread) > UNREAD
    return {"same": same, "fresh": fresh, "unready": unread if is_unread else unready}


def _unread_ns(prepared: Prepared, results: Any, arguments: Any) -> float:
    """How much longer results take to be read than arguments, which are there, if each number and array takes the same."""
    results_ns, arguments_ns = _read_ns(prepared, [results]), _read_ns(prepared, [arguments])
    sizes = [[prepared.backend.to_numpy(leaf).size for leaf in _present(item)] for item in (results, arguments)]
    more = max(len(sizes[0]) / max(1, len(sizes[1])), sum(sizes[0]) / max(1, sum(sizes[1])), 1.0)
    return results_ns - more * arguments_ns


def _present(results: Any) -> list[Any]:
    return [leaf for leaf in _flat(results) if leaf is not None]


def _read_ns(prepared: Prepared, results: Sequence[Any]) -> int:
    leaves = [leaf for one in results for leaf in _present(one or ())]
    start = perf_counter_ns()
    for leaf in leaves:
        prepared.backend.to_numpy(leaf)
    return perf_counter_ns() - start


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


def save_outputs(prepared: Prepared, paths: Sequence[tuple[str, Sequence[int]]], path: Path) -> dict[str, Any]:
    """Write what the last timed call with the first set of arguments gave, in the reference's layout.

    ``paths`` are names and shapes of outputs and then of gradients. Returned: dtype and device of each (``None`` for a
    gradient that is not connected), and whether every other set gave something else, and every argument alone does.
    """
    answers = [_flat(kept) for kept in prepared.kept]
    if len(answers[0]) != len(paths):
        raise ValueError(f"expected {len(paths)} results, got {len(answers[0])}")
    arrays: dict[str, Any] = {}
    described: list[dict[str, str | None] | None] = []
    for place, ((name, shape), value) in enumerate(zip(paths, answers[0], strict=True)):
        if value is None:
            described.append(None)
            continue
        found = from_backend(prepared.backend, prepared.operation, name.removeprefix("d_"), value, tuple(shape))
        arrays[f"a{place}"] = found.value
        described.append({"dtype": found.dtype, "device": found.device})
    np.savez(path, **arrays)
    differ = [_differ(prepared.backend, answers[0], other) for other in answers[1:]]
    return {"described": described, "differ": [*differ, *(False for _ in ignored(prepared))]}


def ignored(prepared: Prepared) -> list[str]:
    """The arguments whose change changes no result, though it ought to: weights, say, that were taken over once for all."""
    first, second = prepared.sets[:2]
    before = _flat(prepared.kept[0])
    places = [(0, *item) for item in enumerate(prepared.function.primal_paths)]
    places += [(1, *item) for item in enumerate(prepared.function.constant_paths)]
    deadline = perf_counter_ns() + IGNORED_NS
    found = []
    with prepared.backend.timed_loop(prepared.device):
        for group, place, path in places:
            arguments = [list(leaves) for leaves in first]
            arguments[group][place] = second[group][place]
            if not _differ(prepared.backend, before, _flat(prepared.call(*map(tuple, arguments)))) and prepared.matters(path):
                found.append(path)
            if perf_counter_ns() > deadline:
                break
    return found


def _flat(results: Any) -> list[Any]:
    return [leaf for group in results for leaf in group]


def _differ(backend: Backend, first: Sequence[Any], second: Sequence[Any]) -> bool:
    for one, other in zip(first, second, strict=True):
        if one is not None and other is not None and not np.array_equal(backend.to_numpy(one), backend.to_numpy(other)):
            return True
    return False


def overhead(prepared: Prepared, calls: int = 2000) -> float:
    """Nanoseconds of a call that are the suite's own: the loop, and in eager mode what puts arrays in their places."""
    adapter = copy.copy(prepared.function)
    adapter.empty()
    call = adapter if prepared.eager else (lambda primals, constants: None)
    sets = [arguments[:2] for arguments in prepared.sets]
    with undisturbed():
        return min(throughput(call, sets, calls, 0, lambda _: None, [None] * ROTATED) for _ in range(5)) / calls
