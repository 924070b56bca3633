"""A function as a table of steps, each of which is an operation: its values, its gradients and its work."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from tensorproof_reference.arguments import require
from tensorproof_reference.arrays import indexing, products, shapes, sorting
from tensorproof_reference.attention import grouped, layers, positions
from tensorproof_reference.normalizations import rms_norm
from tensorproof_reference.operation import Operation, Work
from tensorproof_reference.operations import (
    batch_norm,
    conv2d,
    conv2d_transpose,
    dense,
    gelu,
    layer_norm,
    matmul,
    max_pool2d,
    relu,
    silu,
    softmax,
)
from tensorproof_reference.operations._workloads import shaped
from tensorproof_reference.primitives import arithmetic_of_one, arithmetic_of_two, exponentials
from tensorproof_reference.reductions import sums
from tensorproof_reference.trees import Array, Gradients

PAGES = (
    *(batch_norm, conv2d, conv2d_transpose, dense, gelu, layer_norm),
    *(matmul, max_pool2d, relu, rms_norm, silu, softmax),
)
TABLES = (
    *(shapes, products, indexing, sorting, sums),
    *(arithmetic_of_one, arithmetic_of_two, exponentials),
    *(grouped, layers, positions),
)
PARTS: Mapping[str, Operation] = MappingProxyType(
    {
        operation.name: operation
        for operation in (
            *(page.OPERATION for page in PAGES),
            *(item for table in TABLES for item in table.OPERATIONS),
        )
    }
)
"""The operations that steps may name."""


class Step(NamedTuple):
    """One operation: what its result is called, and by argument the names of what it is called with."""

    result: str
    operation: str
    inputs: Mapping[str, str | tuple[str, ...]]
    keywords: Mapping[str, Any] = MappingProxyType({})
    others: tuple[str, ...] = ()
    """What its further results are called, through which no gradient flows."""


Parameters: TypeAlias = Mapping[str, Array]
Parts: TypeAlias = tuple[Sequence[Step], dict[str, Array | None]]
"""The steps of a block, and the arrays that they begin with."""


def values_of(steps: Sequence[Step], arrays: Mapping[str, Array | None]) -> dict[str, Any]:
    """The arrays, and the result of each step, by name."""
    found = dict(arrays)
    for step in steps:
        results = PARTS[step.operation].function(**_given(step, found), **step.keywords)
        names = (step.result, *step.others)
        found.update(zip(names, results if step.others else (results,), strict=True))
    return found


def gradients_of(steps: Sequence[Step], found: Mapping[str, Array | None], cotangents: Mapping[str, Array]) -> dict[str, Array]:
    """The gradients of all arrays that are no results, by those of results: back through the steps.

    What several steps use has the sum of their gradients. What leads to no cotangent has none.
    """
    gradients = dict(cotangents)
    for step in reversed(steps):
        if step.result not in gradients:
            continue
        operation = PARTS[step.operation]
        assert operation.vjp is not None
        pulled = operation.vjp(gradients.pop(step.result), **_given(step, found), **step.keywords)
        for argument, name in step.inputs.items():
            several = zip(name, pulled[argument], strict=True) if isinstance(name, tuple) else [(name, pulled.get(argument))]
            for one, gradient in several:
                if gradient is not None:
                    gradients[one] = gradients[one] + gradient if one in gradients else gradient
    return gradients


def block_gradients(cotangents: Mapping[str, Array], parts: Parts, parameters: Parameters) -> Gradients:
    """The gradients of x and of the parameters of a block."""
    steps, arrays = parts
    found = gradients_of(steps, values_of(steps, arrays), cotangents)
    return {"x": found["x"], "parameters": {name: found[name] for name in parameters}}


def work_of(steps: Sequence[Step], arrays: Mapping[str, Any]) -> Work:
    """The work of all steps on arrays of these shapes; and back, the sums of gradients of what several steps use."""
    found = values_of(steps, arrays)
    total = Work(flops=0)
    used: set[str] = set()
    for step in steps:
        work = PARTS[step.operation].work
        assert work is not None
        total = total + work(**_given(step, found), **step.keywords)
        for argument, given in step.inputs.items():
            for name in given if isinstance(given, tuple) else (given,):
                if argument in PARTS[step.operation].differentiable and found[name] is not None:
                    total = total + Work(flops=0, backward_flops=found[name].size if name in used else 0)
                    used.add(name)
    return total


def _given(step: Step, found: Mapping[str, Array | None]) -> dict[str, Any]:
    return {
        argument: [found[one] for one in name] if isinstance(name, tuple) else found[name]
        for argument, name in step.inputs.items()
    }


def require_parameters(parameters: Mapping[str, Array], names: Sequence[str]) -> None:
    """Raise ``ValueError`` unless these are all parameters of a block."""
    require(set(parameters) == set(names), "parameters", ", ".join(sorted(names)), ", ".join(sorted(parameters)))


def shaped_arrays(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Arrays of these shapes that take no memory, by name."""
    return {name: shaped(array) for name, array in arrays.items()}
