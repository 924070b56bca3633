"""What compilers make one call of: each call after each other one, with all their axes and operands, in small cubes.

A rewrite is often right with one axis and wrong with another: two sums over axis 0, a flip after a flip of another axis, a
padding that a crop does not undo. So each operation has several calls here, and each call follows each.
All axes have one length, so that a wrong axis fits. Each chain has inputs of its own, as compilers rewrite what one call takes.
"""

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np

from tensorproof.programs.building import Builder, Material, NotOrdinary
from tensorproof.programs.program import Node, Program
from tensorproof.programs.sources.neighbours import Neighbour
from tensorproof.programs.sources.plain_calls import masked, product
from tensorproof_reference.stream import Stream

SHAPE = (4, 4, 4)
TOGETHER = 16
"""Chains in one program."""
NUMBERS = (-0.5, 3.0, 0.75)
LONGEST = 200_000
"""Elements of a value of a long program at most."""

Chain = Callable[[Builder], tuple[int, ...]]
"""Makes inputs and calls; the numbers of the results."""


def _call(operation: str, **keywords: object) -> Neighbour:
    return lambda builder, x: builder.call(operation, {"x": x}, keywords)


def _by_rank(operation: str, keywords: Callable[[int], Mapping[str, object]]) -> Neighbour:
    """A call with keywords that depend on the number of axes."""
    return lambda builder, x: builder.call(operation, {"x": x}, keywords(builder.values[x].ndim))


def _slice(first: tuple[int | None, int | None, int], others: tuple[int | None, int | None, int]) -> Neighbour:
    """Start, stop and step along the first axis, and along the others."""

    def keywords(rank: int) -> Mapping[str, object]:
        start, stop, step = zip(first, *[others] * (rank - 1), strict=True)
        return {"start": start, "stop": stop, "step": step}

    return _by_rank("strided_slice", keywords)


def _pad(first: tuple[int, int], others: tuple[int, int]) -> Neighbour:
    return _by_rank("pad", lambda rank: {"widths": (first, *[others] * (rank - 1))})


def _merged_axes(builder: Builder, x: int) -> int:
    """The first two axes made one."""
    return builder.call("reshape", {"x": x}, {"shape": (-1, *builder.values[x].shape[2:])})


def _cut(builder: Builder, x: int) -> int:
    """The last axis cut in two."""
    return builder.call("reshape", {"x": x}, {"shape": (*builder.values[x].shape[:-1], 2, -1)})


def _joined(axis: int) -> Neighbour:
    return lambda builder, x: builder.call("concatenate", {"arrays": (x, x)}, {"axis": axis})


def _stacked(builder: Builder, x: int) -> int:
    return builder.call("stack", {"arrays": (x, builder.input(builder.values[x].shape))}, {"axis": 0})


def _taken(axis: int, order: Callable[[int], Sequence[int]]) -> Neighbour:
    def call(builder: Builder, x: int) -> int:
        indices = order(builder.values[x].shape[axis])
        return builder.call("take", {"x": x, "indices": builder.whole(indices)}, {"axis": axis})

    return call


def _with_a_number(operation: str) -> Neighbour:
    """Another number than that of the call before."""
    return lambda builder, x: builder.call(
        operation, {"a": x, "b": builder.number(NUMBERS[len(builder.entries) % len(NUMBERS)], operation)}
    )


def _with_a_row(operation: str) -> Neighbour:
    return lambda builder, x: builder.call(operation, {"a": x, "b": builder.input(builder.values[x].shape[-1:], "positive")})


def _with_a_column(operation: str) -> Neighbour:
    """One number for each row."""

    def call(builder: Builder, x: int) -> int:
        return builder.call(operation, {"a": x, "b": builder.input((*builder.values[x].shape[:-1], 1), "positive")})

    return call


def _from_a_row(operation: str) -> Neighbour:
    return lambda builder, x: builder.call(operation, {"a": builder.input(builder.values[x].shape[-1:]), "b": x})


def _product_on_the_left(builder: Builder, x: int) -> int:
    rows = builder.values[x].shape[-2]
    return builder.call("matmul", {"a": builder.input((rows, rows)), "b": x})


def _chosen_by(comparison: str) -> Neighbour:
    """A choice by how the array compares with a new one."""

    def call(builder: Builder, x: int) -> int:
        a, b = (builder.input(builder.values[x].shape) for _ in range(2))
        return builder.call("where", {"condition": builder.call(comparison, {"a": x, "b": a}), "a": a, "b": b})

    return call


CALLS: Mapping[str, tuple[Neighbour, ...]] = {
    "permute": (
        _by_rank("permute", lambda rank: {"axes": (*range(rank - 2), rank - 1, rank - 2)}),
        _by_rank("permute", lambda rank: {"axes": (*range(1, rank), 0)}),
        _by_rank("permute", lambda rank: {"axes": (1, 0, *range(2, rank))}),
    ),
    "reshape": (_call("reshape", shape=(-1,)), _merged_axes, _cut),
    "strided_slice": (
        _slice((1, None, 1), (None, None, 1)),
        _slice((None, -1, 1), (None, None, 1)),
        _slice((None, None, 1), (1, None, 2)),
        _slice((1, -1, 1), (1, -1, 1)),
    ),
    "pad": (_pad((1, 0), (0, 0)), _pad((0, 1), (0, 0)), _pad((0, 0), (2, 1)), _pad((1, 1), (1, 1))),
    "flip": (_call("flip", axis=0), _call("flip", axis=-1)),
    "roll": (_call("roll", shift=1, axis=0), _call("roll", shift=2, axis=-1)),
    "tile": (
        _by_rank("tile", lambda rank: {"repeats": (2, *[1] * (rank - 1))}),
        _by_rank("tile", lambda rank: {"repeats": (*[1] * (rank - 1), 3)}),
    ),
    "expand_dims": (_call("expand_dims", axis=0), _call("expand_dims", axis=1)),
    "concatenate": (_joined(0), _joined(-1)),
    "stack": (_stacked,),
    "take": (
        _taken(0, lambda length: range(length)[::-1]),
        _taken(0, lambda length: [(place + 1) % length for place in range(length)]),
        _taken(-1, lambda length: [(place + 1) % length for place in range(length)]),
    ),
    "reduce_sum": (
        _call("reduce_sum", axis=0),
        _call("reduce_sum", axis=-1),
        _call("reduce_sum", axis=1, keepdims=True),
        _call("reduce_sum", axis=(0, 1)),
    ),
    "reduce_mean": (_call("reduce_mean", axis=0), _call("reduce_mean", axis=-1, keepdims=True), _call("reduce_mean", axis=None)),
    "reduce_max": (_call("reduce_max", axis=0), _call("reduce_max", axis=-1, keepdims=True)),
    "cumulative_sum": (_call("cumulative_sum", axis=0), _call("cumulative_sum", axis=-1)),
    "softmax": (_call("softmax", axis=0), _call("softmax", axis=-1)),
    "logsumexp": (_call("logsumexp", axis=0), _call("logsumexp", axis=-1, keepdims=True)),
    "variance": (_call("variance", axis=0), _call("variance", axis=-1, keepdims=True)),
    "layer_norm": (_call("layer_norm"),),
    **{name: (_with_a_number(name), _with_a_row(name), _with_a_column(name)) for name in ("add", "multiply", "divide")},
    "subtract": (_with_a_number("subtract"), _with_a_column("subtract"), _from_a_row("subtract")),
    "maximum": (_with_a_number("maximum"), _with_a_row("maximum")),
    "matmul": (product, _product_on_the_left),
    "where": (masked, *map(_chosen_by, ("less", "less_equal", "greater", "greater_equal"))),
}
"""By operation, the ways in which it is called."""
KINDS = (
    ("permute", "reshape", "strided_slice", "pad", "flip", "roll", "tile", "expand_dims", "concatenate", "stack", "take"),
    ("reduce_sum", "reduce_mean", "reduce_max", "cumulative_sum", "softmax", "logsumexp", "variance", "layer_norm"),
    ("add", "subtract", "multiply", "divide", "maximum", "matmul", "where"),
)
"""Operations that move numbers, that reduce rows or go along them, and that compute with another array."""
OF_TWO: Mapping[str, Mapping[str, object]] = {
    **{name: {} for name in ("add", "subtract", "multiply", "maximum", "matmul")},
    "concatenate": {"axis": 0},
}
"""Operations that take two arrays, with their keywords."""


def _one_then(first: Neighbour, second: Neighbour) -> Chain:
    def build(builder: Builder) -> tuple[int, ...]:
        between = first(builder, builder.input(SHAPE))
        if not builder.values[between].ndim:
            raise NotOrdinary("one number has no axis")
        return (second(builder, between),)

    return build


def _both_then(first: Neighbour, operation: str) -> Chain:
    """An operation of two arrays that were each made by the same call: what compilers move behind it."""

    def build(builder: Builder) -> tuple[int, ...]:
        one, other = (first(builder, builder.input(SHAPE)) for _ in range(2))
        operands = {"arrays": (one, other)} if operation == "concatenate" else {"a": one, "b": other}
        return (builder.call(operation, operands, OF_TWO[operation]),)

    return build


def _side_by_side(first: Neighbour, second: Neighbour) -> Chain:
    """Two calls of one operation on one array, which must not be taken for the same."""

    def build(builder: Builder) -> tuple[int, ...]:
        x = builder.input(SHAPE)
        return first(builder, x), second(builder, x)

    return build


def _exchanged(operation: str) -> Chain:
    """The operands both ways round."""

    def build(builder: Builder) -> tuple[int, ...]:
        x, y = (builder.input(SHAPE, "positive") for _ in range(2))
        return builder.call(operation, {"a": x, "b": y}), builder.call(operation, {"a": y, "b": x})

    return build


def _of_one_kind(available: Collection[str]) -> Iterator[Chain]:
    """What compilers merge most: calls of one kind after each other, behind each other, and side by side."""
    for names in KINDS:
        calls = _calls_of(names, available)
        yield from itertools.starmap(_one_then, itertools.product(calls, calls))
    of_two = [name for name in OF_TWO if name in available]
    yield from itertools.starmap(_both_then, itertools.product(_calls_of(CALLS, available), of_two))
    for name in CALLS:
        yield from itertools.starmap(_side_by_side, itertools.combinations(_calls_of([name], available), 2))
    yield from (_exchanged(name) for name in ("subtract", "divide", "power", "matmul", "less_equal") if name in available)


def _of_two_kinds(available: Collection[str]) -> Iterator[Chain]:
    for one, other in itertools.permutations(KINDS, 2):
        calls, others = (_calls_of(names, available) for names in (one, other))
        yield from itertools.starmap(_one_then, itertools.product(calls, others))


def _calls_of(names: Iterable[str], available: Collection[str]) -> list[Neighbour]:
    """The calls of those of some operations that a backend has."""
    return [call for name in names if name in available for call in CALLS[name]]


def _ties(builder: Builder, node: Node) -> bool:
    """Whether a largest number is there twice: then no gradient of the whole program is judged."""
    given = [builder.values[number] for number in node.numbers]
    if node.operation == "reduce_max":
        return len(np.unique(given[0])) < given[0].size
    return node.operation == "maximum" and bool(np.any(given[0] == given[1]))


def _made(material: Material, builder: Builder, chain: Chain) -> list[int]:
    """The results of a chain; none, and nothing is added, if it cannot be made of ordinary numbers, or is not available."""
    before = len(builder.entries)
    try:
        results = [number for number in chain(builder) if builder.is_floating(number)]
        nodes = [entry for entry in builder.entries[before:] if isinstance(entry, Node)]
        if all(node.operation in material.available and not _ties(builder, node) for node in nodes):
            return results
    except (ValueError, IndexError):  # not ordinary, not of shapes that fit, or of too few axes
        pass
    builder.forget(before)
    return []


def merge_programs(material: Material) -> Iterator[tuple[str, Program]]:
    """Programs of long arrays, then all chains: first those of one kind, then others, each in any order."""
    yield from _long_programs(material)
    number = 0
    for chains in (_of_one_kind(material.available), _of_two_kinds(material.available)):
        for program in _packed(material, list(chains)):
            yield f"merges {number}", program
            number += 1


def _packed(material: Material, chains: Sequence[Chain]) -> Iterator[Program]:
    """Some chains in each program, in any order."""
    builder, ends, count = material.builder(), [], 0
    for place in Stream(material.seed)("merges").permutation(len(chains)):
        results = _made(material, builder, chains[place])
        ends += results
        count += bool(results)
        if count == TOGETHER:
            yield builder.program(ends)
            builder, ends, count = material.builder(), [], 0
    if ends:
        yield builder.program(ends)


LONG = ((3, 4_099), (4_099, 3), (33_001,))
"""Rows, columns and one axis that are longer than a kernel's block, and no multiple of a vector."""
REDUCTIONS = (
    *("reduce_sum", "reduce_mean", "reduce_max", "logsumexp", "norm", "variance"),
    *("cumulative_sum", "softmax", "layer_norm"),
)


def _long_programs(material: Material) -> Iterator[tuple[str, Program]]:
    """Each reduction along the long axis of products that it is fused with."""
    for reduction in REDUCTIONS:
        builder, ends = material.builder(LONGEST), []
        for shape in LONG:
            axis = int(np.argmax(shape))
            keywords = {} if reduction == "layer_norm" else {"axis": axis}
            if reduction != "layer_norm" or axis == len(shape) - 1:
                x = builder.call("multiply", {"a": builder.input(shape, "positive"), "b": builder.input(shape, "positive")})
                ends.append(builder.call(reduction, {"x": x}, keywords))
        program = builder.program(ends)
        if material.has(program):
            yield f"long product then {reduction}", program
