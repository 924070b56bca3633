"""The reference's value and gradient against PyTorch's eager ones, in float64 and one thread, in one run.

``python plugins/torch/measure_operations.py resize einsum`` prints for each operation, on its workload of size M, the median
time of both in ms, taken in turns, and the median of their ratios.
"""

import sys
from typing import Any

from in_turns import compare
from tensorproof.conformance.execution import Runs
from tensorproof.conformance.expectation import Expectation
from tensorproof.conformance.selection.cases import workload_of
from tensorproof.contract.backends import load
from tensorproof_reference.catalogue import known_operations
from tensorproof_reference.errorbars.rules import precision_of

ROUNDS = 25


def main() -> None:
    """Measure and print."""
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

        compare(name, ours, theirs, ROUNDS)


if __name__ == "__main__":
    main()
