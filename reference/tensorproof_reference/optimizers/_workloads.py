"""What optimizers are timed on by size, and the count that their work is made of. Counting is as in ``operations._workloads``."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tensorproof_reference.operation import Sample, Work
from tensorproof_reference.operations._workloads import count
from tensorproof_reference.optimizers._steps import Arrays, Gradients
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

SHAPES: dict[str, tuple[tuple[int, ...], ...]] = {
    "S": ((16, 32), (32,)),
    "M": ((32, 3, 3, 3), (32,), (64, 32, 3, 3), (64,), (1152, 100), (100,)),
    "L": ((64, 3, 3, 3), (64,), (128, 64, 3, 3), (128,), (1920, 1000), (1000,)),
}
"""The weights and biases that are updated: those of a dense layer, and of two convolutions and a dense layer (135 thousand
numbers, and 2 million)."""

TAKEN = 9
"""How many steps were taken before the one that is timed: the state is no longer the initial one."""


def _away_from_zero(stream: Stream, shape: tuple[int, ...]) -> Array:
    """Within ±1.1, and at least 1/8 away from zero, where an update divided by its own size is not well determined."""
    x = stream.uniform(shape, -1.0, 1.0)
    return np.where(x < 0, x - 0.125, x + 0.125)


def gradients_of(stream: Stream, size: str) -> list[Array]:
    """A gradient of each parameter."""
    return [_away_from_zero(stream("gradients")(str(index)), shape) for index, shape in enumerate(SHAPES[size])]


def optimizer_workload(stream: Stream, size: str, *, states: Mapping[str, str] | None = None, counted: bool = False) -> Sample:
    """One step of parameters with gradients, and state.

    Args:
        stream: where random numbers come from.
        size: that of the parameters.
        states: the arguments that are state, with their sign: ``+``, or ``-`` for either.
        counted: whether the steps are counted, by the keyword ``taken``.
    """

    def arrays(name: str, low: float, high: float) -> list[Array]:
        return [stream(name)(str(index)).uniform(shape, low, high) for index, shape in enumerate(SHAPES[size])]

    bounds = {"+": (0.5, 2.0), "-": (-0.5, 0.5)}
    inputs: dict[str, Any] = {
        "parameters": arrays("parameters", -1.0, 1.0),
        "gradients": [gradients_of(stream, size)],
        **{name: arrays(name, *bounds[sign]) for name, sign in (states or {}).items()},
    }
    return Sample(name=size, inputs=inputs, keywords={"taken": TAKEN} if counted else {})


def clipping_workload(stream: Stream, size: str) -> Sample:
    """Gradients of which some are beyond a limit of 1/2."""
    return Sample(name=size, inputs={"gradients": gradients_of(stream, size)}, keywords={"limit": 0.5})


def numbers_in(arrays: Sequence[Any]) -> int:
    """How many numbers there are in a list of arrays."""
    return sum(count(array) for array in arrays)


def steps_work(parameters: Arrays, gradients: Gradients, flops: int, transcendentals: int = 0) -> Work:
    """So much work for each number of each parameter in each step in which it has a gradient."""
    updated = sum(
        count(parameter)
        for of_step in gradients
        for parameter, gradient in zip(parameters, of_step, strict=True)
        if gradient is not None
    )
    return Work(flops=updated * flops, transcendentals=updated * transcendentals)
