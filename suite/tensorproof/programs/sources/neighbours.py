"""Each operation with each of a fixed set of neighbours, before it and after it.

What compilers fuse are pairs. A random campaign meets most pairs now and then; this meets all of them once.
"""

from collections.abc import Callable, Iterator, Mapping

from tensorproof.programs.building import Builder, Material
from tensorproof.programs.program import Node, Program
from tensorproof.programs.sources.plain_calls import called, joined, masked, product
from tensorproof.programs.sources.rows import ROWS
from tensorproof_reference.stream import Stream

SHAPES = ((3, 17), (6, 6), (2, 3, 3))
"""Short columns and a last axis with an odd rest of every vector; squares, in which a wrong axis fits; three axes."""

Neighbour = Callable[[Builder, int], int]


def _call(operation: str, **keywords: object) -> Neighbour:
    return lambda builder, x: builder.call(operation, {"x": x}, keywords)


def _with_a_row(operation: str) -> Neighbour:
    return lambda builder, x: builder.call(operation, {"a": x, "b": builder.input(builder.values[x].shape[-1:])})


def _twice(builder: Builder, x: int) -> int:
    return builder.call("multiply", {"a": x, "b": x})


def _two_consumers(builder: Builder, x: int) -> int:
    return builder.call("add", {"a": builder.call("tanh", {"x": x}), "b": builder.call("sigmoid", {"x": x})})


def _residual(builder: Builder, x: int) -> int:
    return builder.call("add", {"a": x, "b": builder.call("tanh", {"x": x})})


def _flattened_and_cropped(builder: Builder, x: int) -> int:
    flat = builder.call("reshape", {"x": x}, {"shape": (builder.values[x].size,)})
    return builder.call("strided_slice", {"x": flat}, {"start": (1,), "stop": (-1,), "step": (1,)})


def _joined_with_itself(builder: Builder, x: int) -> int:
    return builder.call("concatenate", {"arrays": (x, x)}, {"axis": 0})


def _turned(builder: Builder, x: int) -> int:
    """The last two axes swapped."""
    rank = builder.values[x].ndim
    return builder.call("permute", {"x": x}, {"axes": (*range(rank - 2), rank - 1, rank - 2)})


def _cropped(builder: Builder, x: int) -> int:
    rank = builder.values[x].ndim
    return builder.call("strided_slice", {"x": x}, {"start": (1,) * rank, "stop": (None,) * rank, "step": (1,) * rank})


def _padded(builder: Builder, x: int) -> int:
    return builder.call("pad", {"x": x}, {"widths": ((1, 0), *[(0, 1)] * (builder.values[x].ndim - 1))})


def _turned_product(builder: Builder, x: int) -> int:
    """A product with a transposed square, as layers have."""
    width = builder.values[x].shape[-1]
    turned = builder.call("permute", {"x": builder.input((width, width))}, {"axes": (1, 0)})
    return builder.call("matmul", {"a": x, "b": turned})


NEIGHBOURS: Mapping[str, Neighbour] = {
    "tanh": _call("tanh"),
    "softmax_over_columns": _call("softmax", axis=0),
    "layer_norm": _call("layer_norm"),
    "scaled_by_a_row": _with_a_row("multiply"),
    "plus_a_row": _with_a_row("add"),
    "product": product,
    "product_with_a_turned_square": _turned_product,
    "masked": masked,
    "residual": _residual,
    "same_argument_twice": _twice,
    "two_consumers": _two_consumers,
    "summed_over_rows": _call("reduce_sum", axis=-1, keepdims=True),
    "summed_over_columns": _call("reduce_sum", axis=0),
    "averaged": _call("reduce_mean", axis=-1),
    "largest_over_rows": _call("reduce_max", axis=-1, keepdims=True),
    "largest_over_columns": _call("reduce_max", axis=0),
    "cropped": _cropped,
    "flattened_and_cropped": _flattened_and_cropped,
    "flattened": _call("reshape", shape=(-1,)),
    "transposed": _turned,
    "joined_with_itself": _joined_with_itself,
    "joined_with_another": joined("concatenate"),
    "padded": _padded,
}
"""Each from an array of rows."""


def neighbour_programs(material: Material) -> Iterator[tuple[str, Program]]:
    """All pairs that are within the domains of both, each with its name: ``tanh then exp``."""
    names = [name for name in ROWS if name in material.available and name in material.specification]
    made = [around for name in names for around in _around(name)]
    # In any order, so that a campaign that ends early has met some of each.
    for place in Stream(material.seed)("neighbours").permutation(len(made)):
        label, make = made[place]
        program = of_all_shapes(material.builder(), make)
        if program is not None and material.has(program):
            yield label, program


def _around(name: str) -> Iterator[tuple[str, Neighbour]]:
    """What is made around an operation."""

    def itself(builder: Builder, x: int) -> int:
        return called(builder, name, x)

    for word, neighbour in NEIGHBOURS.items():
        yield f"{word} then {name}", _one_then(neighbour, itself)
        yield f"{name} then {word}", _one_then(itself, neighbour)
    yield f"{name} beside its argument", _beside(itself)


def _one_then(first: Neighbour, second: Neighbour) -> Neighbour:
    def build(builder: Builder, x: int) -> int:
        between = first(builder, x)
        if not builder.is_floating(between):
            raise ValueError("a condition has no neighbours but choices")
        return second(builder, between)

    return build


def _beside(operation: Neighbour) -> Neighbour:
    """An operation on a value that is needed afterwards, so that it must not be written over."""

    def build(builder: Builder, x: int) -> int:
        y = operation(builder, builder.call("subtract", {"a": x, "b": builder.input(builder.values[x].shape)}))
        node = builder.entries[y]
        assert isinstance(node, Node)
        if not builder.is_floating(y):
            raise ValueError("a condition is not added")
        taken = next(number for number in node.numbers if isinstance(builder.entries[number], Node))
        if builder.values[y].shape != builder.values[taken].shape:
            y = builder.call("reduce_sum", {"x": y}, {"axis": None})
        return builder.call("add", {"a": taken, "b": y})

    return build


def of_all_shapes(builder: Builder, make: Neighbour) -> Program | None:
    """The same calls once for each shape that they take, in one program; on positive numbers where others leave a domain."""
    ends = []
    for shape in SHAPES:
        for kind in ("normal", "positive"):
            before = len(builder.entries)
            try:
                end = make(builder, builder.input(shape, kind))
                if builder.is_floating(end):
                    ends.append(end)
                    break
            except ValueError:  # not ordinary, or not of shapes that fit
                pass
            builder.forget(before)
    return builder.program(ends) if ends else None
