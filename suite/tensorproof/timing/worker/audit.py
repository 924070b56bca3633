"""What would show if the work were not done within the clock, or not done at all: asked of a case after its last block."""

import copy
import math
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter_ns  # bound before any framework is imported, as in blocks
from typing import Any

import numpy as np

from tensorproof.backend import Backend
from tensorproof.conformance.execution import from_backend
from tensorproof.timing.arrays import ROTATED
from tensorproof.timing.worker.blocks import latencies, throughput, undisturbed
from tensorproof.timing.worker.prepared import LONG_NS, Prepared

FRESH = 6
IGNORED_NS = 200_000_000
"""How long to look for arguments that are ignored."""
UNREAD = 2.0
SLOWEST_MEMORY = 1.0
"""Bytes in a nanosecond: no machine's memory gives fewer."""
AUDITED = 6
AUDITED_LONG = 2
AUDITED_NS = 2_000_000


def audit(prepared: Prepared, calls: int, begin: int = 0) -> dict[str, Any]:
    """What would show if the work were not done within the clock, or not done at all.

    ``same`` are ratios of blocks with one set of arguments to blocks with the rotated ones, taken in turns; none where a block is
    one call, which rotates through nothing. ``fresh`` are ratios of a call's latency with arguments that were never seen to one
    with the same again, less what the former may take to come from memory. ``unready`` is how much longer the results of a block
    that was waited for take to be read for the first time than for the second, as a share of the block; or, if one call's results
    take longer to be read than arguments do by more than two such calls, by how many. ``begin`` is how many sets of
    arguments were made for an earlier look.
    """
    same, fresh, unready, unread = [], [], [], []
    results: list[Any] = [None] * ROTATED
    calls = max(calls, math.ceil(AUDITED_NS / prepared.call_ns))  # so long that waiting for three results is nothing beside it
    with undisturbed(), prepared.backend.timed_loop(prepared.device):
        throughput(prepared.call, prepared.sets, calls, 0, prepared.wait, results)  # as cold as it will never be again
        long = prepared.call_ns >= LONG_NS
        for number in range(AUDITED_LONG if long else AUDITED):
            taken = {}
            counts = (ROTATED,) if calls == 1 else (ROTATED, 1) if number % 2 == 0 else (1, ROTATED)
            for count in counts:
                taken[count] = throughput(prepared.call, prepared.sets[:count], calls, 0, prepared.wait, results)
                if count == ROTATED:
                    first_read, second_read = _read_ns(prepared, results), _read_ns(prepared, results)
                    unready.append((first_read - second_read) / taken[count])
            if calls > 1:
                same.append(taken[1] / taken[ROTATED])
        for number in range(AUDITED_LONG if long else FRESH):
            new = [prepared.fresh(ROTATED + begin + number)]
            prepared.wait(new)
            # A call with seen ones goes before, since making arrays has emptied the caches of code; long calls do not care.
            given = [*new, *new] if long else [prepared.sets[0], *new, *new]
            *_, first, again = latencies(prepared.call, given, len(given), 0, prepared.wait, results)
            fresh.append((first - prepared.footprint / SLOWEST_MEMORY) / again)
            _read_ns(prepared, [prepared.sets[0]])
            unread.append(_unread_ns(prepared, results[len(given) - 1], new[0]) / again)
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
    sets = [arguments[:2] for arguments in prepared.sets]
    call: Callable[..., Any] = lambda primals, constants: None  # noqa: E731 (as a loop calls it)
    if prepared.eager:
        call = copy.copy(prepared.function)
        call.freeze(*sets[0])
    with undisturbed():
        return min(throughput(call, sets, calls, 0, lambda _: None, [None] * ROTATED) for _ in range(5)) / calls
