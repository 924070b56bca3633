"""A plain call of every operation on a given array, whatever its rank: what else it takes is new."""

from collections.abc import Callable, Mapping
from typing import Any

from tensorproof.programs.building import Builder, NotOrdinary
from tensorproof.programs.dtypes import CAST

REDUCTIONS = (
    *("reduce_sum", "reduce_mean", "reduce_prod", "reduce_max", "reduce_min"),
    *("variance", "standard_deviation", "norm", "logsumexp"),
)


def _of_rank(rank: int) -> Mapping[str, Mapping[str, Any]]:
    """The keywords of operations that need some, for an array of so many axes."""
    rest = rank - 1
    return {
        **{name: {"axis": -1} for name in REDUCTIONS},
        "reshape": {"shape": (-1,)},
        "permute": {"axes": (*range(1, rank), 0)},
        "strided_slice": {"start": (1, *[None] * rest), "stop": (None,) * rank, "step": (*[1] * rest, 2)},
        "pad": {"widths": ((0, 1), *[(2, 0)] * rest)},
        "tile": {"repeats": (2, *[1] * rest)},
        "expand_dims": {"axis": 1},
        "flip": {"axis": -1},
        "roll": {"shift": 2, "axis": -1},
    }


def two(builder: Builder, operation: str, a: int, b: int) -> int:
    """An operation of two arrays."""
    return builder.call(operation, {"a": a, "b": b})


def times(builder: Builder, x: int, factor: float) -> int:
    """The array multiplied by a number."""
    return two(builder, "multiply", x, builder.number(factor, "multiply", builder.dtypes[x]))


def cast(builder: Builder, x: int, dtype: str) -> int:
    """The array in another dtype."""
    return builder.call(CAST, {"x": x}, {"dtype": dtype})


def there_and_back(builder: Builder, x: int, dtype: str) -> int:
    """The array cast to a dtype, and back to its own."""
    return cast(builder, cast(builder, x, dtype), builder.dtypes[x])


def masked(builder: Builder, x: int) -> int:
    """A choice between the array and a new one."""
    shape = builder.values[x].shape
    return builder.call("where", {"condition": builder.input(shape, "truth"), "a": x, "b": builder.input(shape)})


def product(builder: Builder, x: int) -> int:
    """A product with a new square matrix.

    Raises:
        NotOrdinary: the array has less than two axes.
    """
    shape = builder.values[x].shape
    if len(shape) < 2:
        raise NotOrdinary(f"matmul: expected two axes, got {len(shape)}")
    return builder.call("matmul", {"a": x, "b": builder.input((shape[-1], shape[-1]))})


def joined(operation: str) -> Callable[[Builder, int], int]:
    """The array and a new one, joined or stacked."""

    def call(builder: Builder, x: int) -> int:
        return builder.call(operation, {"arrays": (builder.input(builder.values[x].shape), x)}, {"axis": -1})

    return call


SPECIAL_CALLS: Mapping[str, Callable[[Builder, int], int]] = {
    "where": masked,
    "matmul": product,
    "concatenate": joined("concatenate"),
    "stack": joined("stack"),
}
"""Operations that take more than ``x``, or ``a`` and ``b`` of one shape."""


def called(builder: Builder, name: str, x: int) -> int:
    """An operation on an array.

    Raises:
        ValueError: it rejects the array, or gives numbers that are not ordinary.
    """
    special = SPECIAL_CALLS.get(name)
    if special is not None:
        return special(builder, x)
    shape = builder.values[x].shape
    arguments = builder.specification[name].function.__code__
    if "b" in arguments.co_varnames[: arguments.co_argcount]:
        return builder.call(name, {"a": x, "b": builder.input(shape, "positive")})
    return builder.call(name, {"x": x}, _of_rank(len(shape)).get(name, {}))
