"""Training runs, step by step from the reference's state, so that errors do not feed on each other."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorproof.backend import Backend
from tensorproof.execution import Answers, Clock, OperationFunction, Run
from tensorproof.expectation import Expectation
from tensorproof_reference import trees
from tensorproof_reference.model_operations import STEPS, training_batch
from tensorproof_reference.stream import Stream


@dataclass(frozen=True)
class Step:
    """One training step: what the reference expects, and what the backend gave from the same state."""

    number: int
    expectation: Expectation
    answers: Answers


def training_steps(expectation: Expectation, backend: Backend, device: str, mode: str, clock: Clock) -> Iterator[Step]:
    """The steps of a training run; each begins where the reference's step before ended, rounded to the dtype."""
    run = run_in_mode(expectation, backend, device, mode, clock)
    operation, sample = expectation.operation, expectation.sample
    model = operation.model
    assert model is not None
    stream = Stream(expectation.seed)(operation.name)
    inputs = dict(sample.inputs)
    for number in range(STEPS):
        inputs |= {**training_batch(model, stream, number), "taken": np.asarray(number, np.int64)}
        current = Expectation(
            operation, replace(sample, inputs=inputs), expectation.dtype, expectation.seed, expectation.precision
        )
        yield Step(number, current, run.run(run.native_arguments(current.arguments.leaves), None))
        values = {path: value for path, (value, _) in current.outputs.items()}
        inputs |= {name: _rebuilt(inputs[name], values, name) for name in ("parameters", "state", "slots")}


def run_in_mode(expectation: Expectation, backend: Backend, device: str, mode: str, clock: Clock) -> Run:
    """The run of a training step or of fitting, which compiles by itself what is compiled in the mode."""
    sample = replace(expectation.sample, keywords={**expectation.sample.keywords, "mode": mode})
    function = OperationFunction(backend, expectation.operation, sample, expectation.arguments, ())
    return Run(backend, device, "eager", expectation, function, clock)


def _rebuilt(structure: Any, values: dict[str, NDArray[Any]], name: str) -> Any:
    """The tree of an input, with the values of the output of that name."""
    return trees.replace_leaves(structure, lambda path, leaf: values[f"{name}.{path}"])
