"""Each operation with each of a fixed set of neighbours, before it and after it.

What compilers fuse are pairs. A random campaign meets most pairs now and then; this meets all of them once.
"""

from collections.abc import Callable, Collection, Iterator, Mapping

from tensorproof.programs.building import Builder, NotOrdinary
from tensorproof.programs.program import Program
from tensorproof.programs.sources.rows import ROWS
from tensorproof_reference.operation import Operation

SHAPE = (5, 17)
"""A last axis with an odd rest of every vector."""

Neighbour = Callable[[Builder, int], int]


def _call(operation: str, **keywords: object) -> Neighbour:
    return lambda builder, x: builder.call(operation, {"x": x}, keywords)


def _with_new(operation: str, shape: tuple[int, ...]) -> Neighbour:
    return lambda builder, x: builder.call(operation, {"a": x, "b": builder.input(shape)})


def _twice(builder: Builder, x: int) -> int:
    return builder.call("multiply", {"a": x, "b": x})


def _two_consumers(builder: Builder, x: int) -> int:
    return builder.call("add", {"a": builder.call("tanh", {"x": x}), "b": builder.call("sigmoid", {"x": x})})


def _residual(builder: Builder, x: int) -> int:
    return builder.call("add", {"a": x, "b": builder.call("tanh", {"x": x})})


def _masked(builder: Builder, x: int) -> int:
    return builder.call("where", {"condition": builder.input(SHAPE, "truth"), "a": x, "b": builder.input(SHAPE)})


NEIGHBOURS: Mapping[str, Neighbour] = {
    "tanh": _call("tanh"),
    "relu": _call("relu"),
    "softmax_over_rows": _call("softmax", axis=-1),
    "softmax_over_columns": _call("softmax", axis=0),
    "layer_norm": _call("layer_norm"),
    "scaled_by_a_row": _with_new("multiply", SHAPE[-1:]),
    "shifted_by_a_column": _with_new("add", (SHAPE[0], 1)),
    "product": _with_new("matmul", (SHAPE[-1], SHAPE[-1])),
    "masked": _masked,
    "residual": _residual,
    "same_argument_twice": _twice,
    "two_consumers": _two_consumers,
}
"""A dozen, each from an array of rows to one of the same shape."""


def _itself(builder: Builder, name: str, x: int) -> int:
    """An operation on an array of rows."""
    arguments = builder.specification[name].function.__code__
    positional = arguments.co_varnames[: arguments.co_argcount]
    if "condition" in positional:
        return builder.call(name, {"condition": builder.input(SHAPE, "truth"), "a": x, "b": builder.input(SHAPE)})
    if name == "matmul":
        return NEIGHBOURS["product"](builder, x)
    if "b" in positional:
        return builder.call(name, {"a": x, "b": builder.input(SHAPE, "positive")})
    return builder.call(name, {"x": x})


def neighbour_programs(
    specification: Mapping[str, Operation], available: Collection[str], dtype: str, seed: int
) -> Iterator[tuple[str, Program]]:
    """All pairs that are within the domains of both, each with its name: ``tanh then exp``."""
    for name in ROWS:
        if name not in available or name not in specification:
            continue
        for word, neighbour in NEIGHBOURS.items():
            for label, before in ((f"{word} then {name}", True), (f"{name} then {word}", False)):
                # Positive numbers too, where others leave a domain.
                for kind in ("normal", "positive"):
                    program = _pair(specification, dtype, seed, name, neighbour, before, kind)
                    if program is not None and all(node.operation in available for node in program.nodes):
                        yield label, program
                        break


def _pair(
    specification: Mapping[str, Operation], dtype: str, seed: int, name: str, neighbour: Neighbour, before: bool, kind: str
) -> Program | None:
    builder = Builder(specification, dtype, seed)
    x = builder.input(SHAPE, kind)
    try:
        first = neighbour(builder, x) if before else _itself(builder, name, x)
        if not builder.is_floating(first):
            return None
        end = _itself(builder, name, first) if before else neighbour(builder, first)
    except NotOrdinary:
        return None
    return builder.program([end]) if builder.is_floating(end) else None
