"""Whether the engine reads what others read on the same callable in the same run.

    python suite/tests/measure_agreement.py torch [--op relu …]     # against torch.utils.benchmark's blocked_autorange
    python suite/tests/measure_agreement.py jax [--op relu …]       # against a loop around block_until_ready

The engine's block and the other's are taken in turns, now one first and now the other, in one process and one thread. Printed
for each operation, workload and mode: the median of the ratios engine/other with its 95 % interval, and the suite's own part of
a call in ns.
"""

import argparse
import gc
import math
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tensorproof.timing.resources import environment

ROUNDS = 42
SETTLING = 4
"""Readings that do not count, as in the engine's blocks."""
READINGS_A_ROUND = 9
SECONDS_OF_A_READING = 0.00025
"""As long as a part of the engine's blocks. Longer ones have other processes' interruptions in them: ``blocked_autorange`` takes
the mean of up to 100 calls."""


Reading = Callable[[Callable[..., Any], tuple[Any, ...], int], float]


def torch_reading(call: Callable[..., Any], arguments: tuple[Any, ...], calls: int) -> float:
    """Seconds of a call by ``torch.utils.benchmark``, which chooses the number of calls itself."""
    from torch.utils.benchmark import Timer

    timer = Timer("call(*arguments)", globals={"call": call, "arguments": arguments}, num_threads=1)
    readings = [timer.blocked_autorange(min_run_time=SECONDS_OF_A_READING).median for _ in range(SETTLING + READINGS_A_ROUND)]
    return float(statistics.median(readings[SETTLING:]))


def jax_reading(call: Callable[..., Any], arguments: tuple[Any, ...], calls: int) -> float:
    """Seconds of a call by hand: so many calls and one ``block_until_ready``, the median of several.

    Without garbage collection and without keeping results, as ``timeit`` does it.
    """
    import jax

    spans = []
    gc.disable()
    for _ in range(SETTLING + READINGS_A_ROUND):
        start = time.perf_counter()
        for _ in range(calls - 1):
            call(*arguments)
        jax.block_until_ready(call(*arguments))
        spans.append((time.perf_counter() - start) / calls)
    gc.enable()
    return statistics.median(spans[SETTLING:])


READINGS: dict[str, Reading] = {"torch": torch_reading, "jax": jax_reading}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("backend", choices=READINGS)
    parser.add_argument("--op", action="append", default=[])
    parser.add_argument("--workload", action="append", default=[])
    options = parser.parse_args()
    os.environ.update(environment(1))  # before any library that reads it is imported

    from tensorproof.backends import load, specification
    from tensorproof.cases import workload_of
    from tensorproof.expectation import Expectation
    from tensorproof.timing import audit, prepared
    from tensorproof.timing.arrays import save_arguments
    from tensorproof.timing.placement import Placement, move
    from tensorproof.timing.statistics import compare
    from tensorproof_reference.errorbars import precision_of

    backend = load(options.backend)
    backend.set_threads(1)
    backend.open_device("cpu")
    operations = specification()
    reading = READINGS[options.backend]
    for name in options.op or ["relu", "softmax", "dense", "layer_norm", "lstm"]:
        for size in options.workload or ["S", "M"]:
            operation = operations[name]
            expectation = Expectation(operation, workload_of(operation, 0, size), "float32", 0, precision_of("float32"))
            for mode in backend.modes:
                with tempfile.TemporaryDirectory() as folder:
                    path = Path(folder) / "arguments.npz"
                    save_arguments(path, expectation.arguments.inputs, expectation.sample.keywords, {})
                    case = prepared.prepare(backend, "cpu", operation, mode, "float32", "forward", path)
                call_ns = prepared.warm_up(case)
                calls = max(1, int(prepared.PART_NS / call_ns))
                placement, case.placement = case.placement, Placement((), case.placement.place)
                ratios = []
                with backend.timed_loop("cpu"):
                    for number in range(ROUNDS):
                        # Elsewhere in each round for both; of one set, since the other tools rotate through nothing.
                        move(placement, case.sets, math.inf)
                        case.sets[:] = case.sets[:1] * len(case.sets)
                        first = reading(case.call, case.sets[0], calls) if number % 2 else math.nan
                        block_ns = prepared.block(case, calls)["throughput_ns"]
                        other = first if number % 2 else reading(case.call, case.sets[0], calls)
                        ratios.append(block_ns / (other * 1e9))
                found = compare([ratios])
                inside = "agrees" if abs(found.ratio - 1.0) <= 0.02 or found.low <= 1.0 <= found.high else "DIFFERS"
                own = audit.overhead(case)
                print(
                    f"{inside}  {name} {size} {mode}: {found.ratio:.3f} ({found.low:.3f} to {found.high:.3f}); "
                    f"a call takes {call_ns / 1e3:.1f} µs, {own:.0f} ns of it in the suite",
                    flush=True,
                )


if __name__ == "__main__":
    main()
