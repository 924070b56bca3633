"""Miscompilations that concern how arguments lie in memory, to plant in the compiler of the small framework."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from faulty import Fault
from planted_kernels import KERNELS, kernel
from planted_rewrites import Planted, Rewrite, Surroundings, first_of, rewritten
from small_backend import Node
from small_operations import KNOWN

from tensorproof.backend import numpy_strides

Array = Any
Steps = tuple[int, ...]
Read = Callable[[Array], Array]


def _places(shape: Steps, steps: Steps, start: int) -> Array:
    """Where each element lies."""
    found = np.full(shape, start)
    for step, index in zip(steps, np.indices(shape), strict=True):
        found += step * index
    return found


def _taken(array: Array, steps: Steps, start: int) -> Array:
    """What lies in the memory of an array at these steps, as a kernel reads it that takes them for the array's own."""
    memory = np.asarray(array if array.base is None else array.base).ravel(order="K")
    # What lies before the memory and behind it is not known: here it is the other end.
    return memory[_places(array.shape, steps, start) % memory.size]


def _own_steps(shape: Steps) -> Steps:
    """Those of a contiguous array."""
    return tuple(int(np.prod(shape[axis + 1 :])) for axis in range(len(shape)))


def _as_contiguous(x: Array) -> Array:
    return _taken(x, _own_steps(x.shape), numpy_strides(x)[1])


def _from_the_beginning(x: Array) -> Array:
    steps, _ = numpy_strides(x)
    return x if min(steps, default=0) < 0 else _taken(x, steps, 0)


def _by_positive_steps(x: Array) -> Array:
    steps, start = numpy_strides(x)
    return _taken(x, tuple(map(abs, steps)), start)


def _without_gaps_in_rows(x: Array) -> Array:
    """Elements of a row are taken for neighbours, if rows lie one behind the other."""
    steps, start = numpy_strides(x)
    return _taken(x, (*steps[:-1], 1), start) if x.ndim > 1 and 0 < steps[-1] <= steps[-2] else x


def _as_transposed(x: Array) -> Array:
    """A matrix whose elements of a row have gaps between them is taken for a transposed one."""
    steps, start = numpy_strides(x)
    return _taken(x, (*steps[:-2], 1, x.shape[-2]), start) if x.ndim > 1 and 1 < steps[-1] <= steps[-2] else x


def _without_overlaps(x: Array) -> Array:
    """Rows that overlap are taken to lie one behind the other."""
    steps, start = numpy_strides(x)
    overlap = x.ndim > 1 and x.shape[-1] > 1 and 0 < steps[-2] == steps[-1]
    return _taken(x, _own_steps(x.shape), start) if overlap else x


def _read_by(name: str, read: Read) -> Callable[..., Array]:
    """An operation on arrays that are read in some way."""

    @functools.wraps(KNOWN[name].function)
    def function(**given: Any) -> Array:
        arrays = {key: read(value) if isinstance(value, np.ndarray) else value for key, value in given.items()}
        return KNOWN[name].function(**arrays)

    return function


def _written_as_the_first_lies(a: Array, b: Array) -> Array:
    """The sum is laid in memory as the first argument is, so that what shares a place is written over."""
    total = a + b
    steps, start = numpy_strides(a)
    if total.shape != a.shape or min(steps, default=0) < 0:
        return total
    places = _places(a.shape, steps, start)
    memory = np.zeros(int(places.max()) + 1, total.dtype)
    memory[places.ravel()] = total.ravel()
    return memory[places]


def _summed_where_expanded(dy: Array, x: Array) -> Any:
    """The gradient is added up in memory that is laid as the argument is."""
    dx = KNOWN["tanh"].vjp(dy, x)["x"]  # type: ignore[misc]
    axes = tuple(axis for axis, step in enumerate(numpy_strides(x)[0]) if step == 0 and x.shape[axis] > 1)
    return {"x": np.array(np.broadcast_to(dx.sum(axes, keepdims=True), dx.shape)) if axes else dx}


def _read_as_the_first_lies(a: Array, b: Array) -> Array:
    """Both operands are read by the steps of the first one, if they have one shape."""
    return a + _taken(b, numpy_strides(a)[0], numpy_strides(b)[1]) if a.shape == b.shape else a + b


def _in_the_order_of_memory(x: Array, *, shape: Steps) -> Array:
    """A transposed array is given another shape as it lies in memory."""
    return (x.T if x.T.flags.c_contiguous else x).reshape(shape)


@dataclass(frozen=True)
class Strided:
    """A miscompilation of calls whose first array is an argument."""

    operation: str
    function: Callable[..., Any] | None = None
    vjp: Callable[..., Any] | None = None
    """In place of the operation's own."""
    shown_by: tuple[str, ...] = ()
    """The ways to lie in memory that show it; where there are none, many do."""


GAPS = ("sliced", "stepped", "cropped", "offset")
MADE: Mapping[str, Strided] = {
    "strides_ignored": Strided("tanh", _read_by("tanh", _as_contiguous)),
    "offset_taken_for_zero": Strided("softmax", _read_by("softmax", _from_the_beginning), None, GAPS),
    "steps_taken_for_positive": Strided("reduce_sum", _read_by("reduce_sum", _by_positive_steps), None, ("reversed",)),
    "rows_taken_for_dense": Strided("layer_norm", _read_by("layer_norm", _without_gaps_in_rows), None, ("sliced",)),
    "gaps_taken_for_transposed": Strided("matmul", _read_by("matmul", _as_transposed), None, ("sliced",)),
    "overlapping_rows_taken_apart": Strided("multiply", _read_by("multiply", _without_overlaps), None, ("windows",)),
    "written_through_an_expanded_axis": Strided("add", _written_as_the_first_lies, None, ("expanded_first", "expanded_last")),
    "gradient_summed_in_an_expanded_axis": Strided("tanh", None, _summed_where_expanded, ("expanded_first", "expanded_last")),
    "strides_of_the_first_for_both": Strided("add", _read_as_the_first_lies),
    "view_in_the_order_of_memory": Strided("reshape", _in_the_order_of_memory, None, ("transposed",)),
}
"""By what is wrong."""


def _of_arguments(operation: str) -> Rewrite:
    """Calls whose first array is an argument of the program: nothing else lies otherwise than contiguous."""

    def rewrite(node: Node, around: Surroundings) -> list[Node] | None:
        wrong = node.operation == operation and around.maker(first_of(node)) is None
        return [replace(node, operation=f"{operation}_by_strides")] if wrong else None

    return rewrite


def _planted(name: str, made: Strided) -> Planted:
    operation = KNOWN[made.operation]
    wrong = kernel(made.function or operation.function, made.vjp or operation.vjp)
    fault = Fault(
        name=name,
        operation=made.operation,
        group="compiled",
        optimize=rewritten(_of_arguments(made.operation)),
        kernels={**KERNELS, f"{made.operation}_by_strides": wrong},
    )
    return Planted((made.operation,), fault)


PLANTED_STRIDES: Mapping[str, Planted] = {name: _planted(name, made) for name, made in MADE.items()}
"""By what is wrong."""
