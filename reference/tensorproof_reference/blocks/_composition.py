"""A function as a table of steps, each of which is an operation: its values, its gradients and its work."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from tensorproof_reference.arguments import require
from tensorproof_reference.arrays import shapes
from tensorproof_reference.attention import grouped, layers, positions
from tensorproof_reference.normalizations import rms_norm
from tensorproof_reference.operation import Operation, Work
from tensorproof_reference.operations import dense, gelu, layer_norm, relu, silu
from tensorproof_reference.primitives import arithmetic_of_two
from tensorproof_reference.trees import Array

PARTS: Mapping[str, Operation] = MappingProxyType(
    {
        operation.name: operation
        for operation in (
            *(page.OPERATION for page in (dense, gelu, layer_norm, relu, rms_norm, silu)),
            *(item for table in (shapes, arithmetic_of_two, grouped, layers, positions) for item in table.OPERATIONS),
        )
    }
)
"""The operations that steps may name."""


class Step(NamedTuple):
    """One operation: what its result is called, and by argument the names of what it is called with."""

    result: str
    operation: str
    inputs: Mapping[str, str]
    keywords: Mapping[str, Any] = MappingProxyType({})


def values_of(steps: Sequence[Step], arrays: Mapping[str, Array | None]) -> dict[str, Any]:
    """The arrays, and the result of each step, by name."""
    found = dict(arrays)
    for step in steps:
        found[step.result] = PARTS[step.operation].function(**_given(step, found), **step.keywords)
    return found


def gradients_of(steps: Sequence[Step], found: Mapping[str, Array | None], dy: Array) -> dict[str, Array]:
    """The gradients of all arrays that are no results, by those of the last result: back through the steps.

    What several steps use has the sum of their gradients.
    """
    gradients: dict[str, Array] = {steps[-1].result: dy}
    for step in reversed(steps):
        operation = PARTS[step.operation]
        assert operation.vjp is not None
        pulled = operation.vjp(gradients.pop(step.result), **_given(step, found), **step.keywords)
        for argument, name in step.inputs.items():
            gradient = pulled.get(argument)
            if gradient is not None:
                gradients[name] = gradients[name] + gradient if name in gradients else gradient
    return gradients


def work_of(steps: Sequence[Step], arrays: Mapping[str, Any]) -> Work:
    """The work of all steps on arrays of these shapes; and back, the sums of gradients of what several steps use."""
    found = values_of(steps, arrays)
    total = Work(flops=0)
    used: set[str] = set()
    for step in steps:
        work = PARTS[step.operation].work
        assert work is not None
        total = total + work(**_given(step, found), **step.keywords)
        for argument, name in step.inputs.items():
            if argument in PARTS[step.operation].differentiable and found[name] is not None:
                total = total + Work(flops=0, backward_flops=found[name].size if name in used else 0)
                used.add(name)
    return total


def _given(step: Step, found: Mapping[str, Array | None]) -> dict[str, Any]:
    return {argument: found[name] for argument, name in step.inputs.items()}


def require_parameters(parameters: Mapping[str, Array], names: Sequence[str]) -> None:
    """Raise ``ValueError`` unless these are all parameters of a block."""
    require(set(parameters) == set(names), "parameters", ", ".join(sorted(names)), ", ".join(sorted(parameters)))
