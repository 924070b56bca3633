"""The reference's value and gradient against PyTorch's eager ones, in float64 and one thread, in one run.

``python plugins/torch/measure_operations.py resize einsum`` prints for each operation, on its workload of size M, the median
time of both in ms, taken in turns, and the median of their ratios.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import torch  # noqa: E402  (after the number of threads is set)

from tensorproof.conformance.execution import Runs  # noqa: E402
from tensorproof.conformance.expectation import Expectation  # noqa: E402
from tensorproof.conformance.selection.cases import workload_of  # noqa: E402
from tensorproof.contract.backends import load  # noqa: E402
from tensorproof_reference.catalogue import known_operations  # noqa: E402
from tensorproof_reference.errorbars.rules import precision_of  # noqa: E402

ROUNDS = 25


def seconds(function: Callable[[], Any]) -> float:
    """The time of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    backend = load("torch")
    backend.open_device("cpu")
    for name in sys.argv[1:]:
        operation = known_operations()[name]
        vjp = operation.vjp
        if vjp is None:
            sys.exit(f"{name} has no gradient: name an operation that has one")
        sample = workload_of(operation, 0, "M")
        expectation = Expectation(operation, sample, "float64", 0, precision_of("float64"))
        run = Runs(backend, "cpu").of(expectation, "eager", expectation.arguments.primal_paths)
        arguments, given = run.native_arguments(), run.native_cotangents()
        inputs, cotangents = expectation.arguments.inputs, tuple(expectation.cotangents.values())

        def ours(
            operation: Any = operation, vjp: Any = vjp, sample: Any = sample, inputs: Any = inputs, dy: Any = cotangents
        ) -> None:
            operation.function(**inputs, **sample.keywords)
            vjp(dy[0] if len(dy) == 1 else dy, **inputs, **sample.keywords)

        def theirs(run: Any = run, arguments: Any = arguments, given: Any = given) -> None:
            run.call(arguments, given)

        ours(), theirs()
        pairs = [(seconds(ours), seconds(theirs)) for _ in range(ROUNDS)]
        ratio = statistics.median(first / second for first, second in pairs)
        first, second = (1e3 * statistics.median(values) for values in zip(*pairs, strict=True))
        print(f"{name:30} reference {first:8.2f} ms, torch {second:8.2f} ms, ratio {ratio:5.2f}")


if __name__ == "__main__":
    main()
