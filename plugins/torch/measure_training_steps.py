"""The reference's training step against PyTorch's eager one, in float64 and one thread, in one run.

``python plugins/torch/measure_training_steps.py`` prints for each model the median time of both in ms, taken in turns, and
the median of their ratios.
"""

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import torch  # noqa: E402  (after the number of threads is set)

from tensorproof.conformance.execution import Clock, Run  # noqa: E402
from tensorproof.conformance.expectation import Expectation  # noqa: E402
from tensorproof.conformance.selection.cases import samples_of  # noqa: E402
from tensorproof.conformance.training import run_in_mode  # noqa: E402
from tensorproof.contract.backends import load  # noqa: E402
from tensorproof_reference.catalogue import all_operations  # noqa: E402
from tensorproof_reference.errorbars.rules import precision_of  # noqa: E402

ROUNDS = 15
CONVENTIONS = {"gru": {"reset": "after"}}


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
    for operation in all_operations().values():
        if operation.family != "training":
            continue
        (sample,) = samples_of(operation, 0).values()
        sample = replace(sample, keywords={"conventions": CONVENTIONS})
        expectation = Expectation(operation, sample, "float64", 0, precision_of("float64"))
        run: Run = run_in_mode(expectation, backend, "cpu", "eager", Clock())
        arguments = run.native_arguments()
        forward = backend.forward(run.function, "eager")
        inputs = expectation.arguments.inputs

        def ours(operation: Any = operation, inputs: Any = inputs) -> Any:
            return operation.function(**inputs, conventions=CONVENTIONS)

        def theirs(forward: Any = forward, arguments: Any = arguments) -> Any:
            return forward(*arguments)

        ours(), theirs()
        pairs = [(seconds(ours), seconds(theirs)) for _ in range(ROUNDS)]
        ratio = statistics.median(first / second for first, second in pairs)
        first, second = (1e3 * statistics.median(values) for values in zip(*pairs, strict=True))
        print(
            f"{operation.name.removesuffix('_training'):30} reference {first:8.2f} ms, torch {second:8.2f} ms, ratio {ratio:5.2f}"
        )


if __name__ == "__main__":
    main()
