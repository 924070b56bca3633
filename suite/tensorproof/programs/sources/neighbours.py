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

REDUCTIONS = (
    *("reduce_sum", "reduce_mean", "reduce_prod", "reduce_max", "reduce_min"),
    *("variance", "standard_deviation", "norm", "logsumexp"),
)
KEYWORDS: Mapping[str, Mapping[str, object]] = {
    **{name: {"axis": -1} for name in REDUCTIONS},
    "reshape": {"shape": (-1,)},
    "permute": {"axes": (1, 0)},
    "strided_slice": {"start": (1, None), "stop": (None, None), "step": (1, 2)},
    "pad": {"widths": ((0, 1), (2, 0))},
    "tile": {"repeats": (2, 1)},
    "expand_dims": {"axis": 1},
    "flip": {"axis": 1},
    "roll": {"shift": 2, "axis": 1},
}
"""Those of operations that need some, for an array of two axes."""

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
    shape = builder.values[x].shape
    return builder.call("where", {"condition": builder.input(shape, "truth"), "a": x, "b": builder.input(shape)})


def _product(builder: Builder, x: int) -> int:
    shape = builder.values[x].shape
    if len(shape) < 2:
        raise NotOrdinary(f"matmul: expected two axes, got {len(shape)}")
    width = shape[-1]
    return builder.call("matmul", {"a": x, "b": builder.input((width, width))})


def _flattened_and_cropped(builder: Builder, x: int) -> int:
    flat = builder.call("reshape", {"x": x}, {"shape": (builder.values[x].size,)})
    return builder.call("strided_slice", {"x": flat}, {"start": (1,), "stop": (-1,), "step": (1,)})


def _joined(builder: Builder, x: int) -> int:
    return builder.call("concatenate", {"arrays": (x, x)}, {"axis": 0})


NEIGHBOURS: Mapping[str, Neighbour] = {
    "tanh": _call("tanh"),
    "softmax_over_columns": _call("softmax", axis=0),
    "layer_norm": _call("layer_norm"),
    "scaled_by_a_row": _with_new("multiply", SHAPE[-1:]),
    "product": _product,
    "masked": _masked,
    "residual": _residual,
    "same_argument_twice": _twice,
    "two_consumers": _two_consumers,
    "summed_over_rows": _call("reduce_sum", axis=-1, keepdims=True),
    "summed_over_columns": _call("reduce_sum", axis=0),
    "largest_over_rows": _call("reduce_max", axis=-1, keepdims=True),
    "flattened_and_cropped": _flattened_and_cropped,
    "transposed": _call("permute", axes=(1, 0)),
    "joined_with_itself": _joined,
    "padded": _call("pad", widths=((1, 0), (0, 1))),
}
"""Each from an array of rows."""


def _itself(builder: Builder, name: str, x: int) -> int:
    """An operation on an array; what else it takes is new."""
    shape = builder.values[x].shape
    arguments = builder.specification[name].function.__code__
    positional = arguments.co_varnames[: arguments.co_argcount]
    if "condition" in positional:
        return _masked(builder, x)
    if name == "matmul":
        return _product(builder, x)
    if "arrays" in positional:
        return _joined(builder, x)
    if "b" in positional:
        return builder.call(name, {"a": x, "b": builder.input(shape, "positive")})
    return builder.call(name, {"x": x}, KEYWORDS.get(name, {}))


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
    except ValueError:  # not ordinary, or not of shapes that fit
        return None
    return builder.program([end]) if builder.is_floating(end) else None
