"""The reference's training step against PyTorch's eager one, in float64 and one thread, in one run.

``python plugins/torch/measure_training_steps.py`` prints for each model the median time of both in ms, taken in turns, and
the median of their ratios.
"""

from dataclasses import replace
from typing import Any

from in_turns import compare
from tensorproof.conformance.execution import Clock, Run
from tensorproof.conformance.expectation import Expectation
from tensorproof.conformance.selection.cases import samples_of
from tensorproof.conformance.training import run_in_mode
from tensorproof.contract.backends import load
from tensorproof_reference.catalogue import all_operations
from tensorproof_reference.errorbars.rules import precision_of

ROUNDS = 15
CONVENTIONS = {"gru": {"reset": "after"}}


def main() -> None:
    """Measure and print."""
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

        compare(operation.name.removesuffix("_training"), ours, theirs, ROUNDS)


if __name__ == "__main__":
    main()
