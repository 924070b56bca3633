"""Whether the engine reads what others read on the same callable in the same run.

    python suite/tests/measure_agreement.py torch [--op relu …]     # torch.utils.benchmark's blocked_autorange, and a loop
    python suite/tests/measure_agreement.py jax [--op relu …]       # a loop around block_until_ready

The engine's block and the others' are taken in turns, first one first and then another, in one process and one thread. Printed
for each operation, workload and mode: the median of the ratios engine/other with its 95 % interval, and the suite's own part of
a call in ns.
"""

import argparse
import gc
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tensorproof.timing.resources import environment

ROUNDS = 42

Reading = Callable[[Callable[..., Any], tuple[Any, ...], int, int], float]


def blocked_autorange(call: Callable[..., Any], arguments: tuple[Any, ...], calls: int, parts: int) -> float:
    """Seconds of a call by ``torch.utils.benchmark``, which chooses the number of calls itself: the median of what it measures in
    0.2 s, each the mean of 1 to 10 ms."""
    from torch.utils.benchmark import Timer

    timer = Timer("call(*arguments)", globals={"call": call, "arguments": arguments}, num_threads=1)
    return float(timer.blocked_autorange().median)


def torch_loop(call: Callable[..., Any], arguments: tuple[Any, ...], calls: int, parts: int) -> float:
    """Seconds of a call by a loop written by hand."""
    return _loop(call, arguments, calls, parts, lambda results: None)


def jax_loop(call: Callable[..., Any], arguments: tuple[Any, ...], calls: int, parts: int) -> float:
    """Seconds of a call by a loop written by hand, with one ``block_until_ready``."""
    import jax

    return _loop(call, arguments, calls, parts, jax.block_until_ready)


def _loop(call: Callable[..., Any], arguments: tuple[Any, ...], calls: int, parts: int, wait: Callable[[Any], Any]) -> float:
    """The median of as many parts as the engine takes, of so many calls, after one that does not count unless calls are long.
    Without garbage collection and without keeping results, as ``timeit`` does it."""
    spans = []
    settling = 1 if parts > 1 else 0
    gc.disable()
    for _ in range(settling + parts):
        start = time.perf_counter()
        for _ in range(calls - 1):
            call(*arguments)
        wait(call(*arguments))
        spans.append((time.perf_counter() - start) / calls)
    gc.enable()
    return statistics.median(spans[settling:])


OTHERS: dict[str, dict[str, Reading]] = {
    "torch": {"blocked_autorange": blocked_autorange, "loop": torch_loop},
    "jax": {"loop": jax_loop},
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("backend", choices=OTHERS)
    parser.add_argument("--op", action="append", default=[])
    parser.add_argument("--workload", action="append", default=[])
    options = parser.parse_args()
    wanted = {**os.environ, **environment(1)}
    if wanted != dict(os.environ):  # the allocator reads its settings when a process starts
        os.execve(sys.executable, [sys.executable, *sys.argv], wanted)

    from tensorproof.conformance.expectation import Expectation
    from tensorproof.conformance.selection.cases import workload_of
    from tensorproof.contract.backends import load, specification
    from tensorproof.timing.arrays import save_arguments
    from tensorproof.timing.results.statistics import compare
    from tensorproof.timing.worker import audit, prepared
    from tensorproof.timing.worker.placement import Placement, move
    from tensorproof_reference.errorbars.rules import precision_of

    backend = load(options.backend)
    backend.set_threads(1)
    backend.open_device("cpu")
    operations = specification()
    others = OTHERS[options.backend]
    for chosen in options.op or ["relu", "softmax", "dense", "layer_norm", "lstm"]:
        for size in options.workload or ["S", "M"]:
            operation = operations[chosen]
            expectation = Expectation(operation, workload_of(operation, 0, size), "float32", 0, precision_of("float32"))
            for mode in backend.modes:
                with tempfile.TemporaryDirectory() as folder:
                    path = Path(folder) / "arguments.npz"
                    save_arguments(path, replace(expectation.sample, inputs=expectation.arguments.inputs), {})
                    case = prepared.prepare(backend, "cpu", operation, mode, "float32", "forward", path)
                call_ns = prepared.warm_up(case)
                calls = max(1, int(prepared.PART_NS / call_ns))
                placement, case.placement = case.placement, Placement((), case.placement.place)
                ratios: dict[str, list[float]] = {name: [] for name in others}
                with backend.timed_loop("cpu"):
                    for number in range(ROUNDS):
                        # Elsewhere in each round for all; of one set, since the other tools rotate through nothing.
                        move(placement, case.sets, math.inf)
                        case.sets[:] = case.sets[:1] * len(case.sets)
                        order = ["engine", *others]
                        first = number % len(order)
                        seconds = {}
                        for name in [*order[first:], *order[:first]]:
                            if name == "engine":
                                seconds[name] = prepared.block(case, calls)["throughput_ns"] / 1e9
                            else:
                                seconds[name] = others[name](case.call, case.sets[0], calls, prepared.parts_of(call_ns))
                        for name in others:
                            ratios[name].append(seconds["engine"] / seconds[name])
                own = audit.overhead(case)
                print(f"{operation.name} {size} {mode}: a call takes {call_ns / 1e3:.1f} µs, {own:.0f} ns of it in the suite")
                for other, found in ((other, compare([values])) for other, values in ratios.items()):
                    inside = "agrees" if abs(found.ratio - 1.0) <= 0.02 or found.low <= 1.0 <= found.high else "DIFFERS"
                    print(f"  {inside}  with {other}: {found.ratio:.3f} ({found.low:.3f} to {found.high:.3f})", flush=True)


if __name__ == "__main__":
    main()
